"""`/v1/webhooks`: subscriptions to events about jobs and numbers, their messages, and the secret that signs them."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import Response, url_for
from pydantic import BaseModel

from schemas.http import webhooks as bodies
from schemas.http.tenants import PageQuery
from schemas.roles import Operation
from webhook.http import auth
from webhook.http.access import needs
from webhook.http.responses import created, done, next_link, secret, shown
from webhook.services import webhooks

bp = APIBlueprint("webhooks", __name__, url_prefix="/v1/webhooks", tag="Webhooks")
bp.before_request(auth.require_actor)


@bp.get("")
@bp.input(PageQuery, location="query", arg_name="query")
@bp.output(bodies.WebhookList)
@bp.doc(operation_id="list_webhooks", summary="List your subscriptions")
@needs(Operation.READ_JOBS)
def index(query: PageQuery) -> Response:
    """Oldest first, only those of your own tenant, without their secrets."""
    return next_link(webhooks.page(query))


@bp.post("")
@bp.input(bodies.NewWebhook, arg_name="body")
@bp.output(bodies.WebhookWithSecret, status_code=201)
@bp.doc(
    operation_id="create_webhook",
    summary="Subscribe to events; the secret is shown only once",
    responses={409: "You have as many subscriptions as possible"},
)
@needs(Operation.MANAGE_WEBHOOKS)
def create(body: bodies.NewWebhook) -> Response:
    """Events of your own tenant and of those below it, from now on.

    `number.*` events need the scope `numbers:read` too, `job.*` events `jobs:read`.
    """
    subscription = webhooks.create(body)
    return secret(created(subscription, url_for("webhooks.show", webhook_id=subscription.id)))


@bp.get("/<webhook_id>")
@bp.output(bodies.Webhook)
@bp.doc(operation_id="get_webhook", summary="Get a subscription, without its secret")
@needs(Operation.READ_JOBS)
def show(webhook_id: str) -> Response:
    """`failing_since` says since when nothing could be delivered."""
    return shown(webhooks.get(webhook_id))


@bp.patch("/<webhook_id>")
@bp.input(bodies.WebhookChange, arg_name="body")
@bp.output(bodies.Webhook)
@bp.doc(operation_id="update_webhook", summary="Change a subscription, or switch it on or off")
@needs(Operation.MANAGE_WEBHOOKS)
def change(webhook_id: str, body: bodies.WebhookChange) -> Response:
    """Switched on again, it gets what it has missed, as far as that is kept."""
    return shown(webhooks.change(webhook_id, body))


@bp.delete("/<webhook_id>")
@bp.output({}, status_code=204)
@bp.doc(operation_id="delete_webhook", summary="Delete a subscription with its messages")
@needs(Operation.MANAGE_WEBHOOKS)
def delete(webhook_id: str) -> Response:
    """Nothing more is sent."""
    webhooks.delete(webhook_id)
    return done()


@bp.post("/<webhook_id>/secret")
@bp.output(bodies.WebhookWithSecret)
@bp.doc(
    operation_id="rotate_webhook_secret", summary="Replace the secret; the old secret also signs for a limited time"
)
@needs(Operation.MANAGE_WEBHOOKS)
def rotate(webhook_id: str) -> Response:
    """If several are replaced within that period, only the last of them continues to sign."""
    return secret(shown(webhooks.rotate(webhook_id)))


@bp.post("/<webhook_id>/test")
@bp.output(bodies.WebhookMessage, status_code=202)
@bp.doc(
    operation_id="test_webhook",
    summary="Send a test message",
    responses={409: "The subscription is switched off"},
)
@needs(Operation.MANAGE_WEBHOOKS)
def test(webhook_id: str) -> Response:
    """A message of type `webhook.test`, signed as all others."""
    return _accepted(webhooks.test(webhook_id))


@bp.get("/<webhook_id>/messages")
@bp.input(bodies.WebhookMessagesQuery, location="query", arg_name="query")
@bp.output(bodies.WebhookMessageList)
@bp.doc(operation_id="list_webhook_messages", summary="List the messages of a subscription")
@needs(Operation.READ_JOBS)
def messages(webhook_id: str, query: bodies.WebhookMessagesQuery) -> Response:
    """Newest first, as long as changes of numbers are kept."""
    return next_link(webhooks.messages(webhook_id, query))


@bp.get("/<webhook_id>/messages/<message_id>")
@bp.output(bodies.WebhookMessageWithDeliveries)
@bp.doc(operation_id="get_webhook_message", summary="Get a message and its delivery attempts")
@needs(Operation.READ_JOBS)
def message(webhook_id: str, message_id: str) -> Response:
    """At most the latest 100 attempts."""
    return shown(webhooks.message(webhook_id, message_id))


@bp.post("/<webhook_id>/messages/<message_id>/replay")
@bp.output(bodies.WebhookMessage, status_code=202)
@bp.doc(
    operation_id="replay_webhook_message",
    summary="Send a message again with the same ID, from the start of its schedule",
    responses={409: "It is still being sent, or the subscription is switched off"},
)
@needs(Operation.MANAGE_WEBHOOKS)
def replay(webhook_id: str, message_id: str) -> Response:
    """Only once it was delivered or given up."""
    return _accepted(webhooks.replay(webhook_id, message_id))


def _accepted(body: BaseModel) -> Response:
    response = shown(body)
    response.status_code = 202
    return response
