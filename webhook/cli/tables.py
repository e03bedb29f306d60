"""Rows of untrusted cells as a table on stdout. The first column is never cut, so that it can be copied."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from webhook.cli.terminal import note, print_line, safe

_GAP = 2
# Minimum width of a cut cell, in characters.
_LEAST = 8
# Width without a terminal: nothing is cut, because a program may read it.
_UNCUT = 10_000

Rows = Sequence[Sequence[str]]


def table(headings: Sequence[str], rows: Iterable[Sequence[object]], spare: Sequence[str] = ()) -> None:
    """Print the rows under their headings.

    On a terminal too narrow for all columns, hide the columns in `spare`, in that order. If that is not enough, cut
    long cells, except in the first column. If that is not enough either, print each row with one field per line.
    """
    cells = [[safe(cell) for cell in row] for row in rows]
    console = Console(width=None if sys.stdout.isatty() else _UNCUT)
    columns = _columns_to_show(headings, cells, spare, console.width)
    names, shown = [headings[column] for column in columns], [[row[column] for column in columns] for row in cells]
    widths = _widths(names, shown)
    if widths[0] + (_GAP + _LEAST) * (len(names) - 1) > console.width:
        _as_records(headings, cells)
        return
    _as_table(console, names, shown, widths[0])
    if len(columns) < len(headings):
        cut = ", ".join(heading for heading in headings if heading not in names)
        note(f"Hidden (terminal too narrow): {cut}.")


def _widths(headings: Sequence[str], cells: Rows) -> list[int]:
    return [max(map(cell_len, column)) for column in zip(headings, *cells, strict=True)]


def _columns_to_show(headings: Sequence[str], cells: Rows, spare: Sequence[str], width: int) -> list[int]:
    """Return the indices of the columns to show."""
    widths, columns = _widths(headings, cells), list(range(len(headings)))
    for name in spare:
        if sum(widths[column] + _GAP for column in columns) - _GAP <= width:
            break
        columns.remove(headings.index(name))
    return columns


def _as_table(console: Console, headings: Sequence[str], cells: Rows, first: int) -> None:
    grid = Table(box=None, pad_edge=False, header_style="bold")
    for index, heading in enumerate(headings):
        grid.add_column(heading, no_wrap=True, overflow="ellipsis", min_width=None if index else first)
    for row in cells:
        grid.add_row(*map(Text, row))
    with console.capture() as capture:
        console.print(grid)
    for line in capture.get().splitlines():
        print_line(line.rstrip())


def _as_records(headings: Sequence[str], cells: Rows) -> None:
    width = max(map(len, headings)) + _GAP
    for index, row in enumerate(cells):
        if index:
            print_line()
        for heading, cell in zip(headings, row, strict=True):
            if cell:
                print_line(f"{heading:<{width}}{cell}")
