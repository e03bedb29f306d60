"""The shared part of the commands for resources: list, show and delete."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import click

from webhook.cli.client import Json
from webhook.cli.exit_codes import Exit
from webhook.cli.fields import check_fields, check_names, selected, value_of
from webhook.cli.output import Format
from webhook.cli.session import Session
from webhook.cli.tables import cell_text, table, tsv_line
from webhook.cli.terminal import emit, note, note_of_result, print_line, safe

Row = Callable[[Json], Sequence[object]]


@dataclass(frozen=True)
class Listing:
    """How resources of a kind are listed and shown.

    `path`: their path in the API. `model`: module and name of their schema. `row`: their cells, one for each of
    `headings`; the first one is never cut.
    `spare`: the columns to hide on a narrow terminal, in that order. `empty`: the text for a list without entries.
    """

    path: str
    model: str
    headings: Sequence[str]
    row: Row
    spare: Sequence[str] = ()
    empty: str = ""
    order: str = "first"


def limit_option(words: str, default: int = 200) -> Callable[[Callable[..., Exit]], Callable[..., Exit]]:
    """Return the option --limit of a list of `words`."""
    return click.option(
        "--limit",
        type=click.IntRange(min=1),
        default=default,
        show_default=True,
        help=f"Maximum number of {words} to list.",
    )


def list_resources(
    session: Session, listing: Listing, limit: int, filters: Mapping[str, str | None] | None = None
) -> Exit:
    """Print the first `limit` resources, as the user asks: table, TSV, JSON or JSON lines."""
    pages = session.api.each_page(f"/v1/{listing.path}", filters or {}, limit)
    checked = _checked(session, listing, pages)
    write = {Format.JSON: _as_json, Format.NDJSON: _as_lines, Format.TSV: _as_tsv, Format.TABLE: _as_table}
    write[session.output.of_lists](session, listing, checked)
    return Exit.OK


def show_resource(session: Session, resource: Json, listing: Listing) -> Exit:
    """Print one resource: one field per line, or as the user asks."""
    check_fields(session.output.fields, listing.model, [resource])
    return _show(session, resource, listing)


def show_facts(session: Session, facts: Json) -> Exit:
    """Print a result without a schema. The caller has checked the fields (`check_names`)."""
    return _show(session, facts, Listing("", "", tuple(facts), lambda shown: tuple(shown.values())))


def _show(session: Session, resource: Json, listing: Listing) -> Exit:
    if session.as_json:
        session.emit(resource)
        return Exit.OK
    headings, cells = _headings(session, listing), _cells(session, listing, resource)
    if session.output.is_tsv:
        _write_header(session, listing)
        tsv_line(cells)
        return Exit.OK
    width = max(map(len, headings)) + 2
    for heading, value in zip(headings, cells, strict=True):
        print_line(f"{heading:<{width}}{cell_text(value)}".rstrip())
    return Exit.OK


def delete_resource(session: Session, kind: str, thing_id: str, word: str) -> Exit:
    """Delete a resource or revoke a token, and print that it is done (R30). Unknown fields are refused before."""
    check_names(session.output.fields, ("id", word))
    session.api.delete(kind, thing_id)
    if not session.output.is_text:
        return show_facts(session, {"id": thing_id, word: True})
    note(f"{word.capitalize()}: {safe(thing_id)}")
    return Exit.OK


def create_resource(session: Session, listing: Listing, body: Json) -> Exit:
    """Create a resource and print it. Fields that it does not have are refused before."""
    check_fields(session.output.fields, listing.model)
    return show_resource(session, session.api.create(listing.path, body), listing)


def change_resource(session: Session, listing: Listing, thing_id: str, body: Json) -> Exit:
    """Change a resource and print it. Fields that it does not have are refused before."""
    check_fields(session.output.fields, listing.model)
    return show_resource(session, session.api.change(listing.path, thing_id, body), listing)


def _checked(session: Session, listing: Listing, pages: Iterable[Json]) -> Iterator[Json]:
    """Yield the pages; before the first one, raise `click.UsageError` for fields that its entries do not have."""
    for index, page in enumerate(pages):
        if not index:
            check_fields(session.output.fields, listing.model, page["data"])
        yield page


def _as_json(session: Session, _: Listing, pages: Iterable[Json]) -> None:
    data, cursor = _gathered(pages)
    emit({"data": [selected(entry, session.output.fields) for entry in data], "next_cursor": cursor})


def _as_lines(session: Session, listing: Listing, pages: Iterable[Json]) -> None:
    count, cursor = 0, None
    for page in pages:
        for entry in page["data"]:
            emit(selected(entry, session.output.fields))
        count, cursor = count + len(page["data"]), page.get("next_cursor")
    _say_if_more(listing, count, cursor)


def _as_tsv(session: Session, listing: Listing, pages: Iterable[Json]) -> None:
    count, cursor = 0, None
    for index, page in enumerate(pages):
        if not index:
            _write_header(session, listing)
        for entry in page["data"]:
            tsv_line(_cells(session, listing, entry))
        count, cursor = count + len(page["data"]), page.get("next_cursor")
    if not count:
        note(listing.empty)
    _say_if_more(listing, count, cursor)


def _as_table(session: Session, listing: Listing, pages: Iterable[Json]) -> None:
    data, cursor = _gathered(pages)
    if not data:
        print_line(listing.empty)
        return
    spare = () if session.output.fields else listing.spare
    table(_headings(session, listing), [_cells(session, listing, entry) for entry in data], spare)
    _say_if_more(listing, len(data), cursor)


def _gathered(pages: Iterable[Json]) -> tuple[list[Json], object]:
    data: list[Json] = []
    cursor = None
    for page in pages:
        data += page["data"]
        cursor = page.get("next_cursor")
    return data, cursor


def _write_header(session: Session, listing: Listing) -> None:
    if session.output.has_header:
        tsv_line(_headings(session, listing))


def _headings(session: Session, listing: Listing) -> Sequence[str]:
    return session.output.fields or listing.headings


def _cells(session: Session, listing: Listing, entry: Json) -> Sequence[object]:
    fields = session.output.fields
    return [value_of(entry, field) for field in fields] if fields else listing.row(entry)


def _say_if_more(listing: Listing, count: int, cursor: object) -> None:
    if cursor:
        note_of_result(f"Showing the {listing.order} {count:,}. To see more, use --limit.", next_cursor=cursor)
