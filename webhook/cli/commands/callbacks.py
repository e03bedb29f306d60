"""`numberyard callbacks`: list, inspect and resend callbacks, and manage the secret that signs them."""

from __future__ import annotations

from dataclasses import replace

import click

from schemas.http.callbacks import CallbackState
from webhook.cli.client import Json
from webhook.cli.deliveries import queue_message, show_message, show_secret
from webhook.cli.exit_codes import Exit
from webhook.cli.fields import check_fields
from webhook.cli.resources import Listing, limit_option, list_resources
from webhook.cli.session import Session, talks
from webhook.cli.terminal import when


@click.group()
def callbacks() -> None:
    """List, inspect and resend callbacks of your own company's jobs; manage the secret."""


@callbacks.command("list")
@click.option(
    "--state", type=click.Choice([state.value for state in CallbackState]), help="Only callbacks in this state."
)
@limit_option("callbacks")
@talks
def list_command(session: Session, *, state: str | None, limit: int) -> Exit:
    """List callbacks, newest first."""
    return list_resources(session, _CALLBACKS, limit, {"state": state})


@callbacks.command()
@click.argument("callback_id", metavar="ID")
@talks
def show(session: Session, *, callback_id: str) -> Exit:
    """Show a callback and its delivery attempts, newest last."""
    return show_message(session, session.api.get("callbacks", callback_id), _CALLBACKS)


@callbacks.command()
@click.argument("callback_id", metavar="ID")
@talks
def replay(session: Session, *, callback_id: str) -> Exit:
    """Send a callback again, with the same ID. Its job must have ended."""
    return queue_message(session, "callbacks", callback_id, "replay", _QUEUED)


@callbacks.command()
@talks
def secret(session: Session) -> Exit:
    """Print the secret that signs your callbacks."""
    return show_secret(session, session.api.get("callbacks", "secret"), _SECRET)


@callbacks.command()
@talks
def rotate(session: Session) -> Exit:
    """Replace the secret and print the new one. The old secret also signs for a limited time."""
    check_fields(session.output.fields, _SECRET.model)
    return show_secret(session, session.api.create("callbacks/secret", {}), _SECRET)


def _row(callback: Json) -> tuple[object, ...]:
    ids = (callback.get("id"), callback.get("state"), callback.get("attempts"), callback.get("job_id"))
    return (*ids, when(callback.get("created_at")), when(callback.get("next_attempt_at")), callback.get("url"))


_CALLBACKS = Listing(
    "callbacks",
    "schemas.http.callbacks:CallbackWithDeliveries",
    ("Callback", "State", "Tries", "Job", "Created", "Next try", "URL"),
    _row,
    spare=("Next try", "Created", "URL", "Job"),
    empty="No callbacks yet.",
    order="newest",
)
_QUEUED = replace(_CALLBACKS, model="schemas.http.callbacks:Callback")
_SECRET = Listing(
    "callbacks/secret",
    "schemas.http.callbacks:CallbackSecret",
    ("Secret", "Created", "Previous until"),
    lambda secret: (secret.get("secret"), when(secret.get("created_at")), when(secret.get("previous_until"))),
)
