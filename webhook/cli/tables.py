"""Rows of hostile cells as a table on stdout. What a row is known by is never cut: it is there to be copied."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from webhook.cli.console import note, safe, say

_GAP = 2
# A cell cut shorter than this tells nothing, in characters.
_LEAST = 8
# Off a terminal nothing may be cut: a program may read it.
_UNCUT = 10_000

Rows = Sequence[Sequence[str]]


def table(headings: Sequence[str], rows: Iterable[Sequence[object]], spare: Sequence[str] = ()) -> None:
    """Print the rows under their headings.

    On a terminal too narrow for all, the columns named in `spare` are left out, the first first; then long cells are
    cut, but not those of the first column; and where even that is too wide, each row is written down a fact in a line.
    """
    cells = [[safe(cell) for cell in row] for row in rows]
    console = Console(width=None if sys.stdout.isatty() else _UNCUT)
    kept = _kept(headings, cells, spare, console.width)
    names, shown = [headings[place] for place in kept], [[row[place] for place in kept] for row in cells]
    widths = _widths(names, shown)
    if widths[0] + (_GAP + _LEAST) * (len(names) - 1) > console.width:
        _as_records(headings, cells)
        return
    _as_table(console, names, shown, widths[0])
    if len(kept) < len(headings):
        cut = ", ".join(heading for heading in headings if heading not in names)
        note(f"Not shown in so narrow a terminal: {cut}.")


def _widths(headings: Sequence[str], cells: Rows) -> list[int]:
    return [max(map(cell_len, column)) for column in zip(headings, *cells, strict=True)]


def _kept(headings: Sequence[str], cells: Rows, spare: Sequence[str], width: int) -> list[int]:
    """The places of the columns that are shown."""
    widths, kept = _widths(headings, cells), list(range(len(headings)))
    for name in spare:
        if sum(widths[place] + _GAP for place in kept) - _GAP <= width:
            break
        kept.remove(headings.index(name))
    return kept


def _as_table(console: Console, headings: Sequence[str], cells: Rows, first: int) -> None:
    made = Table(box=None, pad_edge=False, header_style="bold")
    for place, heading in enumerate(headings):
        made.add_column(heading, no_wrap=True, overflow="ellipsis", min_width=None if place else first)
    for row in cells:
        made.add_row(*map(Text, row))
    with console.capture() as capture:
        console.print(made)
    for line in capture.get().splitlines():
        say(line.rstrip())


def _as_records(headings: Sequence[str], cells: Rows) -> None:
    width = max(map(len, headings)) + _GAP
    for place, row in enumerate(cells):
        if place:
            say()
        for heading, cell in zip(headings, row, strict=True):
            if cell:
                say(f"{heading:<{width}}{cell}")
