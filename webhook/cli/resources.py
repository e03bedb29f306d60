"""What the commands for tenants, carriers, tokens and callbacks have in common: a list, and one thing fact by fact."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from webhook.cli.client import Json
from webhook.cli.console import emit, note, safe, say
from webhook.cli.exit_codes import Exit
from webhook.cli.session import Session
from webhook.cli.tables import table

Row = Callable[[Json], tuple[object, ...]]


def list_things(  # noqa: PLR0913, PLR0917 - what is listed, and how
    session: Session,
    kind: str,
    limit: int,
    headings: Sequence[str],
    row: Row,
    filters: Mapping[str, str | None] | None = None,
    spare: Sequence[str] = (),
) -> Exit:
    """The first `limit` things of a kind, as a table (`spare`: see there) or as JSON."""
    found = session.api.pages(f"/v1/{kind}", filters or {}, limit)
    if session.as_json:
        emit(found)
    elif found["data"]:
        table(headings, map(row, found["data"]), spare)
        if found["next_cursor"]:
            note(f"There are more; these are the first {limit:,} (--limit).")
    else:
        say(f"No {kind} yet.")
    return Exit.OK


def show_thing(session: Session, found: Json, headings: Sequence[str], row: Row) -> Exit:
    """One thing, a fact in each line, or as JSON."""
    if session.as_json:
        emit(found)
        return Exit.OK
    width = max(map(len, headings)) + 2
    for heading, value in zip(headings, row(found), strict=True):
        say(f"{heading:<{width}}{safe(value)}".rstrip())
    return Exit.OK


def end_thing(session: Session, kind: str, thing_id: str, word: str) -> Exit:
    """Delete a thing or revoke a token, and say so (R30)."""
    session.api.delete(kind, thing_id)
    if session.as_json:
        emit({"id": thing_id, word: True})
    else:
        note(f"{word.capitalize()}: {safe(thing_id)}")
    return Exit.OK
