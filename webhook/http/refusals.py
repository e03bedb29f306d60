"""Refusals that the gateway decides before it calls the application.

The application raises them, so that they are rendered (as JSON or as a page), counted and logged like all others.
"""

from __future__ import annotations

from flask import request

from schemas import request_problems
from schemas.request_problems import RequestCode
from webhook.http.concurrency_limits import UPLOADS
from webhook.http.errors import RETRY_SECONDS, Refused

KEY = "numberyard.refusal"  # in the WSGI environment: a `RequestCode`


def raise_if_any() -> None:
    """Raise `Refused` if the gateway has refused this request. Runs before every request."""
    code = request.environ.get(KEY)
    if code is None:
        return
    if code is RequestCode.UNAVAILABLE:
        raise UPLOADS.refusal()
    retry = {"Retry-After": str(RETRY_SECONDS)} if code is RequestCode.RATE_LIMITED else {}
    raise Refused(request_problems.of_request(code), retry)
