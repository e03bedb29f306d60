"""Spreadsheets as other programs write them give their rows, or are refused for what they are (issue 16).

The kinds are those that 4,594 test files of other programs brought up; here they are rebuilt. What a workbook holds is
judged by xlrd and by LibreOffice, so that a builder at fault is found too.
"""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
from pathlib import Path

import pytest
import xlrd

from schemas.codes import Code
from tests.support.files import foreign_ods, foreign_packages, foreign_xls
from tests.support.files.foreign_kinds import HEADER, ROWS, Kind
from worker.stages.read import FileFault, Limits, read

pytestmark = pytest.mark.long

LIMITS = Limits(1 << 24, 1000, 20, 2000, 1 << 26, 1 << 30, 30)
KINDS = [*foreign_xls.kinds(), *foreign_packages.kinds(), *foreign_ods.kinds()]
READABLE = [kind for kind in KINDS if kind.code is None]
SOFFICE = shutil.which("soffice") or ""
# All sheets, each into a file of its own, as their cells are shown.
ALL_SHEETS = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false,false,false,-1"
WIDTH = len(HEADER)


def named(kind: Kind) -> str:
    return f"{kind.ending}, {kind.name}"


def test_there_are_enough_of_them() -> None:
    assert len(KINDS) >= 60
    assert len({named(kind) for kind in KINDS}) == len(KINDS)


def outcome(kind: Kind, folder: Path) -> Code | list[list[str]]:
    """The rows that are read, or the code of the refusal."""
    path = folder / "upload"
    path.write_bytes(kind.content)
    try:
        with read(path, LIMITS, workdir=folder) as sheet:
            batches = [batch.cells.columns[:WIDTH] for batch in sheet.batches()]
    except FileFault as fault:
        return fault.code
    return [list(row) for columns in batches for row in zip(*(column.to_pylist() for column in columns), strict=True)]


@pytest.mark.parametrize("kind", KINDS, ids=named)
def test_is_read_or_refused_by_name(kind: Kind, tmp_path: Path) -> None:
    assert outcome(kind, tmp_path) == (kind.code or ROWS)


def as_shown(cell: xlrd.sheet.Cell) -> str:
    if cell.ctype == xlrd.XL_CELL_BOOLEAN:
        return "TRUE" if cell.value else "FALSE"
    return f"{cell.value:.0f}" if cell.ctype == xlrd.XL_CELL_NUMBER else str(cell.value)


@pytest.mark.parametrize("kind", [kind for kind in READABLE if kind.ending == "xls"], ids=named)
def test_xlrd_finds_the_same_rows(kind: Kind) -> None:
    book = xlrd.open_workbook(file_contents=kind.content, logfile=io.StringIO(), ragged_rows=False)
    sheet = book.sheet_by_name("Numbers") if "Numbers" in book.sheet_names() else book.sheet_by_index(0)
    found = [[as_shown(cell) for cell in sheet.row_slice(row, 0, WIDTH)] for row in range(sheet.nrows)]
    assert found == [HEADER, *ROWS]


@pytest.mark.skipif(not SOFFICE, reason="LibreOffice is not installed")
def test_libreoffice_finds_the_same_rows(tmp_path: Path) -> None:
    """Where it does not, the kind says so; it opens none that is refused as protected."""
    files = {tmp_path / f"file{place}.{kind.ending}": kind for place, kind in enumerate(KINDS)}
    for path, kind in files.items():
        path.write_bytes(kind.content)
    profile, target = (tmp_path / "profile").as_uri(), tmp_path / "saved"
    words = [SOFFICE, "--headless", f"-env:UserInstallation={profile}", "--convert-to", ALL_SHEETS, "--outdir"]
    subprocess.run([*words, str(target), *map(str, files)], check=True, capture_output=True, timeout=300)
    table = [[plain(cell) for cell in row] for row in [HEADER, *ROWS]]
    alike = [named(kind) for path, kind in files.items() if table in saved(target, path.stem)]
    assert [named(kind) for kind in READABLE if kind.alike and named(kind) not in alike] == []


def saved(folder: Path, stem: str) -> list[list[list[str]]]:
    """The sheets of a workbook as LibreOffice wrote them, without empty rows and columns around their cells."""
    sheets = []
    for path in folder.glob(f"{stem}-*.csv"):
        rows = [row for row in csv.reader(path.read_text().splitlines()) if any(row)]
        first = min((next(place for place, cell in enumerate(row) if cell) for row in rows), default=0)
        sheets.append([[plain(cell) for cell in row[first : first + WIDTH]] for row in rows])
    return sheets


def plain(cell: str) -> str:
    """Booleans as numbers, as LibreOffice shows them where their cell has no format."""
    return {"TRUE": "1", "FALSE": "0"}.get(cell, cell)
