"""`numberyard tenants`: your own tenant and those below it."""

from __future__ import annotations

import click

from webhook.cli.client import Json
from webhook.cli.exit_codes import Exit
from webhook.cli.lookup import OWN, tenant_id, tenant_or_own
from webhook.cli.resources import delete_resource, list_resources, show_resource
from webhook.cli.session import Session, talks

_HEADINGS = ("Tenant", "Name", "Kind", "Parent", "External", "Voice carrier", "SMS profile", "Billing")
_billing = click.option("--billing-reference", metavar="TEXT", help='What your billing calls it; "" for none.')
_external = click.option(
    "--external/--no-external", "allow_external_numbers", default=None, help="Allow External Numbers (enterprises)."
)


@click.group()
def tenants() -> None:
    """Manage resellers and enterprises: your own company and those below it."""


@tenants.command("list")
@click.option(
    "--limit", type=click.IntRange(min=1), default=200, show_default=True, help="Maximum number of tenants to list."
)
@talks
def list_command(session: Session, *, limit: int) -> Exit:
    """List your own company and those below it."""
    return list_resources(
        session, "tenants", limit, _HEADINGS, _row, spare=("Billing", "Parent", "SMS profile", "Voice carrier")
    )


@tenants.command()
@click.argument("name")
@click.option("--kind", type=click.Choice(["reseller", "enterprise"]), required=True, help="Kind of tenant.")
@click.option("--parent", metavar="NAME|ID", help="Tenant directly above it.  [default: your own]")
@_external
@_billing
@talks
def add(session: Session, *, parent: str | None, **fields: str | bool | None) -> Exit:
    """Add a reseller or an enterprise."""
    fields["parent_id"] = tenant_id(session, parent)
    body = {field: value for field, value in fields.items() if value is not None}
    return show_resource(session, session.api.create("tenants", body), _HEADINGS, _row)


@tenants.command()
@click.argument("tenant", default=OWN, metavar="[NAME|ID]")
@talks
def show(session: Session, *, tenant: str) -> Exit:
    """Show a tenant; without NAME or ID, your own."""
    return show_resource(session, session.api.get("tenants", tenant_or_own(session, tenant)), _HEADINGS, _row)


@tenants.command("set")
@click.argument("tenant", metavar="NAME|ID")
@click.option("--name", help="A new name.")
@_external
@_billing
@click.option("--voice-carrier", "default_voice_carrier", metavar="NAME", help='Default voice carrier; "" for none.')
@click.option(
    "--sms-carrier-profile", "default_sms_carrier_profile", metavar="NAME", help='Default SMS profile; "" for none.'
)
@talks
def set_command(session: Session, *, tenant: str, **fields: str | bool | None) -> Exit:
    """Change a tenant. Without a default carrier of its own, it inherits its parent's."""
    changes = {field: value for field, value in fields.items() if value is not None}
    if not changes:
        raise click.UsageError("Choose what to change: use at least one option.")
    body = {field: None if field.startswith("default_") and value == "" else value for field, value in changes.items()}
    return show_resource(session, session.api.change("tenants", tenant_or_own(session, tenant), body), _HEADINGS, _row)


@tenants.command()
@click.argument("tenant", metavar="NAME|ID")
@talks
def remove(session: Session, *, tenant: str) -> Exit:
    """Delete an empty tenant, with its tokens and admins."""
    return delete_resource(session, "tenants", tenant_or_own(session, tenant), "deleted")


def _row(tenant: Json) -> tuple[object, ...]:
    return (
        tenant.get("id"),
        tenant.get("name"),
        tenant.get("kind"),
        tenant.get("parent_id"),
        "yes" if tenant.get("allow_external_numbers") else "no",
        _default(tenant, "default_voice_carrier"),
        _default(tenant, "default_sms_carrier_profile"),
        tenant.get("billing_reference"),
    )


def _default(tenant: Json, field: str) -> object:
    """Return the effective default, marked "(inherited)" if it is an ancestor's (R7)."""
    own, holds = tenant.get(field), tenant.get(f"effective_{field}")
    return own or (f"{holds} (inherited)" if holds else None)
