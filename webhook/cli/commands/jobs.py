"""`numberyard jobs`: list and search jobs, or show one, now or when it has ended."""

from __future__ import annotations

import click

from schemas.codes import Code
from schemas.job_kinds import JobKind
from schemas.jobs import JobStatus
from webhook.cli.client import Json
from webhook.cli.completion import recent_jobs
from webhook.cli.exit_codes import Exit
from webhook.cli.follow import conclude, follow
from webhook.cli.option_types import Moment
from webhook.cli.progress_views import open_view
from webhook.cli.resources import limit_option, list_resources, show_resource
from webhook.cli.session import Session, talks
from webhook.cli.summary import JOBS, lines
from webhook.cli.terminal import print_line

_STATES = [choice.value for choice in JobStatus]
_FILTERS = {
    "search": "q",
    "since": "created_after",
    "until": "created_before",
    "finished_since": "finished_after",
}


@click.command()
@click.argument("job_id", required=False, shell_complete=recent_jobs)
@click.option("--watch", is_flag=True, help="Wait for the job to end; the exit code shows the result.")
@click.option(
    "--status",
    type=click.Choice(_STATES),
    metavar="STATUS",
    help=f"Only jobs in this state: {', '.join(_STATES)}.",
)
@click.option("--kind", type=click.Choice([choice.value for choice in JobKind]), help="Only jobs of this kind.")
@click.option("--since", type=Moment(), metavar="TIME", help="Created at TIME or later.")
@click.option("--until", type=Moment(), metavar="TIME", help="Created before TIME.")
@click.option("--finished-since", type=Moment(), metavar="TIME", help="Ended at TIME or later.")
@click.option("--search", metavar="TEXT", help="Part of the file's name, or of who started the job.")
@click.option("--external-id", metavar="ID", help="ID that the request gave to the job.")
@click.option(
    "--code", type=click.Choice([code.value for code in Code]), metavar="CODE", help="Code of failed rows of the job."
)
@limit_option("jobs", 20)
@talks
def jobs(session: Session, job_id: str | None, *, watch: bool, limit: int, **filters: str | None) -> Exit:
    """List jobs, newest first, or show JOB_ID.

    TIME is an age (30m, 2h, 3d, 1w), a date (2026-11-01) or a time (2026-11-01T09:00+01:00); without a zone it is UTC.
    Ctrl-C while waiting leaves the job running.
    """
    criteria = {_FILTERS.get(name, name): value for name, value in filters.items() if value is not None}
    if job_id is None:
        if watch:
            raise click.UsageError("--watch needs a JOB_ID.")
        return list_resources(session, JOBS, limit, criteria)
    if criteria:
        raise click.UsageError("Filters are for the list: use them without a JOB_ID.")
    job = session.api.job(job_id)
    if watch:
        with open_view() as view:
            job = follow(session, job, view)
        return conclude(session, job)
    return _show(session, job)


def _show(session: Session, job: Json) -> Exit:
    if not session.output.is_text:
        return show_resource(session, job, JOBS)
    for line in lines(job):
        print_line(line)
    return Exit.OK
