"""`numberyard profiles`: import profiles, which say how the files of one source are read."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from pathlib import Path

import click

from schemas.jobs import Accept
from schemas.mapping_texts import phrases
from webhook.cli.client import Json
from webhook.cli.completion import profile_names
from webhook.cli.exit_codes import Exit
from webhook.cli.lookup import profile_id
from webhook.cli.option_types import JsonFile
from webhook.cli.resources import (
    Listing,
    change_resource,
    create_resource,
    delete_resource,
    limit_option,
    list_resources,
    show_resource,
)
from webhook.cli.session import Session, talks
from webhook.cli.submit import number_format_option, text_options
from webhook.cli.terminal import safe, when

_EMPTY: Json = {"mapping": {}, "options": {}, "headers": []}


class _Pair(click.ParamType):  # type: ignore[type-arg] # generic only in newer releases of click
    """`COLUMN=TEXT`: a column of ours and what it is read from."""

    name = "pair"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        column, equals, text = str(value).partition("=")
        if not equals or not column.strip():
            self.fail("use COLUMN=TEXT, such as “Phone Number=TN”.", param, ctx)
        return column.strip(), text


@click.group()
def profiles() -> None:
    """Manage import profiles: which column of a source's files is which, and how its numbers are written."""


@profiles.command("list")
@limit_option("profiles")
@talks
def list_command(session: Session, *, limit: int) -> Exit:
    """List your import profiles and those of the companies above you."""
    return list_resources(session, _PROFILES, limit)


@profiles.command()
@click.argument("reference", metavar="NAME|ID", shell_complete=profile_names)
@talks
def show(session: Session, *, reference: str) -> Exit:
    """Show an import profile. What --json writes can be saved again with `add --from`."""
    shown = session.api.get("import-profiles", profile_id(session, reference))
    return show_resource(session, shown, _DETAILED)


@profiles.command()
@click.argument("name")
@click.option(
    "--from", "document", type=JsonFile(), metavar="FILE", help="JSON file with mapping, options and headers."
)
@click.option("--column", "columns", type=_Pair(), multiple=True, metavar="OURS=THEIRS", help="Column of the file.")
@click.option("--constant", "constants", type=_Pair(), multiple=True, metavar="OURS=TEXT", help="Text for every row.")
@click.option("--header", "headers", multiple=True, metavar="NAME", help="A column name of the file; repeat for all.")
@click.option(
    "--accept",
    type=click.Choice([choice.value for choice in Accept]),
    help="valid: number in a known range; possible: right length only.",
)
@number_format_option
@text_options
@talks
def add(  # noqa: PLR0913 - options of the command
    session: Session,
    *,
    name: str,
    document: tuple[Path, Json] | None,
    columns: Sequence[tuple[str, str]],
    constants: Sequence[tuple[str, str]],
    headers: Sequence[str],
    **options: str | int | None,
) -> Exit:
    """Save an import profile for your own company and those below it.

    OURS is a column of the sample file, THEIRS the name of a column of your file or its number (--column Voice=3). A
    file with exactly the column names in --header is read with the profile unless the upload says otherwise. Options
    add to FILE.
    """
    body = _parts(document)
    read_as = {ours: int(theirs) if theirs.isascii() and theirs.isdecimal() else theirs for ours, theirs in columns}
    for part, pairs in (("columns", read_as), ("constants", dict(constants))):
        if pairs:
            body["mapping"][part] = {**(body["mapping"].get(part) or {}), **pairs}
    body["options"] |= {option: value for option, value in options.items() if value is not None}
    body["headers"] += headers
    body["name"] = name
    return create_resource(session, _PROFILES, body)


@profiles.command()
@click.argument("reference", metavar="NAME|ID", shell_complete=profile_names)
@click.argument("name", metavar="NEW_NAME")
@talks
def rename(session: Session, *, reference: str, name: str) -> Exit:
    """Rename an import profile of your own company."""
    return change_resource(session, _PROFILES, profile_id(session, reference), {"name": name})


@profiles.command()
@click.argument("reference", metavar="NAME|ID", shell_complete=profile_names)
@talks
def remove(session: Session, *, reference: str) -> Exit:
    """Delete an import profile of your own company. Numbers and jobs are not changed."""
    return delete_resource(session, "import-profiles", profile_id(session, reference), "deleted")


def _parts(document: tuple[Path, Json] | None) -> Json:
    """Return the mapping, options and headers in a file, each empty if it is not there."""
    path, stated = document or (Path(), {})
    parts = {part: stated.get(part) or empty for part, empty in _EMPTY.items()}
    if any(not isinstance(value, type(_EMPTY[part])) for part, value in parts.items()):
        raise click.UsageError(f"{safe(path)} does not have the form of an import profile; see `profiles show --json`.")
    return {part: copy(value) for part, value in parts.items()}


def _row(profile: Json) -> tuple[object, ...]:
    owner = (profile.get("tenant") or {}).get("name")
    columns = "; ".join(phrases(profile.get("mapping") or {}))
    return (profile.get("id"), profile.get("name"), owner, columns, when(profile.get("last_used_at")))


def _details(profile: Json) -> tuple[object, ...]:
    options = {name: value for name, value in (profile.get("options") or {}).items() if value is not None}
    return (
        ", ".join(f"{name} {value!r}" if name == "delimiter" else f"{name} {value}" for name, value in options.items()),
        ", ".join(map(str, profile.get("headers") or ())),
        profile.get("created_by"),
    )


_PROFILES = Listing(
    "import-profiles",
    "schemas.http.import_profiles:ImportProfile",
    ("Profile", "Name", "Belongs to", "Columns", "Last used"),
    _row,
    spare=("Last used", "Columns", "Belongs to"),
    empty="No import profiles yet.",
)
_DETAILED = replace(
    _PROFILES,
    headings=(*_PROFILES.headings, "Options", "File's columns", "Created by"),
    row=lambda profile: (*_row(profile), *_details(profile)),
)
