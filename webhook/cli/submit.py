"""The shared part of `upload` and the actions: sending a file, following the job, the report and the review."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import click

from schemas.http.file_options import DELIMITERS
from schemas.jobs import NumberFormat
from webhook.cli.client import Json
from webhook.cli.commands.report import format_of, save
from webhook.cli.exit_codes import Ending, Exit
from webhook.cli.fields import check_fields
from webhook.cli.follow import conclude, follow, has_report
from webhook.cli.progress_views import View, open_view
from webhook.cli.resources import show_resource
from webhook.cli.session import Session
from webhook.cli.spreadsheets import opened
from webhook.cli.summary import JOBS, is_reviewed, notes
from webhook.cli.terminal import is_asked, note, print_line, safe

Fields = Mapping[str, str | int | None]
"""Form fields sent with a file; None is omitted."""


review_option = click.option(
    "--review", is_flag=True, help="Check first and show the expected result; nothing changes until you confirm."
)
on_error_option = click.option(
    "--on-error", type=click.Choice(["skip", "abort"]), help="abort: if any row has an error, nothing is changed."
)
callback_option = click.option("--callback-url", metavar="URL", help="URL that gets a signed POST when the job ends.")
number_format_option = click.option(
    "--number-format",
    type=click.Choice([choice.value for choice in NumberFormat]),
    help="Format of numbers without + or 00: national (as dialled in the country) or international (with the calling "
    "code).  [default: auto]",
)
report_option = click.option(
    "--report",
    "report_path",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Wait for the job to end, then save its report.",
)


_TEXT_OPTIONS = (
    click.option("--delimiter", type=click.Choice(list(DELIMITERS)), help="Separator in a text file."),
    click.option("--encoding", metavar="NAME", help="Encoding of a text file, such as windows-1252."),
    click.option("--sheet", metavar="NAME", help="Worksheet to read.  [default: the first visible one]"),
    click.option("--header-row", metavar="N", type=click.IntRange(min=0), help="Row with the column names; 0: none."),
)
_PARENT = click.option("--parent", "parent_job_id", metavar="JOB_ID", help="Job whose failed rows this file corrects.")


def text_options(command: Callable[..., Exit]) -> Callable[..., Exit]:
    """Add the options on the format of a file to a command."""
    for option in reversed(_TEXT_OPTIONS):
        command = option(command)
    return command


def file_options(command: Callable[..., Exit]) -> Callable[..., Exit]:
    """Add the options on reading a file to a command. Their values go into the form unchanged."""
    return text_options(_PARENT(command))


def check_report(path: Path | None) -> None:
    """Raise `click.UsageError` before anything is sent if the report cannot be saved at `path`."""
    if path is None:
        return
    format_of(path)
    if not path.absolute().parent.is_dir():
        raise click.UsageError(f"Folder for the report does not exist: {safe(path.absolute().parent)}")


def send_file(  # noqa: PLR0913 - the file, its form and what shows it
    session: Session, view: View, file: Path, fields: Fields, to: str = "uploads", *, name: str | None = None
) -> Json:
    """Upload a file with a progress bar. Returns its job. `name`: its name in the job, if not that of the file."""
    session.api.check_token()  # before standard input is read
    with opened(file) as (usual_name, content):
        total, sent = os.fstat(content.fileno()).st_size, 0

        def on_read(count: int) -> None:
            nonlocal sent
            sent += count
            view.uploading(sent, total)

        try:
            return session.api.upload(name or usual_name, content, fields, on_read, to)
        except KeyboardInterrupt:
            whole = "The whole file was sent. `numberyard jobs` shows whether it was queued."
            detail = whole if sent >= total else "The upload was interrupted. Nothing was queued."
            view.note(detail)
            raise Ending(Exit.INTERRUPTED, {"code": "INTERRUPTED", "detail": detail}) from None


def run_job(session: Session, send: Callable[[View], Json], report_path: Path | None = None, *, wait: bool) -> Exit:
    """Send the request that creates a job and, with `wait`, follow it to its end. On a terminal, ask after a review."""
    check_fields(session.output.fields, JOBS.model)
    with open_view() as view:
        job = send(view)
        if wait:
            job = follow(session, job, view)
    if not wait:
        return _queued(session, job)
    code = conclude(session, job, saves_report=report_path is not None)
    may_confirm = is_reviewed(job) and job.get("can_confirm", True)
    if may_confirm and is_asked(session.as_json) and click.confirm("Confirm this job?", err=True):
        job = session.api.decide(str(job["id"]), "confirm")
        with open_view() as view:
            job = follow(session, job, view)
        code = conclude(session, job, saves_report=report_path is not None)
    if report_path and has_report(job):
        size = save(session, str(job["id"]), "all", format_of(report_path), report_path)
        (print_line if session.output.is_text else note)(f"Report: {safe(report_path.absolute())} ({size:,} bytes)")
    return code


def _queued(session: Session, job: Json) -> Exit:
    if not session.output.is_text:
        return show_resource(session, job, JOBS)
    print_line(f"Job {safe(job.get('id'))}: {safe(job.get('status'))}")
    for line in notes(job):
        print_line(line)
    print_line(f"Follow it: {session.command('jobs', safe(job.get('id')), '--watch')}")
    return Exit.OK
