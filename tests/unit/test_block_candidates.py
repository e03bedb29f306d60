"""The filter for cells that may hold a block of numbers passes every cell that is one when read by itself (R14e)."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.stages.block_candidates import may_be_blocks
from worker.stages.block_text import read_block

group = st.one_of(st.text("0123456789", min_size=1, max_size=5), st.sampled_from(["00", "000", "0", "09", "99", "099"]))
separator = st.sampled_from(["-", " ", " - ", "--", "\u2013", " \u2013 ", "\u2011", ") ", "-(", " -", "- ", ""])
dashed = st.builds(
    lambda head, groups, tail: head + "".join(left + right for left, right in groups) + tail,
    st.sampled_from(["", "+", "(", " "]),
    st.lists(st.tuples(group, separator), min_size=1, max_size=5),
    group,
)


def is_candidate(cell: str) -> bool:
    text = read_block(cell)
    return text is not None and (text.is_mixed or text.may_be_block)


@pytest.mark.long
@given(cells=st.lists(dashed, min_size=1, max_size=20), before=st.integers(0, 3))
def test_every_cell_that_may_be_a_block_is_found(cells: list[str], before: int) -> None:
    column = pa.array(["+1-2"] * before + cells, pa.string()).slice(before)
    found = set(may_be_blocks(column).tolist())
    assert {row for row, cell in enumerate(cells) if is_candidate(cell)} <= found


@pytest.mark.parametrize("number", ["+61-410-458-448", "01-23-45-67-89", "212-555-0142", "030 7654321"])
def test_usual_punctuation_is_passed_over(number: str) -> None:
    """Else nearly every row of a file of dashed numbers would be read by itself."""
    assert may_be_blocks(pa.array([number])).tolist() == []
