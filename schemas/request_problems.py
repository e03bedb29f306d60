"""Problem details (RFC 9457): the body of every refusal, and what a failed job keeps as its reason.

File codes come from `schemas.codes`; the codes of requests that never became a job are here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from schemas.codes import CATALOGUE, Code, text_of
from schemas.columns import Column


class RequestCode(StrEnum):
    """Why a request was refused, where no spreadsheet is to blame."""

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


@dataclass(frozen=True)
class RequestProblem:
    """A request code's HTTP status, its words, and what to do."""

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
    RequestCode.FORBIDDEN: RequestProblem(403, "This is not allowed for you.", "Ask the level above."),
    RequestCode.NOT_FOUND: RequestProblem(404, "There is nothing here.", "Check the address or the id."),
    RequestCode.METHOD_NOT_ALLOWED: RequestProblem(
        405, "This address does not take that method.", "See the Allow header."
    ),
    RequestCode.REPORT_NOT_READY: RequestProblem(
        409, "The report is not written yet.", "Wait until the job has ended, then ask again."
    ),
    RequestCode.NO_REPORT: RequestProblem(
        409, "The job has no report, because no row was read.", "See the job's problem."
    ),
    RequestCode.NAME_TAKEN: RequestProblem(409, "This name is taken.", "Choose another name."),
    RequestCode.IN_USE: RequestProblem(
        409, "It cannot be deleted: something still refers to it.", "Move or delete what refers to it first."
    ),
    RequestCode.UNSUPPORTED_MEDIA_TYPE: RequestProblem(
        415, "The body is of a type that is not taken here.", "Send the type that the documentation names."
    ),
    RequestCode.INVALID_FIELD: RequestProblem(422, "A field of the request is not valid.", "Correct the field."),
    RequestCode.REQUEST_TOO_SLOW: RequestProblem(
        408, "The request arrived too slowly.", "Send it again over a faster connection, or send a smaller file."
    ),
    RequestCode.RATE_LIMITED: RequestProblem(429, "Too many requests.", "Wait, then try again."),
    RequestCode.INTERNAL_ERROR: RequestProblem(
        500, "Something went wrong on our side.", "Try again; if it stays, tell support the request id."
    ),
    RequestCode.UNAVAILABLE: RequestProblem(
        503, "The service cannot do this right now.", "Try again in a few seconds."
    ),
    RequestCode.NOT_IN_REVIEW: RequestProblem(
        409, "The job is not waiting to be confirmed.", "Look at the job: it may be confirmed or cancelled already."
    ),
    RequestCode.REVIEW_EXPIRED: RequestProblem(
        409, "The job was not confirmed in time, so nothing of it was written.", "Send it again."
    ),
    RequestCode.JOB_HAS_ENDED: RequestProblem(409, "The job has ended already.", "To put back what it did, undo it."),
    RequestCode.JOB_NOT_ENDED: RequestProblem(
        409, "The job has not ended yet.", "Wait until it has, or cancel it, then ask again."
    ),
    RequestCode.NOTHING_TO_UNDO: RequestProblem(
        409,
        "The job has changed nothing, or all of it is put back already.",
        "See the job's report for what became of its rows.",
    ),
    RequestCode.COUNT_CHANGED: RequestProblem(
        409,
        "The numbers that match are not as many as expected.",
        "Look at them again, then send the count that you find.",
    ),
    RequestCode.REQUEST_UNDER_WAY: RequestProblem(
        409, "A request with this Idempotency-Key is under way.", "Wait a second, then send it again."
    ),
    RequestCode.IDEMPOTENCY_KEY_REUSED: RequestProblem(
        422, "This Idempotency-Key belongs to another request.", "Use a new key for a new request."
    ),
    RequestCode.REPORT_EXPIRED: RequestProblem(
        410,
        "The job's report is no longer kept.",
        "The job itself still tells its counts; fetch reports before they expire.",
    ),
    RequestCode.UNDO_EXPIRED: RequestProblem(
        409,
        "The job ended too long ago to be undone: how its numbers stood before is no longer kept.",
        "Change the numbers by hand.",
    ),
    RequestCode.FORM_OUT_OF_DATE: RequestProblem(
        403,
        "This form is out of date: you signed in or out since it was opened, or another site sent it.",
        "Nothing was changed. Open the page again, then try again.",
    ),
    RequestCode.WORKBOOK_NOT_READY: RequestProblem(
        503,
        "The workbook is still being prepared.",
        "Send the request again after the seconds in Retry-After. The report as CSV is available now.",
    ),
    RequestCode.WORKBOOK_FAILED: RequestProblem(
        500,
        "The workbook could not be prepared.",
        "Download the report as CSV, or try again after the seconds in Retry-After.",
    ),
    RequestCode.RANGE_NOT_SATISFIABLE: RequestProblem(
        416,
        "The requested range is outside the file.",
        "Request a range below the size in Content-Range, or the whole file without a Range header.",
    ),
    RequestCode.PRECONDITION_FAILED: RequestProblem(
        412, "The file is not the one that If-Match names.", "Request the file again, without If-Match."
    ),
    RequestCode.BODY_TOO_LARGE: RequestProblem(
        413, "The body of the request is larger than the limit.", "Send less; send long lists of numbers as a file."
    ),
    RequestCode.DUPLICATE_KEY: RequestProblem(400, "A JSON object has the same key twice.", "Send each key once."),
}


def of_request(code: RequestCode, detail: str = "", **more: Any) -> dict[str, Any]:  # noqa: ANN401 - members of the problem
    """A problem body for a request code."""
    found = REQUEST_PROBLEMS[code]
    return _problem(code.value, found.status, found.title, detail or found.title, found.fix, more)


def of_file(
    code: Code, detail: str = "", context: Mapping[str, Any] | None = None, column: Column | None = None
) -> dict[str, Any]:
    """A problem body for a file code, or for a row code that refuses all rows (R9, R11).

    The words are those for `column`; without one, for the column of the same name as the `field` at fault.
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
