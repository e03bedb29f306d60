"""`numberyard export`: the matching numbers as a file, or on stdout. A file is written completely or not at all."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import click

from schemas.exports import ExportFormat
from webhook.cli.client import Json
from webhook.cli.connection_errors import UnreachableError
from webhook.cli.exit_codes import Exit
from webhook.cli.fields import check_names
from webhook.cli.follow import follow
from webhook.cli.lookup import tenant_id
from webhook.cli.number_filters import filter_options
from webhook.cli.progress_views import LINE_SECONDS, open_view
from webhook.cli.resources import show_facts
from webhook.cli.saved_files import replacing
from webhook.cli.session import Session, talks
from webhook.cli.summary import exit_of, lines
from webhook.cli.terminal import note, number, print_line, safe, safe_lines, shows_progress, size

_STDOUT = "-"
_FIELDS, _JOB = ("path", "bytes"), "job_id"  # of the result; the job of an Excel file
_TRIES = 5  # of the download of a file that is kept
_PAUSE = 1.0  # seconds before another try
_FORMATS = [choice.value for choice in ExportFormat]


@click.command()
@click.argument("query", required=False, metavar="[QUERY]")
@click.option(
    "--format",
    "file_format",
    type=click.Choice(_FORMATS),
    help="Format of the file.  [default: the extension of --out, else csv]",
)
@filter_options
@click.option(
    "--out",
    type=click.Path(dir_okay=False, allow_dash=True),
    metavar="FILE|-",
    help="File to write; - is stdout.  [default: stdout]",
)
@talks
def export(
    session: Session,
    query: str | None,
    file_format: str | None,
    out: str | None,
    *,
    tenant: str | None,
    **filters: str | None,
) -> Exit:
    """Export the numbers that start with QUERY, or all numbers, as CSV, JSON lines or Excel.

    CSV and Excel files can be uploaded again. An existing file is replaced only once the new one is complete.
    """
    path = None if out is None or out == _STDOUT else Path(out)
    kind = file_format or _format_of(path)
    _check(session, path, kind)
    criteria = {"q": query, **filters, "tenant_id": tenant_id(session, tenant)}
    if kind == ExportFormat.XLSX and path is not None:
        return _by_job(session, criteria, path)
    if path is None:
        _to_stdout(session, kind, criteria)
        return Exit.OK
    with replacing(path) as file, session.api.numbers_file(kind, criteria) as blocks:
        _copy(blocks, file.write)
    return _saved(session, path)


def _format_of(path: Path | None) -> str:
    ending = "" if path is None else path.suffix.lower().removeprefix(".")
    return ending if ending in _FORMATS else ExportFormat.CSV.value


def _check(session: Session, path: Path | None, kind: str) -> None:
    """Raise `click.UsageError` before anything is requested if the output cannot be written, or has no such field."""
    if path is None and kind == ExportFormat.XLSX:
        raise click.UsageError("An .xlsx file needs --out.")
    if path is None and session.as_json:
        raise click.UsageError("--json needs --out; for numbers as JSON use --format jsonl.")
    if path is None and session.output.fields:
        raise click.UsageError("--fields needs --out: it selects fields of the result, not columns of the file.")
    check_names(session.output.fields, (*_FIELDS, _JOB) if kind == ExportFormat.XLSX else _FIELDS)
    if path is not None and not path.absolute().parent.is_dir():
        raise click.UsageError(f"Folder does not exist: {safe(path.absolute().parent)}")


def _copy(blocks: Iterator[bytes], write: Callable[[bytes], object]) -> None:
    """Write the blocks, and say on a terminal every few seconds how much has arrived."""
    count, noted = 0, time.monotonic()
    for block in blocks:
        write(block)
        count += len(block)
        if shows_progress() and time.monotonic() > noted + LINE_SECONDS:
            noted = time.monotonic()
            note(f"Received: {size(count)}")


def _to_stdout(session: Session, kind: str, criteria: dict[str, str | None]) -> None:
    has_begun = False

    def write(block: bytes) -> None:
        nonlocal has_begun
        has_begun = True
        sys.stdout.buffer.write(block)

    def show(blocks: Iterator[bytes]) -> None:
        nonlocal has_begun
        for line in safe_lines(blocks):
            has_begun = True
            print_line(line)

    try:
        with session.api.numbers_file(kind, criteria) as blocks:
            if sys.stdout.isatty():
                show(blocks)
            else:
                _copy(blocks, write)
    except UnreachableError as error:
        if has_begun:
            raise UnreachableError(str(error), "What was written is not complete. Run the command again.") from error
        raise
    sys.stdout.buffer.flush()


def _by_job(session: Session, criteria: dict[str, str | None], path: Path) -> Exit:
    """Have a job make the file, wait for it, and download it; a download that breaks off is resumed."""
    filters = {name: value for name, value in criteria.items() if value is not None}
    with open_view() as view:
        job = session.api.create("exports", {"format": ExportFormat.XLSX.value, "filter": filters})
        job = follow(session, job, view)
    if exit_of(job) is not Exit.OK:
        return _not_made(session, job)
    with replacing(path) as file:
        _download(session, str(job["id"]), file)
    return _saved(session, path, job)


def _not_made(session: Session, job: Json) -> Exit:
    if session.as_json:
        session.emit(job)
    else:
        for line in lines(job):
            print_line(line)
    return exit_of(job)


def _download(session: Session, job_id: str, file: BinaryIO) -> None:
    etag: str | None = None
    for left in reversed(range(_TRIES)):
        try:
            with session.api.job_file(job_id, file.tell(), etag) as (answer, is_resumed):
                if not is_resumed:
                    file.seek(0)
                    file.truncate()
                etag = answer.headers.get("ETag")
                _copy(answer.iter_bytes(), file.write)
        except UnreachableError:
            if not left:
                raise
            note("The download broke off. Resuming it.")
            time.sleep(_PAUSE)
        else:
            return


def _saved(session: Session, path: Path, job: Json | None = None) -> Exit:
    count = path.stat().st_size
    if not session.output.is_text:
        saved = dict(zip(_FIELDS, (str(path), count), strict=True))
        return show_facts(session, saved if job is None else saved | {_JOB: job["id"]})
    numbers = "" if job is None else f", {number((job.get('counts') or {}).get('total'))} numbers"
    note(f"Saved: {safe(path)} ({count:,} bytes{numbers})")
    return Exit.OK
