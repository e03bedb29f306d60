"""How a command writes its result: text for people, or TSV, JSON and JSON lines for programs (decision 32)."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise
from typing import Any

import click

from webhook.cli.terminal import HAS_RESULT, STYLE, Style

_FIELD = re.compile(r"\w[\w-]*(\.\w[\w-]*)*")


class Format(StrEnum):
    """The values of `--output`."""

    TABLE = "table"
    TSV = "tsv"
    JSON = "json"
    NDJSON = "ndjson"


_MACHINE = frozenset({Format.JSON, Format.NDJSON})


@dataclass(frozen=True)
class Output:
    """The format of a result, None unless requested, and the fields to write, all if empty.

    `has_header`: TSV begins with the names of the columns.
    """

    format: Format | None = None
    fields: tuple[str, ...] = ()
    has_header: bool = True

    @property
    def is_json(self) -> bool:
        """Return whether JSON is written."""
        return self.format in _MACHINE

    @property
    def is_text(self) -> bool:
        """Return whether a single result is shown as text for people."""
        return not (self.is_json or self.is_tsv or self.fields)

    @property
    def is_tsv(self) -> bool:
        """Return whether a single result is written as TSV: by default only selected fields, and off a terminal."""
        return self.format is Format.TSV or (self.format is None and bool(self.fields) and not sys.stdout.isatty())

    @property
    def of_lists(self) -> Format:
        """Return the format of lists: by default a table on a terminal, TSV elsewhere."""
        return self.format or (Format.TABLE if sys.stdout.isatty() else Format.TSV)


AS_TEXT = Output()


class _Fields(click.ParamType):  # type: ignore[type-arg] # generic only in newer releases of click
    """`id,status,file.name`."""

    name = "fields"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        names = tuple(name.strip() for name in str(value).split(","))
        if not all(_FIELD.fullmatch(name) for name in names):
            self.fail("use names with commas between them, such as id,status,file.name.", param, ctx)
        return names


def output_of(*, as_json: bool, output_format: str | None, fields: tuple[str, ...] | None, no_header: bool) -> Output:
    """Return the output for the values of the options. `click.UsageError` if two of them contradict each other."""
    if as_json and output_format not in {None, Format.JSON}:
        raise click.UsageError(f"--json cannot be used with --output {output_format}.")
    requested = Format.JSON if as_json else Format(output_format) if output_format else None
    return Output(requested, fields or (), not no_header)


def format_in(arguments: Sequence[str]) -> Format | None:
    """Return the JSON format that the arguments of a command request; None for text.

    Does not parse them as the command does: problems of parsing must be shown in that format, too.
    """
    before = list(arguments[: arguments.index("--")] if "--" in arguments else arguments)
    if "--json" in before:
        return Format.JSON
    values = [word.removeprefix("--output=") for word in before if word.startswith("--output=")]
    values += [value for option, value in pairwise(before) if option == "--output"]
    return next((Format(value) for value in values if value in _MACHINE), None)


def _restyle(field: str, *, to: bool) -> Callable[[click.Context, click.Parameter, bool], None]:
    def apply(_context: click.Context, _parameter: click.Parameter, is_set: bool) -> None:  # noqa: FBT001 - click's signature
        if is_set:
            STYLE.set(replace(STYLE.get(), **{field: to}))

    return apply


_STYLE_OPTIONS = (
    click.option(
        "--quiet",
        "-q",
        is_flag=True,
        expose_value=False,
        callback=_restyle("is_quiet", to=True),
        help="Write only the result and problems: no notes, no progress.",
    ),
    click.option(
        "--no-color",
        is_flag=True,
        expose_value=False,
        callback=_restyle("has_color", to=False),
        help="No colors; also with NO_COLOR and TERM=dumb.",
    ),
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Write JSON to stdout, and problems as JSON to stderr.")
_RESULT_OPTIONS = (
    _JSON,
    click.option(
        "--output",
        "output_format",
        type=click.Choice([choice.value for choice in Format]),
        help="Format of the result; json is --json, ndjson one object per line.  "
        "[default: text; lists as table on a terminal, else as tsv]",
    ),
    click.option(
        "--fields", type=_Fields(), metavar="A,B.C", help="Write only these fields of the API, such as id,file.name."
    ),
    click.option("--no-header", is_flag=True, help="Write TSV without the line of column names."),
)


def _with(options: Sequence[Callable[..., Any]], command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(options):
        command = option(command)
    return command


def style_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --quiet and --no-color to a command."""
    return _with(_STYLE_OPTIONS, command)


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --json, --quiet and --no-color to a command that has one result and no list."""
    return _with((_JSON, *_STYLE_OPTIONS), command)


def result_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of `output_of`, --quiet and --no-color to a command."""
    return _with((*_RESULT_OPTIONS, *_STYLE_OPTIONS), command)


def start(arguments: Sequence[str]) -> Format | None:
    """Set the style for a command with these arguments. Returns as `format_in` does."""
    machine = format_in(arguments)
    STYLE.set(Style(is_machine=machine is not None))
    HAS_RESULT.set(False)
    return machine
