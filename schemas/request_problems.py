"""Problem details (RFC 9457): the body of every error response, and the stored reason of a failed job.

File codes come from `schemas.codes`; the codes of requests that never became a job are here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from schemas.codes import CATALOGUE, Code, text_of
from schemas.columns import Column
from schemas.quotas import QUOTA_TEXTS, Quota, QuotaExceededError


class RequestCode(StrEnum):
    """Why a request was refused, when the reason is not a spreadsheet."""

    BAD_REQUEST = "BAD_REQUEST"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    FORBIDDEN = "FORBIDDEN"
    NOT_FOUND = "NOT_FOUND"
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"
    REPORT_NOT_READY = "REPORT_NOT_READY"
    NO_REPORT = "NO_REPORT"
    NAME_TAKEN = "NAME_TAKEN"
    IN_USE = "IN_USE"
    UNSUPPORTED_MEDIA_TYPE = "UNSUPPORTED_MEDIA_TYPE"
    INVALID_FIELD = "INVALID_FIELD"
    REQUEST_TOO_SLOW = "REQUEST_TOO_SLOW"
    RATE_LIMITED = "RATE_LIMITED"
    INTERNAL_ERROR = "INTERNAL_ERROR"
    UNAVAILABLE = "UNAVAILABLE"
    NOT_IN_REVIEW = "NOT_IN_REVIEW"
    REVIEW_EXPIRED = "REVIEW_EXPIRED"
    JOB_HAS_ENDED = "JOB_HAS_ENDED"
    JOB_NOT_ENDED = "JOB_NOT_ENDED"
    NOTHING_TO_UNDO = "NOTHING_TO_UNDO"
    COUNT_CHANGED = "COUNT_CHANGED"
    REQUEST_UNDER_WAY = "REQUEST_UNDER_WAY"
    IDEMPOTENCY_KEY_REUSED = "IDEMPOTENCY_KEY_REUSED"
    REPORT_EXPIRED = "REPORT_EXPIRED"
    UNDO_EXPIRED = "UNDO_EXPIRED"
    FORM_OUT_OF_DATE = "FORM_OUT_OF_DATE"
    WORKBOOK_NOT_READY = "WORKBOOK_NOT_READY"
    WORKBOOK_FAILED = "WORKBOOK_FAILED"
    RANGE_NOT_SATISFIABLE = "RANGE_NOT_SATISFIABLE"
    PRECONDITION_FAILED = "PRECONDITION_FAILED"
    BODY_TOO_LARGE = "BODY_TOO_LARGE"
    DUPLICATE_KEY = "DUPLICATE_KEY"
    MAPPING_REQUIRED = "MAPPING_REQUIRED"
    UPLOAD_EXPIRED = "UPLOAD_EXPIRED"
    CANNOT_RECHECK = "CANNOT_RECHECK"
    SEARCH_TOO_BROAD = "SEARCH_TOO_BROAD"
    LIMIT_REACHED = "LIMIT_REACHED"
    CANNOT_CORRECT = "CANNOT_CORRECT"
    NOTHING_TO_CORRECT = "NOTHING_TO_CORRECT"
    CURSOR_EXPIRED = "CURSOR_EXPIRED"
    WEBHOOK_DISABLED = "WEBHOOK_DISABLED"
    MESSAGE_PENDING = "MESSAGE_PENDING"
    NO_FILE = "NO_FILE"
    EXPORT_TOO_LARGE = "EXPORT_TOO_LARGE"
    DUPLICATE_FIELD = "DUPLICATE_FIELD"
    QUOTA_EXCEEDED = "QUOTA_EXCEEDED"


@dataclass(frozen=True)
class RequestProblem:
    """The HTTP status, title and fix of a request code."""

    status: int
    title: str
    fix: str


REQUEST_PROBLEMS: dict[RequestCode, RequestProblem] = {
    RequestCode.BAD_REQUEST: RequestProblem(400, "The request could not be understood.", "Check the request."),
    RequestCode.UNAUTHENTICATED: RequestProblem(
        401,
        "No valid sign-in or token.",
        "Send `Authorization: Bearer` with a token that is neither expired nor revoked.",
    ),
    RequestCode.FORBIDDEN: RequestProblem(403, "You aren't allowed to do this.", "Ask your provider."),
    RequestCode.NOT_FOUND: RequestProblem(404, "Not found.", "Check the address or the ID."),
    RequestCode.METHOD_NOT_ALLOWED: RequestProblem(
        405, "This address doesn't support the request's method.", "See the Allow header."
    ),
    RequestCode.REPORT_NOT_READY: RequestProblem(
        409, "The report isn't ready yet.", "Wait until the job has ended, then try again."
    ),
    RequestCode.NO_REPORT: RequestProblem(
        409, "The job has no report, because no row was read.", "See the job's problem."
    ),
    RequestCode.NAME_TAKEN: RequestProblem(409, "This name is already in use.", "Choose another name."),
    RequestCode.IN_USE: RequestProblem(
        409, "It can't be deleted because it is still in use.", "First move or delete everything that uses it."
    ),
    RequestCode.UNSUPPORTED_MEDIA_TYPE: RequestProblem(
        415, "This content type isn't supported here.", "Send a content type that the documentation lists."
    ),
    RequestCode.INVALID_FIELD: RequestProblem(422, "A field of the request isn't valid.", "Correct the field."),
    RequestCode.REQUEST_TOO_SLOW: RequestProblem(
        408, "The request arrived too slowly.", "Send it again over a faster connection, or send a smaller file."
    ),
    RequestCode.RATE_LIMITED: RequestProblem(429, "Too many requests.", "Wait, then try again."),
    RequestCode.INTERNAL_ERROR: RequestProblem(
        500, "Something went wrong on our side.", "Try again. If it keeps happening, send the request ID to support."
    ),
    RequestCode.UNAVAILABLE: RequestProblem(503, "The service can't do this right now.", "Try again in a few seconds."),
    RequestCode.NOT_IN_REVIEW: RequestProblem(
        409, "The job isn't waiting to be confirmed.", "Check the job: it may already be confirmed or cancelled."
    ),
    RequestCode.REVIEW_EXPIRED: RequestProblem(
        409, "The job wasn't confirmed in time, so nothing was changed.", "Send it again."
    ),
    RequestCode.JOB_HAS_ENDED: RequestProblem(
        409, "The job has already ended.", "To reverse its changes, undo the job."
    ),
    RequestCode.JOB_NOT_ENDED: RequestProblem(
        409, "The job hasn't ended yet.", "Wait until it has ended, or cancel it, then try again."
    ),
    RequestCode.NOTHING_TO_UNDO: RequestProblem(
        409,
        "The job changed nothing, or all its changes are already undone.",
        "See the job's report for the result of each row.",
    ),
    RequestCode.COUNT_CHANGED: RequestProblem(
        409,
        "The number of matches differs from the expected count.",
        "Check the matching numbers again, then send the new count.",
    ),
    RequestCode.REQUEST_UNDER_WAY: RequestProblem(
        409, "A request with this Idempotency-Key is still in progress.", "Wait a second, then send it again."
    ),
    RequestCode.IDEMPOTENCY_KEY_REUSED: RequestProblem(
        422, "This Idempotency-Key was used for a different request.", "Use a new key for a new request."
    ),
    RequestCode.REPORT_EXPIRED: RequestProblem(
        410,
        "The report has expired.",
        "The job still shows its counts. Download reports before they expire.",
    ),
    RequestCode.UNDO_EXPIRED: RequestProblem(
        409,
        "The job ended too long ago to be undone: the earlier state of its numbers is no longer kept.",
        "Change the numbers manually.",
    ),
    RequestCode.FORM_OUT_OF_DATE: RequestProblem(
        403,
        "This form is out of date: you signed in or out since you opened it, or another site sent it.",
        "Nothing was changed. Open the page again, then try again.",
    ),
    RequestCode.WORKBOOK_NOT_READY: RequestProblem(
        503,
        "The workbook is still being prepared.",
        "Send the request again after the seconds in Retry-After. The report as CSV is available now.",
    ),
    RequestCode.WORKBOOK_FAILED: RequestProblem(
        500,
        "The workbook couldn't be prepared.",
        "Download the report as CSV, or try again after the seconds in Retry-After.",
    ),
    RequestCode.RANGE_NOT_SATISFIABLE: RequestProblem(
        416,
        "The requested range is outside the file.",
        "Request a range below the size in Content-Range, or the whole file without a Range header.",
    ),
    RequestCode.PRECONDITION_FAILED: RequestProblem(
        412, "The file doesn't match the If-Match header.", "Request the file again, without If-Match."
    ),
    RequestCode.BODY_TOO_LARGE: RequestProblem(
        413, "The request body is larger than the limit.", "Send less, or send a long list of numbers as a file."
    ),
    RequestCode.DUPLICATE_KEY: RequestProblem(422, "Duplicate key in a JSON object.", "Send each key once."),
    RequestCode.MAPPING_REQUIRED: RequestProblem(
        409,
        "It isn't settled which column of the file is which.",
        "Say which column is which with a mapping, and have the file checked again.",
    ),
    RequestCode.UPLOAD_EXPIRED: RequestProblem(
        410, "The uploaded file is no longer kept, so it can't be checked again.", "Upload the file again."
    ),
    RequestCode.CANNOT_RECHECK: RequestProblem(
        409,
        "This job can't be checked again.",
        "Only an upload under review, or one that failed or was cancelled, can be checked again.",
    ),
    RequestCode.SEARCH_TOO_BROAD: RequestProblem(
        422,
        "Too many numbers would have to be examined to find all that match.",
        "Narrow the search: add a country, a company, a carrier or the start of the number.",
    ),
    RequestCode.LIMIT_REACHED: RequestProblem(
        409, "You have as many of these as you may have.", "Delete those that you no longer need."
    ),
    RequestCode.CANNOT_CORRECT: RequestProblem(
        409, "The rows of this job can't be corrected.", "Only the rows of an upload can be corrected."
    ),
    RequestCode.NOTHING_TO_CORRECT: RequestProblem(
        409, "The job has no failed rows.", "See the job's report for the result of each row."
    ),
    RequestCode.CURSOR_EXPIRED: RequestProblem(
        410,
        "Changes after this cursor are no longer kept.",
        "Export the inventory again, then continue from the cursor that the export names.",
    ),
    RequestCode.WEBHOOK_DISABLED: RequestProblem(
        409, "The subscription is switched off.", "Switch it on with `enabled`, once its receiver responds."
    ),
    RequestCode.MESSAGE_PENDING: RequestProblem(
        409, "The message is still being sent.", "Wait until it is delivered or given up."
    ),
    RequestCode.NO_FILE: RequestProblem(
        409, "The job has no file to download.", "Only an export that has completed has a file; see the job's links."
    ),
    RequestCode.EXPORT_TOO_LARGE: RequestProblem(
        422,
        "More numbers match than a worksheet has rows for.",
        "Export as CSV or JSON lines, or narrow the filter.",
    ),
    RequestCode.DUPLICATE_FIELD: RequestProblem(
        422, "A field or a query parameter was sent more than once.", "Send each one once."
    ),
    RequestCode.QUOTA_EXCEEDED: RequestProblem(
        429,
        "A quota of your company is used up.",
        "See `quota`, `limit` and `used`. Wait, or ask your provider for more.",
    ),
}


# (detail, fix) where such a problem ends a job; the texts above are for a request.
_ENDED_JOB = {
    RequestCode.INTERNAL_ERROR: (
        "Something went wrong on our side, so the job was ended. Rows written before stay written.",
        "Start a new job for the other rows. If it keeps happening, send the job's ID to support.",
    ),
    RequestCode.UNAVAILABLE: (
        "The database or storage was unavailable for too long, so the job was ended. Rows written before stay written.",
        "Start a new job for the other rows.",
    ),
}


def of_request(code: RequestCode, detail: str = "", **more: Any) -> dict[str, Any]:  # noqa: ANN401 - members of the problem
    """Return the problem body for a request code."""
    problem = REQUEST_PROBLEMS[code]
    return _problem(code.value, problem.status, problem.title, detail or problem.title, problem.fix, more)


def of_job(code: RequestCode, sqlstate: str = "") -> dict[str, Any]:
    """Return the problem body of a job that the service could not finish: INTERNAL_ERROR or UNAVAILABLE.

    `sqlstate`: of the database error behind it, for operators. It says nothing about the data of any tenant.
    """
    problem, text = REQUEST_PROBLEMS[code], _ENDED_JOB[code]
    more = {"sqlstate": sqlstate} if sqlstate else {}
    return _problem(code.value, problem.status, problem.title, *text, more)


def of_quota(exceeded: QuotaExceededError) -> dict[str, Any]:
    """Return the problem body of a request or a job that exceeds a quota: RATE_LIMITED for requests per minute (R37).

    Its members say which quota, its limit, how much of it is used and was requested, and when it starts again.
    """
    quota, limit, used = exceeded.quota, exceeded.limit, exceeded.used
    code = RequestCode.RATE_LIMITED if quota is Quota.REQUESTS else RequestCode.QUOTA_EXCEEDED
    problem, text = REQUEST_PROBLEMS[code], QUOTA_TEXTS[quota]
    detail = text.detail.format(limit=limit, used=used, left=max(limit - used, 0), requested=exceeded.requested)
    more: dict[str, Any] = {"quota": quota.value, "limit": limit, "used": used, "requested": exceeded.requested}
    if exceeded.resets_at is not None:
        more["resets_at"] = exceeded.resets_at.isoformat()
    return _problem(code.value, problem.status, problem.title, detail, text.fix, more)


def of_file(
    code: Code, detail: str = "", context: Mapping[str, Any] | None = None, column: Column | None = None
) -> dict[str, Any]:
    """Return the problem body for a file code, or for a row code that refuses all rows (R9, R11).

    The text is the one for `column`; without it, for the column with the same name as the invalid `field`.
    """
    more = context or {}
    if column is None:
        column = Column.__members__.get(str(more.get("field", "")).upper(), Column.NONE)
    text = text_of(code, column).with_value(str(more.get("value", "")))
    return _problem(code.value, CATALOGUE[code].status, text.message, detail or text.message, text.fix, more)


def _problem(  # noqa: PLR0913, PLR0917 - the members of RFC 9457, in its order
    code: str, status: int, title: str, detail: str, fix: str, more: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "type": f"urn:numberyard:problem:{code}",
        "title": title,
        "status": status,
        "code": code,
        "detail": detail,
        "fix": fix,
        **more,
    }
