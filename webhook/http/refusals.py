"""Refusals in which gateway and application work together.

Those that the gateway decides before it calls the application: the application raises them, so that they are rendered
(as JSON or as a page), counted and logged like all others. And those that the gateway sends late.
"""

from __future__ import annotations

from flask import request

from schemas import request_problems
from schemas.request_problems import RequestCode
from webhook.http.concurrency_limits import UPLOADS
from webhook.http.errors import RETRY_SECONDS, Refused

# In the WSGI environment: a `RequestCode`; the seconds after which the gateway sends the response.
KEY, LATE = "numberyard.refusal", "numberyard.late"
LATE_SECONDS = 2.0


def raise_if_any() -> None:
    """Raise `Refused` if the gateway has refused this request. Runs before every request."""
    code = request.environ.get(KEY)
    if code is None:
        return
    if code is RequestCode.UNAVAILABLE:
        raise UPLOADS.refusal()
    retry = {"Retry-After": str(RETRY_SECONDS)} if code is RequestCode.RATE_LIMITED else {}
    raise Refused(request_problems.of_request(code), retry)


def send_late(*, is_late: bool = True) -> None:
    """Have this request's response sent late, without a thread meanwhile: clients who are refused come back later.

    For refusals of people who are not signed in. `is_late` False: at once after all.
    """
    if is_late:
        request.environ[LATE] = LATE_SECONDS
    else:
        request.environ.pop(LATE, None)
