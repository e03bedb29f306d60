"""Split delimited text into rows of cells (RFC 4180), tolerating the errors of spreadsheet exports.

The slow path: exact, one row at a time. Used for the head of every file, for rows of unusual width, and wherever the
fast path may be wrong. A quotation mark inside an unquoted cell is an ordinary character. So is one that opens a cell
but has no valid closing mark: none on its line, and within `cell_chars` none that a delimiter or a line end follows; or
one with which the cell would enclose whole rows of the table.
"""

from __future__ import annotations

import io
import re
from collections import deque
from collections.abc import Iterator
from typing import NoReturn

from schemas.codes import Code
from worker.stages.reading.model import Cells, fault
from worker.stages.reading.text_files.stray_quotes import NO_ROWS, Enclosed, Rows

LONGEST_LINE = 1 << 22
# A row over several lines with more cells than a sheet has columns is not a row.
MOST_CELLS = 1 << 14
_CLOSED = re.compile(r'([^"]*+(?:""[^"]*+)*+)"')
_BLANKS = re.compile(r' +(?=")')
_LINE_ENDS = "\r\n"


class Records:
    """The rows of some lines of text, each a list of cells. The lines keep their line ends.

    `spaced`: blanks between a delimiter and a quotation mark are skipped. `rows`: the shape of the table's rows.
    Quotation marks that enclose such rows count as stray, and `strays` lists the row.
    """

    def __init__(
        self,
        lines: Iterator[str],
        delimiter: str,
        cell_chars: int,
        *,
        spaced: bool = False,
        rows: Rows = NO_ROWS,
    ) -> None:
        self._spaced = spaced
        self._lines = lines
        self._ahead: deque[str] = deque()
        self._delimiter = delimiter
        self._cell_chars = cell_chars
        self._rows = rows
        self._row_number = 1
        self._surplus = ""
        self.strays: list[int] = []

    def __iter__(self) -> Iterator[Cells]:
        while (line := self._next_line()) is not None:
            text = line.rstrip(_LINE_ENDS)
            cells = self._cells(text, line) if '"' in text else text.split(self._delimiter)
            if self._surplus:
                cells += [""] * (self._rows.widest - len(cells)) + [self._surplus]
                self._surplus = ""
            yield cells
            self._row_number += 1

    def _next_line(self) -> str | None:
        if self._ahead:
            return self._ahead.popleft()
        line = next(self._lines, None)
        if line is not None and len(line) >= LONGEST_LINE:
            self._refuse(f"is longer than {LONGEST_LINE:,} characters.")
        return line

    def _cells(self, text: str, line: str) -> Cells:
        cells, at, whole = [], 0, text
        while True:
            cell = None
            if self._spaced and (blanks := _BLANKS.match(text, at)):
                at = blanks.end()
            if text.startswith('"', at):
                if closed := _CLOSED.match(text, at + 1):
                    cell, at = closed[1].replace('""', '"'), closed.end()
                elif spanning := self._spanning(line[at + 1 :] if line else "", whole):
                    cell, line, whole = spanning
                    text, at = line.rstrip(_LINE_ENDS), 0
            end = text.find(self._delimiter, at)
            rest = text[at:] if end < 0 else text[at:end]
            cells.append(rest if cell is None else cell + rest)
            if len(cells) == MOST_CELLS:
                self._refuse("does not end; is a closing quotation mark missing?")
            if end < 0:
                return cells
            at = end + 1

    def _spanning(self, start: str, whole: str) -> tuple[str, str, str] | None:
        """Read a cell that ends on a later line; return it, the rest of that line, and that line, or None.

        `start` is the beginning of the cell, `whole` the line in which it begins.
        """
        parts, size = [start], len(start)
        lines: list[str] = []
        while size <= self._cell_chars and (line := self._next_line()) is not None:
            lines.append(line)
            if closed := _CLOSED.match(line):
                rest = line[closed.end() :]
                proper = rest.startswith(self._delimiter) or not rest.rstrip(_LINE_ENDS)
                if proper and not self._encloses_rows([whole, *lines]):
                    parts.append(closed[1])
                    return "".join(parts).replace('""', '"'), rest, line.rstrip(_LINE_ENDS)
                break
            parts.append(line)
            size += len(line)
        # A line put back here cannot start another vain search itself, so the total time stays linear.
        self._ahead.extendleft(reversed(lines))
        return None

    def _encloses_rows(self, lines: list[str]) -> bool:
        """Return whether the lines of one cell are rows.

        If only some are, the row becomes too wide, so that it is reported: no text may be lost.
        """
        lines = [line.rstrip(_LINE_ENDS) for line in lines]
        enclosed_rows = self._rows.enclosed(lines, lambda line: split(line, self._delimiter))
        if enclosed_rows is Enclosed.ROWS:
            self.strays.append(self._row_number)
        elif enclosed_rows is Enclosed.PARTLY_ROWS:
            self._surplus = " | ".join(lines[1:])
        return enclosed_rows is Enclosed.ROWS

    def _refuse(self, why: str) -> NoReturn:
        fault(Code.UNREADABLE_FILE, f"Row {self._row_number:,} {why}", row=self._row_number)


def lines_of(file: io.TextIOBase) -> Iterator[str]:
    """Yield lines with their line ends, each at most as long as `Records` accepts."""
    return iter(lambda: file.readline(LONGEST_LINE), "")


def split(text: str, delimiter: str) -> Cells:
    """Return the cells of a row on a single line without its line end."""
    return next(iter(Records(iter((text,)), delimiter, 0))) if '"' in text else text.split(delimiter)
