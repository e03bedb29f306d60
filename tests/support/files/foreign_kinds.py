"""Spreadsheets as other programs write them, rebuilt here: the kinds that a run over their authors' test files found.

Each holds the rows of `ROWS` on a sheet named `Numbers`, or must be refused with a code. None is copied from anybody;
a kind is named after what is unusual in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from schemas.codes import Code
from tests.support.files.sheets import Cell

HEADER = ["Country Code", "Phone Number", "Voice", "SMS"]
ROWS = [
    ["1", "2125550142", "TRUE", "FALSE"],
    ["44", "020 7946 0958", "TRUE", ""],
    ["GB", "+44 20 7946 0959", "x", "Größe"],
]
TABLE: list[list[Cell]] = [
    [*HEADER],
    [1, 2125550142, True, False],
    [44, "020 7946 0958", True, None],
    ["GB", "+44 20 7946 0959", "x", "Größe"],
]
Parts = Sequence[tuple[str, bytes]]


@dataclass(frozen=True)
class Kind:
    """One kind of file: `ending` as its users name it, and the code with which it is refused, or None if it is read.

    `alike` tells whether LibreOffice 7 opens it and finds the same rows.
    """

    name: str
    ending: str
    content: bytes
    code: Code | None = None
    alike: bool = True


def places() -> Iterator[tuple[int, int, Cell]]:
    """Row, column and value of the table's cells, row by row."""
    for row, line in enumerate(TABLE):
        for column, value in enumerate(line):
            if value is not None:
                yield row, column, value
