"""Workbook reports, which workers build: ordered by the first request for one, then served from the storage.

A request waits for a workbook for a limited time, and few requests of a process wait at once.
"""

from __future__ import annotations

import time
from functools import partial

from schemas import request_problems
from schemas.jobs import Phase
from schemas.request_problems import RequestCode
from schemas.workbooks import MEDIA_TYPE, WorkbookKind
from webhook.http.concurrency_limits import WAITS
from webhook.http.downloads import StoredFile, etag_of
from webhook.http.errors import Refused
from webhook.services.jobs import find, is_reviewed, layout_of
from webhook.services.reports import file_name
from worker.database.engine import transaction
from worker.jobs import workbook_items
from worker.jobs.queries import JobView
from worker.jobs.workbook_items import Ordered
from worker.queue import broker
from worker.storage import files

FIRST_LOOK, LAST_LOOK = 0.02, 0.5  # seconds between polls of a work item that a request waits for
SLOWER = 1.1  # factor from one pause to the next
RETRY_SECONDS = 5  # well below `webhook.http.gunicorn_conf.keepalive`, so that clients ask again on the same connection


def report(job_id: str, rows: str, patience: float) -> StoredFile:
    """Return a job's workbook report: at most 100,000 rows; its summary says if some were cut off.

    `rows`: "all", "failed" or "unprocessed". Orders the workbook if that has not been done, and waits up to `patience`
    seconds for it. Raises `Refused` with WORKBOOK_NOT_READY or WORKBOOK_FAILED, or as any report that is unavailable.
    """
    view = find(job_id)
    layout_of(view)  # raises `Refused` if there is no report
    kind = WorkbookKind(rows, is_reviewed(view))
    with transaction() as connection:
        ordered = workbook_items.order(connection, view.row.id, kind)
    if ordered.is_refused:
        detail = f"{workbook_items.MOST_OPEN} other workbooks for your company are being prepared first."
        raise _not_ready(detail)
    if ordered.is_new:
        broker.wake(Phase.WORKBOOK, job_id)
    key = _key(ordered) or _waited_for(view, kind, patience)
    if key is None:
        raise _not_ready()
    # The file of a lease is never written again.
    return StoredFile(partial(files.opened, key), file_name(view, rows, "xlsx"), MEDIA_TYPE, etag_of(key))


def _not_ready(detail: str = "") -> Refused:
    headers = {"Retry-After": str(RETRY_SECONDS)}
    return Refused(request_problems.of_request(RequestCode.WORKBOOK_NOT_READY, detail), headers)


def _waited_for(view: JobView, kind: WorkbookKind, patience: float) -> str | None:
    """Return the key of the workbook once it is built; None after `patience` seconds, or if too many requests wait."""
    deadline = time.monotonic() + patience
    if patience <= 0 or not WAITS.try_acquire():
        return None
    try:
        pause = FIRST_LOOK
        while (left := deadline - time.monotonic()) > 0:
            time.sleep(min(pause, left))
            pause = min(pause * SLOWER, LAST_LOOK)
            with transaction() as connection:
                ordered = workbook_items.state_of(connection, view.row.id, kind)
            if (key := _key(ordered)) is not None:
                return key
        return None
    finally:
        WAITS.release()


def _key(ordered: Ordered) -> str | None:
    """Return the key of a workbook; None if it is not built yet. Raises `Refused` if building it has failed."""
    if ordered.retry_seconds is not None:
        headers = {"Retry-After": str(int(ordered.retry_seconds) + 1)}
        raise Refused(request_problems.of_request(RequestCode.WORKBOOK_FAILED), headers)
    return ordered.key
