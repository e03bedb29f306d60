"""Cells whose digits are read at once hold one number and nothing else, by the reading of single cells (R14a)."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from worker.phone.cell_text import read_cell
from worker.phone.digits import read_digits

two = st.integers(1, 13).map("{:02}".format) | st.integers(0, 9).map(str)
year = st.sampled_from(["1999", "2017", "2020", "7946"])
sign = st.sampled_from([".", "/", "-", " ", ". ", "/ "])
dates = st.builds(lambda *parts: "".join(parts), two, sign, two, sign, year) | st.builds(
    lambda *parts: "".join(parts), year, sign, two, sign, two
)
fractions = st.builds("{}.{}".format, st.text("0123456789", min_size=5, max_size=9), two)
others = st.text("0123456789 .-/()[]", min_size=1, max_size=16)
blanks = st.sampled_from([""] * 6 + [" ", "  ", ")", ") ", "."])


@pytest.mark.long
@given(cells=st.lists(st.builds("{}{}{}".format, blanks, dates | fractions | others, blanks), min_size=1, max_size=30))
@example(
    cells=[
        "17.09.2019",
        "1.9.2019",
        "2019-09-17",
        "2020/09/17",
        "2019-09-17 ",
        "23-09-2019",
        "1. 2. 2019",
        "4420794.5",
        "212 555 0142 (1)",
    ]
)
def test_only_cells_with_one_number_are_read_at_once(cells: list[str]) -> None:
    plain = read_digits(pa.array(cells, pa.string())).plain
    assert [cell for cell, is_plain in zip(cells, plain, strict=True) if is_plain and not read_cell(cell).number] == []


@pytest.mark.parametrize(
    "cell", ["+44 20 7946 0958", "212.555.0142", "01.23.45.67.89", "01-23-45-67-89", "(212) 555-0142", "030/7654321"]
)
def test_usual_punctuation_is_read_at_once(cell: str) -> None:
    assert read_digits(pa.array([cell])).plain.tolist() == [True]
