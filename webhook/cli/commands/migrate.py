"""`numberyard migrate`: updates the database tables. Like `init`, it uses the database instead of the API."""

from __future__ import annotations

import click

from webhook.cli.exit_codes import Exit, Failed
from webhook.cli.output import json_option
from webhook.cli.terminal import emit, note
from worker.config.settings import get_settings
from worker.database.engine import sqlalchemy_url
from worker.database.migrate import upgrade
from worker.runtime.external_servers import check_postgres
from worker.runtime.processes.child import ServerError


@click.command()
@json_option
def migrate(*, as_json: bool) -> Exit:
    """Update the tables of NUMBERYARD_DATABASE_URL to this version."""
    settings = get_settings()
    try:
        check_postgres(sqlalchemy_url(settings).render_as_string(hide_password=False))
    except LookupError as error:
        raise click.UsageError(str(error)) from error
    except ServerError as error:
        raise Failed({"code": "UNREACHABLE", "detail": str(error)}, Exit.UNREACHABLE) from error
    upgrade(settings)
    if as_json:
        emit({"migrated": True})
    else:
        note("The database is up to date.")
    return Exit.OK
