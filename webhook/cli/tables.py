"""Rows of hostile cells as a table on stdout."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from webhook.cli.console import safe

# Off a terminal nothing may be cut: a program may read it.
_UNCUT = 10_000


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print the rows under their headings; on a terminal long cells are cut to its width."""
    made = Table(*headings, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        made.add_row(*(Text(safe(cell), overflow="ellipsis", no_wrap=True) for cell in row))
    Console(width=None if sys.stdout.isatty() else _UNCUT).print(made)
