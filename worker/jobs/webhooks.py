"""Subscriptions to events in the database: what tenants manage, and their messages.

Only its own tenant sees a subscription (R3): a URL may contain secrets of its receiver.
"""

from __future__ import annotations

import secrets as randomness
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from schemas.callback_signing import ID_PREFIX, SECRET_BYTES
from schemas.database.tables import (
    admins,
    jobs,
    number_change_positions,
    webhook_deliveries,
    webhook_messages,
    webhooks,
)
from schemas.http.webhooks import NUMBER, MessageKind, MessageState
from schemas.permissions import Actor
from schemas.roles import Role
from worker.config.settings import get_settings
from worker.database import expired_rows, tenant_scope
from worker.numbers import changes
from worker.queue.job_state import in_seconds

MOST_PER_TENANT = 20
MOST_DELIVERIES = 100  # listed for one message
MOST_ADMINS = 20  # notified that a subscription was switched off
DAYS_TO_NOTIFY = 2.0  # after that, they are not notified any more
DAY = 86_400.0  # seconds


class TooManyError(Exception):
    """The tenant has `MOST_PER_TENANT` subscriptions."""


def create(connection: sa.Connection, actor: Actor, values: Mapping[str, Any]) -> str:
    """Create a subscription, from the changes of numbers on that come next; return its public id. `TooManyError`.

    The caller holds the tenant, so that two requests do not exceed the limit together.
    """
    count = sa.select(sa.func.count()).where(webhooks.c.tenant_id == actor.tenant.id)
    if connection.execute(count).scalar_one() >= MOST_PER_TENANT:
        raise TooManyError
    end = changes.last(connection, actor)
    insertion = webhooks.insert().values(
        tenant_id=actor.tenant.id,
        created_by=actor.name,
        secret=randomness.token_bytes(SECRET_BYTES),
        cursor_position=end.position,
        cursor_count=end.count,
        sent_position=end.position,
        sent_count=end.count,
        **_with_kinds(values),
    )
    return str(connection.execute(insertion.returning(webhooks.c.public_id)).scalar_one())


def change(connection: sa.Connection, row: sa.Row[Any], actor: Actor, values: Mapping[str, Any]) -> None:
    """Change a subscription. If it begins to want numbers, it gets the changes that come next.

    Enabled again, it continues where it was, at once; or with the oldest changes that are kept.
    """
    fields = _with_kinds(values)
    if fields.get("wants_numbers") and not row.wants_numbers:
        end = changes.last(connection, actor)
        fields |= {"cursor_position": end.position, "cursor_count": end.count}
        fields |= {"sent_position": end.position, "sent_count": end.count}
    if fields.get("is_enabled"):
        fields |= {"failing_since": None, "failures": 0, "disabled_at": None, "notified_at": None}
        due = webhook_messages.update().where(
            webhook_messages.c.webhook_id == row.id, webhook_messages.c.state == MessageState.PENDING
        )
        connection.execute(due.values(next_attempt_at=sa.func.now(), attempts=0))
    if fields:
        connection.execute(webhooks.update().where(webhooks.c.id == row.id).values(fields))


def _with_kinds(values: Mapping[str, Any]) -> dict[str, Any]:
    if "events" not in values:
        return dict(values)
    return {**values, "wants_numbers": any(event.startswith(NUMBER) for event in values["events"])}


def rotate(connection: sa.Connection, webhook_id: int) -> None:
    """Replace the secret; the previous one also signs for `callback_secret_hours`, any older one no longer."""
    values = {
        "previous_secret": webhooks.c.secret,
        "previous_until": in_seconds(get_settings().callback_secret_hours * 3600),
        "secret": randomness.token_bytes(SECRET_BYTES),
    }
    connection.execute(webhooks.update().where(webhooks.c.id == webhook_id).values(values))


def delete(connection: sa.Connection, webhook_id: int) -> None:
    """Delete a subscription with its messages."""
    connection.execute(webhooks.delete().where(webhooks.c.id == webhook_id))


def page(connection: sa.Connection, actor: Actor, cursor: str | None, limit: int) -> Sequence[sa.Row[Any]]:
    """Return up to `limit` subscriptions of the actor's tenant, oldest first, after the one whose id is `cursor`."""
    query = _select(actor).order_by(webhooks.c.id).limit(limit)
    if cursor is not None:
        query = query.where(tenant_scope.after(connection, webhooks, _is_visible(actor), cursor))
    return connection.execute(query).all()


def get(connection: sa.Connection, actor: Actor, public_id: str, *, lock: bool = False) -> sa.Row[Any] | None:
    """Return a subscription of the actor's tenant, or None. `lock` keeps it as it is until the transaction ends."""
    query = _select(actor).where(tenant_scope.has_public_id(webhooks, public_id))
    return connection.execute(query.with_for_update(of=webhooks) if lock else query).one_or_none()


def _select(actor: Actor) -> sa.Select[Any]:
    """Return the query of the actor's subscriptions, with the mark of each cursor's position."""
    own = number_change_positions.c
    is_here = (own.tenant_id == webhooks.c.tenant_id, own.position == webhooks.c.cursor_position)
    mark = sa.select(own.mark).where(*is_here).scalar_subquery().label("mark")
    return sa.select(webhooks, mark).where(_is_visible(actor))


def _is_visible(actor: Actor) -> sa.ColumnElement[bool]:
    return webhooks.c.tenant_id == actor.tenant.id


def messages(
    connection: sa.Connection, webhook_id: int, state: MessageState | None, cursor: str | None, limit: int
) -> Sequence[sa.Row[Any]]:
    """Return up to `limit` messages of a subscription that the actor sees, newest first, older than `cursor`."""
    own = webhook_messages.c
    query = _messages(webhook_id).order_by(own.id.desc()).limit(limit)
    if state is not None:
        query = query.where(own.state == state)
    if cursor is not None:
        last = sa.select(own.id).where(own.webhook_id == webhook_id, _is_message(cursor))
        message_id = connection.execute(last).scalar_one_or_none()
        if message_id is None:
            raise tenant_scope.UnknownCursorError(cursor)
        query = query.where(own.id < message_id)
    return connection.execute(query).all()


def message(connection: sa.Connection, webhook_id: int, public_id: str) -> sa.Row[Any] | None:
    """Return a message (`msg_...`) of a subscription that the actor sees, or None."""
    return connection.execute(_messages(webhook_id).where(_is_message(public_id))).one_or_none()


def _messages(webhook_id: int) -> sa.Select[Any]:
    """Return the query of messages, with the job of each and the columns of its last attempt."""
    own, each = webhook_messages.c, webhook_deliveries.c
    latest = sa.select(webhook_deliveries).where(each.message_id == own.id).order_by(each.id.desc()).limit(1)
    attempt = latest.lateral("latest")
    job = (jobs.c.public_id.label("job_public_id"), jobs.c.status.label("job_status"))
    attempted = (attempt.c.at, attempt.c.attempt, attempt.c.result, attempt.c.status, attempt.c.duration_ms)
    return (
        sa.select(webhook_messages, *job, *attempted)
        .outerjoin(jobs, jobs.c.id == own.job_id)
        .outerjoin(attempt, sa.true())
        .where(own.webhook_id == webhook_id)
    )


def _is_message(public_id: str) -> sa.ColumnElement[bool]:
    if not public_id.startswith(ID_PREFIX):
        return sa.false()
    return tenant_scope.has_public_id(webhook_messages, public_id.removeprefix(ID_PREFIX))


def deliveries(connection: sa.Connection, message_id: int) -> Sequence[sa.Row[Any]]:
    """Return the latest delivery attempts of a message, newest last."""
    own = webhook_deliveries.c
    query = (
        sa.select(webhook_deliveries).where(own.message_id == message_id).order_by(own.id.desc()).limit(MOST_DELIVERIES)
    )
    return connection.execute(query).all()[::-1]


def add_test(connection: sa.Connection, webhook_id: int) -> str:
    """Add a test message; return its public id."""
    insertion = webhook_messages.insert().values(webhook_id=webhook_id, kind=MessageKind.TEST)
    return str(connection.execute(insertion.returning(webhook_messages.c.public_id)).scalar_one())


def replay(connection: sa.Connection, message_id: int) -> None:
    """Send a message again, from the beginning of its schedule and with the same id."""
    again = {"state": MessageState.PENDING, "attempts": 0, "next_attempt_at": sa.func.now(), "ended_at": None}
    connection.execute(webhook_messages.update().where(webhook_messages.c.id == message_id).values(again))


def unnotified(connection: sa.Connection, most: int) -> Sequence[sa.Row[Any]]:
    """Return subscriptions that were switched off of which no admin was notified yet, and mark them as notified.

    With the `addresses` of the tenant's admins, at most `MOST_ADMINS`.
    """
    recently = webhooks.c.disabled_at > in_seconds(-DAYS_TO_NOTIFY * DAY)
    some = sa.select(webhooks.c.id).where(recently, webhooks.c.notified_at.is_(None)).limit(most)
    marked = webhooks.update().where(webhooks.c.id.in_(some.with_for_update(skip_locked=True)))
    manages = (admins.c.tenant_id == webhooks.c.tenant_id) & (admins.c.role == Role.ADMIN)
    emails = sa.select(admins.c.email).where(manages).order_by(admins.c.id)
    addresses = sa.func.array(emails.limit(MOST_ADMINS).correlate(webhooks)).label("addresses")
    return connection.execute(marked.values(notified_at=sa.func.now()).returning(webhooks, addresses)).all()


def notify_again(connection: sa.Connection, webhook_id: int) -> None:
    """Have a later round notify the admins: the mail server was not reached."""
    connection.execute(webhooks.update().where(webhooks.c.id == webhook_id).values(notified_at=None))


def forget(connection: sa.Connection, most: int) -> int:
    """Delete up to `most` messages that ended before the changes of numbers that are kept; return how many."""
    ended_at = webhook_messages.c.ended_at
    return expired_rows.remove(connection, webhook_messages, ended_at < _kept_since(), ended_at, most)


def forget_unsent(connection: sa.Connection, most: int) -> int:
    """Delete up to `most` messages of subscriptions that have been switched off for as long; return how many."""
    own = webhook_messages.c
    is_off = sa.exists().where(webhooks.c.id == own.webhook_id, ~webhooks.c.is_enabled)
    over = (own.state == MessageState.PENDING) & (own.next_attempt_at < _kept_since()) & is_off
    return expired_rows.remove(connection, webhook_messages, over, own.next_attempt_at, most)


def _kept_since() -> sa.ColumnElement[Any]:
    return in_seconds(-get_settings().keep_changes_days * DAY)
