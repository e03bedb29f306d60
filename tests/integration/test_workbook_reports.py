"""The report as a workbook, and failed rows that are mended and sent again until the file is whole (issue 4, 6)."""

from __future__ import annotations

import io
from pathlib import Path

import openpyxl
import pytest
import sqlalchemy as sa
from openpyxl.worksheet.worksheet import Worksheet

from schemas.columns import REPORT_COLUMNS
from schemas.workbooks import MEDIA_TYPE
from tests.support.api_client import Door, Json
from tests.support.cli_runner import Cli, told
from tests.support.factories import World
from tests.support.files import sheets
from webhook.cli.exit_codes import Exit
from worker.reports import workbook

HEADER = ["Country Code", "Phone Number", "Voice", "SMS", "Remark"]
FILE = sheets.csv_bytes(
    [
        HEADER,
        ["1", "2125550142", "TRUE", "", "fine"],
        ["1", "4.41E+11", "perhaps", "", "=1+1"],
        ["", "+1 212", "TRUE", "", "@SUM(A1)"],
        ["1", "2125550143", "TRUE", "", "<script>"],
        ["1", "2125550144", "", "", ""],
    ]
)


def book(api: Door, job: Json, rows: str = "") -> dict[str, Worksheet]:
    answer = api.get(f"/v1/jobs/{job['id']}/report.xlsx" + (f"?rows={rows}" if rows else ""))
    assert answer.status_code == 200, answer.get_data(as_text=True)
    assert answer.content_type == MEDIA_TYPE
    assert int(answer.headers["Content-Length"]) == len(answer.data)
    found = openpyxl.load_workbook(io.BytesIO(answer.data))
    return {sheet.title: sheet for sheet in found}


def lines(sheet: Worksheet) -> list[list[str]]:
    return [["" if cell.value is None else str(cell.value) for cell in row] for row in sheet.iter_rows()]


@pytest.fixture
def job(api: Door) -> Json:
    return api.upload(FILE)


def test_the_rows_to_fix(api: Door, job: Json) -> None:
    """Every failed row with the CSV report's texts; text cells; each faulty cell filled and told why."""
    assert job["links"]["report_xlsx"] == f"/v1/jobs/{job['id']}/report.xlsx"
    found = book(api, job)
    assert list(found) == ["Rows to fix", "Summary"]
    rows = found["Rows to fix"]
    head, *data = lines(rows)
    assert head == [*HEADER, *REPORT_COLUMNS]
    assert [line[head.index("_row")] for line in data] == ["3", "4", "6"]
    assert [line[head.index("_code")] for line in data] == [
        "SCIENTIFIC_NOTATION_LOSS",
        "TOO_SHORT",
        "NO_CAPABILITY",
    ]
    assert data[0][:5] == ["1", "4.41E+11", "perhaps", "", "'=1+1"], "as given, and safe to open"
    marked = {
        cell.coordinate: cell.comment.text
        for row in rows.iter_rows(min_row=2)
        for cell in row
        if cell.comment is not None
    }
    assert set(marked) == {"B2", "C2", "B3", "C4"}
    assert "“4.41E+11” has lost digits" in marked["B2"]
    assert "neither TRUE nor FALSE" in marked["C2"]
    filled = {
        cell.coordinate for row in rows.iter_rows(min_row=2) for cell in row if cell.fill.fgColor.rgb == "FFFFC7CE"
    }
    assert filled == set(marked)
    assert {cell.number_format for cell in rows[2][:5] if cell.value} == {"@"}
    assert all(cell.data_type in {"s", "n"} for row in rows.iter_rows() for cell in row), "no formula anywhere"
    assert rows.freeze_panes == "A2"


def test_the_summary(api: Door, job: Json) -> None:
    """Counts that add up, causes with what to do, a chart the program draws itself."""
    summary = book(api, job)["Summary"]
    told_of = {line[0]: line[1] for line in lines(summary)}
    assert (told_of["created"], told_of["failed"], told_of["total"]) == ("2", "3", "5")
    causes = [line for line in lines(summary) if line[0] in {"SCIENTIFIC_NOTATION_LOSS", "TOO_SHORT", "NO_CAPABILITY"}]
    assert len(causes) == 3
    assert all(line[3] and line[4] and "{" not in line[3] + line[4] for line in causes)
    assert len(summary._charts) == 1  # noqa: SLF001 - the library has no other way to tell


@pytest.mark.parametrize(("rows", "title", "count"), [("all", "All rows", 5), ("unprocessed", "Unprocessed rows", 0)])
def test_other_rows(api: Door, job: Json, rows: str, title: str, count: int) -> None:
    assert len(lines(book(api, job, rows)[title])) == 1 + count


def test_what_is_too_much_is_cut_and_said(api: Door, job: Json, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook, "MOST_ROWS", 2)
    monkeypatch.setattr(workbook, "MOST_COMMENTS", 1)
    found = book(api, job)
    assert len(lines(found["Rows to fix"])) == 3
    said = "“Rows to fix” shows the first 2 of 3 rows; report.csv has them all."
    assert any(said in line for line in lines(found["Summary"]))
    comments = [cell.comment for row in found["Rows to fix"].iter_rows() for cell in row if cell.comment is not None]
    assert len(comments) == 1


def test_of_a_job_without_rows_that_failed(api: Door) -> None:
    whole = api.upload(sheets.csv_bytes([HEADER, ["1", "2125550142", "x", "", ""]]))
    found = book(api, whole)
    assert len(lines(found["Rows to fix"])) == 1


def test_nobody_else_gets_it(api: Door, world: World, job: Json) -> None:
    """R3."""
    path = f"/v1/jobs/{job['id']}/report.xlsx"
    assert api.as_(world.south.token).get(path).status_code == 404
    assert api.get(path + "?rows=some").status_code == 422


def mended(content: bytes, changes: dict[str, str]) -> bytes:
    """The workbook as a person would leave it: some cells written over, the rest as it was."""
    found = openpyxl.load_workbook(io.BytesIO(content))
    for coordinate, value in changes.items():
        found["Rows to fix"][coordinate] = value
    target = io.BytesIO()
    found.save(target)
    return target.getvalue()


@pytest.mark.long
def test_a_file_is_mended_until_it_is_whole(api: Door, job: Json, database: sa.Engine) -> None:
    """Each report is an upload; the job tells where it comes from and how many rows of the first file are left."""
    first = api.get(f"/v1/jobs/{job['id']}/report.xlsx").data
    assert (job["parent_job_id"], job["lineage"]) == (None, None)
    once = api.upload(mended(first, {"B2": "2125550145", "C2": "yes", "A3": "1"}), parent_job_id=job["id"])
    assert (once["counts"]["created"], once["counts"]["failed"], once["parent_job_id"]) == (1, 2, job["id"])
    assert once["file"]["ignored_columns"] == ["Remark"]
    assert [each["id"] for each in once["lineage"]["jobs"]] == [job["id"], once["id"]]
    assert once["lineage"]["rows_open"] == 2
    second = api.get(f"/v1/jobs/{once['id']}/report.xlsx").data
    twice = api.upload(mended(second, {"B2": "2125550146", "C3": "x"}), parent_job_id=once["id"])
    assert (twice["counts"]["created"], twice["counts"]["failed"], twice["lineage"]["rows_open"]) == (2, 0, 0)
    seen_from_the_first = api.job(job["id"])["lineage"]
    assert [each["id"] for each in seen_from_the_first["jobs"]] == [job["id"], once["id"], twice["id"]]
    assert [each["failed"] for each in seen_from_the_first["jobs"]] == [3, 2, 0]
    with database.connect() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM phone_numbers")).scalar_one() == 5


@pytest.mark.long
def test_rows_that_were_not_sent_again_are_open(api: Door, job: Json) -> None:
    """One of three mended; and a whole file sent again counts what failed again."""
    some = api.upload(sheets.csv_bytes([HEADER, ["1", "2125550145", "x", "", ""]]), parent_job_id=job["id"])
    assert some["lineage"]["rows_open"] == 2
    again = api.upload(FILE, parent_job_id=job["id"])
    assert again["lineage"]["rows_open"] == 3


@pytest.mark.parametrize("who", ["south", "clinic", "nobody"])
def test_r3_a_stranger_s_job_is_no_parent(api: Door, world: World, who: str) -> None:
    """The same words, whether it is another's, of another kind, or none."""
    parent = "00000000-0000-0000-0000-000000000009"
    if who != "nobody":
        parent = api.as_(getattr(world, who).token).upload(sheets.csv_bytes(sheets.rows(1)))["id"]
    answer = api.send(FILE, parent_job_id=parent)
    assert (answer.status_code, answer.json["code"]) == (422, "INVALID_FIELD")
    assert answer.json["detail"] == "parent_job_id: upload job not found."


@pytest.mark.long
def test_an_action_s_file_is_mended_too(api: Door, job: Json) -> None:
    content = sheets.csv_bytes([["Phone Number"], ["+12125550142"], ["+1999"]])
    deleted = api.upload(content, to="deletions")
    assert deleted["counts"]["failed"] == 1
    mended_one = api.upload(
        sheets.csv_bytes([["Phone Number"], ["+12125550143"]]), to="deletions", parent_job_id=deleted["id"]
    )
    assert (mended_one["counts"]["deleted"], mended_one["lineage"]["rows_open"]) == (1, 0)
    refused = api.send(content, to="deletions", parent_job_id=job["id"])
    assert refused.json["detail"] == "parent_job_id: delete job not found."


@pytest.mark.long
def test_the_commands(cli: Cli, tmp_path: Path) -> None:
    source, report = tmp_path / "numbers.csv", tmp_path / "failed.xlsx"
    source.write_bytes(FILE)
    first = told(cli("upload", str(source), "--watch", "--json"), Exit.PARTLY_FAILED)
    assert cli("report", first["id"], "--out", str(report), "--rows", "failed").exit_code == Exit.OK
    report.write_bytes(
        mended(report.read_bytes(), {"B2": "2125550145", "C2": "x", "A3": "1", "B3": "2125550146", "C4": "x"})
    )
    done = cli("upload", str(report), "--watch", "--parent", first["id"])
    assert (done.exit_code, "No rows of the first file left to correct." in done.stdout) == (Exit.OK, True), done.output
    assert cli("report", first["id"], "--format", "xlsx").exit_code == Exit.USAGE
