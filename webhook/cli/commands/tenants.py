"""`numberyard tenants`: your own tenant and those below it."""

from __future__ import annotations

import click

from webhook.cli.client import Json
from webhook.cli.completion import sms_carrier_names, tenant_names, voice_carrier_names
from webhook.cli.exit_codes import Exit
from webhook.cli.lookup import OWN, TenantNames, tenant_id, tenant_or_own
from webhook.cli.resources import (
    Listing,
    change_resource,
    create_resource,
    delete_resource,
    limit_option,
    list_resources,
    show_resource,
)
from webhook.cli.session import Session, talks

_HEADINGS = ("Tenant", "Name", "Kind", "Parent", "External", "Voice carrier", "SMS profile", "Billing")
_SPARE = ("Billing", "SMS profile", "Voice carrier", "External", "Parent")
_billing = click.option("--billing-reference", metavar="TEXT", help='What your billing calls it; "" for none.')
_external = click.option(
    "--external/--no-external", "allow_external_numbers", default=None, help="Allow External Numbers (enterprises)."
)


@click.group()
def tenants() -> None:
    """Manage resellers and enterprises: your own company and those below it."""


@tenants.command("list")
@limit_option("tenants")
@talks
def list_command(session: Session, *, limit: int) -> Exit:
    """List your own company and those below it."""
    return list_resources(session, listing_of_tenants(session), limit)


@tenants.command()
@click.argument("name")
@click.option("--kind", type=click.Choice(["reseller", "enterprise"]), required=True, help="Kind of tenant.")
@click.option(
    "--parent", metavar="NAME|ID", shell_complete=tenant_names, help="Tenant directly above it.  [default: your own]"
)
@_external
@_billing
@talks
def add(session: Session, *, parent: str | None, **fields: str | bool | None) -> Exit:
    """Add a reseller or an enterprise."""
    fields["parent_id"] = tenant_id(session, parent)
    body = {field: value for field, value in fields.items() if value is not None}
    return create_resource(session, listing_of_tenants(session), body)


@tenants.command()
@click.argument("tenant", default=OWN, metavar="[NAME|ID]", shell_complete=tenant_names)
@talks
def show(session: Session, *, tenant: str) -> Exit:
    """Show a tenant; without NAME or ID, your own."""
    return show_resource(
        session, session.api.get("tenants", tenant_or_own(session, tenant)), listing_of_tenants(session)
    )


@tenants.command("set")
@click.argument("tenant", metavar="NAME|ID", shell_complete=tenant_names)
@click.option("--name", help="A new name.")
@_external
@_billing
@click.option(
    "--voice-carrier",
    "default_voice_carrier",
    metavar="NAME",
    shell_complete=voice_carrier_names,
    help='Default voice carrier; "" for none.',
)
@click.option(
    "--sms-carrier-profile",
    "default_sms_carrier_profile",
    metavar="NAME",
    shell_complete=sms_carrier_names,
    help='Default SMS profile; "" for none.',
)
@talks
def set_command(session: Session, *, tenant: str, **fields: str | bool | None) -> Exit:
    """Change a tenant. Without a default carrier of its own, it inherits its parent's."""
    changes = {field: value for field, value in fields.items() if value is not None}
    if not changes:
        raise click.UsageError("Choose what to change: use at least one option.")
    body = {field: None if field.startswith("default_") and value == "" else value for field, value in changes.items()}
    return change_resource(session, listing_of_tenants(session), tenant_or_own(session, tenant), body)


@tenants.command()
@click.argument("tenant", metavar="NAME|ID", shell_complete=tenant_names)
@talks
def remove(session: Session, *, tenant: str) -> Exit:
    """Delete an empty tenant, with its tokens and admins."""
    return delete_resource(session, "tenants", tenant_or_own(session, tenant), "deleted")


def listing_of_tenants(session: Session) -> Listing:
    """Return how tenants are listed and shown, with the names of their parents."""
    names = TenantNames(session)
    return Listing(
        "tenants",
        "schemas.http.tenants:Tenant",
        _HEADINGS,
        lambda tenant: _row(tenant, names),
        _SPARE,
        "No tenants yet.",
    )


def _row(tenant: Json, names: TenantNames) -> tuple[object, ...]:
    parent = tenant.get("parent_id")
    return (
        tenant.get("id"),
        tenant.get("name"),
        tenant.get("kind"),
        parent and names(parent),
        "yes" if tenant.get("allow_external_numbers") else "no",
        _default(tenant, "default_voice_carrier"),
        _default(tenant, "default_sms_carrier_profile"),
        tenant.get("billing_reference"),
    )


def _default(tenant: Json, field: str) -> object:
    """Return the effective default, marked "(inherited)" if it is an ancestor's (R7)."""
    own, holds = tenant.get(field), tenant.get(f"effective_{field}")
    return own or (f"{holds} (inherited)" if holds else None)
