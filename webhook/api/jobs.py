"""`/v1/jobs`: status, rows and reports of jobs (R28); what their tenant decides: confirm, cancel, undo (R27)."""

from __future__ import annotations

import hashlib
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from itertools import chain

import pyarrow as pa
import sqlalchemy as sa
from apiflask import APIBlueprint
from flask import Response, request, send_file, stream_with_context, url_for

from schemas import api, permissions, problems, report
from schemas.codes import Outcome
from schemas.findings import Layout
from schemas.jobs import TERMINAL, JobStatus, Phase
from schemas.problems import RequestCode
from webhook import auth, once, views, workbook
from webhook.answers import stop_if
from webhook.errors import Refused, refuse
from webhook.pages import next_link
from worker.infra import broker, job_views, lifecycle, scope, scratch, storage
from worker.infra.db import transaction
from worker.infra.faults import Point, pass_by
from worker.infra.job_views import JobFilter, JobView
from worker.infra.published import Tokens, open_report, stream_report

bp = APIBlueprint("jobs", __name__, url_prefix="/v1/jobs", tag="Jobs")
bp.before_request(auth.require_actor)
bp.before_request(once.begin)
bp.after_request(once.end)

LONGEST_WAIT = 10.0  # seconds that `Prefer: wait` may hold a request
FIRST_LOOK, LAST_LOOK = 0.01, 0.05  # seconds between two looks at a job that is waited for: small ones end soon
SLOWER = 1.02  # from one look to the next
EXPIRED = {410: "The report is no longer kept"}
MOST_WAITING = 12  # requests of one process that may be held so at a time
RESTING = TERMINAL | {JobStatus.REVIEW}  # nothing happens by itself any more
WORDS = {
    RequestCode.NOT_FOUND: "There is no such job.",
    RequestCode.FORBIDDEN: "Only the tenant that the job acts for may decide about it.",
}
_waiting = threading.BoundedSemaphore(MOST_WAITING)
_writing = threading.BoundedSemaphore(2)  # workbooks, each of which keeps a core busy for seconds
ROWS = {
    "all": None,
    "failed": frozenset({Outcome.FAILED}),
    "unprocessed": frozenset({Outcome.UNPROCESSED}),
}


@bp.get("")
@bp.input(api.JobsQuery, location="query", arg_name="query")
@bp.output(api.JobList)
@bp.doc(summary="List jobs, newest first")
def index(query: api.JobsQuery) -> Response:
    with transaction() as connection:
        wanted = JobFilter(query.kind, query.status, query.cursor)
        found = job_views.page(connection, auth.actor(), wanted, query.limit)
    cursor = found[-1].row.public_id if len(found) == query.limit else None
    return next_link(api.JobList(data=[views.job(view) for view in found], next_cursor=cursor), cursor)


@bp.get("/<job_id>")
@bp.output(api.Job)
@bp.doc(
    summary="One job; `Prefer: wait=n` answers when it has ended or is to be confirmed, after n seconds at the latest"
)
def show(job_id: str) -> Response:
    return answer(_job_after_wait(job_id), 200)


@bp.get("/<job_id>/rows")
@bp.input(api.RowsQuery, location="query", arg_name="query")
@bp.output(api.RowList)
@bp.doc(summary="What became of each row", responses=EXPIRED)
def rows(job_id: str, query: api.RowsQuery) -> Response:
    view = _job(job_id)
    if view.row.status in TERMINAL and not views.had_report(view.row):
        return next_link(api.RowList(data=[], next_cursor=None), None)
    outcomes = None if query.outcome is None else frozenset({Outcome(query.outcome)})
    with open_report(job_id, _tokens(view), _layout(view), preview=_is_reviewed(view)) as published:
        found, following = published.page(outcomes, query.code, query.cursor, query.limit)
    cursor = None if following is None else str(following)
    return next_link(api.RowList(data=[api.Row(**row) for row in found], next_cursor=cursor), cursor)


@bp.get("/<job_id>/report.csv")
@bp.input(api.ReportQuery, location="query", arg_name="query")
@bp.doc(summary="The report as CSV: the file's own columns, then what became of each row", responses=EXPIRED)
def report_csv(job_id: str, query: api.ReportQuery) -> Response:
    view = _job(job_id)
    layout = _layout(view)
    if query.rows == "all" and not _is_reviewed(view):
        with transaction() as connection:
            parts = job_views.report_parts(connection, view.row.id)
        blocks = storage.stream(*(storage.report_key(job_id, part) for part in range(parts)))
    else:
        rendered = (report.csv_rows(layout, cells, results) for cells, results in _stream(view, layout, query.rows))
        blocks = chain([report.csv_header(layout)], rendered)
    return _download(blocks, view, query.rows, "csv", "text/csv; charset=utf-8")


@bp.get("/<job_id>/report.jsonl")
@bp.input(api.ReportQuery, location="query", arg_name="query")
@bp.doc(summary="The report as JSON lines", responses=EXPIRED)
def report_jsonl(job_id: str, query: api.ReportQuery) -> Response:
    view = _job(job_id)
    layout = _layout(view)
    blocks = (report.json_lines(layout, cells, results) for cells, results in _stream(view, layout, query.rows))
    return _download(blocks, view, query.rows, "jsonl", "application/jsonl; charset=utf-8")


@bp.get("/<job_id>/report.xlsx")
@bp.input(api.WorkbookQuery, location="query", arg_name="query")
@bp.doc(summary="The report as a workbook for people: a summary, and the rows that need mending", responses=EXPIRED)
def report_xlsx(job_id: str, query: api.WorkbookQuery) -> Response:
    """At most 100,000 rows; what was cut off is told in the summary."""
    view = _job(job_id)
    layout = _layout(view)
    job = views.job(view)
    count = job.counts.total if query.rows == "all" else int(getattr(job.counts, query.rows))
    parts = _stream(view, layout, query.rows)
    with _writing, scratch.folder() as folder:
        path = folder / "report.xlsx"
        workbook.write(path, workbook.Told(job, layout, query.rows, count), parts)
        file, size = path.open("rb"), path.stat().st_size  # what is open can be sent, though its name is gone
    response = _attached(send_file(file, mimetype=workbook.MIMETYPE), view, query.rows, "xlsx")
    response.content_length = size
    return response


@bp.post("/<job_id>/confirm")
@bp.output(api.Job, status_code=202)
@bp.doc(summary="Carry out a job that was reviewed")
def confirm(job_id: str) -> Response:
    return _decided(job_id, lifecycle.confirm)


@bp.post("/<job_id>/cancel")
@bp.output(api.Job, status_code=202)
@bp.doc(summary="Stop a job: what is written stays, the other rows are not processed")
def cancel(job_id: str) -> Response:
    return _decided(job_id, lifecycle.cancel)


@bp.post("/<job_id>/undo")
@bp.output(api.Job, status_code=202)
@bp.doc(summary="Put back what a job did, by another job; numbers changed since are left alone")
def undo(job_id: str) -> Response:
    undoing = str(uuid.uuid4())

    def enter(connection: sa.Connection, undone_id: int) -> Phase:
        lifecycle.undo(connection, undone_id, undoing, auth.actor().name)
        return Phase.CHECK

    return _decided(job_id, enter, undoing)


def accepted(job_id: str) -> Response:
    """202 for a job just made; with `Prefer: wait` it may have ended already."""
    return answer(_job_after_wait(job_id), 202)


def replay(error: once.ReplayedError) -> Response:
    """The first answer once more; the job as it is now, if the first answer never got out."""
    known = error.finished
    response = accepted(known.job)
    if known.answer is not None:
        response.set_data(known.answer)
        del response.headers["ETag"]
    response.headers[once.REPLAYED] = "true"
    return response


def answer(view: JobView, status: int) -> Response:
    """The job as an answer, with its ETag; 304 when the caller has just this."""
    body = views.job(view).model_dump_json()
    response = Response(body, status, content_type="application/json")
    response.set_etag(hashlib.sha256(body.encode()).hexdigest()[:32])
    if status == HTTPStatus.ACCEPTED or view.row.status not in TERMINAL:
        response.headers["Retry-After"] = "1"
    if status == HTTPStatus.ACCEPTED:
        response.headers["Location"] = url_for("jobs.show", job_id=view.row.public_id)
        return response
    response.make_conditional(request)  # in place
    return response


def _job(job_id: str) -> JobView:
    with transaction() as connection:
        return _seen(connection, job_id)


def _seen(connection: sa.Connection, job_id: str) -> JobView:
    view = job_views.one(connection, auth.actor(), job_id)
    if view is None:
        raise refuse(RequestCode.NOT_FOUND, WORDS[RequestCode.NOT_FOUND])
    return view


def _decided(
    job_id: str, decide: Callable[[sa.Connection, int], Phase | None], following: str | None = None
) -> Response:
    """Have a job's own tenant decide about it; 202 with the job (or the one that follows from it) as it is then."""
    once.is_request({})
    with transaction() as connection:
        row = _seen(connection, job_id).row
        owner = scope.tenant_by_id(connection, row.tenant_id)
        stop_if(permissions.check_control(auth.actor().tenant, owner), WORDS)
        try:
            phase = decide(connection, row.id)
        except lifecycle.WrongStateError as error:
            raise refuse(error.code, job_status=error.status) from error
        once.made(connection, following or job_id)
    pass_by(Point.DECISION_COMMITTED)
    broker.wake(phase, following or job_id)
    return accepted(following or job_id)


def wait_for(job_id: str, otherwise: float) -> None:
    """Wait for a job as the caller prefers, or `otherwise` (seconds) if it does not say."""
    _job_after_wait(job_id, otherwise)


def _job_after_wait(job_id: str, otherwise: float = 0.0) -> JobView:
    """The job when it has ended or waits for a decision, or as it is when the caller's patience is at its end."""
    view = _job(job_id)
    patience = _patience(otherwise)
    deadline = time.monotonic() + patience
    # Who finds no place is answered at once, which a preference allows (RFC 7240): the threads serve everybody.
    if not patience or view.row.status in RESTING or not _waiting.acquire(blocking=False):
        return view
    try:
        pause = FIRST_LOOK
        while (left := deadline - time.monotonic()) > 0:
            time.sleep(min(pause, left))
            pause = min(pause * SLOWER, LAST_LOOK)
            with transaction() as connection:
                # Only this: the whole view takes ten times as long, and the workers need the processors.
                status = job_views.status_of(connection, view.row.id)
            if status in RESTING:
                break
        return _job(job_id)
    finally:
        _waiting.release()


def _patience(otherwise: float) -> float:
    """Seconds from `Prefer: wait=n` (RFC 7240), at most `LONGEST_WAIT`; `otherwise` if there is none."""
    for preference in request.headers.get("Prefer", "").split(","):
        name, _, value = preference.strip().partition("=")
        if name.lower() == "wait" and value.strip().isdecimal():
            return min(float(value), LONGEST_WAIT)
    return otherwise


def _layout(view: JobView) -> Layout:
    """The report's columns, for a job that has a report."""
    if views.has_report(view.row):
        return Layout.from_json(view.row.file_facts)
    if views.had_report(view.row):
        raise refuse(RequestCode.REPORT_EXPIRED)
    if view.row.status in TERMINAL:
        raise refuse(RequestCode.NO_REPORT)
    raise Refused(problems.of_request(RequestCode.REPORT_NOT_READY), {"Retry-After": "1"})


def _is_reviewed(view: JobView) -> bool:
    """Whether the rows are told as they would be."""
    return bool(view.row.status == JobStatus.REVIEW)


def _stream(view: JobView, layout: Layout, which: str) -> Iterator[tuple[pa.RecordBatch, pa.Table]]:
    row = view.row
    return stream_report(row.public_id, _tokens(view), layout, ROWS[which], preview=_is_reviewed(view))


def _tokens(view: JobView) -> Tokens:
    return Tokens(view.row.read_token, view.row.check_token)


def _download(blocks: Iterable[bytes], view: JobView, which: str, ending: str, content_type: str) -> Response:
    response = Response(stream_with_context(iter(blocks)), content_type=content_type)
    return _attached(response, view, which, ending)


def _attached(response: Response, view: JobView, which: str, ending: str) -> Response:
    """A report as a file to be saved, named after the upload."""
    name = view.row.file_name or view.row.kind
    stem = name.rpartition(".")[0] or name
    response.headers.set("Content-Disposition", "attachment", filename=f"{stem}-{which}.{ending}")
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
