"""`numberyard report`: the result of every row, to a file or stdout. A file is written completely or not at all."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from webhook.cli.completion import recent_jobs
from webhook.cli.exit_codes import Exit
from webhook.cli.fields import check_names
from webhook.cli.resources import show_facts
from webhook.cli.saved_files import replacing
from webhook.cli.session import Session, talks
from webhook.cli.terminal import note, print_line, safe, safe_lines

FORMATS = ("csv", "jsonl", "xlsx")
_FIELDS = ("job_id", "path", "bytes")


def format_of(path: Path) -> str:
    """Return the report format for a file name. `click.UsageError` for an unknown extension."""
    ending = path.suffix.lower().removeprefix(".")
    if ending not in FORMATS:
        raise click.UsageError(f"A report file must end in .csv, .jsonl or .xlsx: {safe(path.name)}")
    return ending


def save(session: Session, job_id: str, rows: str, file_format: str, path: Path) -> int:
    """Download a report to a file. Replaces an existing file only when complete. Returns the size in bytes."""
    with session.api.report(job_id, rows, file_format) as blocks, replacing(path) as file:
        return sum(file.write(block) for block in blocks)


@click.command()
@click.argument("job_id", shell_complete=recent_jobs)
@click.option(
    "--rows",
    type=click.Choice(["all", "failed", "unprocessed"]),
    default="all",
    show_default=True,
    help="Rows to include.",
)
@click.option(
    "--format",
    "file_format",
    type=click.Choice(FORMATS),
    help="Format of the report.  [default: the extension of --out, else csv]",
)
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), metavar="F", help="File to write.  [default: stdout]"
)
@talks
def report(session: Session, job_id: str, rows: str, file_format: str | None, out: Path | None) -> Exit:
    """Download the report of JOB_ID: every row of the file with its result, or only the rows to correct."""
    if out is None:
        return _to_stdout(session, job_id, rows, file_format or "csv")
    check_names(session.output.fields, _FIELDS)
    count = save(session, job_id, rows, file_format or format_of(out), out)
    if not session.output.is_text:
        return show_facts(session, dict(zip(_FIELDS, (job_id, str(out), count), strict=True)))
    note(f"Saved: {safe(out)} ({count:,} bytes)")
    return Exit.OK


def _to_stdout(session: Session, job_id: str, rows: str, file_format: str) -> Exit:
    if file_format == "xlsx":
        raise click.UsageError("An .xlsx report needs --out.")
    if session.as_json:
        raise click.UsageError("--json needs --out; for rows as JSON use --format jsonl.")
    if session.output.fields:
        raise click.UsageError("--fields needs --out: it selects fields of the result, not columns of the report.")
    shown = sys.stdout.isatty()
    with session.api.report(job_id, rows, file_format) as pieces:
        if shown:
            for line in safe_lines(pieces):
                print_line(line)
        else:
            for piece in pieces:
                sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
    return Exit.OK
