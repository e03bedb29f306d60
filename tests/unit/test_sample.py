"""The sample spreadsheet: same seed same bytes, sound rows valid by the library, every fault in its share."""

from __future__ import annotations

import hashlib
import re
import time
from functools import cache

import numpy as np
import phonenumbers
import pyarrow as pa
import pytest
from phonenumbers import PhoneNumberFormat, ValidationResult

from schemas.codes import CATALOGUE, Family
from schemas.columns import SAMPLE_COLUMNS, name_of
from worker.sample.faults import DUPLICATES, FAULTS, Kind
from worker.sample.generator import BATCH_ROWS, MAX_ROWS, SCHEMA, Batch, batches, rows
from worker.sample.number_plans import PLANS, Plan

COUNT = 300_000
DIGEST = "c178903c56a4fd921199c1c45efb313cc30bba9880b9aea8b5945144106c0841"
REGIONS = {plan.calling_code: plan.region for plan in PLANS}


@cache
def drawn() -> Batch:
    """One sample over several batches, put together."""
    parts = list(batches(COUNT, 11))
    return Batch(
        pa.Table.from_batches([part.rows for part in parts]).combine_chunks().to_batches()[0],
        np.concatenate([part.kinds for part in parts]),
        np.concatenate([part.e164 for part in parts]),
    )


def cells(column: int, places: np.ndarray) -> list[str]:
    found: list[str] = drawn().rows.column(column).take(pa.array(places)).to_pylist()
    return found


def parsed(country: str, cell: str) -> phonenumbers.PhoneNumber:
    """The cell as the rules read it (R14): 00 stands for +, the country may be a calling code."""
    code = country.removeprefix("+").removeprefix("00")
    text = "+" + cell[2:] if cell.startswith("00") else cell
    return phonenumbers.parse(text, REGIONS.get(code, code))


def digest(count: int, seed: int) -> str:
    sha = hashlib.sha256()
    for batch in rows(count, seed):
        for row in batch.to_pylist():
            sha.update(("\x1f".join(row.values()) + "\n").encode())
    return sha.hexdigest()


def test_same_seed_same_bytes_on_every_machine() -> None:
    assert digest(2_000, 7) == DIGEST
    assert digest(2_000, 8) != DIGEST


@pytest.mark.parametrize("count", [0, 1, 17, BATCH_ROWS - 1, BATCH_ROWS, BATCH_ROWS + 1])
def test_fewer_rows_are_the_first_of_more(count: int) -> None:
    few = pa.Table.from_batches(rows(count, 3), schema=SCHEMA)
    more = pa.Table.from_batches(rows(BATCH_ROWS + 50, 3), schema=SCHEMA)
    assert few.num_rows == count
    assert few.equals(more.slice(0, count))


def test_batches_have_the_five_sample_columns_as_text_and_a_bounded_size() -> None:
    for batch in rows(BATCH_ROWS + 1, 1):
        assert batch.schema.names == [name_of(column) for column in SAMPLE_COLUMNS]
        assert set(batch.schema.types) == {pa.string()}
        assert batch.num_rows <= BATCH_ROWS
        assert sum(column.null_count for column in batch.columns) == 0


@pytest.mark.parametrize(("count", "seed"), [(-1, 1), (MAX_ROWS + 1, 1), (1, -1)])
def test_what_cannot_be_drawn_is_refused_at_once(count: int, seed: int) -> None:
    with pytest.raises(ValueError, match="count"):
        rows(count, seed)


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: f"{plan.region}-{plan.prefixes[0]}")
def test_behind_every_prefix_every_digit_is_free(plan: Plan) -> None:
    random = np.random.default_rng(5)
    for prefix in plan.prefixes:
        for tail in (0, 10**plan.free - 1, *random.integers(0, 10**plan.free, 8)):
            text = f"+{plan.calling_code}{prefix}{tail:0{plan.free}d}"
            number = phonenumbers.parse(text)
            assert phonenumbers.is_valid_number(number), text
            assert phonenumbers.format_number(number, PhoneNumberFormat.E164) == text


def test_no_plan_runs_out_of_numbers() -> None:
    whole = sum(plan.weight for plan in PLANS)
    for plan in PLANS:
        assert plan.size > 1.2 * MAX_ROWS * plan.weight / whole, plan.prefixes[0]


def test_numbers_are_unique_but_for_the_rows_meant_to_repeat() -> None:
    own = np.array([FAULTS[Kind(kind)].keeps_number for kind in range(len(Kind))])[drawn().kinds]
    assert len(np.unique(drawn().e164[own])) == own.sum()


def test_shares_of_rows_with_faults() -> None:
    counted = np.bincount(drawn().kinds, minlength=len(Kind)) / COUNT
    assert 0.025 < 1 - counted[Kind.NONE] < 0.036
    for kind in Kind:
        if kind is not Kind.NONE:
            assert 0.5 * FAULTS[kind].share < counted[kind] < 1.6 * FAULTS[kind].share, kind


def test_every_kind_comes_to_a_code_of_a_row() -> None:
    for fault in FAULTS.values():
        assert CATALOGUE[fault.code].outcome is not None
        assert fault.warning is None or CATALOGUE[fault.warning].family is Family.WARNING


def test_sound_and_mendable_rows_are_the_numbers_they_should_be_by_the_library() -> None:
    """R14, R15: whatever the spelling. The repairs the library does not know are undone first."""
    random = np.random.default_rng(2)
    for kind in (kind for kind in Kind if FAULTS[kind].keeps_number or kind in DUPLICATES):
        places = random.choice(np.flatnonzero(drawn().kinds == kind), 150 if kind else 3000)
        for country, cell, e164 in zip(cells(0, places), cells(1, places), drawn().e164[places], strict=True):
            number = parsed(country, mended(kind, cell))
            assert phonenumbers.is_valid_number(number), (kind, country, cell)
            assert phonenumbers.format_number(number, PhoneNumberFormat.E164) == f"+{e164}", (kind, country, cell)


def mended(kind: Kind, cell: str) -> str:
    if kind is Kind.FLOAT_SUFFIX:
        assert cell.endswith(".0")
        return cell.removesuffix(".0")
    if kind is Kind.SCIENTIFIC_WHOLE:
        assert "E" in cell.upper()
        return str(int(float(cell)))
    return cell.translate({ord(char): None for char in "\u200b\u202a\u202c"}).replace("\u00a0", " ").strip()


def test_every_country_and_layout_comes_up() -> None:
    sound = np.flatnonzero(drawn().kinds == Kind.NONE)
    countries, numbers = set(cells(0, sound)), cells(1, sound)
    assert {"1", "+1", "001", "US", "44", "+44", "0044", "GB", "IT", "AR", "800"} <= countries
    for mark in ("+", "00", "(", ".", "-", " ", " 15 "):
        assert any(mark in number for number in numbers), mark


def test_repeated_rows_repeat_an_earlier_one_and_conflict_only_where_meant() -> None:
    """R16. Near ones stand within a few rows, far ones may stand in an earlier batch."""
    flags = [[value.upper() for value in drawn().rows.column(place).to_pylist()] for place in (2, 3, 4)]
    own = np.array([FAULTS[Kind(kind)].keeps_number for kind in range(len(Kind))])[drawn().kinds]
    first = {int(drawn().e164[place]): int(place) for place in np.flatnonzero(own)}
    distances: dict[Kind, list[int]] = {kind: [] for kind in DUPLICATES}
    for kind in DUPLICATES:
        for place in np.flatnonzero(drawn().kinds == kind):
            source = first[int(drawn().e164[place])]
            distances[kind].append(int(place) - source)
            same = all(column[place] == column[source] for column in flags)
            assert same is (kind is not Kind.CONFLICTING_DUPLICATE)
    assert all(min(found) > 0 for found in distances.values())
    assert max(distances[Kind.NEAR_DUPLICATE]) < 60
    assert max(distances[Kind.FAR_DUPLICATE]) > BATCH_ROWS


def test_repeated_rows_are_mostly_spelled_differently() -> None:
    kinds, e164 = drawn().kinds, drawn().e164
    first = {int(e164[place]): int(place) for place in np.flatnonzero(kinds == Kind.NONE)}
    again = [place for place in np.flatnonzero(kinds == Kind.NEAR_DUPLICATE) if int(e164[place]) in first]
    sources = np.array([first[int(e164[place])] for place in again])
    pairs = zip(cells(1, np.array(again)), cells(1, sources), strict=True)
    assert sum(cell != source for cell, source in pairs) > 0.7 * len(again)


@pytest.mark.parametrize("kind", [Kind.TOO_SHORT, Kind.TOO_LONG])
def test_wrong_lengths_are_wrong_by_the_library(kind: Kind) -> None:
    wanted = ValidationResult.TOO_SHORT if kind is Kind.TOO_SHORT else ValidationResult.TOO_LONG
    places = np.flatnonzero(drawn().kinds == kind)[:200]
    for country, cell in zip(cells(0, places), cells(1, places), strict=True):
        assert phonenumbers.is_possible_number_with_reason(parsed(country, cell)) == wanted, (country, cell)


@pytest.mark.parametrize("kind", [Kind.UNUSED_RANGE, Kind.LOST_ZERO])
def test_unused_numbers_are_possible_but_not_valid_by_the_library(kind: Kind) -> None:
    places = np.flatnonzero(drawn().kinds == kind)[:200]
    for country, cell in zip(cells(0, places), cells(1, places), strict=True):
        number = parsed(country, cell)
        assert phonenumbers.is_possible_number(number), (country, cell)
        assert not phonenumbers.is_valid_number(number), (country, cell)


def test_wrong_countries_are_other_countries() -> None:
    places = np.flatnonzero(drawn().kinds == Kind.WRONG_COUNTRY)
    for country, cell in zip(cells(0, places), cells(1, places), strict=True):
        number = phonenumbers.parse(cell)
        assert phonenumbers.is_valid_number(number)
        assert str(number.country_code) != country


@pytest.mark.parametrize(
    ("kind", "pattern"),
    [
        (Kind.SCIENTIFIC_LOSS, r"\d\.\d\dE\+\d\d"),
        (Kind.TEXT, r"\D+"),
        (Kind.TWO_NUMBERS, r"\d{9,10} (/|or) \d{9,10}"),
        (Kind.HARD_SPACE, r".*\u00a0.*"),
        (Kind.ZERO_WIDTH, r".*[\u200b\u202a].*"),
        (Kind.TRUNK_IN_BRACKETS, r"\+\d\d \(0\)\d.*"),
        (Kind.NO_NUMBER, r""),
        (Kind.BLANK, r""),
    ],
)
def test_cells_of_a_fault_look_like_it(kind: Kind, pattern: str) -> None:
    found = cells(1, np.flatnonzero(drawn().kinds == kind))
    assert found
    assert all(re.fullmatch(pattern, cell) for cell in found)


@pytest.mark.long
def test_flags_of_faulty_rows() -> None:
    by_kind = {kind: np.flatnonzero(drawn().kinds == kind) for kind in Kind}
    known = {"", "TRUE", "FALSE", "True", "False"}
    for kind, places in by_kind.items():
        triples = list(zip(cells(2, places), cells(3, places), cells(4, places), strict=True))
        assert all((set(triple) <= known) is (kind is not Kind.BAD_BOOLEAN) for triple in triples), kind
        nothing_on = [not any(flag.upper() == "TRUE" for flag in triple) for triple in triples]
        if kind in {Kind.NO_CAPABILITY, Kind.BLANK}:
            assert all(nothing_on)
        elif kind is not Kind.BAD_BOOLEAN:
            assert not any(nothing_on), kind


@pytest.mark.long
def test_drawing_is_far_faster_than_a_loop_over_the_library() -> None:
    """A million rows take a second or so; the loop is the measure, so that slow machines agree."""
    per_row = min(_seconds_per_row() for _ in range(3))
    texts = [f"+1212555{tail:04d}" for tail in range(3000)]
    began = time.perf_counter()
    for text in texts:
        phonenumbers.parse(text)
    assert per_row < (time.perf_counter() - began) / len(texts) / 3


def _seconds_per_row() -> float:
    began = time.perf_counter()
    drawn_rows: int = sum(batch.num_rows for batch in rows(4 * BATCH_ROWS, 1))
    return (time.perf_counter() - began) / drawn_rows
