"""`numberyard webhooks`: subscriptions to events of jobs and numbers, and their messages."""

from __future__ import annotations

import click

from schemas.http.changes import ChangeType
from schemas.http.webhooks import AllEvents, JobEvent, MessageState
from webhook.cli.client import Json
from webhook.cli.exit_codes import Exit
from webhook.cli.resources import delete_resource, list_resources, show_resource
from webhook.cli.session import Session, talks
from webhook.cli.tables import table
from webhook.cli.terminal import emit, note, print_line, safe, when

_HEADINGS = ("Subscription", "Events", "State", "Failing since", "Description", "URL")
_MESSAGE_HEADINGS = ("Message", "Type", "State", "Tries", "Created", "Next try")
_TRY_HEADINGS = ("Tried at", "Try", "Result", "Status", "ms")
_EVENTS = [event.value for kind in (AllEvents, JobEvent, ChangeType) for event in kind]
_event = click.option("--event", "events", multiple=True, type=click.Choice(_EVENTS), help="An event; may be repeated.")


@click.group()
def webhooks() -> None:
    """Manage your company's subscriptions to events of jobs and numbers."""


@webhooks.command("list")
@click.option(
    "--limit", type=click.IntRange(min=1), default=200, show_default=True, help="Maximum number of subscriptions."
)
@talks
def list_command(session: Session, *, limit: int) -> Exit:
    """List subscriptions, oldest first."""
    return list_resources(session, "webhooks", limit, _HEADINGS, _row, spare=("Description", "Failing since", "Events"))


@webhooks.command()
@click.argument("receiver", metavar="URL")
@_event
@click.option("--description", default="", help="What it is for.")
@talks
def add(session: Session, *, receiver: str, events: tuple[str, ...], description: str) -> Exit:
    """Subscribe URL to events (all of them, unless --event is given) and print the secret, only this once."""
    wanted = list(events) or [event.value for event in AllEvents]
    return _show_secret(
        session, session.api.create("webhooks", {"url": receiver, "events": wanted, "description": description})
    )


@webhooks.command()
@click.argument("webhook_id", metavar="ID")
@talks
def show(session: Session, *, webhook_id: str) -> Exit:
    """Show a subscription."""
    return show_resource(session, session.api.get("webhooks", webhook_id), _HEADINGS, _row)


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
    return show_resource(session, session.api.change("webhooks", webhook_id, body), _HEADINGS, _row)


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
    return _queued(session, session.api.act_on("webhooks", webhook_id, "test"))


@webhooks.command()
@click.argument("webhook_id", metavar="ID")
@talks
def rotate(session: Session, *, webhook_id: str) -> Exit:
    """Replace the secret and print the new one. The old secret also signs for a limited time."""
    return _show_secret(session, session.api.act_on("webhooks", webhook_id, "secret"))


@webhooks.command()
@click.argument("webhook_id", metavar="ID")
@click.argument("message_id", metavar="[MESSAGE]", required=False)
@click.option(
    "--state", type=click.Choice([state.value for state in MessageState]), help="Only messages in this state."
)
@click.option(
    "--limit", type=click.IntRange(min=1), default=200, show_default=True, help="Maximum number of messages to list."
)
@talks
def messages(session: Session, *, webhook_id: str, message_id: str | None, state: str | None, limit: int) -> Exit:
    """List the messages of a subscription, newest first; or show one with its delivery attempts."""
    path = session.api.path("webhooks", webhook_id, "messages")
    if message_id is None:
        spare = ("Created", "Next try")
        return list_resources(session, path, limit, _MESSAGE_HEADINGS, _message, {"state": state}, spare, "messages")
    message = session.api.get(path, message_id)
    show_resource(session, message, _MESSAGE_HEADINGS, _message)
    if not session.as_json and message.get("deliveries"):
        print_line("")
        table(_TRY_HEADINGS, map(_try, message["deliveries"]))
    return Exit.OK


@webhooks.command()
@click.argument("webhook_id", metavar="ID")
@click.argument("message_id", metavar="MESSAGE")
@talks
def replay(session: Session, *, webhook_id: str, message_id: str) -> Exit:
    """Send a message again, with the same ID."""
    path = session.api.path("webhooks", webhook_id, "messages")
    return _queued(session, session.api.act_on(path, message_id, "replay"))


def _queued(session: Session, message: Json) -> Exit:
    if session.as_json:
        emit(message)
    else:
        note(f"Queued to be sent: {safe(message.get('id'))}")
    return Exit.OK


def _show_secret(session: Session, subscription: Json) -> Exit:
    """Print only the secret to stdout, for scripts; everything else to stderr."""
    if session.as_json:
        emit(subscription)
        return Exit.OK
    if subscription.get("previous_until"):
        note(f"The previous secret also signs until {when(subscription['previous_until'])}.")
    note(f"Subscription {safe(subscription.get('id'))}. Save its secret now; it is not shown again:")
    print_line(safe(subscription.get("secret")))
    return Exit.OK


def _row(subscription: Json) -> tuple[object, ...]:
    state = "on" if subscription.get("enabled") else "switched off" if subscription.get("disabled_at") else "off"
    failing = when(subscription.get("failing_since"))
    events = " ".join(subscription.get("events") or [])
    return (subscription.get("id"), events, state, failing, subscription.get("description"), subscription.get("url"))


def _message(message: Json) -> tuple[object, ...]:
    facts = (message.get(name) for name in ("id", "type", "state", "attempts"))
    return (*facts, when(message.get("created_at")), when(message.get("next_attempt_at")))


def _try(delivery: Json) -> tuple[object, ...]:
    figures = (delivery.get(name) for name in ("attempt", "result", "status", "duration_ms"))
    return (when(delivery.get("at")), *figures)
