"""R14b, R14c, R14d: digits with several readings are decided by their column, whatever its batches; never guessed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest

from schemas.codes import BY_NUMBER, Code, Fault, faults_of, warnings_of
from schemas.columns import Column
from schemas.job_kinds import JobKind
from schemas.jobs import Accept, JobOptions, NumberFormat
from worker.phone.explain import NO_CONTEXT, explain
from worker.phone.explain import Row as ExplainedRow
from worker.spreadsheet.cell_sources import CellSources
from worker.stages.cut import DeduplicatedFile, deduplicate
from worker.stages.read import RowBatch
from worker.stages.validate import Names, Parts, validate_rows

COLUMNS = (Column.COUNTRY_CODE, Column.PHONE_NUMBER, Column.VOICE)
MAPPING = {column: index for index, column in enumerate(COLUMNS)}
Row = tuple[str, str]
DEFAULT = JobOptions()


def check(
    rows: Sequence[Row],
    options: JobOptions = DEFAULT,
    *,
    kind: JobKind = JobKind.UPLOAD,
    batch: int = 1000,
    codes: tuple[int, ...] = (),
    header: bool = False,
) -> DeduplicatedFile:
    parts = []
    for begin in range(0, len(rows), batch):
        some = rows[begin : begin + batch]
        cells = [pa.array([row[0] for row in some]), pa.array([row[1] for row in some]), pa.array(["TRUE"] * len(some))]
        nothing = np.zeros(len(some), dtype=bool)
        numbers = np.arange(begin + 2, begin + 2 + len(some))
        table = RowBatch(numbers, pa.record_batch(cells, names=list("abc")), nothing, nothing)
        parts.append(validate_rows(table, CellSources(MAPPING), Names({}, codes), kind, options))
    return deduplicate(Parts(parts), kind, options, international_header=header)


def results(file: DeduplicatedFile) -> list[int | str]:
    """The number of each row, or its code."""
    e164 = file.results().column("e164").to_pylist()
    return [BY_NUMBER[code].value if code else number for code, number in zip(file.code.tolist(), e164, strict=True)]


def warnings(file: DeduplicatedFile, row: int) -> list[Code]:
    return warnings_of(file.results().column("warnings")[row].as_py())


GERMAN_MOBILES = [("DE", f"49151{number:08}") for number in range(10_000_000, 10_000_200)]
ONLY_INTERNATIONAL = ("DE", "4932212345678")  # no national number begins with 49 322
ONLY_NATIONAL = ("DE", "15110000000")
BOTH = ("DE", "4915110000000")
BOTH_NATIONAL, BOTH_INTERNATIONAL = 494915110000000, 4915110000000


def test_r14b_a_column_of_mobiles_without_plus_is_never_guessed() -> None:
    file = check(GERMAN_MOBILES)
    assert set(results(file)) == {"AMBIGUOUS_NUMBER"}
    assert [fault.code for fault in faults_of(int(file.faults[0]))] == [Code.AMBIGUOUS_NUMBER]


def test_r14b_the_uploader_decides() -> None:
    national = check([BOTH], JobOptions(number_format=NumberFormat.NATIONAL))
    assert (results(national), warnings(national, 0)) == ([BOTH_NATIONAL], [Code.READ_AS_NATIONAL])
    international = check([BOTH], JobOptions(number_format=NumberFormat.INTERNATIONAL))
    assert (results(international), warnings(international, 0)) == ([BOTH_INTERNATIONAL], [Code.PLUS_RESTORED])


def test_r14b_the_header_decides() -> None:
    file = check([BOTH], header=True)
    assert (results(file), warnings(file, 0)) == ([BOTH_INTERNATIONAL], [Code.PLUS_RESTORED])
    assert results(check([BOTH, ONLY_NATIONAL], header=True)) == ["AMBIGUOUS_NUMBER", 4915110000000]


@pytest.mark.parametrize("batch", [1, 2, 1000])
def test_r14b_rows_with_one_reading_decide(batch: int) -> None:
    """R29: the decision is the file's, whatever its batches."""
    file = check([BOTH, ONLY_NATIONAL], batch=batch)
    assert results(file) == [BOTH_NATIONAL, 4915110000000]
    assert results(check([BOTH, ONLY_INTERNATIONAL], batch=batch)) == [BOTH_INTERNATIONAL, 4932212345678]
    assert results(check([BOTH, ONLY_NATIONAL, ONLY_INTERNATIONAL], batch=batch))[0] == "AMBIGUOUS_NUMBER"


def test_r14b_only_digits_alone_are_evidence() -> None:
    """A trunk prefix, a plus or punctuation shows how that row is written, and no other."""
    for shown in ("0151 10000000", "015110000000", "+49 151 10000000", "151 10000000"):
        assert results(check([BOTH, ("DE", shown)]))[0] == "AMBIGUOUS_NUMBER"


def test_r14b_evidence_is_of_one_calling_code() -> None:
    assert results(check([BOTH, ("SE", "701234567")]))[0] == "AMBIGUOUS_NUMBER"


def test_r14b_a_row_that_fails_for_another_reason_keeps_its_code_first() -> None:
    file = check([("DE", "4915110000000 frei")])
    assert results(file) == ["INVALID_CHARACTER"]


MOBILE, LANDLINE = ("IT", "3312345678"), ("IT", "0612345678")


def test_r14d_a_zero_may_be_missing() -> None:
    """+39 331 234 5678 is a mobile number, +39 0331 2345678 one of Busto Arsizio."""
    assert results(check([MOBILE])) == ["AMBIGUOUS_NUMBER"]
    kept = check([MOBILE, LANDLINE])
    assert (results(kept), warnings(kept, 0)) == ([393312345678, 390612345678], [Code.READ_AS_NATIONAL])
    assert results(check([MOBILE, ("IT", "3331234567")])) == ["AMBIGUOUS_NUMBER", 393331234567]
    assert results(check([("IT", "331 234 5678")])) == [393312345678]  # text: no program has dropped a zero
    assert results(check([MOBILE], JobOptions(number_format=NumberFormat.NATIONAL))) == [393312345678]


def test_r14d_a_column_that_has_lost_zeros_decides_nothing() -> None:
    lost = check([MOBILE, ("IT", "3331234567"), ("IT", "612345678")])
    assert results(lost) == ["AMBIGUOUS_NUMBER", 393331234567, "INVALID_NUMBER"]
    assert results(check([("IT", "332123456"), ("IT", "3331234567")]))[0] == "AMBIGUOUS_NUMBER"  # other length


@pytest.mark.parametrize("row", [("IT", "669812345"), ("IT", "66 981 2345"), ("225", "701234567")])
def test_r14d_what_only_a_zero_makes_valid_is_not_possible_either(row: Row) -> None:
    assert isinstance(results(check([row], JobOptions(accept=Accept.POSSIBLE)))[0], str)


def test_r14d_a_trunk_prefix_of_two_digits_may_have_lost_its_zero() -> None:
    """+36 680 257 864 is a number, and what a spreadsheet leaves of 06 80 257 864 reads like it."""
    assert results(check([("HU", "680257864")])) == ["AMBIGUOUS_NUMBER"]
    written = [("HU", "+36680257864"), ("HU", "0680257864"), ("HU", "680 257 865"), ("HU", "62123456")]
    assert results(check(written)) == [36680257864, 3680257864, 36680257865, 3662123456]
    said = explain(Fault(Code.AMBIGUOUS_NUMBER, Column.PHONE_NUMBER), [ExplainedRow("HU", "680257864")], NO_CONTEXT)[0]
    assert said is not None
    assert "as +36 68 025 7864 or as +36 80 257 864" in said.message
    assert "leading zero may be missing" in said.fix


TREE = (1, 44, 47, 65)


def find(
    *numbers: str, codes: tuple[int, ...] = TREE, options: JobOptions = DEFAULT, batch: int = 1000
) -> list[int | str]:
    rows = [("", number) for number in numbers]
    return results(check(rows, options, kind=JobKind.DELETE, codes=codes, batch=batch))


def test_r14c_one_reading_decides_several_do_not() -> None:
    numbers = ("(479) 555-0100", "656-555-0100", "(312) 555-0143", "020 7946 0044")
    assert find(*numbers) == ["AMBIGUOUS_NUMBER", "AMBIGUOUS_NUMBER", 13125550143, 442079460044]


def test_r14c_the_requests_country_decides() -> None:
    numbers = ("(479) 555-0100", "656-555-0100", "(312) 555-0143", "+44 20 7946 0044", "0044 20 7946 0045")
    us = find(*numbers, options=JobOptions(country_code="US"))
    assert us == [14795550100, 16565550100, 13125550143, 442079460044, 442079460045]


@pytest.mark.parametrize("batch", [1, 1000])
def test_r14c_the_one_country_that_makes_every_row_valid_decides(batch: int) -> None:
    assert find("(479) 555-0100", "656-555-0100", batch=batch) == [14795550100, 16565550100]
    assert find("(479) 555-0100", batch=batch) == ["AMBIGUOUS_NUMBER"]
    assert find("(479) 555-0100", "(312) 555-0143", batch=batch) == ["AMBIGUOUS_NUMBER", 13125550143]


def test_r14c_no_reading_is_not_found() -> None:
    assert find("0361 5550100", "12", "no number", "") == [
        "NOT_FOUND",
        "NOT_FOUND",
        "INVALID_CHARACTER",
        "MISSING_VALUE",
    ]
    assert find("2125550142", codes=()) == ["NOT_FOUND"]


def test_r14c_without_plus_only_for_digits_alone() -> None:
    """`4915110000000` may have lost its plus; a person who groups digits has written the number as dialled."""
    assert find("4915110000000", codes=(49,)) == ["AMBIGUOUS_NUMBER"]
    assert find("49151 10000000", codes=(49,)) == [BOTH_NATIONAL]
    assert find("4915110000000", codes=(49,), options=JobOptions(number_format=NumberFormat.INTERNATIONAL)) == [
        BOTH_INTERNATIONAL
    ]
    assert find("4915110000000", "15110000000", codes=(49,)) == [BOTH_NATIONAL, 4915110000000]


def test_r14c_a_country_in_the_row_wins() -> None:
    rows = [("NO", "955 50 100"), ("", "(479) 555-0100")]
    file = check(rows, JobOptions(country_code="1"), kind=JobKind.DELETE, codes=TREE)
    assert results(file) == [4795550100, 14795550100]


def test_r29_decisions_do_not_depend_on_batches() -> None:
    rows = [BOTH, ONLY_NATIONAL, MOBILE, LANDLINE, *GERMAN_MOBILES[:20], ("1", "2125550142"), ("DE", "nothing")]
    whole = check(rows)
    for batch in (1, 3, 7):
        assert results(check(rows, batch=batch)) == results(whole)
        assert check(rows, batch=batch).results().combine_chunks().equals(whole.results().combine_chunks())


@pytest.mark.parametrize(
    ("country", "number", "message"),
    [
        (
            "1",
            "+80012345678",
            "“{value}” is an international number (+800), but the Country Code is United States (+1).",
        ),
        (
            "800",
            "+442079460958",
            "“{value}” is a number of United Kingdom (+44), but the Country Code is +800, which belongs to no country.",
        ),
    ],
)
def test_a_number_without_a_country_is_called_international(country: str, number: str, message: str) -> None:
    mismatch = Fault(Code.COUNTRY_MISMATCH, Column.PHONE_NUMBER)
    assert explain(mismatch, [ExplainedRow(country, number)], NO_CONTEXT)[0].message == message
