"""`numberyard callbacks`: list, inspect and resend callbacks, and manage the secret that signs them."""

from __future__ import annotations

import click

from schemas.http.callbacks import CallbackState
from webhook.cli.client import Json
from webhook.cli.exit_codes import Exit
from webhook.cli.resources import list_resources, show_resource
from webhook.cli.session import Session, talks
from webhook.cli.tables import table
from webhook.cli.terminal import emit, note, print_line, safe, when

_HEADINGS = ("Callback", "Job", "State", "Tries", "Created", "Next try", "URL")
_TRY_HEADINGS = ("Tried at", "Try", "Result", "Status", "ms")


@click.group()
def callbacks() -> None:
    """List, inspect and resend callbacks of your own company's jobs; manage the secret."""


@callbacks.command("list")
@click.option(
    "--state", type=click.Choice([state.value for state in CallbackState]), help="Only callbacks in this state."
)
@click.option(
    "--limit", type=click.IntRange(min=1), default=200, show_default=True, help="Maximum number of callbacks to list."
)
@talks
def list_command(session: Session, *, state: str | None, limit: int) -> Exit:
    """List callbacks, newest first."""
    return list_resources(session, "callbacks", limit, _HEADINGS, _row, {"state": state}, ("Created", "URL", "Job"))


@callbacks.command()
@click.argument("callback_id", metavar="ID")
@talks
def show(session: Session, *, callback_id: str) -> Exit:
    """Show a callback and its delivery attempts, newest last."""
    callback = session.api.get("callbacks", callback_id)
    show_resource(session, callback, _HEADINGS, _row)
    if not session.as_json and callback.get("deliveries"):
        print_line("")
        table(_TRY_HEADINGS, map(_try, callback["deliveries"]))
    return Exit.OK


@callbacks.command()
@click.argument("callback_id", metavar="ID")
@talks
def replay(session: Session, *, callback_id: str) -> Exit:
    """Send a callback again, with the same ID. Its job must have ended."""
    callback = session.api.replay(callback_id)
    if session.as_json:
        emit(callback)
    else:
        note(f"Queued to be sent again: {safe(callback.get('id'))}")
    return Exit.OK


@callbacks.command()
@talks
def secret(session: Session) -> Exit:
    """Print the secret that signs your callbacks."""
    return _show_secret(session, session.api.get("callbacks", "secret"))


@callbacks.command()
@talks
def rotate(session: Session) -> Exit:
    """Replace the secret and print the new one. The old secret also signs for a limited time."""
    return _show_secret(session, session.api.create("callbacks/secret", {}))


def _show_secret(session: Session, document: Json) -> Exit:
    """Print only the secret to stdout, for scripts; everything else to stderr."""
    if session.as_json:
        emit(document)
        return Exit.OK
    if document.get("previous_until"):
        note(f"The previous secret also signs until {when(document['previous_until'])}.")
    print_line(safe(document.get("secret")))
    return Exit.OK


def _row(callback: Json) -> tuple[object, ...]:
    ids = (callback.get("id"), callback.get("job_id"), callback.get("state"), callback.get("attempts"))
    return (*ids, when(callback.get("created_at")), when(callback.get("next_attempt_at")), callback.get("url"))


def _try(delivery: Json) -> tuple[object, ...]:
    figures = (delivery.get(name) for name in ("attempt", "result", "status", "duration_ms"))
    return (when(delivery.get("at")), *figures)
