"""`/v1/jobs`: status, rows and reports of jobs (R28), and decisions of their tenant: confirm, cancel, undo (R27)."""

from __future__ import annotations

from http import HTTPStatus

from apiflask import APIBlueprint
from flask import Response, request, url_for

from schemas.http import resources
from schemas.http.corrections import CorrectionBody, CorrectionList, CorrectionPreview, CorrectionPreviewBody
from schemas.http.rechecks import RecheckBody
from schemas.jobs import TERMINAL
from webhook.http import auth, idempotency
from webhook.http.concurrency_limits import DOWNLOADS
from webhook.http.downloads import sent, sent_stored
from webhook.http.responses import next_link
from webhook.services import corrections, jobs, rechecks, reports, workbooks

bp = APIBlueprint("jobs", __name__, url_prefix="/v1/jobs", tag="Jobs")
bp.before_request(auth.require_actor)
bp.before_request(idempotency.begin_request)
bp.after_request(idempotency.end_request)

LONGEST_WAIT = 10.0  # seconds that `Prefer: wait` may hold a request
EXPIRED = {410: "The report has expired"}


@bp.get("")
@bp.input(resources.JobsQuery, location="query", arg_name="query")
@bp.output(resources.JobList)
@bp.doc(summary="List jobs, newest first")
def index(query: resources.JobsQuery) -> Response:
    return next_link(jobs.page(query))


@bp.get("/<job_id>")
@bp.output(resources.Job)
@bp.doc(summary="Get a job; `Prefer: wait=n` waits up to n seconds for it to end or to need confirmation")
def show(job_id: str) -> Response:
    return answer(jobs.get(job_id, wait_seconds(), must_wait=True), 200)


@bp.get("/<job_id>/rows")
@bp.input(resources.RowsQuery, location="query", arg_name="query")
@bp.output(resources.RowList)
@bp.doc(summary="List the result of each row", responses=EXPIRED)
def rows(job_id: str, query: resources.RowsQuery) -> Response:
    return next_link(jobs.rows(job_id, query))


@bp.get("/<job_id>/report.csv")
@bp.input(resources.ReportQuery, location="query", arg_name="query")
@bp.doc(summary="Download the report as CSV: the file's own columns, then the result of each row", responses=EXPIRED)
@DOWNLOADS.streamed
def report_csv(job_id: str, query: resources.ReportQuery) -> Response:
    return sent(reports.csv(job_id, query.rows))


@bp.get("/<job_id>/report.jsonl")
@bp.input(resources.ReportQuery, location="query", arg_name="query")
@bp.doc(summary="Download the report as JSON lines", responses=EXPIRED)
@DOWNLOADS.streamed
def report_jsonl(job_id: str, query: resources.ReportQuery) -> Response:
    return sent(reports.jsonl(job_id, query.rows))


@bp.get("/<job_id>/report.xlsx")
@bp.input(resources.WorkbookQuery, location="query", arg_name="query")
@bp.doc(
    summary="Download the report as a workbook: a summary and the rows to correct",
    responses={
        206: "The requested range",
        304: "The client already has this file (If-None-Match)",
        **EXPIRED,
        416: "The range is outside the file",
        503: "The workbook is still being prepared: retry after the seconds in Retry-After",
    },
)
def report_xlsx(job_id: str, query: resources.WorkbookQuery) -> Response:
    """At most 100,000 rows; the summary says how many were left out.

    The first request starts the preparation of the workbook, and waits for it (`Prefer: wait=n`, at most 10 s, which is
    the default). The file is kept with the report, and supports ETag and ranges.
    """
    return sent_stored(workbooks.report(job_id, query.rows, wait_seconds(LONGEST_WAIT)))


@bp.post("/<job_id>/confirm")
@bp.output(resources.Job, status_code=202)
@bp.doc(
    summary="Confirm a job after its review; If-Match: only in the state with that ETag",
    responses={412: "The job has changed since"},
)
def confirm(job_id: str) -> Response:
    return accepted(jobs.confirm(job_id, request.headers.get("If-Match")))


@bp.post("/<job_id>/recheck")
@bp.input(RecheckBody, arg_name="body")
@bp.output(resources.Job, status_code=202)
@bp.doc(
    summary="Check a stored file again under another mapping or other options",
    responses={410: "The file is no longer kept", 412: "The job has changed since"},
)
def recheck(job_id: str, body: RecheckBody) -> Response:
    """Under review, the same job goes back to `checking`. Otherwise a new job reads the file: see its `parent_job_id`.

    What the body leaves out stays as it was. If-Match: only in the state with that ETag.
    """
    return accepted(rechecks.recheck(job_id, body, request.headers.get("If-Match")))


@bp.post("/<job_id>/corrections")
@bp.input(CorrectionBody, arg_name="body")
@bp.output(resources.Job, status_code=202)
@bp.doc(summary="Correct rows of an upload under review", responses={412: "The job has changed since"})
def correct(job_id: str, body: CorrectionBody) -> Response:
    """The job goes back to `checking`; only what was corrected is validated again, and duplicates are looked for again.

    The file keeps its text: reports show it beside the corrections. If-Match: only in the state with that ETag.
    """
    return accepted(corrections.correct(job_id, body, request.headers.get("If-Match")))


@bp.post("/<job_id>/corrections/preview")
@bp.input(CorrectionPreviewBody, arg_name="body")
@bp.output(CorrectionPreview)
@bp.doc(summary="Say what a correction would do; nothing is changed")
def preview_correction(job_id: str, body: CorrectionPreviewBody) -> Response:
    return Response(corrections.preview(job_id, body).model_dump_json(), content_type="application/json")


@bp.get("/<job_id>/corrections")
@bp.output(CorrectionList)
@bp.doc(summary="List the corrections of a job, in their order")
def list_corrections(job_id: str) -> Response:
    return Response(corrections.listed(job_id).model_dump_json(), content_type="application/json")


@bp.delete("/<job_id>/corrections/<number>")
@bp.output(resources.Job, status_code=202)
@bp.doc(summary="Take a correction back; its rows are validated again", responses={412: "The job has changed since"})
def take_back_correction(job_id: str, number: str) -> Response:
    return accepted(corrections.take_back(job_id, number, request.headers.get("If-Match")))


@bp.post("/<job_id>/retry")
@bp.output(resources.Job, status_code=202)
@bp.doc(summary="Take the failed rows of an ended upload into a new review", responses={410: "The report has expired"})
def retry(job_id: str) -> Response:
    """The new job's rows have the numbers of the file; its `parent_job_id` is the ended job. No file is sent again.

    An all-or-nothing upload that failed is taken over whole: none of its rows was written.
    """
    return accepted(corrections.retry(job_id))


@bp.post("/<job_id>/cancel")
@bp.output(resources.Job, status_code=202)
@bp.doc(summary="Stop a job: changes already made stay, the remaining rows are not processed")
def cancel(job_id: str) -> Response:
    return accepted(jobs.cancel(job_id))


@bp.post("/<job_id>/undo")
@bp.output(resources.Job, status_code=202)
@bp.doc(summary="Undo a job with a new job; numbers changed since are left unchanged")
def undo(job_id: str) -> Response:
    return accepted(jobs.undo(job_id))


def accepted(job_id: str) -> Response:
    """Return 202 for a job just created or decided about. With `Prefer: wait`, it may have ended already."""
    return answer(jobs.get(job_id, wait_seconds()), 202)


def replay(error: idempotency.ReplayedError) -> Response:
    """Return the first response again; the job as it is now, if the first response was never stored."""
    finished_job = error.finished
    response = accepted(finished_job.job)
    if finished_job.answer is not None:
        response.set_data(finished_job.answer)
        del response.headers["ETag"]
    response.headers[idempotency.REPLAYED] = "true"
    return response


def answer(job: resources.Job, status: int) -> Response:
    """Return the job as a response with its ETag; 304 if the client already has it."""
    response = Response(job.model_dump_json(), status, content_type="application/json")
    response.set_etag(jobs.etag_of(job))
    if status == HTTPStatus.ACCEPTED or job.status not in TERMINAL:
        response.headers["Retry-After"] = "1"
    if status == HTTPStatus.ACCEPTED:
        response.headers["Location"] = url_for("jobs.show", job_id=job.id)
        return response
    response.make_conditional(request)  # changes the response in place
    return response


def wait_seconds(otherwise: float = 0.0) -> float:
    """Return the seconds in `Prefer: wait=n` (RFC 7240), at most `LONGEST_WAIT`; `otherwise` without that header."""
    for preference in request.headers.get("Prefer", "").split(","):
        name, _, value = preference.strip().partition("=")
        if name.lower() == "wait" and value.strip().isdecimal():
            return min(float(value), LONGEST_WAIT)
    return otherwise
