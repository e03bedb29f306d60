"""`Prefer: wait=n` (RFC 7240): how long a request may be held, and `Preference-Applied` where it was."""

from __future__ import annotations

from http import HTTPStatus

from flask import Response, after_this_request, g, request

LONGEST_WAIT = 10.0  # seconds that a request may be held
APPLIED = "Preference-Applied"


def wait_seconds(otherwise: float = 0.0) -> float:
    """Return the seconds in `Prefer: wait=n`, at most `LONGEST_WAIT`; `otherwise` without that preference.

    The response says that the preference was applied, unless it is an error, or `decline_wait` was called.
    """
    seconds = _preferred()
    if seconds is None:
        return otherwise
    g.wait_is_declined = False
    after_this_request(lambda response: _say(response, seconds))
    return seconds


def _preferred() -> float | None:
    for preference in ",".join(request.headers.getlist("Prefer")).split(","):
        name, _, value = preference.partition(";")[0].strip().partition("=")
        seconds = value.strip().strip('"')
        if name.strip().lower() == "wait" and seconds.isascii() and seconds.isdecimal():
            return min(float(seconds), LONGEST_WAIT)
    return None


def decline_wait() -> None:
    """Note that this request is not held, because too many are."""
    g.wait_is_declined = True


def _say(response: Response, seconds: float) -> Response:
    if response.status_code < HTTPStatus.BAD_REQUEST and not g.wait_is_declined:
        response.headers[APPLIED] = f"wait={seconds:.0f}"
    return response
