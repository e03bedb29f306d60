"""Files that need all their rows to be understood, through the whole service (R14e, R28, R29)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.api_client import Door
from tests.support.files import sheets

HEADER = [*sheets.HEADER, "To"]


@pytest.mark.parametrize("rows_per_batch", [65_536, 1])
def test_a_column_of_ends(api: Door, configure: Callable[..., None], rows_per_batch: int) -> None:
    """Case 10b: in one batch or in many, the job says how the column was read and every number is there."""
    configure(rows_per_batch=rows_per_batch)
    rows = [["1", f"21255501{block}0", "TRUE", "FALSE", "FALSE", f"21255501{block}9"] for block in range(3)]
    job = api.upload(sheets.csv_bytes([HEADER, *rows]))
    assert job["counts"]["created"] == 3
    assert job["file"]["ignored_columns"] == []
    assert job["file"]["notes"] == ["“To” was read as End Number: 3 rows stand for 30 numbers."]
    found = {number["e164"] for number in api.get("/v1/numbers?limit=100").json["data"]}
    assert found == {f"+121255501{last:02}" for last in range(30)}


@pytest.mark.parametrize("rows_per_batch", [65_536, 1])
def test_a_column_of_something_else(api: Door, configure: Callable[..., None], rows_per_batch: int) -> None:
    configure(rows_per_batch=rows_per_batch)
    rows = [["1", "2125550110", "TRUE", "", "", "2125550119"], ["1", "2125550120", "TRUE", "", "", "Boston"]]
    job = api.upload(sheets.csv_bytes([HEADER, *rows]))
    assert job["file"]["ignored_columns"] == ["To"]
    assert "“Boston” in row 3" in job["file"]["notes"][0]
    assert {number["e164"] for number in api.get("/v1/numbers").json["data"]} == {"+12125550110", "+12125550120"}


@pytest.mark.long
def test_nul_characters(api: Door) -> None:
    """They reach neither database nor reports: rows that need the cell fail, the others do not."""
    rows = [["1", "2125550110", "TRUE", "", "", "a\0b"], ["1", "2125550\x00111", "TRUE", "", "", ""]]
    job = api.upload(sheets.csv_bytes([[*sheets.HEADER, "Note"], *rows]))
    assert (job["counts"]["created"], job["counts"]["failed"]) == (1, 1)
    assert [row["code"] for row in api.rows(job["id"])] == ["CREATED", "INVALID_CHARACTER"]
    for ending in ("csv", "jsonl", "xlsx"):
        answer = api.get(f"/v1/jobs/{job['id']}/report.{ending}")
        assert answer.status_code == 200
        assert b"\0" not in answer.data or ending == "xlsx"


def test_rows_between_stray_marks(api: Door) -> None:
    """R28: the report has every line of the file."""
    table = sheets.rows(20, (*sheets.HEADER, "Note"))
    rows = [",".join([*row, "x"]) if place else ",".join(row) for place, row in enumerate(table)]
    rows[5], rows[9] = rows[5][:-1] + '"abc', rows[9][:-1] + 'abc"'
    job = api.upload("\r\n".join(rows).encode())
    assert job["counts"]["created"] == job["counts"]["total"] == 20
    assert "Stray quotation marks" in job["file"]["notes"][0]
