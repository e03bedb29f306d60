"""Reports that were opened and saved by LibreOffice mean the same when they come back (issue 4). Skipped without it."""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import fastexcel
import openpyxl
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


# What spreadsheet programs run as a formula, take for a number or a date, or cannot show.
NAMES = (
    "=1+1",
    "@SUM(A1)",
    "-2+3",
    "+49 30",
    "0049",
    "1e5",
    "1/2",
    "TRUE",
    'a "b", c',
    "電話 🦷",
    "'quoted",
)
HEADER = ["Country Code", "Phone Number", "Voice", "SMS", "Voice Carrier"]


@pytest.mark.parametrize("ending", ["xlsx", "csv"])
def test_an_export_is_opened_as_it_is(api: Door, tmp_path: Path, ending: str) -> None:
    """R34: by LibreOffice, openpyxl and calamine; numbers and names are complete, and no formula runs."""
    rows = []
    for index, name in enumerate(NAMES):
        made = api.post("/v1/carriers", {"name": name, "service": "voice"})
        assert made.status_code == 201, made.text
        carrier = made.json["name"]
        number = (
            ("44", "2079460958") if index == 0 else ("39", "0669800001") if index == 1 else ("1", f"21255501{index:02}")
        )
        rows.append([*number, "TRUE", "", carrier])
    job = api.upload(sheets.csv_bytes([HEADER, *rows]))
    assert job["counts"]["created"] == len(NAMES), api.rows(job["id"])
    kept = {number["e164"]: number["voice_carrier"] for number in api.get("/v1/numbers?limit=200").json["data"]}
    assert {"+442079460958", "+390669800001"} <= kept.keys()
    export = api.done(api.post("/v1/exports", {"format": ending, "filter": {}}))
    path = _stored(tmp_path / f"export.{ending}", api.get(export["links"]["file"]).data)
    readers: dict[str, list[list[str]]] = {"LibreOffice": as_opened(path, tmp_path)}
    if ending == "xlsx":
        readers |= {"openpyxl": by_openpyxl(path), "calamine": by_calamine(path)}
    for reader, cells in readers.items():
        names, lines = cells[0], cells[1:]
        place, carrier = names.index("Phone Number"), names.index("_voice_carrier")
        # Of a CSV, LibreOffice takes what begins with a plus for a number: the digits are all there.
        shown = {f"+{line[place].removeprefix('+')}": line[carrier] for line in lines}
        assert ending == "csv" or all(line[place].startswith("+") for line in lines), reader
        assert shown.keys() == kept.keys(), reader
        for e164, name in kept.items():
            if ending == "csv" and name[0] not in "=@+-":
                continue  # LibreOffice guesses numbers and dates in a CSV; columns with _ are ignored when uploaded
            assert shown[e164].removeprefix("'") == name.removeprefix("'"), (reader, e164)
    again = api.upload(path.read_bytes(), path.name, on_existing="update")
    back = api.upload(saved(path.read_bytes(), path.name, "xlsx", tmp_path), "saved.xlsx", on_existing="update")
    for each in (again, back):
        assert each["counts"]["unchanged"] == len(NAMES), api.rows(each["id"])


def as_opened(path: Path, folder: Path) -> list[list[str]]:
    """The cells as LibreOffice shows them after a double click: what looks like a formula or a number is one."""
    if path.suffix == ".xlsx":
        return as_csv([path], folder)[path.name]
    opened = folder / "opened"
    # Columns of the standard type, and special numbers detected: as nothing was chosen in its import dialogue.
    plain = "Text - txt - csv (StarCalc):44,34,76,1,,0,false,true"
    words = [SOFFICE, "--headless", f"-env:UserInstallation={(folder / 'profile').as_uri()}", f"--infilter={plain}"]
    words += ["--convert-to", "ods", "--outdir", str(opened), str(path)]
    subprocess.run(words, check=True, capture_output=True, timeout=240)
    return as_csv([opened / f"{path.stem}.ods"], folder)[f"{path.stem}.ods"]


def by_openpyxl(path: Path) -> list[list[str]]:
    """The cells as openpyxl reads them, all of them text and none a formula."""
    cells = list(openpyxl.load_workbook(path).active.iter_rows())
    numbers = [row[1] for row in cells[1:]]
    assert {cell.data_type for row in cells for cell in row if cell.value is not None} <= {"s", "inlineStr", "b"}
    assert {type(cell.value) for cell in numbers} == {str}
    return [["" if cell.value is None else str(cell.value) for cell in row] for row in cells]


def by_calamine(path: Path) -> list[list[str]]:
    """The cells as calamine reads them."""
    sheet = fastexcel.read_excel(str(path)).load_sheet(0, header_row=None, dtypes="string")
    rows = sheet.to_arrow().to_pydict().values()
    return [["" if cell is None else cell for cell in row] for row in zip(*rows, strict=True)]


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
