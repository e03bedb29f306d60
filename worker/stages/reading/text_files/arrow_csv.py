"""The fast path for delimited text: Arrow's streaming CSV reader, with rows of unusual width merged in file order.

Stops, and returns where, as soon as its result might differ from that of `Records`. Never drops a row and never
guesses.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Generator, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pyarrow import csv

from worker.arrays.text_columns import buffers, longest
from worker.stages.reading.model import Block
from worker.stages.reading.text_files.csv_records import split
from worker.stages.reading.text_files.encoding import Text
from worker.stages.reading.width import columns_of, fit

BLOCK_ROWS = 50_000
SMALLEST_BLOCK, LARGEST_BLOCK = 1 << 20, 1 << 24
# Rows of unusual width pass through Python and wait in memory. With more of them than this, the tolerant path is no
# worse.
MOST_WAITING = 100_000
_LINE_FEED, _RETURN = b"\n\r"


@dataclass(frozen=True)
class Layout:
    """The layout of the text: `columns` is the usual width of a row, `row_bytes` its usual length."""

    text: Text
    delimiter: str
    columns: int
    row_bytes: float
    cell_chars: int

    @property
    def block_bytes(self) -> int:
        """The block size, for about `BLOCK_ROWS` rows per block and blocks of equal size.

        Each block is a work item: a small last one would keep one worker busy while the others wait for it.
        """
        bytes_wanted = min(max(self.row_bytes * BLOCK_ROWS, SMALLEST_BLOCK), LARGEST_BLOCK)
        size = self.text.end - self.text.start
        return max(math.ceil(size / max(round(size / bytes_wanted), 1)), 1)


@dataclass(frozen=True)
class _OddRow:
    row_number: int
    text: str


class _OddRows:
    """Rows with more or fewer cells than usual, collected as Arrow meets them, in file order."""

    def __init__(self) -> None:
        self._waiting: deque[_OddRow] = deque()

    def __call__(self, row: csv.InvalidRow) -> str:
        self._waiting.append(_OddRow(row.number, row.text))
        return "skip" if len(self._waiting) <= MOST_WAITING else "error"

    def among(self, first: int, even_rows: int) -> list[_OddRow]:
        """Take the odd rows among or directly after the next `even_rows` usual rows.

        `first`: row number of the first of all these rows.
        """
        odd_rows: list[_OddRow] = []
        while self._waiting and self._waiting[0].row_number <= first + even_rows + len(odd_rows):
            odd_rows.append(self._waiting.popleft())
        return odd_rows


def stream(text: Text) -> pa.NativeFile:
    """Return the bytes of the text, from its start to its end."""
    return pa.OSFile(str(text.path)).get_stream(text.start, text.end - text.start)


def blocks(layout: Layout, width: int) -> Generator[Block, None, int | None]:
    """Yield all rows, `width` cells each.

    Returns None at the end, or the last row number yielded if `Records` must take over.
    """
    last = 0
    odd_rows = _OddRows()
    try:
        for batch in _batches(layout, odd_rows):
            block = _block(layout, batch, odd_rows.among(last + 1, batch.num_rows), last + 1, width)
            if block is None:
                return last
            yield block
            last += len(block.row_number)
    except pa.ArrowInvalid:
        return last
    return None


def _batches(layout: Layout, odd_rows: _OddRows) -> Iterator[pa.RecordBatch]:
    names = [str(index) for index in range(layout.columns)]
    schema = pa.schema([(name, pa.string()) for name in names])
    # Only the single-threaded reader knows the row numbers of odd rows.
    read = csv.ReadOptions(use_threads=False, block_size=layout.block_bytes, column_names=names)
    parse = csv.ParseOptions(
        delimiter=layout.delimiter,
        newlines_in_values=layout.text.quotes > 0,
        ignore_empty_lines=False,
        invalid_row_handler=odd_rows,
    )
    # The text has been decoded once, so its UTF-8 needs no second check.
    convert = csv.ConvertOptions(check_utf8=False, column_types=schema, null_values=[], strings_can_be_null=False)
    with csv.open_csv(stream(layout.text), read_options=read, parse_options=parse, convert_options=convert) as reader:
        yield from reader
    # Odd rows after the last usual row remain; Arrow may yield no batch after them.
    yield pa.RecordBatch.from_pylist([], schema=schema)


def _block(layout: Layout, batch: pa.RecordBatch, odd: list[_OddRow], first: int, width: int) -> Block | None:
    """Return the batch merged with the odd rows, or None if one cell may hold what were meant as several."""
    if layout.text.quotes and _is_doubtful(batch, odd, layout.cell_chars):
        return None
    columns, too_wide, surplus = fit(batch.columns, width)
    row_number = np.arange(first, first + batch.num_rows + len(odd))
    if not odd:
        return Block(row_number, columns, too_wide, surplus)
    odd_columns, odd_too_wide, odd_surplus = columns_of([split(row.text, layout.delimiter) for row in odd], width)
    order = _order(batch.num_rows, [row.row_number - first for row in odd])
    places = pa.array(order)
    merged = [pa.concat_arrays(pair).take(places) for pair in zip(columns, odd_columns, strict=True)]
    surplus |= {batch.num_rows + row_index: text for row_index, text in odd_surplus.items()}
    moved_to = np.argsort(order)
    moved = {int(moved_to[row_index]): text for row_index, text in surplus.items()}
    return Block(row_number, merged, np.concatenate([too_wide, odd_too_wide])[order], moved)


def _order(even_rows: int, odd_places: list[int]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    is_odd = np.zeros(even_rows + len(odd_places), dtype=bool)
    is_odd[odd_places] = True
    order = np.empty(is_odd.size, dtype=np.int64)
    order[~is_odd] = np.arange(even_rows)
    order[is_odd] = np.arange(even_rows, is_odd.size)
    return order


def _is_doubtful(batch: pa.RecordBatch, odd: list[_OddRow], cell_chars: int) -> bool:
    """Return whether a cell has a line break or an unusual length: a lone quotation mark may have caused it."""
    if any("\n" in row.text or "\r" in row.text for row in odd):
        return True
    return any(_breaks_lines(column) or longest(column) > cell_chars for column in batch.columns)


def _breaks_lines(column: pa.StringArray) -> bool:
    offsets, text = buffers(column)
    text = text[offsets[0] : offsets[-1]]
    return bool(((text == _LINE_FEED) | (text == _RETURN)).any())
