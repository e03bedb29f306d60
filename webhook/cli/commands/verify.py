"""`numberyard verify`: compares jobs, files and inventory. Uses database and storage directly, like `migrate`."""

from __future__ import annotations

import click
from sqlalchemy.exc import OperationalError

from webhook.cli.commands.doctor import conclude
from webhook.cli.exit_codes import Exit, Failed
from webhook.cli.output import json_option
from worker.config.errors import reason_of
from worker.config.settings import get_settings
from worker.database.engine import make_engine
from worker.doctor import verification
from worker.runtime.external_servers import check_database
from worker.runtime.processes.child import ServerError


@click.command()
@click.option("--repair", "repairs", is_flag=True, help="Correct lists and counts that differ from the numbers.")
@json_option
def verify(*, repairs: bool, as_json: bool) -> Exit:
    """Check that jobs, files and inventory agree, such as after a restore.

    Prints one line for each check and for each job at fault. The service can run meanwhile. Reads all numbers once, and
    lists the files of every job that still has some.
    """
    settings = get_settings()
    try:
        check_database(settings)
    except LookupError as error:
        raise click.UsageError(str(error)) from error
    except ServerError as error:
        raise Failed({"code": "UNREACHABLE", "detail": str(error)}, Exit.UNREACHABLE) from error
    engine = make_engine(settings)
    try:
        return conclude(verification.verify(engine, repairs=repairs), as_json=as_json)
    except OperationalError as error:
        raise Failed({"code": "UNREACHABLE", "detail": reason_of(error)}, Exit.UNREACHABLE) from error
    finally:
        engine.dispose()
