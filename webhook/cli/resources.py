"""The shared part of the commands for resources: list, show and delete."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from webhook.cli.client import Json
from webhook.cli.exit_codes import Exit
from webhook.cli.session import Session
from webhook.cli.tables import table
from webhook.cli.terminal import emit, note, print_line, safe

Row = Callable[[Json], tuple[object, ...]]


def list_resources(  # noqa: PLR0913, PLR0917 - resource, filters and layout
    session: Session,
    kind: str,
    limit: int,
    headings: Sequence[str],
    row: Row,
    filters: Mapping[str, str | None] | None = None,
    spare: Sequence[str] = (),
    word: str | None = None,
) -> Exit:
    """Print the first `limit` resources of a kind, as a table (`spare`: see `table`) or as JSON.

    `word`: what they are called, if not as the kind.
    """
    listing = session.api.pages(f"/v1/{kind}", filters or {}, limit)
    empty = f"No {word or kind} yet."
    return print_list(session, listing, lambda data: table(headings, map(row, data), spare), empty=empty)


def print_list(
    session: Session,
    listing: Json,
    print_table: Callable[[list[Json]], None],
    *,
    empty: str,
    order: str = "first",
) -> Exit:
    """Print the entries that `Api.pages` returned, as a table or as JSON. `empty`: the text if there are none."""
    data = listing["data"]
    if session.as_json:
        emit(listing)
    elif data:
        print_table(data)
        if listing["next_cursor"]:
            note(f"Showing the {order} {len(data):,}. To see more, use --limit.")
    else:
        print_line(empty)
    return Exit.OK


def show_resource(session: Session, resource: Json, headings: Sequence[str], row: Row) -> Exit:
    """Print one resource, one field per line, or as JSON."""
    if session.as_json:
        emit(resource)
        return Exit.OK
    width = max(map(len, headings)) + 2
    for heading, value in zip(headings, row(resource), strict=True):
        print_line(f"{heading:<{width}}{safe(value)}".rstrip())
    return Exit.OK


def delete_resource(session: Session, kind: str, thing_id: str, word: str) -> Exit:
    """Delete a resource or revoke a token, and print that it is done (R30)."""
    session.api.delete(kind, thing_id)
    if session.as_json:
        emit({"id": thing_id, word: True})
    else:
        note(f"{word.capitalize()}: {safe(thing_id)}")
    return Exit.OK
