"""`numberyard migrate`: updates the database tables, or takes them back. Like `init`, it uses the database directly."""

from __future__ import annotations

import click
from sqlalchemy.exc import OperationalError

from webhook.cli.exit_codes import Ending, Exit, Failed
from webhook.cli.output import json_option
from webhook.cli.terminal import emit, note
from worker.config.errors import reason_of
from worker.config.settings import Settings, get_settings
from worker.database import migrate as migrations
from worker.database.migrate import Migrated, StillRunningError, UnknownVersionError
from worker.database.schema_version import UnusableSchemaError
from worker.database.step_back import UnfinishedJobsError
from worker.runtime.external_servers import check_database
from worker.runtime.processes.child import ServerError


@click.command()
@click.option(
    "--to",
    "target",
    metavar="RELEASE",
    help="Take the tables back to those of an earlier release, such as 0.1.0, or to a version, such as 0034.",
)
@click.option(
    "--wait",
    "wait_seconds",
    type=click.FloatRange(0, 86_400),
    default=0,
    metavar="SECONDS",
    help="Wait that long for processes to end that cannot use the tables afterwards.",
)
@click.option("--force", is_flag=True, help="Do not ask which processes are running.")
@click.option("--yes", is_flag=True, help="With --to: do not ask before data is removed.")
@json_option
def migrate(*, target: str | None, wait_seconds: float, force: bool, yes: bool, as_json: bool) -> Exit:
    """Update the tables of NUMBERYARD_DATABASE_URL to this version.

    Refuses while processes of an older release run that cannot use the tables afterwards, and names them. With --to it
    takes the tables back, for an older release to be started again: first stop all processes of this one.
    """
    settings = get_settings()
    try:
        check_database(settings)
        if target is None:
            done = migrations.upgrade(settings, wait_seconds=wait_seconds, force=force, tell=note)
        else:
            _confirm(settings, target, yes=yes, as_json=as_json)
            done = migrations.downgrade(settings, target, wait_seconds=wait_seconds, force=force, tell=note)
    except LookupError as error:
        raise click.UsageError(str(error)) from error
    except UnknownVersionError as error:
        known = ", ".join(migrations.RELEASES)
        raise click.UsageError(f"There is no release and no version {error}. Releases: {known}.") from error
    except ServerError as error:
        raise Failed({"code": "UNREACHABLE", "detail": str(error)}, Exit.UNREACHABLE) from error
    except OperationalError as error:
        detail = f"It was not finished: {reason_of(error)}."
        raise Failed({"code": "UNREACHABLE", "detail": detail, "fix": "Run it again."}, Exit.UNREACHABLE) from error
    except UnusableSchemaError as error:
        raise _refused("NEWER_TABLES", str(error), "Use that release, or restore a backup.") from error
    except StillRunningError as error:
        raise _refused(
            "STILL_RUNNING",
            f"These processes cannot use the tables afterwards: {error}.",
            "Stop them, or wait for them with --wait. A process that was killed counts as running for a minute.",
        ) from error
    except UnfinishedJobsError as error:
        raise _refused(
            "UNFINISHED_JOBS",
            f"The older release cannot carry on these jobs: {error}.",
            "Let them end, or cancel them, with this release.",
        ) from error
    if as_json:
        emit({"migrated": True, "from": done.before, "to": done.after})
    else:
        _tell(done, is_back=target is not None)
    return Exit.OK


def _tell(done: Migrated, *, is_back: bool) -> None:
    if done.unregistered:
        note(
            f"{done.unregistered} connections of a release before 0.2.0 are open. Its web processes go on, and its "
            "workers get no more work: replace both."
        )
    if is_back:
        note(f"The tables have version {done.after}.")
    else:
        note("The database is up to date.")


def _confirm(settings: Settings, target: str, *, yes: bool, as_json: bool) -> None:
    """Say what is lost, and ask; end the command with CANCELLED if the answer is no."""
    if yes:
        return
    lost = migrations.losses(settings, target)
    if not lost:
        return
    if as_json:
        raise _refused("CONFIRMATION_NEEDED", f"This removes: {'; '.join(lost)}.", "Use --yes.")
    note("This removes, because the older release does not know it:")
    for line in lost:
        note(f"  {line}")
    if not click.confirm("Take the tables back?", err=True):
        raise Ending(Exit.CANCELLED)


def _refused(code: str, detail: str, fix: str) -> Failed:
    return Failed({"code": code, "detail": detail, "fix": fix}, Exit.REFUSED)
