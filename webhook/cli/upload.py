"""`numberyard upload`: a file from disk to the service, and if wanted its job to the end."""

from __future__ import annotations

import os
from pathlib import Path

import click

from schemas.jobs import Accept, OnExisting
from webhook.cli.client import Json
from webhook.cli.console import emit, note, safe, say
from webhook.cli.exits import Ending, Exit
from webhook.cli.report import format_of, save
from webhook.cli.session import Session, talks
from webhook.cli.views import View, open_view
from webhook.cli.watch import conclude, follow, has_report


class _Spreadsheet(click.Path):
    """A file with a length: a pipe has none, and the service wants to know how much will come."""

    def __init__(self) -> None:
        super().__init__(exists=True, dir_okay=False, path_type=Path)

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        path = Path(os.fsdecode(super().convert(str(value), param, ctx)))
        if not path.is_file():
            self.fail(f"{safe(path)} is not a regular file.", param, ctx)
        return path


@click.command()
@click.argument("file", type=_Spreadsheet())
@click.option("--watch", is_flag=True, help="Wait for the job to end and show how it went.")
@click.option("--voice-carrier", metavar="NAME", help="Voice carrier for rows that name none.")
@click.option("--sms-carrier-profile", metavar="NAME", help="SMS carrier profile for rows that name none.")
@click.option("--assign-to", metavar="ID", help="Enterprise or reseller the numbers go to.")
@click.option(
    "--on-existing",
    type=click.Choice([choice.value for choice in OnExisting]),
    help="What to do with numbers you have already.",
)
@click.option("--accept", type=click.Choice([choice.value for choice in Accept]), help="How sure a number must be.")
@click.option(
    "--report", "report_path", type=click.Path(path_type=Path), metavar="PATH", help="Wait, then save the report."
)
@talks
def upload(session: Session, file: Path, *, watch: bool, report_path: Path | None, **fields: str | None) -> Exit:
    """Send a spreadsheet (CSV or XLSX) of numbers.

    Ctrl-C while waiting leaves the job running. The report's format follows PATH's ending: .csv or .jsonl.
    """
    file_format = format_of(report_path) if report_path else None
    if report_path and not report_path.absolute().parent.is_dir():
        raise click.UsageError(f"There is no folder {safe(report_path.absolute().parent)} for the report.")
    with open_view() as view:
        job = _send(session, file, fields, view)
        if watch or report_path:
            job = follow(session, job, view)
    if not (watch or report_path):
        return _queued(session, job)
    code = conclude(session, job)
    if report_path and file_format and has_report(job):
        save(session, str(job["id"]), "all", file_format, report_path)
        note(f"Report saved: {safe(report_path)}")
    return code


def _send(session: Session, file: Path, fields: dict[str, str | None], view: View) -> Json:
    total, sent = file.stat().st_size, 0

    def on_read(count: int) -> None:
        nonlocal sent
        sent += count
        view.uploading(sent, total)

    try:
        return session.api.upload(file, fields, on_read)
    except KeyboardInterrupt:
        whole = "The file was sent whole; `numberyard jobs` tells whether it was queued."
        view.note(whole if sent >= total else "The upload was broken off; nothing was queued.")
        raise Ending(Exit.INTERRUPTED) from None


def _queued(session: Session, job: Json) -> Exit:
    if session.as_json:
        emit(job)
        return Exit.OK
    say(f"Job {safe(job.get('id'))}: {safe(job.get('status'))}")
    say(f"Follow it with: {session.command('jobs', safe(job.get('id')), '--watch')}")
    return Exit.OK
