"""What spreadsheets do to cells, and how much of it is undone."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.capabilities import CAPABILITIES
from schemas.codes import Code, Fault, faults_of, warnings_of
from schemas.columns import Column
from worker.spreadsheet.cell_repair import read_boolean, repair_country, repair_phone, trim

LOSS = Fault(Code.SCIENTIFIC_NOTATION_LOSS, Column.PHONE_NUMBER)
INVISIBLE, FLOAT, SCIENTIFIC = Code.INVISIBLE_REMOVED, Code.FLOAT_SUFFIX_REMOVED, Code.SCIENTIFIC_RESTORED

PHONES = [
    (None, "", []),
    ("14155550100", "14155550100", []),
    ("  020 7946 \t\r\n", "020 7946", []),
    ("\u00a0020\u00a07946\u00a0", "020\u00a07946", []),
    ("\ufeff+4420", "+4420", [INVISIBLE]),
    ("\u202a+44 20\u202c", "+44 20", [INVISIBLE]),
    ("+44\u200b20\u2060", "+4420", [INVISIBLE]),
    ("'+44 20", "+44 20", []),
    ('="0207946"', "0207946", []),
    (' ="0207946" ', "0207946", []),
    ('\'="0207946"', "0207946", []),
    ("14155550100.0", "14155550100", [FLOAT]),
    ("14155550100.000", "14155550100", [FLOAT]),
    ("\u200b14155550100.0", "14155550100", [FLOAT, INVISIBLE]),
    ("14155550100.5", "14155550100.5", []),
    ("415.555.0100", "415.555.0100", []),
    ("1.4155550100E+10", "14155550100", [SCIENTIFIC]),
    ("1,4155550100e10", "14155550100", [SCIENTIFIC]),
    ("1.41555501000E+10", "14155550100", [SCIENTIFIC]),
    ("4.42079460958E+11", "442079460958", [SCIENTIFIC]),
    ("1-800-Eels", "1-800-Eels", []),
]


@pytest.mark.parametrize(("cell", "text", "warnings"), PHONES)
def test_phone_repairs(cell: str | None, text: str, warnings: list[Code]) -> None:
    repaired = repair_phone(pa.array(["1", cell, "2"], pa.string()))
    assert repaired.text.to_pylist() == ["1", text, "2"]
    assert sorted(warnings_of(int(repaired.warnings[1]))) == sorted(warnings)
    assert repaired.faults.tolist() == [0, 0, 0]
    assert repaired.was_numeric.tolist() == [False, bool({FLOAT, SCIENTIFIC} & set(warnings)), False]


@pytest.mark.parametrize(
    "cell", ["4.41E+11", "4,41E+11", "4E+11", "1.4155550100E+11", "1.41555501001E+10", "1E-5", "9.9E+99"]
)
def test_scientific_notation_that_lost_digits_is_a_fault(cell: str) -> None:
    repaired = repair_phone(pa.array([cell, "1.4155550100E+10"]))
    assert faults_of(int(repaired.faults[0])) == [LOSS]
    assert repaired.text.to_pylist() == [cell, "14155550100"]
    assert warnings_of(int(repaired.warnings[0])) == []
    assert faults_of(int(repaired.faults[1])) == []


@given(st.integers(1, 10**15 - 1))
def test_scientific_notation_with_all_digits_comes_back_whole(number: int) -> None:
    """Whatever a spreadsheet writes with enough decimals is the number it was."""
    repaired = repair_phone(pa.array([f"{number:.15E}"]))
    assert repaired.text.to_pylist() == [str(number)]


@pytest.mark.long
@given(st.lists(st.text(alphabet="0123456789+-() ./'\"=.,eE\u00a0\u200b\ufeff", max_size=20), max_size=30))
def test_a_repair_depends_on_the_cell_alone_and_is_final(cells: list[str]) -> None:
    """R29: the neighbours of a cell never matter, and a repaired cell has no faults the first pass did not see."""
    column = repair_phone(pa.array(cells, pa.string()))
    alone = [repair_phone(pa.array([cell], pa.string())) for cell in cells]
    assert column.text.to_pylist() == [one.text[0].as_py() for one in alone]
    assert column.warnings.tolist() == [int(one.warnings[0]) for one in alone]
    assert column.faults.tolist() == [int(one.faults[0]) for one in alone]


def test_country_repairs() -> None:
    repaired = repair_country(pa.array(["1.0", " 44 ", "\u206149", '="33"', "'+1", "us", None, "1E+2"]))
    assert repaired.text.to_pylist() == ["1", "44", "49", "33", "+1", "us", "", "1E+2"]
    assert [warnings_of(bits) for bits in repaired.warnings.tolist()] == [[FLOAT], [], [INVISIBLE], [], [], [], [], []]
    assert not repaired.faults.any()


def test_slices_are_read_from_their_offset() -> None:
    column = pa.array(["x ", " 12", "3 ", "4"]).slice(1, 2)
    assert repair_phone(column).text.to_pylist() == ["12", "3"]
    assert repair_phone(column[:0]).text.to_pylist() == []


def test_trim_takes_all_white_space_around_and_none_inside() -> None:
    assert trim(pa.array([" a b\u00a0", None, "\t\n", "c"])).to_pylist() == ["a b", "", "", "c"]


TRUE = [
    "TRUE",
    "yes",
    "Y",
    "t",
    "1",
    "1.0",
    "x",
    "X",
    "on",
    "ON",
    "ja",
    "j",
    "wahr",
    "OUI",
    "vrai",
    "si",
    "sí",
    "SÍ",
    "verdadero",
    "sim",
    "vero",
    "waar",
]
FALSE = [
    "FALSE",
    "No",
    "n",
    "F",
    "0",
    "0.0",
    "off",
    "nein",
    "FALSCH",
    "non",
    "faux",
    "falso",
    "não",
    "NÃO",
    "nao",
    "não",
    "onwaar",
]


@pytest.mark.parametrize(
    ("cells", "value"), [(TRUE, 1), (FALSE, 0), (["", None, " ", "\u00a0", "-", "–", "—", " - "], -1)]
)
def test_r10_booleans(cells: list[str | None], value: int) -> None:
    around = [cell and f" '{cell}\u00a0" for cell in cells]
    for column in (cells, around if value >= 0 else cells):
        read = read_boolean(pa.array(column, pa.string()), Column.VOICE)
        assert read.value.tolist() == [value] * len(cells)
        assert not read.faults.any()


@pytest.mark.parametrize("which", [capability.column for capability in CAPABILITIES])
def test_r10_anything_else_is_no_boolean(which: Column) -> None:
    read = read_boolean(pa.array(["TRUE", "maybe", "2", "truee", "-1"]), which)
    assert read.value.tolist() == [1, -1, -1, -1, -1]
    assert [faults_of(bits) for bits in read.faults.tolist()] == [[]] + [[Fault(Code.INVALID_BOOLEAN, which)]] * 4


@pytest.mark.parametrize("text", ["N/A", "n/a", "NA", "None", "NULL", "null", "nan", "NaN", " nil "])
def test_words_for_nothing_are_nothing(text: str) -> None:
    """What exports of databases and of pandas write for an empty cell; NA is Namibia where a country may stand."""
    assert repair_phone(pa.array([text])).text.to_pylist() == [""]
    kept = text if text == "NA" else ""
    assert repair_country(pa.array([text])).text.to_pylist() == [kept]
    read = read_boolean(pa.array([text]), Column.VOICE)
    assert (read.value.tolist(), read.faults.tolist()) == ([-1], [0])


@pytest.mark.parametrize(
    ("word", "value"), [("✓", 1), ("enabled", 1), ("Ein", 1), ("✗", 0), ("Disabled", 0), ("Aus", 0), ("nee", 0)]
)
def test_more_words_for_true_and_false(word: str, value: int) -> None:
    assert read_boolean(pa.array([word]), Column.SMS).value.tolist() == [value]
