"""Rows of untrusted cells on stdout: as a table on a terminal, as TSV for programs.

A table never cuts its first column, so that it can be copied.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence

import click
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from webhook.cli.terminal import note, number, print_line, safe, shows_color

_GAP = 2
# Minimum width of a cut cell, in characters.
_LEAST = 8
# Width without a terminal: nothing is cut.
_UNCUT = 10_000
_SEPARATORS = {"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"}

Rows = Sequence[Sequence[str]]


def table(headings: Sequence[str], rows: Iterable[Sequence[object]], spare: Sequence[str] = ()) -> None:
    """Print the rows under their headings.

    On a terminal too narrow for all columns, hide the columns in `spare`, in that order. If that is not enough, cut
    long cells, except in the first column. If that is not enough either, print each row with one field per line.
    """
    cells = [[cell_text(cell) for cell in row] for row in rows]
    console = Console(width=None if sys.stdout.isatty() else _UNCUT, color_system=None)
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


def cell_text(value: object) -> str:
    """Return a value for people, safe to show, with separators in whole numbers."""
    return number(value) if isinstance(value, int) and not isinstance(value, bool) else safe(_plain(value))


def tsv_line(cells: Iterable[object]) -> None:
    r"""Print cells with tabs between them. Tabs, line breaks and backslashes are written as \t, \n, \r and \\."""
    print_line("\t".join(safe(re.sub(r"[\\\t\n\r]", _escaped, _plain(cell))) for cell in cells))


def _escaped(match: re.Match[str]) -> str:
    return _SEPARATORS[match[0]]


def _plain(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


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
    grid = Table(box=None, pad_edge=False)
    for index, heading in enumerate(headings):
        grid.add_column(heading, no_wrap=True, overflow="ellipsis", min_width=None if index else first)
    for row in cells:
        grid.add_row(*map(Text, row))
    with console.capture() as capture:
        console.print(grid)
    for index, line in enumerate(capture.get().splitlines()):
        is_bold = not index and sys.stdout.isatty() and shows_color()
        print_line(click.style(line.rstrip(), bold=True) if is_bold else line.rstrip())


def _as_records(headings: Sequence[str], cells: Rows) -> None:
    width = max(map(len, headings)) + _GAP
    for index, row in enumerate(cells):
        if index:
            print_line()
        for heading, cell in zip(headings, row, strict=True):
            if cell:
                print_line(f"{heading:<{width}}{cell}")
