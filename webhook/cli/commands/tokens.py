"""`numberyard tokens`: API tokens. The secret of a new token is printed once and stored nowhere."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from webhook.cli.client import Json
from webhook.cli.exit_codes import Exit
from webhook.cli.lookup import tenant_id
from webhook.cli.resources import delete_resource, list_resources
from webhook.cli.session import Session, talks
from webhook.cli.terminal import emit, note, print_line, safe, when

_HEADINGS = ("Token", "Name", "Tenant", "Created", "Expires", "Revoked")


@click.group()
def tokens() -> None:
    """Manage API tokens of your own company and those below it."""


@tokens.command("list")
@click.option(
    "--limit", type=click.IntRange(min=1), default=200, show_default=True, help="Maximum number of tokens to list."
)
@talks
def list_command(session: Session, *, limit: int) -> Exit:
    """List tokens, without their secrets."""
    return list_resources(session, "tokens", limit, _HEADINGS, _row, spare=("Created", "Tenant"))


@tokens.command()
@click.argument("name")
@click.option("--tenant", metavar="NAME|ID", help="Tenant the token belongs to.  [default: your own]")
@click.option("--expires", type=click.DateTime(), metavar="2030-12-31[T23:59:59]", help="Expiry of the token (UTC).")
@talks
def add(session: Session, *, name: str, tenant: str | None, expires: datetime | None) -> Exit:
    """Create a token and print its secret, only this once."""
    expires_at = None if expires is None else expires.replace(tzinfo=UTC).isoformat()
    fields = {"name": name, "tenant_id": tenant_id(session, tenant), "expires_at": expires_at}
    return show_secret(session.api.create("tokens", fields), as_json=session.as_json)


@tokens.command()
@click.argument("token_id", metavar="ID")
@talks
def revoke(session: Session, *, token_id: str) -> Exit:
    """Revoke a token; it stops working at once."""
    return delete_resource(session, "tokens", token_id, "revoked")


def show_secret(token: Json, *, as_json: bool) -> Exit:
    """Print a new token: only the secret to stdout, for scripts; everything else to stderr."""
    if as_json:
        emit(token)
        return Exit.OK
    tenant = token.get("tenant") or {}
    note(f"Token “{safe(token.get('name'))}” of {safe(tenant.get('name'))}. Save it now; it is not shown again:")
    print_line(safe(token.get("token")))
    return Exit.OK


def _row(token: Json) -> tuple[object, ...]:
    tenant = (token.get("tenant") or {}).get("name")
    times = (when(token.get(name)) for name in ("created_at", "expires_at", "revoked_at"))
    return (token.get("id"), token.get("name"), tenant, *times)
