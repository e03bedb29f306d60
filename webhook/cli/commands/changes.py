"""`numberyard changes`: the changes of the inventory in order, as lines or as JSON lines."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import click

from schemas.http.changes import LONGEST_WAIT, MOST_CHANGES
from webhook.cli.client import Json
from webhook.cli.exit_codes import Ending, Exit
from webhook.cli.fields import check_fields, value_of
from webhook.cli.follow import patiently
from webhook.cli.output import Format
from webhook.cli.problems import cannot_write
from webhook.cli.session import Session, talks
from webhook.cli.tables import cell_text, tsv_line
from webhook.cli.terminal import note, print_line, safe, when

_HEADINGS = ("At", "Change", "Number", "Tenant", "Job")
_WIDTHS = (20, 10, 16, 0)  # on a terminal; a list without an end cannot be aligned by its contents


@click.command()
@click.option("--after", metavar="CURSOR", help="Begin after this cursor; otherwise with the oldest change kept.")
@click.option(
    "--cursor-file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="F",
    help="Begin after the cursor in this file, if there is one, and keep the file up to date.",
)
@click.option("--follow", "follows", is_flag=True, help="Wait for further changes until Ctrl-C.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Stop after so many changes.")
@talks
def changes(session: Session, after: str | None, cursor_file: Path | None, limit: int | None, *, follows: bool) -> Exit:
    """List what changed in the inventory, in order and without a gap; with --json, a line of JSON for each change.

    A change is repeated if the command is stopped before its cursor is saved; none is left out.
    """
    if after is not None and cursor_file is not None:
        raise click.UsageError("Use either --after or --cursor-file.")
    cursor = _read(cursor_file) if cursor_file is not None else after
    left = limit
    check_fields(session.output.fields, "schemas.http.changes:NumberChange")
    if session.output.of_lists is Format.TSV and session.output.has_header:
        tsv_line(session.output.fields or _HEADINGS)
    with _interruptible():
        while left is None or left > 0:
            most = MOST_CHANGES if left is None else min(left, MOST_CHANGES)
            ask = partial(session.api.changes, cursor, most, LONGEST_WAIT if follows else 0)
            page = patiently(ask, note, "no change is lost")
            for change in page["data"]:
                _show(session, change)
            if cursor_file is not None and page["next_cursor"] != cursor:
                _write(cursor_file, page["next_cursor"])
            cursor = page["next_cursor"]
            left = None if left is None else left - len(page["data"])
            if not page["data"] and not follows:
                break
    if cursor_file is None:
        note(f"Continue with: {session.command('changes', '--after', safe(cursor))}")
    return Exit.OK


@contextmanager
def _interruptible() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        raise Ending(Exit.INTERRUPTED) from None


def _show(session: Session, change: Json) -> None:
    if session.as_json:
        session.emit(change)
        return
    fields = session.output.fields
    cells = [value_of(change, field) for field in fields] if fields else _row(change)
    if session.output.of_lists is Format.TSV:
        tsv_line(cells)
        return
    widths = (0,) * len(cells) if fields else _WIDTHS
    print_line("  ".join(f"{cell_text(cell):<{width}}" for cell, width in zip(cells, widths, strict=False)).rstrip())


def _row(change: Json) -> tuple[object, ...]:
    kind = str(change["type"]).removeprefix("number.")
    tenant = (change.get("tenant") or {}).get("name")
    return (when(change["at"]), kind, change["e164"], tenant, change.get("job_id"))


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii").strip() or None
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise click.BadParameter(f"{safe(path)} cannot be read: {safe(error)}", param_hint="--cursor-file") from error


def _write(path: Path, cursor: str) -> None:
    """Replace the file as a whole, so that it always has one of the cursors."""
    draft = path.with_name(f"{path.name}.part")
    try:
        with draft.open("w", encoding="ascii") as file:
            file.write(f"{cursor}\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise cannot_write(error, str(path)) from error
