"""Reports of jobs, as files to be saved (R28): `which` rows, "all", "failed" or "unprocessed".

Of a job under review they tell what would become of the rows.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import chain

import pyarrow as pa

from schemas import report
from schemas.codes import Outcome
from schemas.findings import Layout
from webhook import file_names, views, workbook
from webhook.downloads import Download
from webhook.operations.jobs import find, is_reviewed, layout_of, tokens_of
from worker.infra import job_views, scratch, storage
from worker.infra.db import transaction
from worker.infra.job_views import JobView
from worker.infra.published import stream_report

ROWS = {
    "all": None,
    "failed": frozenset({Outcome.FAILED}),
    "unprocessed": frozenset({Outcome.UNPROCESSED}),
}
_writing = threading.BoundedSemaphore(2)  # workbooks, each of which keeps a core busy for seconds


def csv(job_id: str, which: str) -> Download:
    """The file's own columns, then what became of each row."""
    view = find(job_id)
    layout = layout_of(view)
    if which == "all" and not is_reviewed(view):
        with transaction() as connection:
            parts = job_views.report_parts(connection, view.row.id)
        blocks = storage.stream(*(storage.report_key(job_id, part) for part in range(parts)))
    else:
        rendered = (report.csv_rows(layout, cells, results) for cells, results in _stream(view, layout, which))
        blocks = chain([report.csv_header(layout)], rendered)
    return Download(blocks, _name(view, which, "csv"), "text/csv; charset=utf-8")


def jsonl(job_id: str, which: str) -> Download:
    """A JSON object for each row, one a line."""
    view = find(job_id)
    layout = layout_of(view)
    blocks = (report.json_lines(layout, cells, results) for cells, results in _stream(view, layout, which))
    return Download(blocks, _name(view, which, "jsonl"), "application/jsonl; charset=utf-8")


def xlsx(job_id: str, which: str) -> Download:
    """A workbook for people: at most 100,000 rows; what was cut off is told in the summary."""
    view = find(job_id)
    layout = layout_of(view)
    job = views.job(view)
    count = job.counts.total if which == "all" else int(getattr(job.counts, which))
    parts = _stream(view, layout, which)
    with _writing, scratch.folder() as folder:
        path = folder / "report.xlsx"
        workbook.write(path, workbook.Told(job, layout, which, count), parts)
        file, size = path.open("rb"), path.stat().st_size  # what is open can be sent, though its name is gone
    return Download(file, _name(view, which, "xlsx"), workbook.MIMETYPE, size)


def _stream(view: JobView, layout: Layout, which: str) -> Iterator[tuple[pa.RecordBatch, pa.Table]]:
    row = view.row
    return stream_report(row.public_id, tokens_of(view), layout, ROWS[which], preview=is_reviewed(view))


def _name(view: JobView, which: str, ending: str) -> str:
    """Name a report after the upload; that of a review says so, since it tells what would become of the rows."""
    name = view.row.file_name or view.row.kind
    stem = name.rpartition(".")[0] or name
    return file_names.cut(stem, f"{'-review' if is_reviewed(view) else ''}-{which}.{ending}")
