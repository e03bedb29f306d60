"""`numberyard migrate`: the one command here that talks to the database instead of the API."""

from __future__ import annotations

import click
from sqlalchemy.exc import OperationalError

from webhook.cli.console import emit, note
from webhook.cli.exits import Exit
from webhook.cli.session import Failed
from worker.infra.migrate import upgrade
from worker.infra.settings import get_settings


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Write JSON to stdout.")
def migrate(*, as_json: bool) -> Exit:
    """Bring the tables of NUMBERYARD_DATABASE_URL to this version."""
    try:
        upgrade(get_settings())
    except LookupError as error:
        raise click.UsageError(str(error)) from error
    except OperationalError as error:
        detail = str(error.orig).partition("\n")[0]
        raise Failed({"code": "UNREACHABLE", "detail": detail}, Exit.UNREACHABLE, as_json=as_json) from error
    if as_json:
        emit({"migrated": True})
    else:
        note("The database is at this version.")
    return Exit.OK
