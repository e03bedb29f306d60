"""Messages to subscribers in the database, for the process that sends them: which is due, its content, its result.

Nothing is sent from here (`worker.callbacks.send_webhooks`), and no URL is logged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from schemas import callback_signing
from schemas.callback_signing import DAYS_TO_DISABLE
from schemas.database.tables import (
    lease_tokens,
    number_change_positions,
    webhook_deliveries,
    webhook_messages,
    webhooks,
)
from schemas.http.callbacks import DeliveryResult, JobEnded
from schemas.http.changes import NumberChange
from schemas.http.webhooks import (
    MOST_EVENTS,
    AllEvents,
    MessageKind,
    MessageState,
    NumberChanges,
    NumbersChanged,
    TestData,
    WebhookTest,
)
from schemas.permissions import Actor
from worker.config.settings import get_settings
from worker.database import tenant_scope
from worker.jobs import callbacks
from worker.jobs.callbacks import Message, Try
from worker.numbers import change_events, changes
from worker.numbers.changes import Cursor
from worker.queue.job_state import in_seconds

MOST_PREPARED = 20  # subscriptions in one transaction
MOST_PAGES = 5  # of changes of which a subscription wants none, in one transaction
DAY = 86_400.0  # seconds

_message, _webhook = webhook_messages.c, webhooks.c
_IS_DUE = (
    (_message.state == MessageState.PENDING)
    & (_message.next_attempt_at <= sa.func.now())
    & (_message.lease_until.is_(None) | (_message.lease_until < sa.func.now()))
    & _webhook.is_enabled
)


@dataclass(frozen=True)
class Claimed:
    """A message that this process sends. `message` is None if its content is no longer kept.

    `is_ordered`: the messages after it wait for it.
    """

    id: int
    webhook_id: int
    token: int
    attempt: int
    is_ordered: bool
    message: Message | None


def is_due(connection: sa.Connection) -> bool:
    """Return whether a message is due, or changes of numbers are to be put into one."""
    due = sa.exists().where(_message.webhook_id == _webhook.id, _IS_DUE)
    return bool(connection.execute(sa.select(due | sa.exists().where(_has_changes()))).scalar_one())


def _has_changes() -> sa.ColumnElement[bool]:
    """Return the condition that a subscription gets changes of numbers that are in no message yet."""
    waiting, position = webhook_messages.alias("waiting"), number_change_positions.c
    has_message = sa.exists().where(
        waiting.c.webhook_id == _webhook.id,
        waiting.c.kind == MessageKind.NUMBERS,
        waiting.c.state == MessageState.PENDING,
    )
    has_more = sa.exists().where(position.tenant_id == _webhook.tenant_id, position.position > _webhook.cursor_position)
    return _webhook.is_enabled & _webhook.wants_numbers & ~has_message & (has_more | (_webhook.cursor_count > 0))


def prepare(connection: sa.Connection) -> int:
    """Put the next changes of numbers into messages, one for each subscription; return for how many subscriptions."""
    query = sa.select(webhooks).where(_has_changes()).limit(MOST_PREPARED).with_for_update(skip_locked=True)
    found = connection.execute(query).all()
    for row in found:
        _prepare(connection, row)
    return len(found)


def _prepare(connection: sa.Connection, row: sa.Row[Any]) -> None:
    after = end = Cursor(row.cursor_position, row.cursor_count)
    previous = Cursor(row.sent_position, row.sent_count)
    events = list[NumberChange]()
    for _ in range(MOST_PAGES):
        try:
            events, end = _changes(connection, row, after)
        except changes.ExpiredCursorError:
            previous = after = changes.oldest(connection, _actor(connection, row))
            continue
        except changes.UnknownCursorError:  # the database is an older one, from a backup
            previous = after = changes.last(connection, _actor(connection, row))
            continue
        if events or end == after:
            break
        after = end
    _advance(connection, row.id, after, previous)
    if not events:
        return
    cursors = {"after_position": after.position, "after_count": after.count}
    cursors |= {"end_position": end.position, "end_count": end.count}
    cursors |= {"previous_position": previous.position, "previous_count": previous.count}
    connection.execute(webhook_messages.insert().values(webhook_id=row.id, kind=MessageKind.NUMBERS, **cursors))


def _changes(
    connection: sa.Connection, row: sa.Row[Any], after: Cursor, up_to: Cursor | None = None
) -> tuple[list[NumberChange], Cursor]:
    """Return the next changes that a subscription wants, and the cursor behind those examined.

    `up_to`: the end of a message that is sent again: changes since then are in the next one. `ExpiredCursorError`.
    """
    actor = _actor(connection, row)
    found = changes.read(connection, actor, after, MOST_EVENTS)
    numbers = [number for number in found.numbers if up_to is None or number.cursor.order_key <= up_to.order_key]
    events = change_events.rendered(connection, actor, numbers)
    if AllEvents.NUMBER not in row.events:
        events = [event for event in events if event.type in row.events]
    return events, found.end


def _actor(connection: sa.Connection, row: sa.Row[Any]) -> Actor:
    return Actor(tenant_scope.tenant_by_id(connection, row.tenant_id), row.created_by)


def _advance(connection: sa.Connection, webhook_id: int, cursor: Cursor, sent: Cursor) -> None:
    values = {"cursor_position": cursor.position, "cursor_count": cursor.count}
    values |= {"sent_position": sent.position, "sent_count": sent.count}
    connection.execute(webhooks.update().where(_webhook.id == webhook_id).values(values))


def claim(connection: sa.Connection) -> Claimed | None:
    """Claim the message that has been due for longest, None if none is; of one tenant after the other."""
    other, others = webhook_messages.alias("other"), webhooks.alias("others")
    is_served = sa.exists().where(
        other.c.lease_until > sa.func.now(),
        other.c.state == MessageState.PENDING,
        others.c.id == other.c.webhook_id,
        others.c.tenant_id == _webhook.tenant_id,
    )
    first = (
        sa.select(_message.id)
        .join(webhooks, _webhook.id == _message.webhook_id)
        .where(_IS_DUE, ~is_served)
        .order_by(_message.next_attempt_at, _message.id)
        .limit(1)
        .with_for_update(of=webhook_messages, skip_locked=True)
    )
    settings = get_settings()
    claimed = webhook_messages.update().where(_message.id == first.scalar_subquery())
    values = {
        "lease_token": lease_tokens.next_value(),
        "lease_until": in_seconds(settings.callback_timeout_seconds + settings.lease_seconds),
        "attempts": _message.attempts + 1,
    }
    row = connection.execute(claimed.values(values).returning(webhook_messages)).one_or_none()
    if row is None:
        return None
    is_ordered = row.kind == MessageKind.NUMBERS
    return Claimed(row.id, row.webhook_id, row.lease_token, row.attempts, is_ordered, _content(connection, row))


def _content(connection: sa.Connection, row: sa.Row[Any]) -> Message | None:
    now = sa.cast(sa.extract("epoch", sa.func.now()), sa.BigInteger)
    previous = sa.case((_webhook.previous_until > sa.func.now(), _webhook.previous_secret)).label("also_signs")
    query = sa.select(webhooks, previous, now.label("epoch"), sa.func.now().label("now"))
    subscription = connection.execute(query.where(_webhook.id == row.webhook_id)).one()
    payload = _payload(connection, row, subscription)
    if payload is None:
        return None
    body = payload.model_dump_json().encode()
    secrets = [secret for secret in (subscription.secret, subscription.also_signs) if secret is not None]
    message_id = callback_signing.message_id(row.public_id)
    return Message(subscription.url, body, callback_signing.signed(secrets, message_id, subscription.epoch, body))


def _payload(
    connection: sa.Connection, row: sa.Row[Any], subscription: sa.Row[Any]
) -> JobEnded | NumbersChanged | WebhookTest | None:
    if row.kind == MessageKind.JOB:
        return callbacks.ended_job(connection, row.job_id)
    if row.kind == MessageKind.TEST:
        return WebhookTest(timestamp=subscription.now, data=TestData(webhook_id=subscription.public_id))
    end = Cursor(row.end_position, row.end_count)
    try:
        events, _ = _changes(connection, subscription, Cursor(row.after_position, row.after_count), end)
    except (changes.ExpiredCursorError, changes.UnknownCursorError):
        return None
    actor = _actor(connection, subscription)
    after = changes.marked(connection, actor, Cursor(row.previous_position, row.previous_count))
    timestamp = events[-1].at if events else subscription.now
    data = NumberChanges(after=str(after), changes=events, next_cursor=str(changes.marked(connection, actor, end)))
    return NumbersChanged(timestamp=timestamp, data=data)


def note(connection: sa.Connection, claimed: Claimed, tried: Try, pause: float | None) -> bool:
    """Record an attempt, and the next one in `pause` seconds; return False if another process has the message now.

    A subscription is switched off if its receiver says that it is gone, or took nothing for `DAYS_TO_DISABLE`.
    """
    values: dict[str, Any] = {"lease_until": None}
    if tried.result is DeliveryResult.DELIVERED:
        values |= {"state": MessageState.DELIVERED, "ended_at": sa.func.now()}
    elif pause is None:
        values |= {"state": MessageState.FAILED, "ended_at": sa.func.now()}
    else:
        values |= {"next_attempt_at": in_seconds(pause)}
    own = (_message.id == claimed.id, _message.lease_token == claimed.token, _message.state == MessageState.PENDING)
    update = webhook_messages.update().where(*own).values(values).returning(webhook_messages)
    row = connection.execute(update).one_or_none()
    if row is None:
        return False
    entry = {"attempt": claimed.attempt, "result": tried.result, "status": tried.status}
    connection.execute(
        webhook_deliveries.insert().values(message_id=claimed.id, duration_ms=tried.duration_ms, **entry)
    )
    if tried.result is DeliveryResult.DELIVERED:
        _note_delivered(connection, row)
    else:
        _note_failed(connection, claimed.webhook_id, tried.result)
    return True


def _note_delivered(connection: sa.Connection, row: sa.Row[Any]) -> None:
    own = webhooks.update().where(_webhook.id == row.webhook_id)
    connection.execute(own.values(delivered_at=sa.func.now(), failing_since=None, failures=0))
    if row.kind == MessageKind.NUMBERS:  # unless it was sent again
        is_next = (_webhook.cursor_position == row.after_position, _webhook.cursor_count == row.after_count)
        end = {"cursor_position": row.end_position, "cursor_count": row.end_count}
        end |= {"sent_position": row.end_position, "sent_count": row.end_count}
        connection.execute(own.where(*is_next).values(end))


def _note_failed(connection: sa.Connection, webhook_id: int, result: DeliveryResult) -> None:
    own = webhooks.update().where(_webhook.id == webhook_id, _webhook.is_enabled)
    failing_since = sa.func.coalesce(_webhook.failing_since, sa.func.now())
    connection.execute(own.values(failing_since=failing_since, failures=_webhook.failures + 1))
    is_over = _webhook.failing_since < in_seconds(-DAYS_TO_DISABLE * DAY)
    off = own if result is DeliveryResult.GONE else own.where(is_over)
    connection.execute(off.values(is_enabled=False, disabled_at=sa.func.now()))


def give_up(connection: sa.Connection, claimed: Claimed) -> None:
    """End a message whose content is no longer kept; the changes that come next follow."""
    own = (_message.id == claimed.id, _message.lease_token == claimed.token)
    values = {"state": MessageState.FAILED, "ended_at": sa.func.now(), "lease_until": None}
    connection.execute(webhook_messages.update().where(*own).values(values))
