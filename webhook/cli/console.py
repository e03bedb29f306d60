"""What the commands write: text made safe for a terminal, JSON, figures. Cells, names and file names are hostile."""

from __future__ import annotations

import json
import re
import sys
import unicodedata
from datetime import UTC, datetime
from pathlib import Path

import click

from webhook.cli.client import Json

_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|(?:\x1b[\]PX^_]|[\x90\x9d]).*?(?:\x07|\x1b\\|\x9c|$)", re.DOTALL)
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def safe(value: object) -> str:
    """One line without escape sequences, control characters or characters that turn or hide others; "" for None."""
    text = _ESCAPES.sub("", "" if value is None else str(value))
    spaced = re.sub(r"[\t\r\n]+", " ", text)
    return "".join(char for char in spaced if unicodedata.category(char) not in _UNSEEN)


def say(text: str = "") -> None:
    """A line of the result, on stdout."""
    click.echo(text)


def note(text: str) -> None:
    """A line beside the result, on stderr."""
    click.echo(text, err=True)


def emit(document: Json) -> None:
    """The result for programs: one line of JSON on stdout, ASCII only, so that it is safe on a terminal too."""
    click.echo(json.dumps(document))


def is_asked(as_json: bool) -> bool:  # noqa: FBT001 - the session's own flag
    """Whether somebody is there to answer a question: not a program, which takes JSON or is no terminal."""
    return not as_json and sys.stdin.isatty() and sys.stderr.isatty()


def when(value: object) -> str:
    """A time of the API for people: to the second, in UTC; other text as it is."""
    try:
        moment = datetime.fromisoformat(str(value)).astimezone(UTC)
    except ValueError:
        return "" if value is None else str(value)
    return f"{moment:%Y-%m-%d %H:%M:%S}Z"


def span(seconds: float) -> str:
    """How long something takes, for people: "8 s", "2 min 5 s", "3 h 10 min"."""
    whole = max(0, round(seconds))
    minutes, rest = divmod(whole, 60)
    if not minutes:
        return f"{rest} s"
    hours, left = divmod(minutes, 60)
    return f"{hours:,} h {left} min" if hours else f"{minutes} min {rest} s"


def at_home(path: Path) -> str:
    """A path for people, safe to show: what is below the home folder begins with ~."""
    try:
        return safe(Path("~") / path.relative_to(Path.home()))
    except (ValueError, RuntimeError):  # elsewhere, or there is no home
        return safe(path)


def number(value: object) -> str:
    """A whole number with thousands marked; "" for anything else."""
    return f"{value:,}" if isinstance(value, int) else ""


def size(count: float) -> str:
    """Bytes for people (decimal units)."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:  # noqa: PLR2004 - as the prefixes go
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"
