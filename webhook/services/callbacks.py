"""Callbacks: their delivery state, sending them again, and the secret that signs them.

Only the tenant that a job acts for sees its callback; tenants above it get the same 404 as strangers (R3).
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import sqlalchemy as sa
from flask import url_for

from schemas import callback_signing
from schemas.http import callbacks as bodies
from schemas.jobs import Phase
from schemas.request_problems import RequestCode
from webhook.http import auth, idempotency
from webhook.http.errors import refuse
from worker.database.engine import transaction
from worker.jobs import callback_queries, callback_secrets
from worker.jobs.control import WrongStateError
from worker.queue import broker


def page(query: bodies.CallbacksQuery) -> bodies.CallbackList:
    """Return the actor's own callbacks, newest first."""
    with transaction() as connection:
        callbacks = callback_queries.page(connection, auth.actor(), query.state, query.cursor, query.limit)
    cursor = callback_signing.message_id(callbacks[-1].public_id) if len(callbacks) == query.limit else None
    return bodies.CallbackList(data=[_callback(row) for row in callbacks], next_cursor=cursor)


def get(callback_id: str) -> bodies.CallbackWithDeliveries:
    """Return the callback with this id, and all attempts to deliver it."""
    with transaction() as connection:
        row = _find(connection, callback_id)
        attempts = callback_queries.deliveries(connection, row.job_id)
    deliveries = [delivery(attempt) for attempt in attempts]
    return bodies.CallbackWithDeliveries(**_callback(row).model_dump(), deliveries=deliveries)


def delivery(row: sa.Row[Any]) -> bodies.Delivery:
    """Return a delivery attempt, of a callback or of a message of a subscription."""
    return bodies.Delivery(
        at=row.at, attempt=row.attempt, result=row.result, status=row.status, duration_ms=row.duration_ms
    )


def replay(callback_id: str) -> bodies.Callback:
    """Send a callback again, from the beginning of its schedule and under the same id."""
    with transaction() as connection:
        row = _find(connection, callback_id)
        try:
            callback_queries.replay(connection, row)
        except WrongStateError as error:
            raise refuse(error.code, job_status=error.status) from error
        row = _find(connection, callback_id)
        idempotency.record(connection, url_for("callbacks.show", callback_id=callback_id), HTTPStatus.ACCEPTED)
    broker.wake(Phase.CALLBACK, row.job)
    return _callback(row)


def secret() -> bodies.CallbackSecret:
    """Return the secret that signs the actor's callbacks."""
    with transaction() as connection:
        view = callback_secrets.show(connection, auth.actor().tenant.id)
    return _secret(view)


def rotate() -> bodies.CallbackSecret:
    """Replace the secret. The old one also signs for a while.

    If several are replaced within that period, only the last of them continues to sign.
    """
    with transaction() as connection:
        view = callback_secrets.rotate(connection, auth.actor().tenant)
        idempotency.record(connection, url_for("callbacks.secret"), HTTPStatus.OK)
    return _secret(view)


def _find(connection: sa.Connection, callback_id: str) -> sa.Row[Any]:
    """Return the actor's own callback. Any other and a missing one give the same 404 (R3)."""
    row = callback_queries.get(connection, auth.actor(), callback_id)
    if row is None:
        raise refuse(RequestCode.NOT_FOUND, "Callback not found.")
    return row


def _callback(row: sa.Row[Any]) -> bodies.Callback:
    name = callback_signing.message_id(row.public_id)
    return bodies.Callback(
        id=name,
        job_id=row.job,
        url=row.url,
        state=row.state,
        attempts=row.attempts,
        created_at=row.created_at,
        next_attempt_at=row.next_attempt_at,
        delivered_at=row.delivered_at,
        failed_at=row.given_up_at,
        links=bodies.CallbackLinks(
            self=url_for("callbacks.show", callback_id=name), job=url_for("jobs.show", job_id=row.job)
        ),
    )


def _secret(view: callback_secrets.SecretView) -> bodies.CallbackSecret:
    return bodies.CallbackSecret(
        secret=callback_signing.shown_secret(view.secret),
        created_at=view.created_at,
        previous_until=view.previous_until,
    )
