"""`numberyard tokens`: API tokens. The secret of a new token is printed once and stored nowhere."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import click

from schemas.roles import Role, Scope
from webhook.cli.client import Json
from webhook.cli.completion import tenant_names
from webhook.cli.exit_codes import Exit
from webhook.cli.fields import check_fields
from webhook.cli.lookup import tenant_id
from webhook.cli.resources import Listing, delete_resource, limit_option, list_resources, show_resource
from webhook.cli.session import Session, talks
from webhook.cli.terminal import note, print_line, safe, when

_TIMES = ("created_at", "expires_at", "last_used_at", "revoked_at")


@click.group()
def tokens() -> None:
    """Manage API tokens of your own company and those below it."""


@tokens.command("list")
@limit_option("tokens")
@talks
def list_command(session: Session, *, limit: int) -> Exit:
    """List tokens, without their secrets."""
    return list_resources(session, _TOKENS, limit)


@tokens.command()
@click.argument("name")
@click.option(
    "--tenant", metavar="NAME|ID", shell_complete=tenant_names, help="Tenant the token belongs to.  [default: your own]"
)
@click.option("--expires", type=click.DateTime(), metavar="2030-12-31[T23:59:59]", help="Expiry of the token (UTC).")
@click.option("--role", type=click.Choice([role.value for role in Role]), help="Role it acts with.  [default: yours]")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice([scope.value for scope in Scope]),
    metavar="SCOPE",
    help="Part of the API it may use, such as numbers:read; can be repeated.  [default: all of yours]",
)
@click.option(
    "--network",
    "networks",
    multiple=True,
    metavar="CIDR",
    help="Network it works from, such as 198.51.100.0/24; can be repeated.  [default: any]",
)
@talks
def add(  # noqa: PLR0913 - the options
    session: Session,
    *,
    name: str,
    tenant: str | None,
    expires: datetime | None,
    role: str | None,
    scopes: tuple[str, ...],
    networks: tuple[str, ...],
) -> Exit:
    """Create a token and print its secret, only this once.

    It never exceeds the token that creates it, and is revoked with it.
    """
    expires_at = None if expires is None else expires.replace(tzinfo=UTC).isoformat()
    limits = {"role": role, "scopes": list(scopes), "networks": list(networks)}
    fields: Json = {"name": name, "tenant_id": tenant_id(session, tenant), "expires_at": expires_at}
    fields |= {limit: value for limit, value in limits.items() if value}
    check_fields(session.output.fields, _ISSUED.model)
    token = session.api.create("tokens", fields)
    return show_secret(token) if session.output.is_text else show_resource(session, token, _ISSUED)


@tokens.command()
@click.argument("token_id", metavar="ID")
@talks
def revoke(session: Session, *, token_id: str) -> Exit:
    """Revoke a token, and those created with it; they stop working at once."""
    return delete_resource(session, "tokens", token_id, "revoked")


def show_secret(token: Json) -> Exit:
    """Print a new token as text: only the secret to stdout, for scripts; everything else to stderr."""
    tenant = token.get("tenant") or {}
    note(f"Token “{safe(token.get('name'))}” of {safe(tenant.get('name'))}. Save it now; it is not shown again:")
    print_line(safe(token.get("token")))
    return Exit.OK


def _row(token: Json) -> tuple[object, ...]:
    tenant = (token.get("tenant") or {}).get("name")
    times = (when(token.get(name)) for name in _TIMES)
    scopes, networks = token.get("scopes") or (), token.get("networks") or ()
    scopes_text = "all" if set(scopes) == set(Scope) else " ".join(map(str, scopes))
    facts = (token.get("id"), token.get("name"), token.get("role"), tenant, *times)
    return (*facts, token.get("created_by"), scopes_text, " ".join(map(str, networks)))


_TOKENS = Listing(
    "tokens",
    "schemas.http.tenants:Token",
    (
        "Token",
        "Name",
        "Role",
        "Tenant",
        "Created",
        "Expires",
        "Last used",
        "Revoked",
        "By",
        "Scopes",
        "Networks",
    ),
    _row,
    spare=("Networks", "By", "Scopes", "Created", "Last used", "Expires", "Tenant", "Revoked"),
    empty="No tokens yet.",
)
_ISSUED = replace(
    _TOKENS,
    model="schemas.http.tenants:IssuedToken",
    headings=(*_TOKENS.headings, "Secret"),
    row=lambda token: (*_row(token), token.get("token")),
)
