"""Splits delimited text into rows of cells, tolerating what spreadsheet exports get wrong (RFC 4180 and its breaches).

The slow path: exact, one row at a time, used for the head of every file, for odd rows, and wherever the fast path
must not be trusted. A quotation mark inside an unquoted cell is an ordinary character. So is one that opens a cell and
has no proper partner: none on its line, and within `cell_chars` none that a delimiter or a line end follows.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from typing import NoReturn

from schemas.codes import Code
from worker.stages.reading.model import Cells, fault

LONGEST_LINE = 1 << 22
# A row over several lines that has more cells than a sheet has columns is no row.
MOST_CELLS = 1 << 14
_CLOSED = re.compile(r'([^"]*+(?:""[^"]*+)*+)"')
_BLANKS = re.compile(r' +(?=")')
_LINE_ENDS = "\r\n"


class Records:
    """The rows of some lines of text, each a list of cells; the lines keep their line ends.

    `spaced`: blanks between a delimiter and a quotation mark are passed over.
    """

    def __init__(self, lines: Iterator[str], delimiter: str, cell_chars: int, *, spaced: bool = False) -> None:
        self._spaced = spaced
        self._lines = lines
        self._ahead: deque[str] = deque()
        self._delimiter = delimiter
        self._cell_chars = cell_chars
        self._row_number = 1

    def __iter__(self) -> Iterator[Cells]:
        while (line := self._next_line()) is not None:
            text = line.rstrip(_LINE_ENDS)
            yield self._cells(text, line) if '"' in text else text.split(self._delimiter)
            self._row_number += 1

    def _next_line(self) -> str | None:
        if self._ahead:
            return self._ahead.popleft()
        line = next(self._lines, None)
        if line is not None and len(line) >= LONGEST_LINE:
            self._refuse(f"is longer than {LONGEST_LINE:,} characters.")
        return line

    def _cells(self, text: str, line: str) -> Cells:
        cells, at = [], 0
        while True:
            cell = None
            if self._spaced and (blanks := _BLANKS.match(text, at)):
                at = blanks.end()
            if text.startswith('"', at):
                if closed := _CLOSED.match(text, at + 1):
                    cell, at = closed[1].replace('""', '"'), closed.end()
                elif spanning := self._spanning(line[at + 1 :] if line else ""):
                    cell, text, line, at = *spanning, 0
            end = text.find(self._delimiter, at)
            rest = text[at:] if end < 0 else text[at:end]
            cells.append(rest if cell is None else cell + rest)
            if len(cells) == MOST_CELLS:
                self._refuse("is without end; is a closing quotation mark missing?")
            if end < 0:
                return cells
            at = end + 1

    def _spanning(self, start: str) -> tuple[str, str, str] | None:
        """The cell that begins with `start` and ends on a later line, with what follows on that line; or None."""
        parts, size = [start], len(start)
        taken: list[str] = []
        while size <= self._cell_chars and (line := self._next_line()) is not None:
            taken.append(line)
            if closed := _CLOSED.match(line):
                rest = line[closed.end() :]
                if rest.startswith(self._delimiter) or not rest.rstrip(_LINE_ENDS):
                    parts.append(closed[1])
                    return "".join(parts).replace('""', '"'), rest.rstrip(_LINE_ENDS), rest
                break
            parts.append(line)
            size += len(line)
        # No line looked at in vain can itself open a cell in vain, so the whole stays linear.
        self._ahead.extendleft(reversed(taken))
        return None

    def _refuse(self, why: str) -> NoReturn:
        fault(Code.UNREADABLE_FILE, f"Row {self._row_number:,} {why}", row=self._row_number)


def split(text: str, delimiter: str) -> Cells:
    """The cells of one row that stands on one line, without its line end."""
    return next(iter(Records(iter((text,)), delimiter, 0))) if '"' in text else text.split(delimiter)
