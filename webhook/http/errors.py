"""Error responses: every refusal and every error becomes a problem document (RFC 9457), never a traceback."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog
from apiflask import APIFlask, HTTPError
from flask import Response, json, request
from sqlalchemy.exc import DataError
from werkzeug.datastructures import Headers
from werkzeug.exceptions import HTTPException

from schemas import request_problems
from schemas.codes import Code
from schemas.columns import Column
from schemas.request_problems import RequestCode
from worker.accounts.tenants import GoneError, StillUsedError
from worker.config import error_reports
from worker.config.errors import reason_of
from worker.database.engine import TRANSIENT
from worker.database.tenant_scope import UnknownCursorError
from worker.storage.files import MissingFileError
from worker.storage.object_store import StoreBusyError, StoreError

log = structlog.get_logger(__name__)

RETRY_SECONDS = 2  # after which a client may try again what is briefly unavailable

_BY_STATUS = {
    request_problems.REQUEST_PROBLEMS[code].status: code
    for code in reversed(RequestCode)
    if code is not RequestCode.NO_REPORT
}


class Refused(Exception):  # noqa: N818 - names the outcome
    """Raised by a service or a view to answer with this problem."""

    def __init__(self, body: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        super().__init__(body["code"])
        self.body = body
        self.headers = headers or {}


def refuse(code: RequestCode, detail: str = "", **more: Any) -> Refused:  # noqa: ANN401 - members of the problem
    """Return the exception that refuses a request."""
    return Refused(request_problems.of_request(code, detail, **more))


def refuse_file(
    code: Code,
    detail: str = "",
    *,
    column: Column | None = None,
    **context: Any,  # noqa: ANN401 - members of the problem
) -> Refused:
    """Return the exception that refuses a file or the options sent with it; with the texts for `column`."""
    return Refused(request_problems.of_file(code, detail, context, column))


def stop_if(code: RequestCode | None, words: Mapping[RequestCode, str], **more: object) -> None:
    """Refuse the request if a rule returned a code; `words` has the texts of codes for this resource."""
    if code is not None:
        raise refuse(code, words.get(code, ""), **more)


def respond(body: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    """Return a problem as an HTTP response, and name its code in the log line of the request."""
    structlog.contextvars.bind_contextvars(code=body["code"])
    response = Response(json.dumps(body), body["status"], headers, content_type="application/problem+json")
    if body["status"] == request_problems.REQUEST_PROBLEMS[RequestCode.UNAUTHENTICATED].status:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def register(app: APIFlask) -> None:
    """Register the handlers that turn every error into a problem."""
    app.register_error_handler(Refused, lambda error: respond(error.body, error.headers))
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(GoneError, lambda _: respond(request_problems.of_request(RequestCode.NOT_FOUND)))
    app.register_error_handler(UnknownCursorError, _unknown_cursor)
    app.register_error_handler(MissingFileError, _expired)
    app.register_error_handler(StillUsedError, lambda _: respond(request_problems.of_request(RequestCode.IN_USE)))
    app.register_error_handler(DataError, _unstorable)
    for transient in TRANSIENT:
        app.register_error_handler(transient, _unavailable)
    app.register_error_handler(StoreError, _store_unavailable)
    app.register_error_handler(Exception, _unexpected)
    app.error_processor(_validation_error)


def _validation_error(error: HTTPError) -> Response:
    """Answer a body, query or path that APIFlask found invalid, with one entry per field."""
    code = _BY_STATUS.get(error.status_code, RequestCode.BAD_REQUEST)
    errors = [
        {"field": field, "message": " ".join(map(str, messages))}
        for fields in (error.detail or {}).values()
        if isinstance(fields, dict)
        for field, messages in fields.items()
    ]
    detail = "; ".join(f"{entry['field']}: {entry['message']}" for entry in errors)
    if not detail and code is RequestCode.BAD_REQUEST:
        detail = "The body isn't the JSON expected here."  # no other error gets here without naming a field
    return respond(
        request_problems.of_request(code, detail or str(error.message), errors=errors), dict(Headers(error.headers))
    )


def _http_error(error: HTTPException) -> Response:
    status = error.code or 500
    if status < 400:  # noqa: PLR2004 - a redirect, which Werkzeug raises as an exception
        return error.get_response()  # type: ignore[return-value]
    code = _BY_STATUS.get(status, RequestCode.BAD_REQUEST if status < 500 else RequestCode.INTERNAL_ERROR)  # noqa: PLR2004
    body = request_problems.of_request(code) | {"status": status}
    if status == 413:  # noqa: PLR2004
        body["limit"] = request.max_content_length
    allow = getattr(error, "valid_methods", None)
    return respond(body, {"Allow": ", ".join(sorted(allow))} if allow else None)


def _unstorable(error: Exception) -> Response:
    """Answer a value that no column can hold, such as text with a NUL: nothing stored can match it."""
    _log_reason(error)
    return respond(request_problems.of_request(RequestCode.BAD_REQUEST))


def _unknown_cursor(_error: Exception) -> Response:
    detail = "This cursor isn't known, or what it refers to was deleted."
    fix = "Use `next_cursor` of the page before, or start with the first page."
    return respond(request_problems.of_request(RequestCode.INVALID_FIELD, detail, field="cursor") | {"fix": fix})


def _expired(error: Exception) -> Response:
    """Answer a missing file: web processes read only reports, so this one was removed during the request."""
    log.warning("report_missing", key=str(error))
    return respond(request_problems.of_request(RequestCode.REPORT_EXPIRED))


def _log_reason(error: Exception) -> None:
    """Name in the log line of the request why it failed."""
    structlog.contextvars.bind_contextvars(reason=reason_of(error))


def _unavailable(error: Exception) -> Response:
    _log_reason(error)
    log.error("database_unreachable", error=type(error).__name__, reason=reason_of(error))
    return respond(request_problems.of_request(RequestCode.UNAVAILABLE), {"Retry-After": str(RETRY_SECONDS)})


def _store_unavailable(error: StoreError) -> Response:
    """Log the store's own message, which users cannot act on."""
    _log_reason(error)
    log.error("store_unavailable", error=str(error), code=error.code, request=error.request_id)
    busy = isinstance(error, StoreBusyError)
    detail = "The file storage is busy." if busy else "The file storage is not responding correctly."
    return respond(request_problems.of_request(RequestCode.UNAVAILABLE, detail), {"Retry-After": "5" if busy else "30"})


def _unexpected(error: Exception) -> Response:
    _log_reason(error)
    log.error("unexpected", exc_info=error)
    error_reports.report(error)
    return respond(request_problems.of_request(RequestCode.INTERNAL_ERROR))
