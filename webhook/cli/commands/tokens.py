"""`numberyard tokens`: who gets in. The secret of a new token is written to stdout once, and is nowhere else."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from webhook.cli.client import Json
from webhook.cli.console import emit, note, safe, say, when
from webhook.cli.exit_codes import Exit
from webhook.cli.lookup import tenant_id
from webhook.cli.resources import end_thing, list_things
from webhook.cli.session import Session, talks

_HEADINGS = ("Token", "Name", "Tenant", "Created", "Expires", "Revoked")


@click.group()
def tokens() -> None:
    """API tokens of your own account and those below it."""


@tokens.command("list")
@click.option("--limit", type=click.IntRange(min=1), default=200, show_default=True, help="Most tokens to list.")
@talks
def list_command(session: Session, *, limit: int) -> Exit:
    """List tokens, without their secrets."""
    return list_things(session, "tokens", limit, _HEADINGS, _row, spare=("Created", "Tenant"))


@tokens.command()
@click.argument("name")
@click.option("--tenant", metavar="NAME|ID", help="Whose.  [default: your own]")
@click.option("--expires", type=click.DateTime(), metavar="2030-12-31[T23:59:59]", help="Until when it is valid (UTC).")
@talks
def add(session: Session, *, name: str, tenant: str | None, expires: datetime | None) -> Exit:
    """Make a token and write its secret to stdout, this once."""
    expires_at = None if expires is None else expires.replace(tzinfo=UTC).isoformat()
    fields = {"name": name, "tenant_id": tenant_id(session, tenant), "expires_at": expires_at}
    return show_secret(session.api.create("tokens", fields), as_json=session.as_json)


@tokens.command()
@click.argument("token_id", metavar="ID")
@talks
def revoke(session: Session, *, token_id: str) -> Exit:
    """End a token: from now on nobody gets in with it."""
    return end_thing(session, "tokens", token_id, "revoked")


def show_secret(token: Json, *, as_json: bool) -> Exit:
    """A token just made: the secret alone on stdout, so that a script can take it; the rest on stderr."""
    if as_json:
        emit(token)
        return Exit.OK
    tenant = token.get("tenant") or {}
    note(f"Token “{safe(token.get('name'))}” of {safe(tenant.get('name'))}; keep it, it is shown only now:")
    say(safe(token.get("token")))
    return Exit.OK


def _row(token: Json) -> tuple[object, ...]:
    tenant = (token.get("tenant") or {}).get("name")
    times = (when(token.get(name)) for name in ("created_at", "expires_at", "revoked_at"))
    return (token.get("id"), token.get("name"), tenant, *times)
