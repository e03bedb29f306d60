"""`numberyard confirm`, `cancel` and `undo`: control a job and follow it to its end."""

from __future__ import annotations

from pathlib import Path

import click

from webhook.cli.completion import recent_jobs
from webhook.cli.exit_codes import Exit
from webhook.cli.session import Session, talks
from webhook.cli.submit import check_report, report_option, run_job

_job = click.argument("job_id", metavar="JOB_ID", shell_complete=recent_jobs)
_no_wait = click.option("--no-wait", is_flag=True, help="Do not wait for the job to end.")


@click.command()
@_job
@_no_wait
@report_option
@talks
def confirm(session: Session, *, job_id: str, no_wait: bool, report_path: Path | None) -> Exit:
    """Run JOB_ID, which was sent with --review."""
    return _decide(session, job_id, "confirm", report_path, no_wait=no_wait)


@click.command()
@_job
@_no_wait
@talks
def cancel(session: Session, *, job_id: str, no_wait: bool) -> Exit:
    """Stop JOB_ID. Changes already made stay (see undo); the remaining rows are not processed."""
    code = _decide(session, job_id, "cancel", None, no_wait=no_wait)
    return Exit.OK if code is Exit.CANCELLED else code


@click.command()
@_job
@_no_wait
@report_option
@talks
def undo(session: Session, *, job_id: str, no_wait: bool, report_path: Path | None) -> Exit:
    """Reverse the changes of JOB_ID. Numbers changed since are left unchanged and listed in the report."""
    return _decide(session, job_id, "undo", report_path, no_wait=no_wait)


def _decide(session: Session, job_id: str, what: str, report_path: Path | None, *, no_wait: bool) -> Exit:
    if report_path and no_wait:
        raise click.UsageError("--report cannot be used with --no-wait.")
    check_report(report_path)
    return run_job(session, lambda _: session.api.decide(job_id, what), report_path, wait=not no_wait)
