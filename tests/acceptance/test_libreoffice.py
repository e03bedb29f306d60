"""Reports that were opened and saved by LibreOffice mean the same when they come back (issue 4). Skipped without it."""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
import xlsxwriter

from tests.support.api_client import Door
from tests.support.files import corpus, sheets
from worker.stages.read import Limits, read

SOFFICE = shutil.which("soffice") or ""
pytestmark = pytest.mark.skipif(not SOFFICE, reason="LibreOffice is not installed")
# As in its import dialogue: commas, quotation marks, UTF-8, and quoted cells are text.
AS_TEXT = "Text - txt - csv (StarCalc):44,34,76,1,,0,true,false"
FILE = sheets.csv_bytes(
    [
        ["Country Code", "Phone Number", "Voice", "SMS", "Remark"],
        ["1", "2125550142", "TRUE", "", "fine"],
        ["1", "4.41E+11", "perhaps", "", "=1+1"],
        ["GB", "020 7946", "wahr", "FALSE", "0049"],
        ["", "+1 212", "TRUE", "", "@SUM(A1)"],
        ["IT", "06 698", "x", "x", "€ “ß”, 電話"],
        ["1", "2125550144", "", "", 'a "b", c'],
        ["1", "212555014", "yes", "1", "2024-01-02"],
        ["49", "030/1", "1", "0", "'quoted"],
    ]
)


def saved(content: bytes, name: str, ending: str, folder: Path) -> bytes:
    """The file after LibreOffice has opened it and saved it in another format."""
    source, target = folder / name, folder / "saved"
    source.write_bytes(content)
    to = f"{ending}:Text - txt - csv (StarCalc):44,34,76" if ending == "csv" else ending
    words = [SOFFICE, "--headless", f"-env:UserInstallation={(folder / 'profile').as_uri()}", "--convert-to", to]
    words += ["--outdir", str(target), *([f"--infilter={AS_TEXT}"] if name.endswith("csv") else []), str(source)]
    subprocess.run(words, check=True, capture_output=True, timeout=120)
    return (target / source.name).with_suffix(f".{ending}").read_bytes()


@pytest.mark.parametrize("ending", ["xlsx", "csv", "ods", "xls"])
@pytest.mark.parametrize("report", ["csv?rows=all", "csv?rows=failed", "xlsx?rows=all", "xlsx?rows=failed"])
def test_a_report_comes_back_as_it_was(api: Door, tmp_path: Path, report: str, ending: str) -> None:
    first = api.upload(FILE)
    kind = report.partition("?")[0]
    content = api.get(f"/v1/jobs/{first['id']}/report.{report}").data
    itself = api.upload(content, f"report.{kind}")
    back = api.upload(saved(content, f"report.{kind}", ending, tmp_path), f"saved.{ending}")
    told = [(row["cells"], row["code"], row["column"]) for row in api.rows(itself["id"])]
    assert len(told) == (8 if "all" in report else 7)
    assert [(row["cells"], row["code"], row["column"]) for row in api.rows(back["id"])] == told


@pytest.mark.parametrize("ending", ["xlsx", "ods", "xls"])
def test_a_workbook_with_a_sheet_of_notes_first_is_mapped_and_corrected(api: Door, tmp_path: Path, ending: str) -> None:
    """A carrier's list behind a sheet of notes, saved by LibreOffice: read, corrected, reported, opened again."""
    notes = [["Read me first"], ["Carrier Ltd, November"]]
    table = [["TN", "Type"], ["+12125550142", "Y"], ["+12125550143", "n/k"], ["+12125550144", "N"]]
    book = saved(workbook({"Read me": notes, "Numbers": table}), "carrier.xlsx", ending, tmp_path)
    job = api.upload(book, f"carrier.{ending}", mode="review")
    assert job["file"]["sheet"] == "Numbers", job["problem"]
    mapping = {"columns": {"Voice": "Type"}, "constants": {"SMS": "TRUE"}}
    job = api.done(api.post(f"/v1/jobs/{job['id']}/recheck", {"mapping": mapping}))
    assert (job["review"]["effect"]["created"], job["review"]["effect"]["failed"]) == (2, 1)
    rule = {"column": "Voice", "equals": "n/k", "set": "FALSE"}
    job = api.done(api.post(f"/v1/jobs/{job['id']}/corrections", {"rules": [rule]}))
    ended = api.done(api.post(f"/v1/jobs/{job['id']}/confirm"))
    assert (ended["status"], ended["counts"]["created"]) == ("completed", 3)
    report = api.get(f"/v1/jobs/{job['id']}/report.xlsx?rows=all").data
    (lines,) = as_csv([_stored(tmp_path / "report.xlsx", report)], tmp_path).values()
    corrections = [line[lines[0].index("_corrections")] for line in lines[1:]]
    assert corrections == ["", "Voice: “n/k” → “FALSE”", ""]


def workbook(sheets_by_name: dict[str, list[list[str]]]) -> bytes:
    """A workbook with these sheets of text cells, in this order."""
    target = io.BytesIO()
    with xlsxwriter.Workbook(target, {"in_memory": True}) as book:
        for name, rows in sheets_by_name.items():
            page = book.add_worksheet(name)
            for number, row in enumerate(rows):
                page.write_row(number, 0, row)
    return target.getvalue()


def _stored(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def as_csv(files: Sequence[Path], folder: Path) -> dict[str, list[list[str]]]:
    """The cells of the first sheet of each file, as LibreOffice has them; numbers without their format."""
    words = [SOFFICE, "--headless", f"-env:UserInstallation={(folder / 'profile').as_uri()}", "--convert-to"]
    words += ["csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,false", "--outdir", str(folder / "csv")]
    subprocess.run([*words, *map(str, files)], check=True, capture_output=True, timeout=240)
    return {
        file.name: list(csv.reader((folder / "csv" / f"{file.stem}.csv").read_text(encoding="utf-8").splitlines()))
        for file in files
    }


def test_workbooks_of_other_programs_hold_what_libreoffice_reads(tmp_path: Path) -> None:
    """Every cell of every large file that is kept, but for one that LibreOffice takes for empty."""
    names = [name for name, kept in corpus.KEPT.items() if kept.rows > 100 and "uppercase" not in name]
    for name in names:
        shutil.copy(corpus.FILES / name, tmp_path / f"{name.replace('.', '-')}.{name.rpartition('.')[2]}")
    files = sorted(path for path in tmp_path.iterdir() if path.is_file())
    theirs = as_csv(files, tmp_path)
    limits = Limits(1 << 24, 1000, 20, 2000, 1 << 26, 1 << 30, 60)
    for file in files:
        with read(file, limits, workdir=tmp_path) as sheet:
            columns = [column for batch in sheet.batches() for column in batch.cells.columns]
            rows = [list(sheet.facts.columns), *map(list, zip(*(each.to_pylist() for each in columns), strict=True))]
        width = len(sheet.facts.columns)
        expected = [[*row, *[""] * width][:width] for row in theirs[file.name]]
        if "date" in file.name:  # which LibreOffice shows as dates beyond its calendar
            rows, expected = ([row[:2] + row[3:] for row in each] for each in (rows, expected))
        assert _as_numbers(rows) == _as_numbers(expected), file.name


def _as_numbers(rows: list[list[str]]) -> list[list[str]]:
    """Booleans that a format does not call so are numbers to LibreOffice."""
    return [[{"TRUE": "1", "FALSE": "0"}.get(cell, cell) for cell in row] for row in rows]
