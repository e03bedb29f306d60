"""Reports of jobs as downloads (R28). `which`: rows "all", "failed" or "unprocessed".

Reports of a job under review have predicted outcomes. Workbooks are in `webhook.services.workbooks`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from importlib.metadata import version
from itertools import chain

import pyarrow as pa

from schemas.workbooks import OUTCOMES
from webhook.http import file_names
from webhook.http.downloads import Download, StoredFile, etag_of
from webhook.services.jobs import find, is_reviewed, layout_of, tokens_of
from worker.database.engine import transaction
from worker.jobs import queries
from worker.jobs.queries import JobView
from worker.reports import render
from worker.reports.row_messages import Layout
from worker.storage import files, joined_files
from worker.storage.report_reader import stream_report

CSV = "text/csv; charset=utf-8"


def csv(job_id: str, which: str) -> Download | StoredFile:
    """Return the report as CSV: the file's own columns, then the outcome of each row. That of all rows is stored."""
    view = find(job_id)
    layout = layout_of(view)
    if which == "all" and not is_reviewed(view):
        with transaction() as connection:
            parts = queries.report_parts(connection, view.row.id)
        keys = [files.report_key(job_id, part) for part in range(parts)]
        etag = etag_of(f"{keys} {view.row.finished_at}")  # it is never written again
        name = file_name(view, which, "csv")
        return StoredFile(partial(joined_files.opened, keys), name, CSV, etag, is_compressible=True)
    rendered = (render.csv_rows(layout, cells, results) for cells, results in _stream(view, layout, which))
    blocks = chain([render.csv_header(layout)], rendered)
    return Download(blocks, file_name(view, which, "csv"), CSV, _source(view, which, "csv"))


def jsonl(job_id: str, which: str) -> Download:
    """Return the report as JSON lines: an object per row."""
    view = find(job_id)
    layout = layout_of(view)
    blocks = (render.json_lines(layout, cells, results) for cells, results in _stream(view, layout, which))
    name = file_name(view, which, "jsonl")
    return Download(blocks, name, "application/jsonl; charset=utf-8", _source(view, which, "jsonl"))


def _source(view: JobView, which: str, ending: str) -> str:
    """Return what a report is made from: the files of these leases, with texts of this release."""
    row, tokens = view.row, tokens_of(view)
    return f"{row.public_id} {row.status} {row.finished_at} {tokens} {which} {ending} {version('numberyard')}"


def _stream(view: JobView, layout: Layout, which: str) -> Iterator[tuple[pa.RecordBatch, pa.Table]]:
    row = view.row
    return stream_report(row.public_id, tokens_of(view), layout, OUTCOMES[which], preview=is_reviewed(view))


def file_name(view: JobView, which: str, ending: str) -> str:
    """Return a report's file name, made from the upload's; with "-review" if its outcomes are predicted."""
    name = view.row.file_name or view.row.kind
    stem = name.rpartition(".")[0] or name
    return file_names.cut(stem, f"{'-review' if is_reviewed(view) else ''}-{which}.{ending}")
