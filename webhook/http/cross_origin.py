"""Cross-origin requests (CORS, https://fetch.spec.whatwg.org): which web pages may call the API from a browser.

By setting, and only for the API, which takes no cookies: a page needs a token of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

from apiflask import APIFlask
from flask import Response, current_app, request
from flask_cors import CORS

PATHS = (r"/v1/.*", r"/openapi\.json")
METHODS = ("GET", "POST", "PATCH", "DELETE")
ACCEPTED = (
    "Authorization",
    "Content-Type",
    "Content-Encoding",
    "Content-Digest",
    "Repr-Digest",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "Prefer",
    "Range",
    "If-Range",
    "X-Request-Id",
    "traceparent",
)
EXPOSED = (
    "Accept-Ranges",
    "Changes-Cursor",
    "Content-Disposition",
    "Content-Range",
    "Deprecation",
    "ETag",
    "Idempotent-Replayed",
    "Link",
    "Location",
    "Preference-Applied",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "Sunset",
    "X-Request-Id",
)
MAX_AGE = 600  # seconds that a browser keeps the answer to a preflight request


def install(app: APIFlask, origins: Sequence[str]) -> None:
    """Let pages of these origins call the API; `*` is all."""
    if not origins:
        return
    CORS(
        app,
        resources=list(PATHS),
        origins=list(origins),
        methods=list(METHODS),
        allow_headers=list(ACCEPTED),
        expose_headers=list(EXPOSED),
        max_age=MAX_AGE,
        supports_credentials=False,
        always_send=False,
    )
    app.before_request(_answer_preflight)


def _answer_preflight() -> Response | None:
    """Answer a preflight request before a token is asked for: browsers send none with it."""
    if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
        return current_app.make_default_options_response()
    return None
