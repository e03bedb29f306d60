"""`numberyard carriers`: voice carriers, SMS carrier profiles and default carriers."""

from __future__ import annotations

import click

from webhook.cli.client import Json
from webhook.cli.commands.tenants import listing_of_tenants
from webhook.cli.completion import carrier_names, tenant_names
from webhook.cli.exit_codes import Exit
from webhook.cli.fields import check_fields
from webhook.cli.lookup import OWN, TenantNames, tenant_or_own
from webhook.cli.resources import Listing, create_resource, delete_resource, limit_option, list_resources, show_resource
from webhook.cli.session import Session, talks
from webhook.cli.terminal import note, safe

_service = click.option("--service", type=click.Choice(["voice", "sms"]), required=True, help="Service of the carrier.")
_FIELDS = {"voice": "default_voice_carrier", "sms": "default_sms_carrier_profile"}


@click.group()
def carriers() -> None:
    """Manage voice carriers and SMS carrier profiles."""


@carriers.command("list")
@limit_option("carriers")
@talks
def list_command(session: Session, *, limit: int) -> Exit:
    """List the carriers available to you, and those that tenants below you have added."""
    return list_resources(session, _listing(session), limit)


@carriers.command()
@click.argument("name")
@_service
@talks
def add(session: Session, **fields: str) -> Exit:
    """Add a carrier."""
    return create_resource(session, _listing(session), fields)


@carriers.command()
@click.argument("name", required=False, shell_complete=carrier_names)
@_service
@click.option(
    "--tenant",
    default=OWN,
    metavar="NAME|ID",
    shell_complete=tenant_names,
    help="Tenant to set the default for.  [default: your own]",
)
@click.option("--none", is_flag=True, help="Remove the tenant's own default; it then inherits its parent's.")
@talks
def set_default(session: Session, *, name: str | None, service: str, tenant: str, none: bool) -> Exit:
    """Set NAME as the default carrier of a tenant."""
    if (name is None) != none:
        raise click.UsageError("Use either NAME or --none.")
    listing = listing_of_tenants(session)
    check_fields(session.output.fields, listing.model)
    changed = session.api.change("tenants", tenant_or_own(session, tenant), {_FIELDS[service]: name})
    if not session.output.is_text:
        return show_resource(session, changed, listing)
    holds = changed.get(f"effective_{_FIELDS[service]}") or "none"
    note(f"Default {service} carrier of {safe(changed.get('name'))}: {safe(holds)}")
    return Exit.OK


@carriers.command()
@click.argument("carrier_id", metavar="ID")
@talks
def remove(session: Session, *, carrier_id: str) -> Exit:
    """Delete a carrier. No number and no default may use it."""
    return delete_resource(session, "carriers", carrier_id, "deleted")


def _listing(session: Session) -> Listing:
    names = TenantNames(session)

    def row(carrier: Json) -> tuple[object, ...]:
        default = "default" if carrier.get("is_default") else ""
        facts = (carrier.get("id"), carrier.get("name"), carrier.get("service"), default)
        return (*facts, names(carrier.get("tenant_id")))

    headings = ("Carrier", "Name", "Service", "Default", "Defined by")
    return Listing(
        "carriers", "schemas.http.tenants:Carrier", headings, row, spare=("Defined by",), empty="No carriers yet."
    )
