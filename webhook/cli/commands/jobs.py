"""`numberyard jobs`: list jobs, or show one, now or when it has ended."""

from __future__ import annotations

import click

from webhook.cli.client import Json
from webhook.cli.commands.completion import recent_jobs
from webhook.cli.exit_codes import Exit
from webhook.cli.follow import conclude, follow
from webhook.cli.progress_views import open_view
from webhook.cli.resources import print_list
from webhook.cli.session import Session, talks
from webhook.cli.summary import lines
from webhook.cli.tables import table
from webhook.cli.terminal import emit, number, print_line, when

_HEADINGS = ("Job", "Created", "Kind", "Status", "File", "Rows", "Failed")


@click.command()
@click.argument("job_id", required=False, shell_complete=recent_jobs)
@click.option("--watch", is_flag=True, help="Wait for the job to end; the exit code shows the result.")
@click.option(
    "--limit", type=click.IntRange(min=1), default=20, show_default=True, help="Maximum number of jobs to list."
)
@talks
def jobs(session: Session, job_id: str | None, *, watch: bool, limit: int) -> Exit:
    """List jobs, newest first, or show JOB_ID.

    Ctrl-C while waiting leaves the job running.
    """
    if job_id is None:
        if watch:
            raise click.UsageError("--watch needs a JOB_ID.")
        return _list(session, limit)
    job = session.api.job(job_id)
    if watch:
        with open_view() as view:
            job = follow(session, job, view)
        return conclude(session, job)
    return _show(session, job)


def _show(session: Session, job: Json) -> Exit:
    if session.as_json:
        emit(job)
    else:
        for line in lines(job):
            print_line(line)
    return Exit.OK


def _list(session: Session, limit: int) -> Exit:
    listing = session.api.pages("/v1/jobs", {}, limit)
    return print_list(session, listing, _table, empty="No jobs yet.", order="newest")


def _table(entries: list[Json]) -> None:
    table(_HEADINGS, map(_row, entries), spare=("Kind", "Rows", "Created"))


def _row(job: Json) -> tuple[object, ...]:
    counts = job.get("counts") or {}
    name = (job.get("file") or {}).get("name")
    figures = (number(counts.get("total")), number(counts.get("failed")))
    return (job.get("id"), when(job.get("created_at")), job.get("kind"), job.get("status"), name, *figures)
