"""`numberyard init`: the first account of a new database. Connects to the database itself, as only its operator can."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import sqlalchemy as sa
from pydantic import SecretStr

from schemas.http.users import email_of
from schemas.name_matching import collapse_spaces
from schemas.permissions import Tenant
from webhook.cli.commands.tokens import show_secret
from webhook.cli.exit_codes import Exit, Failed
from webhook.cli.output import json_option
from webhook.cli.terminal import emit, note, safe
from worker.accounts import admins, first_account, passwords, tokens
from worker.accounts.first_account import RootExistsError
from worker.accounts.tokens import Issued
from worker.config.settings import Settings, get_settings
from worker.database import migrate
from worker.database.engine import make_engine
from worker.runtime.embedded import EmbeddedPostgres
from worker.runtime.external_servers import check_database
from worker.runtime.processes.child import ServerError

_REFUSALS = {
    "NOT_MIGRATED": ("The database has no tables yet.", "Run `numberyard migrate` first."),
    "ALREADY_INITIALIZED": ("There is already a Master Reseller.", "To replace a lost token, use --new-token."),
    "NOT_INITIALIZED": ("There is no Master Reseller yet.", "Create it with --name."),
    "EMAIL_TAKEN": ("The e-mail address belongs to an account of another tenant.", "Use another address."),
}


def _name(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    try:
        return None if value is None else collapse_spaces(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def _email(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    try:
        return None if value is None else admins.folded(email_of(value))
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.command()
@click.option("--name", callback=_name, help="Name of the Master Reseller.")
@click.option("--token-name", callback=_name, default="admin", show_default=True, help="Name of the token.")
@click.option("--new-token", is_flag=True, help="Create another token for the existing Master Reseller.")
@click.option(
    "--email",
    callback=_email,
    help="E-mail address of its portal account. Without --name: add an account or reset its password.",
)
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Use the database of `numberyard up --data` in this folder, while it is not running.",
)
@json_option
def init(  # noqa: PLR0913 - the options
    *, name: str | None, token_name: str, new_token: bool, email: str | None, data: Path | None, as_json: bool
) -> Exit:
    """Create the Master Reseller in NUMBERYARD_DATABASE_URL, its first token and, with --email, its first account.

    Prints the token to stdout and the account's password to stderr, only this once. The password must be changed at
    the first sign-in. There can be only one Master Reseller.
    """
    if (name is not None and new_token) or (name is None and not new_token and email is None):
        raise click.UsageError("Use --name, or --new-token, or --email alone.")
    account = None if email is None else {"email": email, "password": passwords.made_up()}
    document: dict[str, object] = {}
    with _database(data) as settings:
        engine = make_engine(settings)
        try:
            with engine.begin() as connection:
                if name is not None or new_token:
                    owner, issued = _token(connection, name, token_name)
                    document = _document(owner, token_name, issued)
                if account is not None:
                    _let_in(connection, account)
        finally:
            engine.dispose()
    return _show(document, account, as_json=as_json)


def _let_in(connection: sa.Connection, account: dict[str, str]) -> None:
    """Create an account of the Master Reseller, or set a new password for an existing one."""
    if not first_account.has_tables(connection):
        raise _refused("NOT_MIGRATED")
    if not first_account.create_admin(connection, account["email"], account["password"]):
        raise _refused("NOT_INITIALIZED" if first_account.root(connection) is None else "EMAIL_TAKEN")


def _show(document: dict[str, object], account: dict[str, str] | None, *, as_json: bool) -> Exit:
    if as_json:
        emit(document if account is None else document | {"account": account})
        return Exit.OK
    if account is not None:
        hours = f"{get_settings().one_time_password_hours:g}"
        note(f"Sign in to the portal as {safe(account['email'])} within {hours} hours and choose a new password.")
        note("The temporary password, shown only now:")
        click.echo(f"  {account['password']}", err=True)  # also with --quiet: it cannot be shown again
    return show_secret(document) if document else Exit.OK


def _token(connection: sa.Connection, name: str | None, token_name: str) -> tuple[Tenant, Issued]:
    if not first_account.has_tables(connection):
        raise _refused("NOT_MIGRATED")
    if name is not None:
        try:
            return first_account.create_master_reseller(connection, name, token_name)
        except RootExistsError as error:
            raise _refused("ALREADY_INITIALIZED") from error
    owner = first_account.root(connection)
    if owner is None:
        raise _refused("NOT_INITIALIZED")
    return owner, tokens.create(connection, owner.id, token_name)


@contextmanager
def _database(data: Path | None) -> Iterator[Settings]:
    """Yield settings for the database: the one in the environment, or the embedded one of a data folder."""
    settings = get_settings()
    try:
        if data is None:
            check_database(settings)
            yield settings
            return
        with EmbeddedPostgres(data.absolute() / "postgres") as server:
            settings = settings.model_copy(update={"database_url": SecretStr(server.url)})
            migrate.upgrade(settings, force=True)  # nothing else uses an embedded database
            yield settings
    except LookupError as error:
        raise click.UsageError(f"{error}; or use --data with the folder of `numberyard up`") from error
    except ServerError as error:
        raise Failed({"code": "UNREACHABLE", "detail": str(error)}, Exit.UNREACHABLE) from error


def _refused(code: str) -> Failed:
    detail, fix = _REFUSALS[code]
    return Failed({"code": code, "detail": detail, "fix": fix}, Exit.REFUSED)


def _document(owner: Tenant, token_name: str, issued: Issued) -> dict[str, object]:
    """Return the token in the format of `POST /v1/tokens`."""
    tenant = {"id": owner.public_id, "name": owner.name, "kind": owner.kind.value}
    return {"id": issued.public_id, "name": token_name, "tenant": tenant, "token": issued.secret}
