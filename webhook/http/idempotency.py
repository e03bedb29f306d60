"""`Idempotency-Key`: a POST may be sent again, and is carried out only once.

`begin_request` runs before each view of the API and `end_request` after it (`install`), so new routes need nothing for
the key to work. A service also calls `record` or `record_job` in its transaction, so that a process that dies before it
has answered leaves no change without the key. Where a body is a file or a long list, the view calls
`check_fingerprint` as soon as it is read; where the key is a form field, `claim` before that. Without a claimed key,
these do nothing.
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
from apiflask import APIBlueprint, APIFlask
from flask import Response, current_app, g, request, url_for

from schemas.request_problems import RequestCode
from webhook.http import auth
from webhook.http.body_limits import SMALL
from webhook.http.errors import Refused, refuse
from webhook.http.request_bodies import JSON, sent_json
from webhook.http.responses import without_secrets
from worker.config.settings import get_settings
from worker.database.engine import TRANSIENT, transaction
from worker.jobs import idempotency
from worker.jobs.idempotency import Claim, Created, Finished

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
LONGEST_KEY = 255
_SUCCESSES = range(200, 300)


class ReplayedError(Exception):
    """Ends a view whose request was answered before; `finished` is the recorded result."""

    def __init__(self, finished: Finished) -> None:
        super().__init__(finished.created.location)
        self.finished = finished


def install(app: APIFlask, blueprint: APIBlueprint) -> None:
    """Let every POST of a registered blueprint take a key. Its own hooks, which find out the actor, run first."""
    app.before_request_funcs.setdefault(blueprint.name, []).append(begin_request)
    app.after_request_funcs.setdefault(blueprint.name, []).append(end_request)


def begin_request() -> None:
    """Claim the key of a request before its view runs. 409 while another request holds it.

    Also checks the fingerprint, unless the body is one that only the view reads.
    """
    g.once = g.fingerprint = None
    key = request.headers.get(HEADER)
    if request.method != "POST" or key is None:
        return
    claim(key)
    limit = request.max_content_length
    if limit is not None and limit <= SMALL:
        check_fingerprint(sent_json(request))


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
    """Record the job that the request created or decided about, in the transaction that does so."""
    _record(connection, Created(url_for("jobs.show", job_id=job), HTTPStatus.ACCEPTED, job))


def record(connection: sa.Connection, location: str, status: HTTPStatus = HTTPStatus.CREATED) -> None:
    """Record the resource that the request created or changed, in the transaction that does so."""
    _record(connection, Created(location, status))


def _record(connection: sa.Connection, created: Created) -> None:
    key_state = g.get("once")
    if not isinstance(key_state, Claim):
        return
    try:
        idempotency.finish(connection, key_state, g.fingerprint, created)
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
    """Store the response of success for repeats, without secrets; after any other, release the key.

    A key that is recorded is kept in any case: the portal's upload answers 303 after it has created a job.
    """
    key_state = g.get("once")
    if isinstance(key_state, Claim):
        # A failure here costs little: a key without a stored response is answered with what it created, and a claim
        # expires.
        with suppress(*TRANSIENT), transaction() as connection:
            if response.status_code in _SUCCESSES and g.fingerprint is not None:
                _keep(connection, key_state, response)
            else:
                idempotency.drop(connection, key_state)
    return response


def _keep(connection: sa.Connection, claimed: Claim, response: Response) -> None:
    """Store the response, and first record the request if its service has not."""
    created = Created(response.headers.get("Location"), response.status_code)
    with suppress(idempotency.OvertakenError):
        idempotency.finish(connection, claimed, g.fingerprint, created)
    idempotency.keep_answer(connection, claimed, without_secrets(response))


def replay(error: ReplayedError) -> Response:
    """Return the first response again, without its secrets; what it created as it is now, if it was never stored."""
    created, answer = error.finished.created, error.finished.answer
    if answer is None:
        answer = without_secrets(_current(created))
    response = Response(answer, created.status, content_type=JSON)
    if created.location is not None and (created.status == HTTPStatus.CREATED or created.job is not None):
        response.headers["Location"] = created.location
    if created.job is not None:
        response.headers["Retry-After"] = "1"
    response.headers[REPLAYED] = "true"
    return response


def _current(created: Created) -> Response:
    """Return the response to a GET of what a request has created."""
    endpoint, arguments = current_app.url_map.bind("").match(created.location, "GET")
    return current_app.make_response(current_app.ensure_sync(current_app.view_functions[endpoint])(**arguments))


def _under_way() -> Refused:
    return Refused(refuse(RequestCode.REQUEST_UNDER_WAY).body, {"Retry-After": "1"})
