"""The shared part of `callbacks` and `webhooks`: messages with their delivery attempts, and secrets."""

from __future__ import annotations

from webhook.cli.client import Json
from webhook.cli.exit_codes import Exit
from webhook.cli.fields import check_fields
from webhook.cli.resources import Listing, show_resource
from webhook.cli.session import Session
from webhook.cli.tables import table
from webhook.cli.terminal import note, print_line, safe, when

_HEADINGS = ("Tried at", "Try", "Result", "Status", "ms")


def show_message(session: Session, message: Json, listing: Listing) -> Exit:
    """Print a message and, for people, its delivery attempts."""
    show_resource(session, message, listing)
    if session.output.is_text and message.get("deliveries"):
        print_line("")
        table(_HEADINGS, map(_attempt, message["deliveries"]))
    return Exit.OK


def queue_message(session: Session, kind: str, thing_id: str, action: str, listing: Listing) -> Exit:
    """Have a message sent and print that it is queued. Fields that it does not have are refused before."""
    check_fields(session.output.fields, listing.model)
    message = session.api.act_on(kind, thing_id, action)
    if not session.output.is_text:
        return show_resource(session, message, listing)
    note(f"Queued to be sent: {safe(message.get('id'))}")
    return Exit.OK


def show_secret(session: Session, document: Json, listing: Listing, about: str = "") -> Exit:
    """Print a document with a secret. For people and scripts, only the secret to stdout, everything else to stderr.

    A caller that has a new secret made checks the fields before: it is shown only once.
    """
    if not session.output.is_text:
        return show_resource(session, document, listing)
    if document.get("previous_until"):
        note(f"The previous secret also signs until {when(document['previous_until'])}.")
    if about:
        note(about)
    print_line(safe(document.get("secret")))
    return Exit.OK


def _attempt(delivery: Json) -> tuple[object, ...]:
    figures = (delivery.get(name) for name in ("attempt", "result", "status", "duration_ms"))
    return (when(delivery.get("at")), *figures)
