"""`/v1/jobs`: status, rows and reports of jobs (R28), and decisions of their tenant: confirm, cancel, undo (R27)."""

from __future__ import annotations

from http import HTTPStatus

from apiflask import APIBlueprint
from flask import Response, request, url_for

from schemas.http import resources
from schemas.http.corrections import CorrectionBody, CorrectionList, CorrectionPreview, CorrectionPreviewBody
from schemas.http.rechecks import RecheckBody
from schemas.jobs import TERMINAL
from schemas.roles import Operation
from schemas.workbooks import MEDIA_TYPE
from webhook.http import auth
from webhook.http.access import needs
from webhook.http.concurrency_limits import DOWNLOADS
from webhook.http.downloads import sent, sent_stored
from webhook.http.openapi.declarations import (
    CSV,
    FILE_HEADERS,
    FILE_RESPONSES,
    JSON_LINES,
    STREAM_HEADERS,
    STREAM_RESPONSES,
    Header,
    declares,
)
from webhook.http.preferences import LONGEST_WAIT, wait_seconds
from webhook.http.responses import next_link
from webhook.services import corrections, export_jobs, jobs, rechecks, reports, workbooks

bp = APIBlueprint("jobs", __name__, url_prefix="/v1/jobs", tag="Jobs")
bp.before_request(auth.require_actor)

NO_REPORT = {409: "The job has no report, or not yet", 410: "The report has expired"}
CHANGED = {412: "The job has changed since"}
NOT_CORRECTABLE = "The rows of this job cannot be corrected now"
NOT_OWN = {403: "Only the company that started the job can do this"}


@bp.get("")
@bp.input(resources.JobsQuery, location="query", arg_name="query")
@bp.output(resources.JobList)
@bp.doc(operation_id="list_jobs", summary="List jobs, newest first")
@needs(Operation.READ_JOBS)
def index(query: resources.JobsQuery) -> Response:
    """Of your own tenant and of those below it.

    A filtered page can be shorter than `limit`; only the last page has no `next_cursor`.
    """
    return next_link(jobs.page(query))


@bp.get("/<job_id>")
@bp.output(resources.Job)
@bp.doc(
    operation_id="get_job",
    summary="Get a job; `Prefer: wait=n` waits up to n seconds for it to end or to need confirmation",
    responses={304: "The job is in the state that the client has (If-None-Match)"},
)
@declares(Header.PREFER, Header.IF_NONE_MATCH)
@needs(Operation.READ_JOBS)
def show(job_id: str) -> Response:
    """Of your own tenant or one below it. Its counts add up to the total at any moment."""
    return answer(jobs.get(job_id, wait_seconds(), must_wait=True), 200)


@bp.get("/<job_id>/rows")
@bp.input(resources.RowsQuery, location="query", arg_name="query")
@bp.output(resources.RowList)
@bp.doc(operation_id="list_job_rows", summary="List the result of each row", responses=NO_REPORT)
@needs(Operation.READ_JOBS)
def rows(job_id: str, query: resources.RowsQuery) -> Response:
    """In file order; during a review, the expected results. A job that ended before it read a row has none."""
    return next_link(jobs.rows(job_id, query))


@bp.get("/<job_id>/report.csv")
@bp.input(resources.ReportQuery, location="query", arg_name="query")
@bp.doc(
    operation_id="get_job_report_csv",
    summary="Download the report as CSV: the file's own columns, then the result of each row",
    responses={200: "The report, encoded as UTF-8", **NO_REPORT, **FILE_RESPONSES},
)
@DOWNLOADS.streamed
@declares(*FILE_HEADERS, files=(CSV,))
@needs(Operation.READ_JOBS)
def report_csv(job_id: str, query: resources.ReportQuery) -> Response:
    """During a review, what would happen to each row. `rows` limits it to failed or unprocessed rows.

    The report of all rows of an ended job is stored: it has an ETag, a length, and parts (Range). Others are made when
    they are requested, and have a weak ETag. With gzip if that is accepted.
    """
    return sent(reports.csv(job_id, query.rows))


@bp.get("/<job_id>/report.jsonl")
@bp.input(resources.ReportQuery, location="query", arg_name="query")
@bp.doc(
    operation_id="get_job_report_jsonl",
    summary="Download the report as JSON lines",
    responses={200: "The report, an object per row", **NO_REPORT, **STREAM_RESPONSES},
)
@DOWNLOADS.streamed
@declares(*STREAM_HEADERS, files=(JSON_LINES,))
@needs(Operation.READ_JOBS)
def report_jsonl(job_id: str, query: resources.ReportQuery) -> Response:
    """The same rows as in the CSV, as objects, made when they are requested."""
    return sent(reports.jsonl(job_id, query.rows))


@bp.get("/<job_id>/report.xlsx")
@bp.input(resources.WorkbookQuery, location="query", arg_name="query")
@bp.doc(
    operation_id="get_job_report_xlsx",
    summary="Download the report as a workbook: a summary and the rows to correct",
    responses={
        200: "The workbook",
        **NO_REPORT,
        **FILE_RESPONSES,
        500: "The workbook could not be prepared",
        503: "The workbook is still being prepared: retry after the seconds in Retry-After",
    },
)
@declares(Header.PREFER, *FILE_HEADERS, files=(MEDIA_TYPE,))
@needs(Operation.READ_JOBS)
def report_xlsx(job_id: str, query: resources.WorkbookQuery) -> Response:
    """At most 100,000 rows; the summary says how many were left out.

    The first request starts the preparation of the workbook, and waits for it (`Prefer: wait=n`, at most 10 s, which is
    the default). The file is kept with the report, and supports ETag and ranges.
    """
    return sent_stored(workbooks.report(job_id, query.rows, wait_seconds(LONGEST_WAIT)))


@bp.get("/<job_id>/file")
@bp.doc(
    operation_id="get_job_file",
    summary="Download the file of an export",
    responses={
        200: "The file",
        **FILE_RESPONSES,
        409: "The job is no export, has not ended yet, or did not complete",
        410: "The file has expired",
    },
)
@declares(*FILE_HEADERS, files=(CSV, MEDIA_TYPE, JSON_LINES))
@needs(Operation.READ_NUMBERS)
def file(job_id: str) -> Response:
    """With ETag and ranges, so that a download can be resumed. CSV and JSON lines: with gzip if that is accepted."""
    return sent_stored(export_jobs.file(job_id))


@bp.post("/<job_id>/confirm")
@bp.output(resources.Job, status_code=202)
@bp.doc(
    operation_id="confirm_job",
    summary="Confirm a job after its review; If-Match: only in the state with that ETag",
    responses={**NOT_OWN, 409: "The job is not waiting to be confirmed", **CHANGED},
)
@declares(Header.IF_MATCH, Header.PREFER)
@needs(Operation.DECIDE_JOBS)
def confirm(job_id: str) -> Response:
    """The reviewed changes are carried out. Until then, nothing is written."""
    return accepted(jobs.confirm(job_id, request.headers.get("If-Match")))


@bp.post("/<job_id>/recheck")
@bp.input(RecheckBody, arg_name="body")
@bp.output(resources.Job, status_code=202)
@bp.doc(
    operation_id="recheck_job",
    summary="Check a stored file again under another mapping or other options",
    responses={**NOT_OWN, 409: "The job cannot be checked again", 410: "The file is no longer kept", **CHANGED},
)
@declares(Header.IF_MATCH, Header.PREFER)
@needs(Operation.UPLOAD)
def recheck(job_id: str, body: RecheckBody) -> Response:
    """Under review, the same job goes back to `checking`. Otherwise a new job reads the file: see its `parent_job_id`.

    What the body leaves out stays as it was. If-Match: only in the state with that ETag.
    """
    return accepted(rechecks.recheck(job_id, body, request.headers.get("If-Match")))


@bp.post("/<job_id>/corrections")
@bp.input(CorrectionBody, arg_name="body")
@bp.output(resources.Job, status_code=202)
@bp.doc(
    operation_id="correct_job",
    summary="Correct rows of an upload under review",
    responses={**NOT_OWN, 409: NOT_CORRECTABLE, **CHANGED},
)
@declares(Header.IF_MATCH, Header.PREFER)
@needs(Operation.UPLOAD)
def correct(job_id: str, body: CorrectionBody) -> Response:
    """The job goes back to `checking`; only what was corrected is validated again, and duplicates are looked for again.

    The file keeps its text: reports show it beside the corrections. If-Match: only in the state with that ETag.
    """
    return accepted(corrections.correct(job_id, body, request.headers.get("If-Match")))


@bp.post("/<job_id>/corrections/preview")
@bp.input(CorrectionPreviewBody, arg_name="body")
@bp.output(CorrectionPreview)
@bp.doc(
    operation_id="preview_job_correction",
    summary="Say what a correction would do; nothing is changed",
    responses={**NOT_OWN, 409: NOT_CORRECTABLE},
)
@needs(Operation.UPLOAD)
def preview_correction(job_id: str, body: CorrectionPreviewBody) -> Response:
    """Each rule is tried by itself, on at most 100,000 rows; every row that the correction names is described."""
    return Response(corrections.preview(job_id, body).model_dump_json(), content_type="application/json")


@bp.get("/<job_id>/corrections")
@bp.output(CorrectionList)
@bp.doc(operation_id="list_job_corrections", summary="List the corrections of a job, in their order")
@needs(Operation.READ_JOBS)
def list_corrections(job_id: str) -> Response:
    """Those that were taken back are not in the list."""
    return Response(corrections.listed(job_id).model_dump_json(), content_type="application/json")


@bp.delete("/<job_id>/corrections/<int:number>")
@bp.output(resources.Job, status_code=202)
@bp.doc(
    operation_id="take_back_job_correction",
    summary="Take a correction back; its rows are validated again",
    responses={**NOT_OWN, 409: NOT_CORRECTABLE, **CHANGED},
)
@declares(Header.IF_MATCH, Header.PREFER)
@needs(Operation.UPLOAD)
def take_back_correction(job_id: str, number: int) -> Response:
    """The job goes back to `checking`. If-Match: only in the state with that ETag."""
    return accepted(corrections.take_back(job_id, number, request.headers.get("If-Match")))


@bp.post("/<job_id>/retry")
@bp.output(resources.Job, status_code=202)
@bp.doc(
    operation_id="retry_job",
    summary="Take the failed rows of an ended upload into a new review",
    responses={**NOT_OWN, 409: "The job has not ended, or has no failed rows", 410: "The report has expired"},
)
@declares(Header.PREFER)
@needs(Operation.UPLOAD)
def retry(job_id: str) -> Response:
    """The new job's rows have the numbers of the file; its `parent_job_id` is the ended job. No file is sent again.

    An all-or-nothing upload that failed is taken over whole: none of its rows was written.
    """
    return accepted(corrections.retry(job_id))


@bp.post("/<job_id>/cancel")
@bp.output(resources.Job, status_code=202)
@bp.doc(
    operation_id="cancel_job",
    summary="Stop a job: changes already made stay, the remaining rows are not processed",
    responses={**NOT_OWN, 409: "The job has already ended"},
)
@declares(Header.PREFER)
@needs(Operation.CANCEL_JOBS)
def cancel(job_id: str) -> Response:
    """What is being written now is completed, and nothing else is begun."""
    return accepted(jobs.cancel(job_id))


@bp.post("/<job_id>/undo")
@bp.output(resources.Job, status_code=202)
@bp.doc(
    operation_id="undo_job",
    summary="Undo a job with a new job; numbers changed since are left unchanged",
    responses={**NOT_OWN, 409: "The job has not ended, or there is nothing left to undo"},
)
@declares(Header.PREFER)
@needs(Operation.CHANGE_NUMBERS)
def undo(job_id: str) -> Response:
    """Numbers that the job created are deleted; those that it changed or deleted get their earlier state back."""
    return accepted(jobs.undo(job_id))


def accepted(job_id: str) -> Response:
    """Return 202 for a job just created or decided about. With `Prefer: wait`, it may have ended already."""
    return answer(jobs.get(job_id, wait_seconds()), 202)


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
