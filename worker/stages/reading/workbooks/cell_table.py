"""Write the cells of a sheet, as text, to an Arrow file; cells far right of the table are returned separately.

Imported by the child process (`child.py`, started by path), so it imports nothing of the project except this package.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from worker.stages.reading.workbooks.child_protocol import Answer, Order, Verdict

ROWS_PER_CHUNK = 1 << 12
KEPT_COLUMNS = 1 << 10  # per row; if more than a few cells are beyond, the sheet is not a table
MOST_STRAYS = 1000
FEW_STRAYS = 10
STRAY_SHARE = 100  # at most one row in this many may have a stray cell
LONGEST_STRAY = 1000

Columns = Sequence[pa.Array]
Stray = tuple[int, int, str]  # row from 1, column from 0, text


def column_name(column: int) -> str:
    """Return the letters of a column, counted from 0."""
    name, rest = "", column + 1
    while rest:
        rest, letter = divmod(rest - 1, 26)
        name = chr(ord("A") + letter) + name
    return name


def column_of(reference: str) -> int:
    """Return the column, from 0, of a cell reference such as `KO4`; -1 if it names none."""
    column = 0
    for letter in reference.upper():
        if not "A" <= letter <= "Z":
            break
        column = column * 26 + ord(letter) - ord("A") + 1
    return column - 1


def write(
    order: Order, chunks: Sequence[Columns], first_column: Callable[[], int], strays: Sequence[Stray], far_days: int
) -> Answer:
    """Write chunks of columns one below the other, at most `order.columns` wide; return the stray cells beyond.

    `first_column` returns the sheet's column of the first column in the chunks; it is called only if needed.
    `far_days`: the count of numbers that are formatted as dates. Raises `Verdict` TOO_MANY_COLUMNS if there are more
    than a few stray cells.
    """
    width = max((len(columns) for columns in chunks), default=0)
    rows = sum(len(columns[0]) for columns in chunks if columns)
    left_over = [*_beyond(chunks, order.columns, first_column), *strays]
    if len(left_over) > max(FEW_STRAYS, min(rows // STRAY_SHARE, MOST_STRAYS)):
        found = max([width, *(column + 1 for _, column, _ in strays)])
        raise Verdict("TOO_MANY_COLUMNS", f"The file has {found:,} columns, more than {order.columns:,}.")
    width = min(width, order.columns)
    schema = pa.schema([(str(place), pa.string()) for place in range(width)])
    with pa.OSFile(order.target, "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        for columns in chunks:
            if columns and width:
                missing = [empty(len(columns[0]))] * (width - len(columns))
                writer.write_batch(pa.record_batch([*columns[:width], *missing], schema=schema))
    named = [(row, f"{column_name(column)}{row}", text[:LONGEST_STRAY]) for row, column, text in left_over]
    return {"strays": named, "far_days": far_days}


def _beyond(chunks: Sequence[Columns], most: int, first_column: Callable[[], int]) -> list[Stray]:
    """Return the cells beyond `most` columns; stops after more than `MOST_STRAYS`."""
    strays, first_row = list[Stray](), 1
    for columns in chunks:
        for index, column in enumerate(columns[most:], start=most):
            if not has_text(column):
                continue
            filled = np.flatnonzero(pc.greater(pc.utf8_length(pc.utf8_trim_whitespace(column)), 0))
            strays += [(first_row + row, index, column[row].as_py()) for row in filled[: MOST_STRAYS + 1].tolist()]
            if len(strays) > MOST_STRAYS:
                return strays
        first_row += len(columns[0]) if columns else 0
    begin = first_column() if strays else 0
    return [(row, begin + index, text) for row, index, text in strays]


def has_text(column: pa.Array) -> bool:
    """Return whether any text of a column is not empty, in constant time.

    A sheet may have 16,384 columns, or hundreds of empty ones over a million rows.
    """
    places = column.buffers()[1]
    if places is None or not len(column):
        return False
    offsets = np.frombuffer(places, np.int32)
    return bool(offsets[column.offset] < offsets[column.offset + len(column)])


def empty(rows: int) -> pa.Array:
    """Return a column of `rows` empty texts."""
    return pa.repeat(pa.scalar("", pa.string()), rows)


def _without_trailing(cells: list[str]) -> list[str]:
    """Return the cells up to the last one that is not empty: one cell far right would widen a million rows."""
    end = len(cells)
    while end and not cells[end - 1]:
        end -= 1
    return cells[:end]


@dataclass
class Rows:
    """Collects rows of texts from a parser, from row 1, as chunks of columns."""

    order: Order
    count: int = 0
    far_days: int = 0  # numbers that are formatted as dates but are out of range
    _pending: list[list[str]] = field(default_factory=list)
    _chunks: list[list[pa.Array]] = field(default_factory=list)
    _strays: list[Stray] = field(default_factory=list)

    def add(self, number: int, cells: list[str]) -> None:
        """Add the cells of a row, numbered from 1; skipped rows are empty."""
        if number <= self.count:
            self._add_again(number, cells)
            return
        while self.count < number - 1:
            self._push([])
        if len(cells) > KEPT_COLUMNS:
            beyond = enumerate(cells[KEPT_COLUMNS:], start=KEPT_COLUMNS)
            self._strays += [(number, column, text) for column, text in beyond if text.strip()]
            if len(self._strays) > MOST_STRAYS:
                detail = f"The file has {len(cells):,} columns, more than {self.order.columns:,}."
                raise Verdict("TOO_MANY_COLUMNS", detail)
        self._push(_without_trailing(cells[:KEPT_COLUMNS]))

    def _add_again(self, number: int, cells: list[str]) -> None:
        """Merge more cells into one of the latest rows; later cells win."""
        index = number - self.count - 1
        if -index > len(self._pending):
            raise Verdict("UNREADABLE_FILE", f"The sheet's rows are out of order: row {number:,} follows a later row.")
        merged = zip_longest(self._pending[index], cells[:KEPT_COLUMNS], fillvalue="")
        self._pending[index] = [later or earlier for earlier, later in merged]

    def write(self) -> Answer:
        """Write the collected rows, without the unused columns before the first used one."""
        self._flush()
        used = [self._first_used(columns) for columns in self._chunks]
        begin = min(used, default=0)
        chunks = [columns[begin:] or [empty(len(columns[0]))] for columns in self._chunks if columns]
        return write(self.order, chunks, lambda: begin, self._strays, self.far_days)

    def _push(self, cells: list[str]) -> None:
        self._pending.append(cells)
        self.count += 1
        if len(self._pending) >= ROWS_PER_CHUNK:
            self._flush()

    def _flush(self) -> None:
        if not self._pending:
            return
        columns = list(zip_longest(*self._pending, fillvalue="")) or [("",) * len(self._pending)]
        self._chunks.append([pa.array(column, pa.string()) for column in columns])
        self._pending = []

    @staticmethod
    def _first_used(columns: Columns) -> int:
        used = (index for index, column in enumerate(columns) if pc.any(pc.not_equal(column, "")).as_py())
        return next(used, len(columns))
