"""`numberyard carriers`: voice carriers, SMS carrier profiles and default carriers."""

from __future__ import annotations

import click

from webhook.cli.client import Json
from webhook.cli.exit_codes import Exit
from webhook.cli.lookup import OWN, tenant_or_own
from webhook.cli.resources import delete_resource, list_resources, show_resource
from webhook.cli.session import Session, talks
from webhook.cli.terminal import emit, note, safe

_HEADINGS = ("Carrier", "Name", "Service", "Defined by", "Default")
_service = click.option("--service", type=click.Choice(["voice", "sms"]), required=True, help="Service of the carrier.")
_FIELDS = {"voice": "default_voice_carrier", "sms": "default_sms_carrier_profile"}


@click.group()
def carriers() -> None:
    """Manage voice carriers and SMS carrier profiles."""


@carriers.command("list")
@click.option(
    "--limit", type=click.IntRange(min=1), default=200, show_default=True, help="Maximum number of carriers to list."
)
@talks
def list_command(session: Session, *, limit: int) -> Exit:
    """List the carriers available to you, and those that tenants below you have added."""
    return list_resources(session, "carriers", limit, _HEADINGS, _row, spare=("Defined by",))


@carriers.command()
@click.argument("name")
@_service
@talks
def add(session: Session, **fields: str) -> Exit:
    """Add a carrier."""
    return show_resource(session, session.api.create("carriers", fields), _HEADINGS, _row)


@carriers.command()
@click.argument("name", required=False)
@_service
@click.option("--tenant", default=OWN, metavar="NAME|ID", help="Tenant to set the default for.  [default: your own]")
@click.option("--none", is_flag=True, help="Remove the tenant's own default; it then inherits its parent's.")
@talks
def set_default(session: Session, *, name: str | None, service: str, tenant: str, none: bool) -> Exit:
    """Set NAME as the default carrier of a tenant."""
    if (name is None) != none:
        raise click.UsageError("Use either NAME or --none.")
    changed = session.api.change("tenants", tenant_or_own(session, tenant), {_FIELDS[service]: name})
    if session.as_json:
        emit(changed)
    else:
        holds = changed.get(f"effective_{_FIELDS[service]}") or "none"
        note(f"Default {service} carrier of {safe(changed.get('name'))}: {safe(holds)}")
    return Exit.OK


@carriers.command()
@click.argument("carrier_id", metavar="ID")
@talks
def remove(session: Session, *, carrier_id: str) -> Exit:
    """Delete a carrier. No number and no default may use it."""
    return delete_resource(session, "carriers", carrier_id, "deleted")


def _row(carrier: Json) -> tuple[object, ...]:
    default = "default" if carrier.get("is_default") else ""
    return (carrier.get("id"), carrier.get("name"), carrier.get("service"), carrier.get("tenant_id"), default)
