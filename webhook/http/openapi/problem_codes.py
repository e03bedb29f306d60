"""The codes of problems that each operation can answer with, by status: `x-codes` of its responses.

`_BY_OPERATION` lists the codes for reasons of the operation's own; the others follow from what every request, or every
request with a body, a key or a condition, can be refused for. Tests hold every answer to the list.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from schemas.codes import CATALOGUE, Code
from schemas.request_problems import REQUEST_PROBLEMS, RequestCode
from webhook.http.openapi.declarations import Header
from webhook.http.request_bodies import JSON

Json = dict[str, Any]

_ACTIONS = ("create_assignment", "create_unassignment", "create_capability_change", "create_deletion")
_REPORTS = ("get_job_report_csv", "get_job_report_jsonl", "get_job_report_xlsx", "list_job_rows")
_UNDER_REVIEW = ("confirm_job", "correct_job", "preview_job_correction", "take_back_job_correction")
_WITH_CARRIERS = ("create_upload", "recheck_job", "create_capability_change", "update_tenant")
_WITH_TARGETS = ("create_upload", "recheck_job", "create_assignment", "create_unassignment", "create_user")
# A user's numbers are checked like rows before the job that assigns them is submitted (R18).
_NUMBERS_OF_USERS = ("create_user",)
_COUNTED = ("list_numbers", *_ACTIONS)

_BY_OPERATION: dict[RequestCode | Code, tuple[str, ...]] = {
    RequestCode.REPORT_NOT_READY: (*_REPORTS, "get_job_file"),
    RequestCode.NO_REPORT: (*_REPORTS, "undo_job"),
    RequestCode.REPORT_EXPIRED: (*_REPORTS, "get_job_file", "retry_job"),
    RequestCode.NO_FILE: ("get_job_file",),
    RequestCode.WORKBOOK_NOT_READY: ("get_job_report_xlsx",),
    RequestCode.WORKBOOK_FAILED: ("get_job_report_xlsx",),
    RequestCode.NAME_TAKEN: (
        *("create_carrier", "update_carrier", "create_tenant", "update_tenant", "create_user", "update_user"),
        *("create_import_profile", "update_import_profile", "recheck_job"),
    ),
    RequestCode.IN_USE: ("delete_carrier", "delete_tenant", "delete_user", "update_user", "create_user"),
    RequestCode.NOT_IN_REVIEW: _UNDER_REVIEW,
    RequestCode.REVIEW_EXPIRED: _UNDER_REVIEW,
    RequestCode.MAPPING_REQUIRED: _UNDER_REVIEW,
    RequestCode.CANNOT_CORRECT: ("correct_job", "preview_job_correction", "take_back_job_correction", "retry_job"),
    RequestCode.NOTHING_TO_CORRECT: ("retry_job",),
    RequestCode.CANNOT_RECHECK: ("recheck_job",),
    RequestCode.UPLOAD_EXPIRED: ("recheck_job",),
    RequestCode.JOB_HAS_ENDED: ("cancel_job",),
    RequestCode.JOB_NOT_ENDED: ("undo_job", "retry_job", "replay_callback"),
    RequestCode.NOTHING_TO_UNDO: ("undo_job",),
    RequestCode.UNDO_EXPIRED: ("undo_job",),
    RequestCode.COUNT_CHANGED: _ACTIONS,
    RequestCode.SEARCH_TOO_BROAD: (*_COUNTED, "get_holdings_csv"),
    RequestCode.LIMIT_REACHED: (
        *("create_export", "create_import_profile", "recheck_job", "create_webhook"),
        *("correct_job", "preview_job_correction"),
    ),
    RequestCode.CURSOR_EXPIRED: ("list_changes",),
    RequestCode.QUOTA_EXCEEDED: (
        *("create_upload", *_ACTIONS, "create_user", "create_export"),
        *("recheck_job", "retry_job", "undo_job"),
    ),
    RequestCode.WEBHOOK_DISABLED: ("test_webhook", "replay_webhook_message"),
    RequestCode.MESSAGE_PENDING: ("replay_webhook_message",),
    Code.EXTERNAL_NOT_ALLOWED: ("create_upload", *_NUMBERS_OF_USERS),
    Code.TARGET_NOT_FOUND: _WITH_TARGETS,
    Code.CARRIER_NOT_FOUND: _WITH_CARRIERS,
    Code.CAPABILITY_REQUIRED: ("create_assignment", "create_unassignment", *_NUMBERS_OF_USERS),
    Code.NOT_FOUND: _NUMBERS_OF_USERS,
    Code.ASSIGNED_IN_USE: _NUMBERS_OF_USERS,
    Code.NUMBER_EXISTS_ELSEWHERE: _NUMBERS_OF_USERS,
    Code.INVALID_COUNTRY_CODE: _NUMBERS_OF_USERS,
    Code.COUNTRY_MISMATCH: _NUMBERS_OF_USERS,
    Code.INVALID_CHARACTER: _NUMBERS_OF_USERS,
    Code.SCIENTIFIC_NOTATION_LOSS: _NUMBERS_OF_USERS,
    Code.AMBIGUOUS_NUMBER: _NUMBERS_OF_USERS,
    Code.INVALID_NUMBER: _NUMBERS_OF_USERS,
    Code.TOO_SHORT: _NUMBERS_OF_USERS,
    Code.TOO_LONG: _NUMBERS_OF_USERS,
}
_OF_STATUS = {
    "400": (RequestCode.BAD_REQUEST,),
    "401": (RequestCode.UNAUTHENTICATED,),
    "403": (RequestCode.FORBIDDEN,),
    "404": (RequestCode.NOT_FOUND,),
    "412": (RequestCode.PRECONDITION_FAILED,),
    "413": (RequestCode.BODY_TOO_LARGE,),
    "415": (RequestCode.UNSUPPORTED_MEDIA_TYPE,),
    "416": (RequestCode.RANGE_NOT_SATISFIABLE,),
    "422": (RequestCode.INVALID_FIELD, RequestCode.DUPLICATE_FIELD),
    "429": (RequestCode.RATE_LIMITED,),
    "500": (RequestCode.INTERNAL_ERROR,),
    "503": (RequestCode.UNAVAILABLE,),
}


def status_of(code: RequestCode | Code) -> str:
    """Return the HTTP status of a code."""
    return str(REQUEST_PROBLEMS[code].status if isinstance(code, RequestCode) else CATALOGUE[code].status)


def add(operation: Json, headers: tuple[Header, ...]) -> None:
    """Add its codes to each response of an operation that is a refusal."""
    by_status: dict[str, list[str]] = defaultdict(list)
    for code in _codes(operation, headers):
        if code.value not in by_status[status_of(code)]:
            by_status[status_of(code)].append(code.value)
    for status, response in operation["responses"].items():
        codes = [code.value for code in _OF_STATUS.get(status, ())] + by_status[status]
        if status >= "400" and codes:
            response["x-codes"] = codes


def _codes(operation: Json, headers: tuple[Header, ...]) -> Iterator[RequestCode | Code]:
    """Yield the codes that do not follow from a response's status alone."""
    content = operation.get("requestBody", {}).get("content", {})
    if "413" in operation["responses"]:  # a body that is not needed is judged all the same
        yield from (RequestCode.DUPLICATE_KEY, Code.TRUNCATED_UPLOAD)
    if content.keys() - {JSON}:
        yield from (Code.FILE_TOO_LARGE, Code.DIGEST_MISMATCH)
    if Header.IDEMPOTENCY_KEY in headers:
        yield from (RequestCode.REQUEST_UNDER_WAY, RequestCode.IDEMPOTENCY_KEY_REUSED)
    yield from (code for code, names in _BY_OPERATION.items() if operation["operationId"] in names)
