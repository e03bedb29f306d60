"""One result per row, in file order, whatever the chunks; reports that agree, open safely, come back (R28, R29)."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator

import pytest

from schemas.columns import REPORT_COLUMNS
from schemas.jobs import Phase
from tests.support.api_client import REPORT_BOM, Door, Json, table
from tests.support.files import sheets
from worker import pipeline

CHUNK = 4
OUTCOMES = ("created", "updated", "deleted", "unchanged", "skipped", "failed", "unprocessed")


def mixed(count: int) -> list[list[str]]:
    """Rows in no order of their numbers, every third one with something to say."""
    rows = []
    for row in range(count):
        number = str(2125550000 + row * 7919 % 10_000)
        rows.append(["1", number if row % 3 else number[:5], "TRUE", "maybe" if row % 5 == 4 else "", ""])
        if row % 4 == 3:
            rows.append(list(rows[-2]))
    return rows[:count]


def sums_up(job: Json) -> bool:
    return bool(job["counts"]["total"] == sum(job["counts"][name] for name in OUTCOMES))


@pytest.mark.parametrize("count", [1, CHUNK - 1, CHUNK, CHUNK + 1, 5 * CHUNK + 2])
@pytest.mark.parametrize("make", [sheets.rows, lambda count: [list(sheets.HEADER), *mixed(count)]])
def test_r28_one_result_per_row_in_file_order(
    api: Door, configure: Callable[..., None], count: int, make: Callable[[int], list[list[str]]]
) -> None:
    configure(rows_per_chunk=CHUNK)
    given = make(count)
    job = api.upload(sheets.csv_bytes(given))
    assert job["counts"]["total"] == count
    assert sums_up(job)
    rows, lines, report = api.rows(job["id"]), api.report_lines(job["id"]), table(api.report(job["id"]))
    assert [row["row"] for row in rows] == list(range(2, count + 2))
    assert [[row["cells"][name] for name in sheets.HEADER] for row in rows] == given[1:]
    for row, line, cells in zip(rows, lines, report, strict=True):
        assert {name.removeprefix("_"): value for name, value in line.items() if name.startswith("_")} == {
            name.removeprefix("_"): row[name.removeprefix("_")] for name in REPORT_COLUMNS
        }
        assert cells == {name: _as_cell(line[name]) for name in (*sheets.HEADER, *REPORT_COLUMNS)}
    counted = {name: sum(row["result"] == name for row in rows) for name in OUTCOMES}
    assert counted == {name: job["counts"][name] for name in OUTCOMES}
    assert job["counts"]["warnings"] == sum(bool(row["warnings"]) for row in rows)
    assert sum(entry["count"] for entry in job["error_summary"]) == counted["failed"]


def _as_cell(value: object) -> str:
    if value is None:
        return ""
    return " ".join(value) if isinstance(value, list) else str(value)


def test_r28_a_file_without_rows(api: Door) -> None:
    """Zero rows are no job that completed: the file's fault is told."""
    job = api.upload(sheets.csv_bytes(sheets.rows(0)))
    assert (job["status"], job["problem"]["code"]) == ("failed", "EMPTY_FILE")
    assert sums_up(job)


def test_r28_counts_add_up_after_every_piece_of_work(api: Door, configure: Callable[..., None]) -> None:
    configure(rows_per_chunk=CHUNK)
    job_id = api.send(sheets.csv_bytes([sheets.HEADER, *mixed(30)])).json["id"]
    seen = []
    while pipeline.run(Phase.CHECK) or pipeline.run(Phase.WRITE) or pipeline.run(Phase.REPORT):
        job = api.job(job_id)
        assert sums_up(job), job["counts"]
        assert job["progress"]["rows_done"] <= job["progress"]["rows_total"] == 30
        seen.append((job["status"], 30 - job["counts"]["unprocessed"]))
    done = [rows for _, rows in seen]
    assert done == sorted(done)
    assert [status for status, _ in seen] == ["running"] * (len(seen) - 2) + ["publishing", "completed_with_errors"]
    assert len(seen) > 5


@pytest.mark.long
@pytest.mark.parametrize("rows_per_chunk", [1, 7, 10_000])
def test_r29_the_report_does_not_depend_on_the_chunks(
    api: Door, configure: Callable[..., None], rows_per_chunk: int
) -> None:
    """Against one chunk that holds all: the same bytes, uploaded to the same empty inventory by a sibling's rules."""
    configure(rows_per_chunk=rows_per_chunk)
    content = sheets.csv_bytes([sheets.HEADER, *mixed(60)])
    report = table(api.report(api.upload(content)["id"]))
    again = table(api.report(api.upload(content)["id"]))
    for first, second in zip(report, again, strict=True):
        if first["_code"] != "CREATED":
            assert first == second
        else:
            assert second["_code"] == "ALREADY_EXISTS"
    pointers = [line["_duplicate_of_row"] for line in report if line["_code"] == "DUPLICATE_IN_FILE"]
    assert pointers
    by_row = {line["_row"]: line for line in report}
    assert {by_row[pointer]["_code"] for pointer in pointers} == {"CREATED"}


# Layout and encodings

FORMS: dict[str, Callable[[list[list[str]]], bytes]] = {
    "comma": sheets.csv_bytes,
    "semicolon": lambda rows: sheets.csv_bytes(rows, delimiter=";"),
    "tab, UTF-16": lambda rows: sheets.csv_bytes(rows, delimiter="\t", encoding="utf-16-le", bom=True),
    "pipe, BOM": lambda rows: sheets.csv_bytes(rows, delimiter="|", bom=True),
    "cp1252": lambda rows: sheets.csv_bytes(rows, encoding="cp1252", newline="\n"),
    "workbook": sheets.xlsx_bytes,
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_own_columns_stay_untouched_and_in_their_order(api: Door, form: Callable[[list[list[str]]], bytes]) -> None:
    header = ["Städt", "Phone Number", "note", "Fax", "SMS", "Voice", "Country Code"]
    rows = [
        ["Köln", "0221 1234567", 'said "yes", once', "", "", "TRUE", "49"],
        ["", " (030) 901820 ", "two\nlines", "x", "no", "TRUE", "DE"],
        ["é", "+4930901820", "", "", "", "TRUE", "49"],
    ]
    job = api.upload(form([header, *rows]))
    report = list(csv.reader(io.StringIO(api.report(job["id"]).decode().removeprefix(REPORT_BOM), newline="")))
    assert report[0] == [*header, *REPORT_COLUMNS]
    assert [line[: len(header)] for line in report[1:]] == rows
    codes = [line[len(header) + REPORT_COLUMNS.index("_code")] for line in report[1:]]
    assert codes == ["CREATED", "CREATED", "CONFLICTING_DUPLICATE"]
    assert job["file"]["ignored_columns"] == ["Städt", "note"]


def test_two_columns_of_one_unknown_name_both_stay(api: Door) -> None:
    rows = [[*sheets.HEADER, "Note", "Note"], ["1", "2125550142", "TRUE", "", "", "first", "second"]]
    job = api.upload(sheets.csv_bytes(rows))
    report = list(csv.reader(io.StringIO(api.report(job["id"]).decode().removeprefix(REPORT_BOM))))
    assert report[0][5:7] == ["Note", "Note"]
    assert report[1][5:7] == ["first", "second"]
    (row,) = api.rows(job["id"])
    assert (row["cells"]["Note"], row["cells"]["Note (2)"]) == ("first", "second")


# Opened in a spreadsheet program

HOSTILE = ("=1+1", "+1+cmd|' /C calc'!A0", "-2", "@SUM(A1)", "\tx", '=HYPERLINK("http://x")', "'=1", "''@x", "+1 2")


def test_cells_that_a_spreadsheet_would_run_are_neutralised(api: Door) -> None:
    header = [*sheets.HEADER, "=note()"]
    rows = [["1", f"{2125550000 + place}", "TRUE", "", "", text] for place, text in enumerate(HOSTILE)]
    rows += [["1", text, "TRUE", "", "", ""] for text in HOSTILE]
    rows += [["1", "+12125550177", text, "", "", ""] for text in HOSTILE]
    rows += [["1", "2125550178", "TRUE", "", "", "\rcarriage"], ["1", "+12125550179", "TRUE", "", "", "+12125550179"]]
    job = api.upload(sheets.csv_bytes([header, *rows]))
    for which in ("all", "failed"):
        report = csv.reader(io.StringIO(api.report(job["id"], which).decode().removeprefix(REPORT_BOM), newline=""))
        for line in report:
            for cell in line:
                assert cell[:1] not in {"=", "-", "@", "\t", "\r"}, line
                assert not cell.startswith("+") or (cell[1:].isdecimal() and 7 <= len(cell) - 1 <= 15), line
    cells = [row["cells"]["=note()"] for row in api.rows(job["id"])]
    assert cells[: len(HOSTILE)] == [_as_read(text) for text in HOSTILE]


def _as_read(text: str) -> str:
    """What the reader makes of a cell: one apostrophe before what a spreadsheet would run is its own."""
    bare = text.lstrip("'")
    return text[1:] if text.startswith("'") and bare[:1] in set("=+-@\t\r") else text


@pytest.mark.long
def test_a_report_of_failed_rows_comes_back_mended(api: Door) -> None:
    """Twice wrong, mended in the report itself, sent as it is: own columns, no report columns of the first."""
    rows = [[*sheets.HEADER, "Note"], *([*row, "=keep me"] for row in mixed(20))]
    first = api.upload(sheets.csv_bytes(rows))
    lines = table(api.report(first["id"], "failed"))
    assert len(lines) == first["counts"]["failed"] > 5
    assert {line["_result"] for line in lines} == {"failed"}
    for place, line in enumerate(lines):
        line |= {"Phone Number": f"{2125557000 + place}", "SMS": "TRUE"}
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(lines[0]))
    writer.writeheader()
    writer.writerows(lines)
    second = api.upload((REPORT_BOM + text.getvalue()).encode(), "failed.csv")
    assert second["counts"]["created"] == second["counts"]["total"] == len(lines)
    report = table(api.report(second["id"]))
    assert list(report[0]) == [*sheets.HEADER, "Note", *REPORT_COLUMNS]
    assert {line["Note"] for line in report} == {"'=keep me"}
    assert [line["_row"] for line in report] == [str(row) for row in range(2, len(lines) + 2)]


@pytest.mark.long
def test_reports_by_outcome(api: Door) -> None:
    job = api.upload(sheets.csv_bytes([sheets.HEADER, *mixed(20)]))
    assert table(api.report(job["id"], "unprocessed")) == []
    rows = api.rows(job["id"])
    for filtered in ({"outcome": "failed"}, {"outcome": "skipped"}, {"code": "CREATED"}, {"code": "DELETED"}):
        name, value = next(iter(filtered.items()))
        wanted = [row for row in rows if row["result" if name == "outcome" else "code"] == value]
        assert api.rows(job["id"], **filtered) == wanted
        assert api.rows(job["id"], **filtered, limit=1) == wanted
    assert _pages(api, job["id"], 7) == rows


def _pages(api: Door, job_id: str, limit: int) -> list[Json]:
    """By following `Link: rel=next` (RFC 8288)."""
    return [row for page in _follow(api, f"/v1/jobs/{job_id}/rows?limit={limit}") for row in page]


def _follow(api: Door, path: str | None) -> Iterator[list[Json]]:
    while path:
        answer = api.get(path)
        yield answer.json["data"]
        link = answer.headers.get("Link")
        assert (link is None) == (answer.json["next_cursor"] is None)
        path = None if link is None else link.partition(">")[0].removeprefix("<")


def test_what_stands_beyond_the_last_column_is_told(api: Door) -> None:
    """Nothing of the file is lost, though no column of the report has it."""
    rows = sheets.rows(2)
    job = api.upload(sheets.csv_bytes([*rows, ["1", "2125559999", "TRUE", "", "", "", "=surplus", "2nd"]]))
    wide = api.rows(job["id"], outcome="failed")[0]
    assert (wide["code"], wide["message"]) == ("ROW_TOO_WIDE", "“=surplus | 2nd” is beyond the last column.")
    assert list(wide["cells"]) == rows[0]
    report = api.get(f"/v1/jobs/{job['id']}/report.csv?rows=failed").get_data().decode("utf-8-sig")
    assert "“=surplus | 2nd” is beyond" in report
