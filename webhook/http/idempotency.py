"""`Idempotency-Key`: a request that creates a job or an import profile may be sent again, and creates it only once.

`begin_request` runs before the view and `end_request` after it. Where the key is a form field, the view calls `claim`
once it has read the fields. The view calls `check_fingerprint` as soon as the body is read, and `record_job` in the
transaction that inserts the job. Without a claimed key, these do nothing.
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
    """Ends a view whose request was answered before; `finished` is the recorded result."""

    def __init__(self, finished: Finished) -> None:
        super().__init__(finished.job)
        self.finished = finished


def begin_request() -> None:
    """Claim the key of a request before its view runs. 409 while another request holds it."""
    g.once = g.fingerprint = None
    key = request.headers.get(HEADER)
    if request.method != "POST" or key is None:
        return
    claim(key)


def claim(key: str) -> None:
    """Claim a key for this request; `end_request` must follow. 409 while another request holds it."""
    if not key.isascii() or not key.isprintable() or not 0 < len(key) <= LONGEST_KEY:
        raise refuse(RequestCode.BAD_REQUEST, f"{HEADER} must be 1 to {LONGEST_KEY} printable ASCII characters.")
    g.fingerprint = None
    with transaction() as connection:
        g.once = idempotency.begin(connection, auth.actor().tenant.id, key)
    if g.once is None:
        raise _under_way()
    g.last_stay = time.monotonic()


def check_fingerprint(content: Mapping[str, Any]) -> None:
    """Record the fingerprint of the request's content. 422 if the key was used for a different request.

    The fingerprint does not depend on how the content was encoded. Raises `ReplayedError` if the request was answered
    before.
    """
    key_state = g.get("once")
    if key_state is None:
        return
    request_text = json.dumps([request.path, content], sort_keys=True, default=str)
    g.fingerprint = hashlib.sha256(request_text.encode()).digest()
    if isinstance(key_state, Finished):
        if key_state.fingerprint != g.fingerprint:
            raise refuse(RequestCode.IDEMPOTENCY_KEY_REUSED)
        raise ReplayedError(key_state)


def record_job(connection: sa.Connection, job: str) -> None:
    """Record the job, or other resource, that the request created, in the transaction that inserts it."""
    key_state = g.get("once")
    if not isinstance(key_state, Claim):
        return
    try:
        idempotency.finish(connection, key_state, g.fingerprint, job)
    except idempotency.OvertakenError as error:
        raise _under_way() from error


def keep_key() -> None:
    """Renew the claim while a long body arrives."""
    key_state = g.get("once")
    if isinstance(key_state, Claim) and time.monotonic() - g.last_stay > get_settings().lease_seconds / 4:
        g.last_stay = time.monotonic()
        with transaction() as connection:
            idempotency.stay(connection, key_state)


def end_request(response: Response) -> Response:
    """Store a 201 or 202 response for repeats; after any other, release the key. Runs after the request.

    A key with a job is kept in any case: the portal's upload answers 201 or 303 after it has created one.
    """
    key_state = g.get("once")
    if isinstance(key_state, Claim):
        # A failure here costs little: a key without a stored response is answered with the job, and a claim expires.
        with suppress(*TRANSIENT), transaction() as connection:
            if response.status_code in {HTTPStatus.CREATED, HTTPStatus.ACCEPTED}:
                idempotency.keep_answer(connection, key_state, response.get_data(as_text=True))
            else:
                idempotency.drop(connection, key_state)
    return response


def _under_way() -> Refused:
    return Refused(refuse(RequestCode.REQUEST_UNDER_WAY).body, {"Retry-After": "1"})
