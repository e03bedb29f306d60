"""`/v1/callbacks`: the delivery state of callbacks, sending them again, and the secret that signs them."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import Response

from schemas.http import callbacks as bodies
from schemas.roles import Operation
from webhook.http import auth
from webhook.http.access import needs
from webhook.http.responses import next_link, shown
from webhook.http.responses import secret as hidden
from webhook.services import callbacks

bp = APIBlueprint("callbacks", __name__, url_prefix="/v1/callbacks", tag="Callbacks")
bp.before_request(auth.require_actor)


@bp.get("")
@bp.input(bodies.CallbacksQuery, location="query", arg_name="query")
@bp.output(bodies.CallbackList)
@bp.doc(operation_id="list_callbacks", summary="List your callbacks, newest first")
@needs(Operation.READ_JOBS)
def index(query: bodies.CallbacksQuery) -> Response:
    """Only those of your own tenant's jobs."""
    return next_link(callbacks.page(query))


@bp.get("/secret")
@bp.output(bodies.CallbackSecret)
@bp.doc(operation_id="get_callback_secret", summary="Get the secret that signs your callbacks")
@needs(Operation.MANAGE_WEBHOOKS)
def secret() -> Response:
    """The first request creates it."""
    return hidden(shown(callbacks.secret()))


@bp.post("/secret")
@bp.output(bodies.CallbackSecret)
@bp.doc(
    operation_id="rotate_callback_secret", summary="Replace the secret; the old secret also signs for a limited time"
)
@needs(Operation.MANAGE_WEBHOOKS)
def rotate() -> Response:
    """If several are replaced within that period, only the last of them continues to sign."""
    return hidden(shown(callbacks.rotate()))


@bp.get("/<callback_id>")
@bp.output(bodies.CallbackWithDeliveries)
@bp.doc(operation_id="get_callback", summary="Get a callback and its delivery attempts")
@needs(Operation.READ_JOBS)
def show(callback_id: str) -> Response:
    """At most the latest 100 attempts."""
    return shown(callbacks.get(callback_id))


@bp.post("/<callback_id>/replay")
@bp.output(bodies.Callback, status_code=202)
@bp.doc(
    operation_id="replay_callback",
    summary="Send a callback again with the same ID, from the start of its schedule",
    responses={409: "The job has not ended"},
)
@needs(Operation.DECIDE_JOBS)
def replay(callback_id: str) -> Response:
    """Only once its job has ended."""
    response = shown(callbacks.replay(callback_id))
    response.status_code = 202
    return response
