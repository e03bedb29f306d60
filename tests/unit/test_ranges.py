"""Rows that stand for a block of numbers (R12, R15, R16), and how they are cut into chunks (R29)."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codes import BY_NUMBER, Code, faults_of
from schemas.columns import Column
from schemas.job_kinds import JobKind
from schemas.jobs import Accept, JobOptions
from worker.spreadsheet.cell_sources import CellSources
from worker.stages.block_rows import BlockLimits
from worker.stages.cut import DeduplicatedFile, deduplicate
from worker.stages.number_ranges import Spans, cuts, expanded, overlapping
from worker.stages.read import FileFault, RowBatch
from worker.stages.validate import Names, Parts, validate_rows

COLUMNS = (Column.COUNTRY_CODE, Column.PHONE_NUMBER, Column.END_NUMBER, Column.VOICE)
MAPPING = {column: place for place, column in enumerate(COLUMNS)}
FIRST = 12125550100
LIMITS = BlockLimits(1000)


def check(*lines: tuple[str, ...], accept: Accept = Accept.VALID, limits: BlockLimits = LIMITS) -> DeduplicatedFile:
    padded = [(*line, *["", "TRUE"][len(line) - 2 :]) for line in lines]
    cells = pa.record_batch([pa.array(column, pa.string()) for column in zip(*padded, strict=True)], names=list("abcd"))
    nothing = np.zeros(len(lines), dtype=bool)
    batch = RowBatch(np.arange(2, 2 + len(lines)), cells, nothing, nothing)
    options = JobOptions(accept=accept)
    rows = validate_rows(batch, CellSources(MAPPING), Names({}), JobKind.UPLOAD, options, limits)
    return deduplicate(Parts([rows]), JobKind.UPLOAD, options)


def found(file: DeduplicatedFile) -> list[tuple[int, int]]:
    columns = file.rows.columns(("e164", "numbers"))
    return list(zip(columns["e164"].tolist(), columns["numbers"].tolist(), strict=True))


def codes(file: DeduplicatedFile) -> list[str]:
    return [BY_NUMBER[int(code)].value if code else "" for code in file.code]


@pytest.mark.parametrize(
    ("number", "end"),
    [
        ("212 555 0100-0199", ""),
        ("212-555-0100-0199", ""),
        ("(212) 555-0100 - 199", ""),
        ("2125550100 to 2125550199", ""),
        ("2125550100\u20132125550199", ""),
        ("+12125550100..+12125550199", ""),
        ("212 555 0100 bis 99", ""),
        ("2125550100", "2125550199"),
        ("2125550100", "+1 212 555 0199"),
        ("2125550100", "12125550199"),
        ("2125550100", "0199"),
        ("2125550100", "199.0"),
        ("2125550100", " 99 "),
        ("2125550100", "'2125550199"),
    ],
)
def test_a_block(number: str, end: str) -> None:
    assert found(check(("1", number, end))) == [(FIRST, 100)]


GERMAN_BLOCKS = [
    ("AT", "01 5056166 0 bis 9", 43150561660, 10),
    ("DE", "030 765432-0 bis 9", 49307654320, 10),
    ("DE", "030 765432-00 bis -49", 493076543200, 50),
    ("DE", "030 12345 to 12349", 493012345, 5),
    ("DE", "030 1234500 bis 030 1234599", 49301234500, 100),
    ("DE", "+49 30 1234500 - +49 30 1234599", 49301234500, 100),
    ("DE", "030 7654320 bis 49", 49307654320, 30),
    ("1", "212 555 0100-9", 12125550100, 10),
    ("1", "2125550210 through 2125550219", 12125550210, 10),
    ("1", "212 555 0160 thru 0169", 12125550160, 10),
    ("1", "(212) 555-0100 to (212) 555-0199", 12125550100, 100),
    ("1", "212 555 0100 to 555 0199", 12125550100, 100),
]


@pytest.mark.parametrize(("country", "number", "first", "count"), GERMAN_BLOCKS)
def test_r14e_exact_blocks(country: str, number: str, first: int, count: int) -> None:
    """The stem stays as written, and as many last digits change as are written."""
    assert found(check((country, number))) == [(first, count)]


@pytest.mark.parametrize(
    ("country", "number", "code"),
    [
        ("DE", "069 765432-0 bis 49", "INVALID_RANGE"),
        ("DE", "030 7654321-0 bis 99", "INVALID_RANGE"),
        ("DE", "030 12345-0 bis -99", "INVALID_RANGE"),
        ("DE", "030 12345-12349", "AMBIGUOUS_NUMBER"),
        ("DE", "030 12345\u201312349", "AMBIGUOUS_NUMBER"),
        ("DE", "0511 123-0511 129", "AMBIGUOUS_NUMBER"),
        ("DE", "030 45 00-4509", "AMBIGUOUS_NUMBER"),
        ("DE", "030 45 00-45 09", "AMBIGUOUS_NUMBER"),
        ("DE", "030 123456-0 \u2013 9", "AMBIGUOUS_NUMBER"),
        ("GB", "0800 3829-9 \u2013 99", "INVALID_RANGE"),
        ("IT", "+39 386 367 000 \u2013 099", "AMBIGUOUS_NUMBER"),
        ("DE", "2017-09-19", "INVALID_CHARACTER"),
        ("NO", "23-09-2019", "INVALID_CHARACTER"),
        ("NO", "2019/09/23", "INVALID_CHARACTER"),
        ("1", "2125550100/2125550109", "INVALID_CHARACTER"),
        ("1", "2125550100/09", "INVALID_CHARACTER"),
        ("DE", "030 7654321/22", "INVALID_CHARACTER"),
        ("1", "917 555 0155 ~9", "INVALID_CHARACTER"),
    ],
)
def test_r14e_what_has_two_meanings_or_none(country: str, number: str, code: str) -> None:
    file = check((country, number))
    assert (codes(file), found(file)) == ([code], [(0, 1)])


@pytest.mark.parametrize("number", ["030 765432-10", "01-23-45-67-89", "030-12-34-56-78", "030 1234-5"])
def test_r14e_a_dash_within_one_number(number: str) -> None:
    file = check(("FR" if number.startswith("01-") else "DE", number))
    assert (codes(file), found(file)[0][1]) == ([""], 1)


@pytest.mark.parametrize(
    ("country", "number", "e164"),
    [
        ("1", "212-555-0100", FIRST),
        ("1", "1-212-555-0100", FIRST),
        ("1", "212\u2011555\u20130100", FIRST),
        ("49", "030 901820-11", 493090182011),
        ("44", "020 7946-0958", 442079460958),
    ],
)
def test_a_number_as_written_is_no_block(country: str, number: str, e164: int) -> None:
    """R14: nothing is guessed where the cell is a number already."""
    assert found(check((country, number))) == [(e164, 1)]


@pytest.mark.parametrize(
    ("number", "end", "column"),
    [
        ("2125550100", "2125550099", Column.END_NUMBER),
        ("2125550100", "99999", Column.END_NUMBER),
        ("2125550100", "2135550100", Column.END_NUMBER),
        ("2125550100", "+442079460958", Column.END_NUMBER),
        ("2125550100", "last", Column.END_NUMBER),
        ("2125550100", "4.41E+11", Column.END_NUMBER),
        ("2125550199-0100", "", Column.PHONE_NUMBER),
        ("212 555 0100-9999", "", Column.PHONE_NUMBER),
        ("212 555 0100-0199", "2125550199", Column.END_NUMBER),
    ],
)
def test_what_is_no_block(number: str, end: str, column: Column) -> None:
    file = check(("1", number, end))
    assert [(fault.code, fault.column) for fault in faults_of(int(file.faults[0]))] == [(Code.INVALID_RANGE, column)]
    assert found(file) == [(0, 1)]


@pytest.mark.parametrize(
    ("number", "code"), [("212555", "TOO_SHORT"), ("x-y", "INVALID_CHARACTER"), ("9175550155-5", "INVALID_RANGE")]
)
def test_a_number_that_is_none_stays_what_it_was(number: str, code: str) -> None:
    assert codes(check(("1", number))) == [code]


def test_every_number_of_a_block_is_judged() -> None:
    """R15: 800 and 900 numbers of a country are not all in use."""
    across = ("1", "2129999990", "2130000010")
    assert codes(check(across)) == ["INVALID_RANGE"]
    assert codes(check(across, accept=Accept.POSSIBLE)) == [""]


def test_a_block_is_no_larger_than_it_may_be() -> None:
    assert codes(check(("1", "2125550100", "199"), limits=BlockLimits(100))) == [""]
    assert codes(check(("1", "2125550100", "199"), limits=BlockLimits(99))) == ["INVALID_RANGE"]


def test_blocks_with_too_many_numbers_together_refuse_the_file() -> None:
    """R12: before any of them is judged; numbers that several rows have count once."""
    rows = [("1", f"212555{first}00", f"212555{first}99") for first in range(10, 30)]
    assert codes(check(*rows, *rows[:5], limits=BlockLimits(100, 2000)))[:20] == [""] * 20
    with pytest.raises(FileFault, match=r"2,000 numbers together, more than 1,999") as caught:
        check(*rows, limits=BlockLimits(100, 1999))
    assert (caught.value.code, caught.value.context) == (Code.TOO_MANY_ROWS, {"limit": 1999})


@given(
    blocks=st.lists(st.tuples(st.integers(1, 60), st.integers(1, 12)), max_size=12),
    most=st.integers(1, 9),
)
def test_spans_as_a_set_of_numbers_tells_them(blocks: list[tuple[int, int]], most: int) -> None:
    expected = sorted({number for first, count in blocks for number in range(first, first + count)})
    spans = Spans.of(*(np.array([block[place] for block in blocks], np.int64) for place in (0, 1)))
    pieces = [piece.tolist() for piece in spans.batches(most)]
    assert ([number for piece in pieces for number in piece], spans.numbers) == (expected, len(expected))
    assert all(len(piece) <= most for piece in pieces)
    assert ((spans.begin + spans.size)[:-1] < spans.begin[1:]).all()


def test_overlaps_in_file_order() -> None:
    """R16: the first has its numbers; what overlaps with a refused row alone stays."""
    file = check(
        ("1", "2125550100", "199"),
        ("1", "2125550150", "250"),
        ("1", "2125550200", "299"),
        ("1", "2125550120"),
        ("1", "2125550100", "199"),
        ("1", "2125550300", "301"),
    )
    assert codes(file) == ["", "CONFLICTING_DUPLICATE", "", "CONFLICTING_DUPLICATE", "DUPLICATE_IN_FILE", ""]
    assert file.duplicate_of.tolist() == [0, 2, 0, 2, 2, 0]
    assert [fault.column for fault in faults_of(int(file.faults[1]))] == [Column.END_NUMBER]
    assert file.numbers == 100 + 100 + 2


def test_a_number_before_its_block() -> None:
    file = check(("1", "2125550150"), ("1", "2125550100", "199"), ("1", "2125550150"))
    assert codes(file) == ["", "CONFLICTING_DUPLICATE", "DUPLICATE_IN_FILE"]


def test_chunks_hold_whole_rows() -> None:
    """R29: a line for each number, ascending, and no row in two chunks."""
    file = check(("1", "2125550150", "159"), ("1", "2125550100", "102"), ("1", "2125550111"), ("1", "2125550112"))
    chunks = list(file.chunks(4))
    numbers = [number for chunk in chunks for number in chunk.column("e164").to_pylist()]
    assert numbers == [*range(FIRST, FIRST + 3), FIRST + 11, FIRST + 12, *range(FIRST + 50, FIRST + 60)]
    places = [set(chunk.column("place").to_pylist()) for chunk in chunks]
    assert sum(map(len, places)) == 4
    assert file.results().column("numbers").to_pylist() == [10, 3, 1, 1]


@given(st.lists(st.integers(1, 9), max_size=20), st.integers(1, 12))
def test_cuts(sizes: list[int], most: int) -> None:
    """Every row once, in order, and no piece much larger than asked."""
    parts = list(cuts(np.array(sizes, dtype=np.int64), most))
    assert [size for part in parts for size in sizes[part]] == sizes
    assert all(sum(sizes[part]) < most + 9 for part in parts)


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(1, 5), st.booleans()), max_size=12))
def test_overlaps_as_a_set_of_numbers_tells_them(rows: list[tuple[int, int, bool]]) -> None:
    e164, numbers, sound = (np.array(column) for column in zip(*rows, strict=True)) if rows else (np.zeros(0, int),) * 3
    owner: dict[int, int] = {}
    refused = {}
    for place, (first, count, is_sound) in enumerate(rows):
        mine = range(first, first + count)
        there = [owner[number] for number in mine if number in owner]
        if not is_sound:
            continue
        if not there:
            owner |= dict.fromkeys(mine, place)
        elif rows[there[0]][:2] != (first, count):
            refused[place] = set(there)
    overlaps = overlapping(e164.astype(np.int64), numbers.astype(np.int64), sound.astype(bool))
    if any(count > 1 and is_sound for _, count, is_sound in rows):
        assert set(overlaps.later.tolist()) == set(refused)
        for later, earlier in zip(overlaps.later.tolist(), overlaps.earlier.tolist(), strict=True):
            assert earlier in refused[later]
    else:
        assert not len(overlaps.later)


def test_expanded() -> None:
    assert expanded(np.array([5, 20]), np.array([3, 1])).tolist() == [5, 6, 7, 20]
    assert expanded(np.zeros(0, np.int64), np.zeros(0, np.int64)).tolist() == []
