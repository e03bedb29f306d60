"""`numberyard users`: the PBX and trunk users of enterprises, and their numbers (R2)."""

from __future__ import annotations

import click

from webhook.cli.client import Json
from webhook.cli.completion import tenant_names, user_names
from webhook.cli.exit_codes import Exit
from webhook.cli.lookup import tenant_id, user_id
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

_whom = click.argument("user", metavar="EMAIL|NAME|ID", shell_complete=user_names)


@click.group()
def users() -> None:
    """Manage users of your own enterprise, or of enterprises below you."""


@users.command("list")
@limit_option("users")
@talks
def list_command(session: Session, *, limit: int) -> Exit:
    """List users."""
    return list_resources(session, _USERS, limit)


@users.command()
@click.argument("name")
@click.option("--email", required=True, help="E-mail address of the user.")
@click.option("--kind", type=click.Choice(["pbx", "trunk"]), required=True, help="Kind of user.")
@click.option(
    "--enterprise",
    metavar="NAME|ID",
    shell_complete=tenant_names,
    help="Enterprise of the user.  [default: your own]",
)
@click.option("--phone-number", metavar="NUMBER", help="Number of a PBX user, such as +12125550142.")
@click.option("--default-did", metavar="NUMBER", help="Default DID of a trunk user.")
@click.option(
    "--forwarded-did",
    "forwarded_dids",
    metavar="NUMBER",
    multiple=True,
    help="Forwarded DID of a trunk user; can be repeated.",
)
@click.option("--sms", "sms_enabled", is_flag=True, help="Enable SMS Service.")
@click.option("--sms-did", "sms_dids", metavar="NUMBER", multiple=True, help="SMS DID; needs --sms; can be repeated.")
@talks
def add(session: Session, *, enterprise: str | None, **fields: str | bool | tuple[str, ...] | None) -> Exit:
    """Add a user and assign its first numbers."""
    fields["tenant_id"] = tenant_id(session, enterprise)
    body = {field: list(value) if isinstance(value, tuple) else value for field, value in fields.items() if value}
    return create_resource(session, _USERS, body)


@users.command()
@_whom
@talks
def show(session: Session, *, user: str) -> Exit:
    """Show a user and its numbers."""
    return show_resource(session, session.api.get("users", _id(session, user)), _USERS)


@users.command("set")
@_whom
@click.option("--name", help="A new name.")
@click.option("--email", help="A new e-mail address.")
@click.option("--sms/--no-sms", "sms_enabled", default=None, help="Enable or disable SMS Service.")
@click.option(
    "--extension", metavar="+CC<extension>", help='Only for users that have an extension; "" removes it permanently.'
)
@talks
def set_command(session: Session, *, user: str, **fields: str | bool | None) -> Exit:
    """Change a user. To change its numbers, use `assign` and `unassign`."""
    changes = {field: value for field, value in fields.items() if value is not None}
    if not changes:
        raise click.UsageError("Choose what to change: use at least one option.")
    body = {field: None if field == "extension" and value == "" else value for field, value in changes.items()}
    return change_resource(session, _USERS, _id(session, user), body)


@users.command()
@_whom
@talks
def remove(session: Session, *, user: str) -> Exit:
    """Delete a user that has no numbers."""
    return delete_resource(session, "users", _id(session, user), "deleted")


def _id(session: Session, user: str) -> str:
    return str(user_id(session, user))


def _row(user: Json) -> tuple[object, ...]:
    return (
        user.get("id"),
        user.get("name"),
        user.get("phone_number") or user.get("default_did"),
        (user.get("tenant") or {}).get("name"),
        user.get("kind"),
        user.get("email"),
        _listed(user.get("forwarded_dids")),
        _listed(user.get("sms_dids")) if user.get("sms_enabled") else "off",
        user.get("extension"),
    )


def _listed(numbers: list[str] | None) -> str:
    """Return the first few numbers, and how many more there are."""
    shown = numbers or []
    return ", ".join(shown[:3]) + (f" and {len(shown) - 3} more" if len(shown) > 3 else "")  # noqa: PLR2004


_USERS = Listing(
    "users",
    "schemas.http.users:User",
    ("User", "Name", "Number", "Enterprise", "Kind", "E-mail", "Forwarded", "SMS", "Extension"),
    _row,
    spare=("Extension", "SMS", "Forwarded", "E-mail", "Kind"),
    empty="No users yet.",
)
