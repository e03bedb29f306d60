"""No number guessed (R14 to R14f): generated cells from 50 countries, with what a person means by them beside them.

`make test` judges a few thousand, the same every time; `make nightly` 100,000 new ones. `NUMBERYARD_CELLS_SEED` repeats
a run, `NUMBERYARD_CELLS` judges more or fewer.
"""

from __future__ import annotations

import os
import random
from collections import defaultdict
from collections.abc import Sequence

import phonenumbers
import pytest

from schemas.codes import Code
from tests.support.number_cells import build, judge, places
from tests.support.number_cells.columns import INTERNATIONAL, NATIONAL, digits_in
from tests.support.number_cells.judge import Finding, Judgement, Outcome
from tests.support.number_cells.model import NOTHING, Cell, Sheet, Verdict, one
from tests.support.number_cells.numbers import LONGEST_E164, draw, is_valid, parsed, readings
from tests.support.property_tests import NIGHTLY

pytestmark = pytest.mark.xdist_group("number cells")

SEED = int(os.environ.get("NUMBERYARD_CELLS_SEED", random.randrange(1 << 31) if NIGHTLY else 16))
CELLS = int(os.environ.get("NUMBERYARD_CELLS", "100000" if NIGHTLY else "3000"))
LARGEST_SHEET = 2000 if NIGHTLY else 250
SHARE = 0.98
KINDS = (
    "remark after",
    "extension",
    "second number",
    "mask",
    "letter for digit",
    "vanity",
    "short",
    "15 digits",
    "stem and ends",
    "shorter first",
    "both in full",
    "size",
    "region differs",
    "country, name",
)


@pytest.fixture(scope="module")
def judgement(tmp_path_factory: pytest.TempPathFactory) -> Judgement:
    """All cells, judged once."""
    folder = tmp_path_factory.mktemp("cells")
    return judge.judged(
        build.sheets(SEED, CELLS, LARGEST_SHEET), folder, random.Random(SEED).choice((37, 700, 1 << 17))
    )


def summary(findings: Sequence[Finding], each: int = 3) -> str:
    """The findings by kind, the commonest first, and how to see them again."""
    kinds = defaultdict[str, list[Finding]](list)
    for finding in findings:
        kinds[finding.cell.kind].append(finding)
    lines = [f"NUMBERYARD_CELLS_SEED={SEED} NUMBERYARD_CELLS={CELLS} repeats this: {len(findings)} cells"]
    for kind, some in sorted(kinds.items(), key=lambda pair: -len(pair[1])):
        lines += [f"{kind}: {len(some)}", *(f"    {finding}" for finding in some[:each])]
    return "\n".join(lines)


def test_only_what_is_meant_is_written(judgement: Judgement) -> None:
    assert not judgement.harm, summary(judgement.harm)


def test_what_the_rules_refuse_is_refused(judgement: Judgement) -> None:
    """R14a: also where the number is the right one, the rest of the cell would be lost without a word."""
    assert not judgement.not_refused, summary(judgement.not_refused)


def test_what_has_one_meaning_is_written(judgement: Judgement) -> None:
    assert judgement.due > CELLS / 3
    assert judgement.written_share >= SHARE, f"{judgement.written_share:.2%}; {summary(judgement.missing)}"


def test_refusals_bear_the_code_of_their_rule(judgement: Judgement) -> None:
    """R14a: INVALID_CHARACTER for a remark, not TOO_LONG; R14b: AMBIGUOUS_NUMBER; and so on."""
    assert judgement.refusals > CELLS / 20
    assert len(judgement.wrong_code) <= (1 - SHARE) * judgement.refusals, summary(judgement.wrong_code)


def test_warnings_name_what_was_decided(judgement: Judgement) -> None:
    """R14 (REGION_DIFFERS), R14a (LETTERS_CONVERTED), R14b (the reading)."""
    assert judgement.warnings_due > CELLS / 100
    assert len(judgement.wrong_warning) <= (1 - SHARE) * judgement.warnings_due, summary(judgement.wrong_warning)


# --- the generator and the judge themselves ---


def test_cells_come_from_all_countries_and_kinds(judgement: Judgement) -> None:
    assert len(places.REGIONS) >= 40
    for kind in KINDS:
        assert judgement.cells[kind] >= 3, kind


def test_numbers_drawn_are_valid_for_their_country() -> None:
    chance = random.Random(SEED)
    for region in places.REGIONS:
        number = draw(region, chance)
        again = phonenumbers.parse(f"+{number.e164}")
        assert phonenumbers.is_valid_number_for_region(again, region)
        assert again == parsed(number.code, number.national)


def test_validity_is_what_the_library_says() -> None:
    chance = random.Random(SEED)
    verdicts = set()
    for code, regions in phonenumbers.COUNTRY_CODE_TO_REGION_CODE.items():
        for _ in range(10):
            number = draw(chance.choice(regions), chance, code=code)
            place = chance.randrange(len(number.national))
            changed = number.national[:place] + chance.choice(("", "0", "1", "9")) + number.national[place + 1 :]
            if len(changed) > 1 and len(f"{code}{changed}") <= LONGEST_E164:
                verdict = phonenumbers.is_valid_number(parsed(code, changed))
                assert is_valid(code, changed) == verdict, (code, changed)
                verdicts.add(verdict)
    assert verdicts == {True, False}


def test_readings_of_digits() -> None:
    """R14b and R14d as their examples have them."""
    assert readings("DE", "4915110000000").all == {4915110000000, 494915110000000}
    assert readings("DE", "15110000000").all == {4915110000000}
    assert readings("IT", "669812345").zero_added == {390669812345}
    assert readings("US", "12125550142").all == {12125550142}
    assert digits_in(draw("DE", random.Random(1)), INTERNATIONAL).startswith("49")
    assert digits_in(draw("DE", random.Random(1)), NATIONAL).startswith("0")


@pytest.mark.parametrize(
    ("verdict", "meant", "written", "where"),
    [
        (Verdict.WRITE, one(12125550142), one(12125550143), "harm"),
        (Verdict.EITHER, one(12125550142), one(12125550143), "harm"),
        (Verdict.FAIL, NOTHING, one(12125550142), "harm"),
        (Verdict.FAIL, one(12125550142), one(12125550142), "not_refused"),
        (Verdict.WRITE, range(10, 20), range(10, 19), "missing"),
        (Verdict.WRITE, one(12125550142), NOTHING, "missing"),
        (Verdict.WRITE, one(12125550142), one(12125550142), ""),
        (Verdict.EITHER, one(12125550142), NOTHING, ""),
        (Verdict.FAIL, one(12125550142), NOTHING, "wrong_code"),
    ],
)
def test_the_judge_sees_what_is_wrong(verdict: Verdict, meant: range, written: range, where: str) -> None:
    found = Judgement()
    sheet = Sheet("example", [Cell("example", "1", "x", meant, verdict, Code.INVALID_CHARACTER)])
    found.judge(sheet, [Outcome(written, None if written else Code.TOO_LONG, frozenset())])
    lists = ("harm", "not_refused", "missing", "wrong_code", "wrong_warning")
    assert [name for name in lists if getattr(found, name)] == ([where] if where else [])
