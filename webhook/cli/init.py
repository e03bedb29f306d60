"""`numberyard init`: the first way into a new database. Talks to the database itself, as only its operator can."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import sqlalchemy as sa
from pydantic import SecretStr

from schemas.names import tidy
from schemas.permissions import Tenant
from webhook.cli.exits import Exit
from webhook.cli.session import Failed
from webhook.cli.tokens import show_secret
from worker.infra import bootstrap, migrate, tokens
from worker.infra.bootstrap import RootExistsError
from worker.infra.children import ServerError
from worker.infra.db import make_engine, sqlalchemy_url
from worker.infra.embedded import EmbeddedPostgres
from worker.infra.external import check_postgres
from worker.infra.settings import Settings, get_settings
from worker.infra.tokens import Issued

_REFUSALS = {
    "NOT_MIGRATED": ("The database has no tables yet.", "Run `numberyard migrate` first."),
    "ALREADY_INITIALIZED": ("There is a Master Reseller already.", "A lost token is replaced with --new-token."),
    "NOT_INITIALIZED": ("There is no Master Reseller yet.", "Make it with --name."),
}


def _name(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    try:
        return None if value is None else tidy(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.command()
@click.option("--name", callback=_name, help="The Master Reseller's name.")
@click.option("--token-name", callback=_name, default="admin", show_default=True, help="What the token is called.")
@click.option("--new-token", is_flag=True, help="Another token for the Master Reseller that is there.")
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="The database of `numberyard up --data` in this folder, while that does not run.",
)
@click.option("--json", "as_json", is_flag=True, help="Write JSON to stdout.")
def init(*, name: str | None, token_name: str, new_token: bool, data: Path | None, as_json: bool) -> Exit:
    """Make the Master Reseller in NUMBERYARD_DATABASE_URL, and its first token.

    The token is written to stdout, this once. There is one Master Reseller: a second is refused.
    """
    if (name is None) != new_token:
        raise click.UsageError("Give either --name or --new-token.")
    with _database(data, as_json=as_json) as settings:
        engine = make_engine(settings)
        try:
            with engine.begin() as connection:
                owner, issued = _token(connection, name, token_name, as_json=as_json)
        finally:
            engine.dispose()
    return show_secret(_document(owner, token_name, issued), as_json=as_json)


def _token(connection: sa.Connection, name: str | None, token_name: str, *, as_json: bool) -> tuple[Tenant, Issued]:
    if not bootstrap.has_tables(connection):
        raise _refused("NOT_MIGRATED", as_json=as_json)
    if name is not None:
        try:
            return bootstrap.begin(connection, name, token_name)
        except RootExistsError as error:
            raise _refused("ALREADY_INITIALIZED", as_json=as_json) from error
    owner = bootstrap.root(connection)
    if owner is None:
        raise _refused("NOT_INITIALIZED", as_json=as_json)
    return owner, tokens.create(connection, owner.id, token_name)


@contextmanager
def _database(data: Path | None, *, as_json: bool) -> Iterator[Settings]:
    """Settings that lead to the database: the one in the environment, or the embedded one of a data folder."""
    settings = get_settings()
    try:
        if data is None:
            check_postgres(sqlalchemy_url(settings).render_as_string(hide_password=False))
            yield settings
            return
        with EmbeddedPostgres(data.absolute() / "postgres") as server:
            settings = settings.model_copy(update={"database_url": SecretStr(server.url)})
            migrate.upgrade(settings)
            yield settings
    except LookupError as error:
        raise click.UsageError(f"{error}; or name the folder of `numberyard up` with --data") from error
    except ServerError as error:
        raise Failed({"code": "UNREACHABLE", "detail": str(error)}, Exit.UNREACHABLE, as_json=as_json) from error


def _refused(code: str, *, as_json: bool) -> Failed:
    detail, fix = _REFUSALS[code]
    return Failed({"code": code, "detail": detail, "fix": fix}, Exit.REFUSED, as_json=as_json)


def _document(owner: Tenant, token_name: str, issued: Issued) -> dict[str, object]:
    """The token in the shape of `POST /v1/tokens`."""
    tenant = {"id": owner.public_id, "name": owner.name, "kind": owner.kind.value}
    return {"id": issued.public_id, "name": token_name, "tenant": tenant, "token": issued.secret}
