"""Whole-file faults: the job fails with the fault's problem, at most its file is left, and the next upload works."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from schemas.database.tables import job_chunks, phone_numbers, tenants
from tests.support.api_client import Door, Json
from tests.support.factories import World
from tests.support.files import sheets
from worker.steps.failures import READABLE_OTHERWISE

SOUND = sheets.csv_bytes(sheets.rows(2))
HEADER = sheets.csv_bytes([sheets.HEADER])
FAULTS: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "EMPTY_FILE"),
    "blank lines": (b"\r\n\r\n \r\n", "EMPTY_FILE"),
    "header only": (HEADER, "EMPTY_FILE"),
    "header and blank rows": (HEADER + b",,,,\r\n" * 3, "EMPTY_FILE"),
    "no header": (b"TRUE,2125550142,1,TRUE,FALSE\r\n" * 2, "NO_HEADER"),
    "wrong columns": (b"Name,Street\r\nA,B\r\n", "MISSING_COLUMN"),
    "a column missing": (sheets.csv_bytes(row[:3] for row in sheets.rows(2)), "MISSING_COLUMN"),
    "a column twice": (sheets.csv_bytes([*row, row[1]] for row in sheets.rows(2)), "DUPLICATE_COLUMN"),
    "PDF": (sheets.PDF, "UNSUPPORTED_TYPE"),
    "picture": (sheets.PNG, "UNSUPPORTED_TYPE"),
    "web page": (sheets.HTML, "UNSUPPORTED_TYPE"),
    "OpenDocument, damaged": (sheets.open_document_bytes(), "UNREADABLE_FILE"),
    "noise": (sheets.BINARY, "UNSUPPORTED_TYPE"),
    "encrypted": (sheets.ole2_bytes("EncryptedPackage"), "ENCRYPTED_FILE"),
    "truncated workbook": (sheets.truncated(sheets.xlsx_bytes(sheets.rows(50))), "UNREADABLE_FILE"),
    "zip bomb": (sheets.zip_bomb(20_000_000), "UNREADABLE_FILE"),
    "broken XML": (sheets.broken_xml(), "UNREADABLE_FILE"),
    "empty workbook": (sheets.xlsx_bytes([]), "EMPTY_FILE"),
    "NUL in the wrong header": (b"Na\0me,Street\r\nA,B\r\n" + b"A,B\r\n" * 1000, "BAD_ENCODING"),
    "NUL in a UTF-16 header": (
        sheets.csv_bytes([[*sheets.HEADER, "no\0te"], ["1"] * 6], encoding="utf-16-le", bom=True), "BAD_ENCODING",
    ),
    "too many columns": (sheets.csv_bytes([["x"] * 300, ["1"] * 300]), "TOO_MANY_COLUMNS"),
}  # fmt: skip


def kept(job: Json) -> list[str]:
    """The files that are kept of a refused upload: the uploaded file, if it can be checked again (R31)."""
    may_be_readable = job["problem"]["code"] in READABLE_OTHERWISE
    assert job["can_recheck"] == may_be_readable
    return [f"jobs/{job['id']}/upload"] if may_be_readable else []


@pytest.mark.long
@pytest.mark.parametrize(("content", "code"), FAULTS.values(), ids=FAULTS)
def test_a_file_that_cannot_be_read(
    api: Door,
    database: sa.Engine,
    stored: Callable[[], list[str]],
    configure: Callable[..., None],
    content: bytes,
    code: str,
) -> None:
    configure(max_inflated_bytes=10_000_000)
    job = api.upload(content)
    assert (job["status"], job["problem"]["code"]) == ("failed", code), job["problem"]
    assert job["problem"]["fix"]
    assert set(job["counts"].values()) == {0}
    assert job["finished_at"]
    assert stored() == kept(job)
    with database.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(phone_numbers)).scalar_one() == 0
        assert connection.execute(sa.select(job_chunks.c.state)).scalars().all() == ["done"]
    assert api.upload(SOUND)["counts"]["created"] == 2


def test_a_failed_job_has_no_report_and_no_rows(api: Door) -> None:
    job = api.upload(b"")
    assert api.rows(job["id"]) == []
    for ending in ("csv", "jsonl"):
        answer = api.get(f"/v1/jobs/{job['id']}/report.{ending}")
        assert (answer.status_code, answer.json["code"]) == (409, "NO_REPORT")
    assert job["links"]["report_csv"] is None


@pytest.mark.parametrize(
    ("setting", "code"), [({"max_rows": 1}, "TOO_MANY_ROWS"), ({"max_cell_chars": 64}, "UNREADABLE_FILE")]
)
def test_a_fault_found_at_the_last_row(
    api: Door, configure: Callable[..., None], stored: Callable[[], list[str]], setting: dict[str, int], code: str
) -> None:
    """What the rows before it have left in the storage goes, too; the file stays, to be read otherwise (R31)."""
    configure(**setting)
    job = api.upload(SOUND + b"1,2125550199," + b"x" * 65 + b",FALSE,FALSE\r\n")
    assert (job["status"], job["problem"]["code"]) == ("failed", code)
    assert stored() == kept(job) != []


@pytest.mark.long
def test_a_bad_byte_in_the_last_row(api: Door, stored: Callable[[], list[str]]) -> None:
    """Text that is UTF-8 for its first megabyte and then is not: read to the end or refused, never half read."""
    table = sheets.csv_bytes(sheets.rows(60_000))
    job = api.upload(table + b"1,2125550199,TRUE,\xff\xfe\x80,FALSE\r\n")
    if job["status"] == "failed":
        assert job["problem"]["code"] == "BAD_ENCODING"
        assert stored() == kept(job) != []
    else:
        assert job["counts"]["total"] == 60_001


def test_r9_external_numbers_switched_off_after_the_upload(
    api: Door, world: World, database: sa.Engine, stored: Callable[[], list[str]]
) -> None:
    """The door let it in; by the time it is checked, the enterprise may not upload any more."""
    door = api.as_(world.clinic.token)
    job_id = door.send(SOUND).json["id"]
    with database.begin() as connection:
        connection.execute(tenants.update().values(allow_external_numbers=False))
    api.work_off()
    job = door.job(job_id)
    assert (job["status"], job["problem"]["code"]) == ("failed", "EXTERNAL_NOT_ALLOWED")
    assert stored() == []
