"""Reads whole files for tests: what was decided about them, their rows, or the fault they end in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.support.files import sheets
from tests.support.files.sheets import Cell
from worker.stages.read import FileFacts, FileFault, Limits, ReadOptions, RowBatch, read

LIMITS = Limits(1 << 24, 100_000, 20, 2000, 1 << 26, 1 << 30, 30)
HEADER: list[Cell] = ["Country Code", "Phone Number", "Voice", "SMS", "Fax"]
_BODY: list[list[Cell]] = [[1, 2125550140 + row, True, False, None] for row in range(3)]
TABLE = [HEADER, *_BODY]
ROWS = [["1", str(2125550140 + row), "TRUE", "FALSE", ""] for row in range(3)]
SHEET = "xl/worksheets/sheet1.xml"


def got(
    content: bytes, folder: Path, hints: ReadOptions | None = None, limits: Limits = LIMITS
) -> tuple[FileFacts, Rows]:
    """What was decided about a file, and its rows."""
    path = folder / "upload"
    path.write_bytes(content)
    with read(path, limits, workdir=folder, hints=hints or ReadOptions()) as sheet:
        batches = list(sheet.batches())
    assert [entry.name for entry in folder.iterdir()] == ["upload"], "work files are left"
    return sheet.facts, Rows(batches)


class Rows:
    """The rows of a file: their cells, numbers, and what has no column."""

    def __init__(self, batches: Sequence[RowBatch]) -> None:
        self.cells, self.numbers, self.surplus = list[list[str]](), list[int](), dict[int, str]()
        for batch in batches:
            columns = [column.to_pylist() for column in batch.cells.columns]
            self.cells += [list(row) for row in zip(*columns, strict=True)]
            self.numbers += batch.row_number.tolist()
            self.surplus |= {int(batch.row_number[place]): text for place, text in batch.surplus.items()}


def refused(content: bytes, folder: Path, hints: ReadOptions | None = None) -> FileFault:
    with pytest.raises(FileFault) as caught:
        got(content, folder, hints)
    assert [entry.name for entry in folder.iterdir()] == ["upload"], "work files are left"
    return caught.value


def changed(part: str, change: Callable[[bytes], bytes], content: bytes | None = None) -> bytes:
    parts = sheets.parts_of(content or sheets.xlsx_bytes(TABLE))
    assert part in dict(parts)
    return sheets.zip_bytes((name, change(text) if name == part else text) for name, text in parts)
