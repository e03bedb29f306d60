"""What `upload` and the actions have in common: sending a file, waiting for the job's end, the report, a review."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import click

from schemas.http.file_options import DELIMITERS
from schemas.jobs import NumberFormat
from webhook.cli.client import Json
from webhook.cli.commands.report import format_of, save
from webhook.cli.console import emit, is_asked, note, safe, say
from webhook.cli.exit_codes import Ending, Exit
from webhook.cli.follow import conclude, follow, has_report
from webhook.cli.progress_views import View, open_view
from webhook.cli.session import Session
from webhook.cli.summary import is_reviewed, notes

Fields = Mapping[str, str | int | None]
"""What stands beside a file; None is left out."""


class Spreadsheet(click.Path):
    """A file with a length: a pipe has none, and the service wants to know how much will come."""

    def __init__(self) -> None:
        super().__init__(exists=True, dir_okay=False, path_type=Path)

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        path = Path(os.fsdecode(super().convert(str(value), param, ctx)))
        if not path.is_file():
            self.fail(f"{safe(path)} is not a regular file.", param, ctx)
        return path


review_option = click.option(
    "--review", is_flag=True, help="Check and show what would be done; it is done once you confirm."
)
on_error_option = click.option(
    "--on-error", type=click.Choice(["skip", "abort"]), help="abort: if any row fails, nothing is written."
)
callback_option = click.option(
    "--callback-url", metavar="URL", help="Where the service is to tell that the job has ended, by a signed POST."
)
number_format_option = click.option(
    "--number-format",
    type=click.Choice([choice.value for choice in NumberFormat]),
    help="How numbers without + or 00 are written: national (as dialled in the country) or international (with the "
    "calling code).  [default: auto]",
)
report_option = click.option(
    "--report", "report_path", type=click.Path(path_type=Path), metavar="PATH", help="Wait, then save the report."
)


_HINTS = (
    click.option("--delimiter", type=click.Choice(list(DELIMITERS)), help="What stands between the cells of a text."),
    click.option("--encoding", metavar="NAME", help="How the text is encoded, such as windows-1252."),
    click.option("--sheet", metavar="NAME", help="The worksheet to be read.  [default: the first visible one]"),
    click.option("--header-row", metavar="N", type=click.IntRange(min=1), help="The row that names the columns."),
    click.option("--parent", "parent_job_id", metavar="JOB_ID", help="The job whose failed rows these are, mended."),
)


def hints(command: Callable[..., Exit]) -> Callable[..., Exit]:
    """Give a command the options that tell how a file is to be read; they go as they are into the form."""
    for option in reversed(_HINTS):
        command = option(command)
    return command


def check_report(path: Path | None) -> None:
    """Refuse a report that could not be saved, before anything is sent."""
    if path is None:
        return
    format_of(path)
    if not path.absolute().parent.is_dir():
        raise click.UsageError(f"There is no folder {safe(path.absolute().parent)} for the report.")


def send_file(session: Session, view: View, file: Path, fields: Fields, to: str = "uploads") -> Json:
    """Send a file under a progress bar; answers its job."""
    total, sent = file.stat().st_size, 0

    def on_read(count: int) -> None:
        nonlocal sent
        sent += count
        view.uploading(sent, total)

    try:
        return session.api.upload(file, fields, on_read, to)
    except KeyboardInterrupt:
        whole = "The file was sent whole; `numberyard jobs` tells whether it was queued."
        view.note(whole if sent >= total else "The upload was broken off; nothing was queued.")
        raise Ending(Exit.INTERRUPTED) from None


def carry(session: Session, send: Callable[[View], Json], report_path: Path | None = None, *, wait: bool) -> Exit:
    """Send what makes a job and, if wanted, see it to its end; on a terminal a review is asked about."""
    with open_view() as view:
        job = send(view)
        if wait:
            job = follow(session, job, view)
    if not wait:
        return _queued(session, job)
    code = conclude(session, job, saves_report=report_path is not None)
    if is_reviewed(job) and is_asked(session.as_json) and click.confirm("Do it?", err=True):
        job = session.api.decide(str(job["id"]), "confirm")
        with open_view() as view:
            job = follow(session, job, view)
        code = conclude(session, job, saves_report=report_path is not None)
    if report_path and has_report(job):
        size = save(session, str(job["id"]), "all", format_of(report_path), report_path)
        (note if session.as_json else say)(f"Report: {safe(report_path.absolute())} ({size:,} bytes)")
    return code


def _queued(session: Session, job: Json) -> Exit:
    if session.as_json:
        emit(job)
        return Exit.OK
    say(f"Job {safe(job.get('id'))}: {safe(job.get('status'))}")
    for line in notes(job):
        say(line)
    say(f"Follow it: {session.command('jobs', safe(job.get('id')), '--watch')}")
    return Exit.OK
