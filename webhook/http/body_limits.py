"""Body size limit of each route, declared at the view: `@body_limit(LIST)`. The default is `SMALL`.

Werkzeug enforces the limit however the body is read (JSON, form, stream): by Content-Length before the first byte or,
where there is none (chunked), while reading.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from flask import current_app, request

from schemas.request_problems import RequestCode
from schemas.workbooks import MEDIA_TYPE
from webhook.http.errors import Refused, refuse

KIB, MIB = 1024, 1024 * 1024
SMALL = 512 * KIB  # bytes: an object with a few fields, or a form with a few thousand numbers
LIST = 64 * MIB  # bytes: a list of up to a million numbers

View = TypeVar("View", bound=Callable[..., Any])
_LIMIT = "_body_limit"
_MULTIPART = "multipart/form-data"
CSV = "text/csv"
RAW_FILES = frozenset({CSV, MEDIA_TYPE})  # content types of bodies that are a file
GZIP = "gzip"
_NO_ENCODING = frozenset({"", "identity"})


def body_limit(size: int = SMALL, *, files: bool = False, raw: bool = False) -> Callable[[View], View]:
    """Declare the largest body of a view, in bytes.

    With `files`, `webhook.http.multipart` limits multipart bodies; with `raw`, `webhook.http.raw_files` those that are
    a file.
    """

    def mark(view: View) -> View:
        setattr(view, _LIMIT, (size, ({_MULTIPART} if files else set()) | (RAW_FILES if raw else set())))
        return view

    return mark


def apply() -> None:
    """Set the limit of a request before its view runs. Refuse compressed bodies (RFC 9110, section 8.4) with 415."""
    size, streamed = getattr(current_app.view_functions.get(request.endpoint or ""), _LIMIT, (SMALL, frozenset()))
    request.max_content_length = None if request.mimetype in streamed else size
    encoding = request.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in _NO_ENCODING and not (encoding == GZIP and request.mimetype in streamed & RAW_FILES):
        raise _compressed(encoding, f"{GZIP}, identity" if streamed & RAW_FILES else "identity")


def too_large(limit: int | None) -> Refused:
    """Return the refusal of a body above `limit` bytes."""
    detail = f"The limit for this request is {limit:,} bytes." if limit is not None else ""
    return refuse(RequestCode.BODY_TOO_LARGE, detail, limit=limit)


def _compressed(encoding: str, accepted: str) -> Refused:
    body = refuse(
        RequestCode.UNSUPPORTED_MEDIA_TYPE,
        "This request body can't be compressed (Content-Encoding).",
        fix="Send the body without Content-Encoding. A spreadsheet can be a .gz or .zip file.",
        header="Content-Encoding",
        value=encoding[:100],
    ).body
    return Refused(body, {"Accept-Encoding": accepted})
