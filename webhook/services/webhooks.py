"""Subscriptions to events: managed by their tenant, with their messages, secret and tests.

Only their own tenant sees them; tenants above it get the same 404 as strangers (R3).
"""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

import sqlalchemy as sa
from flask import url_for

from schemas import callback_signing
from schemas.http import webhooks as bodies
from schemas.http.tenants import PageQuery
from schemas.request_problems import RequestCode
from schemas.roles import operations_on_events
from webhook.http import auth, idempotency
from webhook.http.errors import refuse
from webhook.services import lookup
from webhook.services.callbacks import delivery
from worker.accounts import tenants
from worker.database.engine import transaction
from worker.jobs import webhooks
from worker.numbers.changes import Cursor
from worker.queue import broker

_TOO_MANY = f"You have {webhooks.MOST_PER_TENANT} subscriptions, the most possible."
_NAMES = {"enabled": "is_enabled"}  # of fields whose column has another name


def page(query: PageQuery) -> bodies.WebhookList:
    """Return the actor's own subscriptions, oldest first."""
    with transaction() as connection:
        rows = webhooks.page(connection, auth.actor(), query.cursor, query.limit)
    cursor = rows[-1].public_id if len(rows) == query.limit else None
    return bodies.WebhookList(data=[_shown(row) for row in rows], next_cursor=cursor)


def get(webhook_id: str) -> bodies.Webhook:
    """Return the subscription with this id."""
    with transaction() as connection:
        return _shown(_find(connection, webhook_id))


def create(body: bodies.NewWebhook) -> bodies.WebhookWithSecret:
    """Create a subscription. Only this response, and that of `rotate`, contain the secret."""
    actor = auth.actor()
    _check_events(body.events)
    with transaction() as connection:
        tenants.hold(connection, actor.tenant)  # concurrent requests run one after the other
        try:
            public_id = webhooks.create(connection, actor, _values(body))
        except webhooks.TooManyError:
            raise refuse(RequestCode.LIMIT_REACHED, _TOO_MANY, limit=webhooks.MOST_PER_TENANT) from None
        idempotency.record(connection, url_for("webhooks.show", webhook_id=public_id))
        return _with_secret(_find(connection, public_id))


def change(webhook_id: str, body: bodies.WebhookChange) -> bodies.Webhook:
    """Change the fields that the body sets."""
    with transaction() as connection:
        row = _find(connection, webhook_id, lock=True)
        _check_events(body.events or row.events)  # another URL, too, is another reader
        webhooks.change(connection, row, auth.actor(), _values(body))
        row = _find(connection, webhook_id)
    broker.wake_webhooks()
    return _shown(row)


def delete(webhook_id: str) -> None:
    """Delete a subscription with its messages."""
    with transaction() as connection:
        webhooks.delete(connection, _find(connection, webhook_id, lock=True).id)


def rotate(webhook_id: str) -> bodies.WebhookWithSecret:
    """Replace the secret. The old one also signs for a while."""
    with transaction() as connection:
        webhooks.rotate(connection, _find(connection, webhook_id, lock=True).id)
        idempotency.record(connection, url_for("webhooks.show", webhook_id=webhook_id), HTTPStatus.OK)
        return _with_secret(_find(connection, webhook_id))


def test(webhook_id: str) -> bodies.WebhookMessage:
    """Send a test message. Refused while the subscription is switched off."""
    with transaction() as connection:
        row = _find(connection, webhook_id, lock=True)
        if not row.is_enabled:
            raise refuse(RequestCode.WEBHOOK_DISABLED)
        message = _find_message(connection, row, webhooks.add_test(connection, row.id))
        _record_message(connection, webhook_id, message)
    broker.wake_webhooks()
    return _message(message)


def messages(webhook_id: str, query: bodies.WebhookMessagesQuery) -> bodies.WebhookMessageList:
    """Return the messages of a subscription, newest first."""
    with transaction() as connection:
        row = _find(connection, webhook_id)
        rows = webhooks.messages(connection, row.id, query.state, query.cursor, query.limit)
    cursor = callback_signing.message_id(rows[-1].public_id) if len(rows) == query.limit else None
    return bodies.WebhookMessageList(data=[_message(each) for each in rows], next_cursor=cursor)


def message(webhook_id: str, message_id: str) -> bodies.WebhookMessageWithDeliveries:
    """Return a message, and the attempts to deliver it."""
    with transaction() as connection:
        found = _find_message(connection, _find(connection, webhook_id), message_id)
        tries = webhooks.deliveries(connection, found.id)
    deliveries = [delivery(each) for each in tries]
    return bodies.WebhookMessageWithDeliveries(**_message(found).model_dump(), deliveries=deliveries)


def replay(webhook_id: str, message_id: str) -> bodies.WebhookMessage:
    """Send a message again, with the same id. Refused while it is being sent, or the subscription is switched off."""
    with transaction() as connection:
        row = _find(connection, webhook_id, lock=True)
        found = _find_message(connection, row, message_id)
        if not row.is_enabled:
            raise refuse(RequestCode.WEBHOOK_DISABLED)
        if found.state == bodies.MessageState.PENDING:
            raise refuse(RequestCode.MESSAGE_PENDING)
        webhooks.replay(connection, found.id)
        found = _find_message(connection, row, message_id)
        _record_message(connection, webhook_id, found)
    broker.wake_webhooks()
    return _message(found)


def _check_events(events: Iterable[str]) -> None:
    """R35: what a subscription sends, who manages it may see."""
    for operation in sorted(operations_on_events(events)):
        auth.require(operation)


def _record_message(connection: sa.Connection, webhook_id: str, row: sa.Row[Any]) -> None:
    message_id = callback_signing.message_id(row.public_id)
    location = url_for("webhooks.message", webhook_id=webhook_id, message_id=message_id)
    idempotency.record(connection, location, HTTPStatus.ACCEPTED)


def _find(connection: sa.Connection, webhook_id: str, *, lock: bool = False) -> sa.Row[Any]:
    """Return the actor's own subscription. Any other and a missing one give the same 404 (R3)."""
    row = webhooks.get(connection, auth.actor(), webhook_id, lock=lock)
    if row is None:
        raise refuse(RequestCode.NOT_FOUND, "Subscription not found.")
    return row


def _find_message(connection: sa.Connection, row: sa.Row[Any], message_id: str) -> sa.Row[Any]:
    message_id = message_id.removeprefix(callback_signing.ID_PREFIX)
    found = webhooks.message(connection, row.id, callback_signing.message_id(message_id))
    if found is None:
        raise refuse(RequestCode.NOT_FOUND, "Message not found.")
    return found


def _values(body: bodies.NewWebhook | bodies.WebhookChange) -> dict[str, Any]:
    changed = body.model_dump(exclude_unset=isinstance(body, bodies.WebhookChange), mode="json")
    if "url" in changed:
        lookup.callback_url(changed["url"], "url")
    return {_NAMES.get(name, name): value for name, value in changed.items()}


def _shown(row: sa.Row[Any]) -> bodies.Webhook:
    return bodies.Webhook(
        id=row.public_id,
        url=row.url,
        events=row.events,
        description=row.description,
        enabled=row.is_enabled,
        created_by=row.created_by,
        created_at=row.created_at,
        last_delivery_at=row.delivered_at,
        failing_since=row.failing_since,
        failures=row.failures,
        disabled_at=row.disabled_at,
        cursor=str(Cursor(row.cursor_position, row.cursor_count, row.mark)) if row.wants_numbers else None,
    )


def _with_secret(row: sa.Row[Any]) -> bodies.WebhookWithSecret:
    return bodies.WebhookWithSecret(
        **_shown(row).model_dump(),
        secret=callback_signing.shown_secret(row.secret),
        previous_until=row.previous_until,
    )


def _message(row: sa.Row[Any]) -> bodies.WebhookMessage:
    kinds = {bodies.MessageKind.NUMBERS: "number.changes", bodies.MessageKind.TEST: "webhook.test"}
    is_pending = row.state == bodies.MessageState.PENDING
    return bodies.WebhookMessage(
        id=callback_signing.message_id(row.public_id),
        type=kinds.get(row.kind, f"{bodies.JOB}{row.job_status}"),
        state=row.state,
        job_id=row.job_public_id,
        last_attempt=None if row.result is None else delivery(row),
        attempts=row.attempts,
        created_at=row.created_at,
        next_attempt_at=row.next_attempt_at if is_pending else None,
        delivered_at=row.ended_at if row.state == bodies.MessageState.DELIVERED else None,
        failed_at=row.ended_at if row.state == bodies.MessageState.FAILED else None,
    )
