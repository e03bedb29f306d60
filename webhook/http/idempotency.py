"""`Idempotency-Key`: a request that makes a job may be sent again, and makes it once.

`begin` runs before the view, `end` behind it; where the key is a field of a form, the view says `claim` once it has
read them. In between it says what the request was (`is_request`) as soon as its body is read, and which job came of it
(`made`) in the transaction that enters the job. Where no key was claimed, these do nothing.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Any

import sqlalchemy as sa
from flask import Response, g, request

from schemas.request_problems import RequestCode
from webhook.http import auth
from webhook.http.errors import Refused, refuse
from worker.config.settings import get_settings
from worker.database.engine import TRANSIENT, transaction
from worker.jobs import idempotency
from worker.jobs.idempotency import Claim, Finished

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
LONGEST_KEY = 255


class ReplayedError(Exception):
    """Ends a view whose request was answered before: this is the answer."""

    def __init__(self, finished: Finished) -> None:
        super().__init__(finished.job)
        self.finished = finished


def begin() -> None:
    """Before a request: claim its key. 409 while another request bears it."""
    g.once = g.fingerprint = None
    key = request.headers.get(HEADER)
    if request.method != "POST" or key is None:
        return
    claim(key)


def claim(key: str) -> None:
    """Claim a key for this request, whose `end` is to follow. 409 while another request bears it."""
    if not key.isascii() or not key.isprintable() or not 0 < len(key) <= LONGEST_KEY:
        raise refuse(RequestCode.BAD_REQUEST, f"{HEADER} must be 1 to {LONGEST_KEY} printable ASCII characters.")
    g.fingerprint = None
    with transaction() as connection:
        g.once = idempotency.begin(connection, auth.actor().tenant.id, key)
    if g.once is None:
        raise _under_way()
    g.last_stay = time.monotonic()


def is_request(content: Mapping[str, Any]) -> None:
    """Tell what the request is, apart from how it was written. 422 if its key belongs to another one.

    `ReplayedError` if it was answered before.
    """
    known = g.get("once")
    if known is None:
        return
    said = json.dumps([request.path, content], sort_keys=True, default=str)
    g.fingerprint = hashlib.sha256(said.encode()).digest()
    if isinstance(known, Finished):
        if known.fingerprint != g.fingerprint:
            raise refuse(RequestCode.IDEMPOTENCY_KEY_REUSED)
        raise ReplayedError(known)


def made(connection: sa.Connection, job: str) -> None:
    """Note the job that the request made, in the transaction that enters it."""
    held = g.get("once")
    if not isinstance(held, Claim):
        return
    try:
        idempotency.finish(connection, held, g.fingerprint, job)
    except idempotency.OvertakenError as error:
        raise _under_way() from error


def stay() -> None:
    """While a long body arrives: keep the claim."""
    held = g.get("once")
    if isinstance(held, Claim) and time.monotonic() - g.last_stay > get_settings().lease_seconds / 4:
        g.last_stay = time.monotonic()
        with transaction() as connection:
            idempotency.stay(connection, held)


def end(response: Response) -> Response:
    """After a request: keep the answer if a job was made, else give the key back."""
    held = g.get("once")
    if isinstance(held, Claim):
        # What is lost here costs little: a key without its answer is answered with the job, a claim runs out.
        with suppress(*TRANSIENT), transaction() as connection:
            if response.status_code == HTTPStatus.ACCEPTED:
                idempotency.keep_answer(connection, held, response.get_data(as_text=True))
            else:
                idempotency.drop(connection, held)
    return response


def _under_way() -> Refused:
    return Refused(refuse(RequestCode.REQUEST_UNDER_WAY).body, {"Retry-After": "1"})
