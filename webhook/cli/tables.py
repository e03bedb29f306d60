"""Rows of untrusted cells on stdout: as a table on a terminal, as TSV for programs.

A table never cuts its first column, nor IDs and phone numbers, so that they can be copied.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence

import click
from rich.cells import cell_len, set_cell_size
from rich.console import Console

from webhook.cli.terminal import note, number, print_line, safe, shows_color

_GAP = 2
# Minimum width of a cut cell, in characters.
_LEAST = 8
# IDs and phone numbers.
_UNCUTTABLE = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\+[0-9]{5,15}")
# Width to which a long cell may be cut so that another column can be shown.
_LONG = 24
# Width without a terminal: nothing is cut.
_UNCUT = 10_000
_SEPARATORS = {"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"}

Rows = Sequence[Sequence[str]]


def table(headings: Sequence[str], rows: Iterable[Sequence[object]], spare: Sequence[str] = ()) -> None:
    """Print the rows under their headings.

    On a terminal too narrow for all columns, hide the columns in `spare`, in that order, and cut long cells, except in
    the first column. If that is not enough, print each row with one field per line.
    """
    cells = [[cell_text(cell) for cell in row] for row in rows]
    width = Console().width if sys.stdout.isatty() else _UNCUT
    columns = _columns_to_show(headings, cells, spare, width)
    names, shown = [headings[column] for column in columns], [[row[column] for column in columns] for row in cells]
    widths = _fitting(_widths(names, shown), _least_widths(names, shown, _LEAST), width)
    if sum(widths) + _GAP * (len(widths) - 1) > width:
        _as_records(headings, cells)
        return
    heading = _line(names, widths)
    print_line(click.style(heading, bold=True) if sys.stdout.isatty() and shows_color() else heading)
    for row in shown:
        print_line(_line(row, widths))
    if len(columns) < len(headings):
        hidden = ", ".join(name for name in headings if name not in names)
        note(f"Hidden (terminal too narrow): {hidden}.")


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
    """Return the indices of the columns to show: as many as fit if long cells are cut."""
    widths, columns = _least_widths(headings, cells, _LONG), list(range(len(headings)))
    for name in spare:
        if sum(widths[column] + _GAP for column in columns) - _GAP <= width:
            break
        columns.remove(headings.index(name))
    return columns


def _least_widths(headings: Sequence[str], cells: Rows, least: int) -> list[int]:
    """Return the widths to which columns may be cut: `least`; the first one and those with IDs not at all."""
    widths = _widths(headings, cells)
    is_whole = [not index or any(_UNCUTTABLE.fullmatch(row[index]) for row in cells) for index in range(len(headings))]
    return [width if whole else min(width, least) for width, whole in zip(widths, is_whole, strict=True)]


def _fitting(widths: list[int], least: list[int], width: int) -> list[int]:
    """Return the widths of columns, the widest ones narrowed until all fit, or have their `least` width."""
    fitting = list(widths)
    while sum(fitting) + _GAP * (len(fitting) - 1) > width:
        cuttable = [index for index in range(len(fitting)) if fitting[index] > least[index]]
        if not cuttable:
            break
        fitting[max(cuttable, key=fitting.__getitem__)] -= 1
    return fitting


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return (" " * _GAP).join(map(_cell, cells, widths)).rstrip()


def _cell(text: str, width: int) -> str:
    return set_cell_size(text, width) if cell_len(text) <= width else f"{set_cell_size(text, width - 1)}…"


def _as_records(headings: Sequence[str], cells: Rows) -> None:
    width = max(map(len, headings)) + _GAP
    for index, row in enumerate(cells):
        if index:
            print_line()
        for heading, cell in zip(headings, row, strict=True):
            if cell:
                print_line(f"{heading:<{width}}{cell}")
