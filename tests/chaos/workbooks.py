"""Workbook reports whose builders are killed: each is built all the same, once, and says what the CSV report says."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import openpyxl

from schemas.workbooks import OUTCOMES
from tests.chaos import files
from tests.chaos.attacks import Done, Size, attack
from tests.chaos.stand import Sent, Stand
from tests.support.api_client import REPORT_BOM
from worker.config.failpoints import Failpoint

POINTS = (
    Failpoint.WORKBOOK_CLAIMED,
    Failpoint.WORKBOOK_STORED,
    Failpoint.WORKBOOK_ENTERED,
    Failpoint.WORKBOOK_COMMITTED,
)
BUILT = "SELECT count(*) FROM job_chunks WHERE job_id = :job AND phase = 'workbook' AND state = 'done'"


@attack(f"workbook builder killed at {', '.join(POINTS)}")
def builder_killed(stand: Stand, size: Size) -> Done:
    """All kinds are requested at once, by clients that repeat their request until the file is there."""
    sent = stand.send(files.mixed(stand.numbers, size.rows, stand.dice))
    stand.ended(sent)
    for point in POINTS:
        stand.arm(point)
    with ThreadPoolExecutor(len(OUTCOMES)) as pool:
        built = list(pool.map(lambda rows: _report(stand, sent, "xlsx", rows), OUTCOMES))
    for point in POINTS:
        stand.wait_met(point)
    for rows, workbook in zip(OUTCOMES, built, strict=True):
        text = _report(stand, sent, "csv", rows).decode().removeprefix(REPORT_BOM)
        assert _lines(workbook) == list(csv.reader(io.StringIO(text, newline="")))
    assert stand.ask(BUILT, job=stand.job_row(sent))[0].count == len(OUTCOMES)
    return Done([sent], len(POINTS))


def _report(stand: Stand, sent: Sent, ending: str, rows: str) -> bytes:
    answer = stand.get(f"/v1/jobs/{sent.job_id}/report.{ending}", sent.account, rows=rows)
    assert answer.status_code == 200, answer.text
    return answer.content


def _lines(workbook: bytes) -> list[list[str]]:
    """Return the cells of the first sheet as text."""
    sheet = openpyxl.load_workbook(io.BytesIO(workbook), read_only=True).worksheets[0]
    return [_texts(row) for row in sheet.iter_rows(values_only=True)]


def _texts(row: Iterable[object]) -> list[str]:
    return ["" if cell is None else str(cell) for cell in row]
