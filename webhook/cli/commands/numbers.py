"""`numberyard numbers`: search the inventory, or show one number with its history."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click

from schemas.capabilities import CAPABILITY_NAMES
from webhook.cli.client import Json
from webhook.cli.exit_codes import Exit
from webhook.cli.lookup import tenant_id
from webhook.cli.number_filters import filter_options
from webhook.cli.resources import Listing, limit_option, list_resources, show_resource
from webhook.cli.session import Session, talks
from webhook.cli.terminal import print_line, safe, when

_E164 = re.compile(r"\+[1-9]\d{4,14}", re.ASCII)


@click.command()
@click.argument("query", required=False, metavar="[QUERY|E164]")
@filter_options
@limit_option("numbers", 50)
@talks
def numbers(session: Session, query: str | None, limit: int, *, tenant: str | None, **filters: str | None) -> Exit:
    """Search the inventory by the start of the number, or show one number (+12125550142) with its history."""
    filters["tenant_id"] = tenant_id(session, tenant)
    if query and _E164.fullmatch(query) and not any(filters.values()):
        return _show(session, session.api.number(query))
    return list_resources(session, _NUMBERS, limit, {"q": query, **filters})


def _show(session: Session, entry: Json) -> Exit:
    if not session.output.is_text:
        return show_resource(session, entry, _NUMBERS)
    for line in _lines(entry):
        print_line(line)
    return Exit.OK


def _lines(entry: Json) -> Iterator[str]:
    facts = (
        *zip(_NUMBERS.headings, _row(entry), strict=True),
        ("Uploaded by", _name(entry.get("uploaded_by"))),
        ("Voice user", _name(entry.get("voice_user"))),
        ("SMS user", _name(entry.get("sms_user"))),
    )
    yield from (f"{heading:<14}{safe(value)}" for heading, value in facts if value)
    history = entry.get("history") or []
    if history:
        yield "History"
    yield from ("  " + "  ".join(safe(value) for value in _event(event)) for event in history)


def _event(event: Json) -> Iterator[object]:
    yield from (when(value) if name == "at" else value for name, value in event.items() if value)


def _row(entry: Json) -> tuple[object, ...]:
    capabilities = " ".join(name for name in CAPABILITY_NAMES if entry.get(name))
    return (
        entry.get("e164"),
        entry.get("status"),
        _name(entry.get("tenant")),
        entry.get("country"),
        capabilities,
        entry.get("voice_carrier"),
        entry.get("sms_carrier_profile"),
    )


def _name(thing: object) -> object:
    """Return the name of a nested tenant or user, which is an object or already a name."""
    return thing.get("name") if isinstance(thing, dict) else thing


_NUMBERS = Listing(
    "numbers",
    "schemas.http.resources:Number",
    ("Number", "Status", "Tenant", "Country", "Capabilities", "Voice carrier", "SMS profile"),
    _row,
    spare=("SMS profile", "Voice carrier", "Country"),
    empty="No numbers match.",
)
