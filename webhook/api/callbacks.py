"""`/v1/callbacks`: what became of callbacks, sending them again, and the secret they are signed with.

Only the tenant that a job acts for sees its callback; those above are answered like strangers (R3).
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from apiflask import APIBlueprint
from flask import Response, url_for

from schemas import callbacks as bodies
from schemas import webhooks
from schemas.jobs import Phase
from schemas.problems import RequestCode
from webhook import auth
from webhook.answers import shown
from webhook.errors import refuse
from webhook.pages import next_link
from worker.infra import broker, callback_secrets, callback_views
from worker.infra.db import transaction
from worker.infra.lifecycle import WrongStateError

bp = APIBlueprint("callbacks", __name__, url_prefix="/v1/callbacks", tag="Callbacks")
bp.before_request(auth.require_actor)


@bp.get("")
@bp.input(bodies.CallbacksQuery, location="query", arg_name="query")
@bp.output(bodies.CallbackList)
@bp.doc(summary="List your callbacks, newest first")
def index(query: bodies.CallbacksQuery) -> Response:
    with transaction() as connection:
        found = callback_views.page(connection, auth.actor(), query.state, query.cursor, query.limit)
    cursor = webhooks.message_id(found[-1].public_id) if len(found) == query.limit else None
    return next_link(bodies.CallbackList(data=[_callback(row) for row in found], next_cursor=cursor), cursor)


@bp.get("/secret")
@bp.output(bodies.CallbackSecret)
@bp.doc(summary="The secret that your callbacks are signed with")
def secret() -> Response:
    with transaction() as connection:
        view = callback_secrets.show(connection, auth.actor().tenant.id)
    return _secret(view)


@bp.post("/secret")
@bp.output(bodies.CallbackSecret)
@bp.doc(summary="Replace the secret; the old one goes on signing beside it for a while")
def rotate() -> Response:
    """Of several replaced within that time only the last goes on signing."""
    with transaction() as connection:
        view = callback_secrets.rotate(connection, auth.actor().tenant)
    return _secret(view)


@bp.get("/<callback_id>")
@bp.output(bodies.CallbackWithDeliveries)
@bp.doc(summary="One callback, and every try to deliver it")
def show(callback_id: str) -> Response:
    with transaction() as connection:
        row = _find(connection, callback_id)
        tries = callback_views.deliveries(connection, row.job_id)
    told = [
        bodies.Delivery(
            at=one.at, attempt=one.attempt, result=one.result, status=one.status, duration_ms=one.duration_ms
        )
        for one in tries
    ]
    return shown(bodies.CallbackWithDeliveries(**_callback(row).model_dump(), deliveries=told))


@bp.post("/<callback_id>/replay")
@bp.output(bodies.Callback, status_code=202)
@bp.doc(summary="Send a callback again, from the beginning of its schedule and under the same id")
def replay(callback_id: str) -> Response:
    with transaction() as connection:
        row = _find(connection, callback_id)
        try:
            callback_views.replay(connection, row)
        except WrongStateError as error:
            raise refuse(error.code, job_status=error.status) from error
        row = _find(connection, callback_id)
    broker.wake(Phase.CALLBACK, row.job)
    response = shown(_callback(row))
    response.status_code = 202
    return response


def _find(connection: sa.Connection, callback_id: str) -> sa.Row[Any]:
    """The caller's own callback; any other and one that does not exist are the same 404 (R3)."""
    row = callback_views.one(connection, auth.actor(), callback_id)
    if row is None:
        raise refuse(RequestCode.NOT_FOUND, "There is no such callback.")
    return row


def _callback(row: sa.Row[Any]) -> bodies.Callback:
    name = webhooks.message_id(row.public_id)
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


def _secret(view: callback_secrets.SecretView) -> Response:
    response = shown(
        bodies.CallbackSecret(
            secret=webhooks.shown_secret(view.secret),
            created_at=view.created_at,
            previous_until=view.previous_until,
        )
    )
    response.headers["Cache-Control"] = "no-store"
    return response


def describe(spec: dict[str, Any]) -> None:
    """Add to the API's description what a receiver is sent (OpenAPI 3.1, `webhooks`)."""
    body = bodies.JobEnded.model_json_schema(ref_template="#/components/schemas/{model}")
    spec["components"]["schemas"] |= body.pop("$defs", {})
    spec["components"]["schemas"]["JobEnded"] = body
    told = {"webhook-id": "the same with every try", "webhook-timestamp": "Unix seconds", "webhook-signature": "v1,..."}
    spec["webhooks"] = {
        "jobEnded": {
            "post": {
                "summary": "A job that was sent with `callback_url` has ended",
                "description": "Signed by the Standard Webhooks specification; at least once.",
                "parameters": [
                    {"name": name, "in": "header", "required": True, "description": text, "schema": {"type": "string"}}
                    for name, text in told.items()
                ],
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/JobEnded"}}},
                },
                "responses": {"2XX": {"description": "Taken. With 410 nothing more is sent."}},
            }
        }
    }
