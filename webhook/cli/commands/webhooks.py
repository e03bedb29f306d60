"""`numberyard webhooks`: subscriptions to events of jobs and numbers, and their messages."""

from __future__ import annotations

from dataclasses import replace

import click

from schemas.http.changes import ChangeType
from schemas.http.webhooks import AllEvents, JobEvent, MessageState
from webhook.cli.client import Json
from webhook.cli.deliveries import queue_message, show_message, show_secret
from webhook.cli.exit_codes import Exit
from webhook.cli.fields import check_fields
from webhook.cli.resources import Listing, change_resource, delete_resource, limit_option, list_resources, show_resource
from webhook.cli.session import Session, talks
from webhook.cli.terminal import safe, when

_EVENTS = [event.value for kind in (AllEvents, JobEvent, ChangeType) for event in kind]
_event = click.option("--event", "events", multiple=True, type=click.Choice(_EVENTS), help="An event; may be repeated.")


@click.group()
def webhooks() -> None:
    """Manage your company's subscriptions to events of jobs and numbers."""


@webhooks.command("list")
@limit_option("subscriptions")
@talks
def list_command(session: Session, *, limit: int) -> Exit:
    """List subscriptions, oldest first."""
    return list_resources(session, _SUBSCRIPTIONS, limit)


@webhooks.command()
@click.argument("receiver", metavar="URL")
@_event
@click.option("--description", default="", help="What it is for.")
@talks
def add(session: Session, *, receiver: str, events: tuple[str, ...], description: str) -> Exit:
    """Subscribe URL to events (all of them, unless --event is given) and print the secret, only this once."""
    check_fields(session.output.fields, _WITH_SECRET.model)
    wanted = list(events) or [event.value for event in AllEvents]
    return _show_secret(
        session, session.api.create("webhooks", {"url": receiver, "events": wanted, "description": description})
    )


@webhooks.command()
@click.argument("webhook_id", metavar="ID")
@talks
def show(session: Session, *, webhook_id: str) -> Exit:
    """Show a subscription."""
    return show_resource(session, session.api.get("webhooks", webhook_id), _SUBSCRIPTIONS)


@webhooks.command()
@click.argument("webhook_id", metavar="ID")
@click.option("--receiver", metavar="URL", help="The new URL of the receiver.")
@_event
@click.option("--description", help="What it is for.")
@click.option("--on/--off", "enabled", default=None, help="Switch it on or off.")
@talks
def update(
    session: Session, *, webhook_id: str, receiver: str | None, events: tuple[str, ...], **fields: str | bool | None
) -> Exit:
    """Change a subscription, or switch it on or off."""
    changed = {"url": receiver, "events": list(events) or None, **fields}
    body = {name: value for name, value in changed.items() if value is not None}
    if not body:
        raise click.UsageError("Say what to change.")
    return change_resource(session, _SUBSCRIPTIONS, webhook_id, body)


@webhooks.command()
@click.argument("webhook_id", metavar="ID")
@talks
def delete(session: Session, *, webhook_id: str) -> Exit:
    """Delete a subscription with its messages."""
    return delete_resource(session, "webhooks", webhook_id, "deleted")


@webhooks.command()
@click.argument("webhook_id", metavar="ID")
@talks
def test(session: Session, *, webhook_id: str) -> Exit:
    """Send a test message."""
    return queue_message(session, "webhooks", webhook_id, "test", _queued("webhooks"))


@webhooks.command()
@click.argument("webhook_id", metavar="ID")
@talks
def rotate(session: Session, *, webhook_id: str) -> Exit:
    """Replace the secret and print the new one. The old secret also signs for a limited time."""
    check_fields(session.output.fields, _WITH_SECRET.model)
    return _show_secret(session, session.api.act_on("webhooks", webhook_id, "secret"))


@webhooks.command()
@click.argument("webhook_id", metavar="ID")
@click.argument("message_id", metavar="[MESSAGE]", required=False)
@click.option(
    "--state", type=click.Choice([state.value for state in MessageState]), help="Only messages in this state."
)
@limit_option("messages")
@talks
def messages(session: Session, *, webhook_id: str, message_id: str | None, state: str | None, limit: int) -> Exit:
    """List the messages of a subscription, newest first; or show one with its delivery attempts."""
    path = session.api.path("webhooks", webhook_id, "messages")
    if message_id is None:
        return list_resources(session, _messages(path), limit, {"state": state})
    return show_message(session, session.api.get(path, message_id), _messages(path))


@webhooks.command()
@click.argument("webhook_id", metavar="ID")
@click.argument("message_id", metavar="MESSAGE")
@talks
def replay(session: Session, *, webhook_id: str, message_id: str) -> Exit:
    """Send a message again, with the same ID."""
    path = session.api.path("webhooks", webhook_id, "messages")
    return queue_message(session, path, message_id, "replay", _queued(path))


def _show_secret(session: Session, subscription: Json) -> Exit:
    about = f"Subscription {safe(subscription.get('id'))}. Save its secret now; it is not shown again:"
    return show_secret(session, subscription, _WITH_SECRET, about)


def _row(subscription: Json) -> tuple[object, ...]:
    state = "on" if subscription.get("enabled") else "switched off" if subscription.get("disabled_at") else "off"
    failing = when(subscription.get("failing_since"))
    events = " ".join(subscription.get("events") or [])
    return (subscription.get("id"), state, subscription.get("url"), events, failing, subscription.get("description"))


def _message(message: Json) -> tuple[object, ...]:
    facts = (message.get(name) for name in ("id", "type", "state", "attempts"))
    return (*facts, when(message.get("created_at")), when(message.get("next_attempt_at")))


_SUBSCRIPTIONS = Listing(
    "webhooks",
    "schemas.http.webhooks:Webhook",
    ("Subscription", "State", "URL", "Events", "Failing since", "Description"),
    _row,
    spare=("Description", "Failing since", "Events"),
    empty="No webhooks yet.",
)
_WITH_SECRET = replace(
    _SUBSCRIPTIONS,
    model="schemas.http.webhooks:WebhookWithSecret",
    headings=(*_SUBSCRIPTIONS.headings, "Secret", "Previous until"),
    row=lambda shown: (*_row(shown), shown.get("secret"), when(shown.get("previous_until"))),
)


def _messages(path: str) -> Listing:
    headings = ("Message", "Type", "State", "Tries", "Created", "Next try")
    return Listing(
        path,
        "schemas.http.webhooks:WebhookMessageWithDeliveries",
        headings,
        _message,
        ("Next try", "Created"),
        "No messages yet.",
        "newest",
    )


def _queued(path: str) -> Listing:
    return replace(_messages(path), model="schemas.http.webhooks:WebhookMessage")
