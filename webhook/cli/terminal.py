"""Input and output on the terminal: safe text, JSON, formatted figures, limited encodings and closed streams.

Cells, names and file names are untrusted input.
"""

from __future__ import annotations

import codecs
import contextlib
import json
import os
import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TextIO

import click

_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|(?:\x1b[\]PX^_]|[\x90\x9d]).*?(?:\x07|\x1b\\|\x9c|$)", re.DOTALL)
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_PLAIN = str.maketrans({"“": '"', "”": '"', "’": "'", "–": "-", "…": "..."})


@dataclass(frozen=True)
class Style:
    """What a command may write besides its result.

    `is_quiet`: no notes and no progress. `is_machine`: a program reads the output, so that stderr has only problems,
    and notes of `note_of_result`, as JSON, unless it is a terminal. `has_color`: colors and bold text on a terminal.
    """

    is_quiet: bool = False
    is_machine: bool = False
    has_color: bool = True


_USUAL = Style()
STYLE: ContextVar[Style] = ContextVar("numberyard_style", default=_USUAL)
# Whether the command has written JSON to stdout.
HAS_RESULT: ContextVar[bool] = ContextVar("numberyard_has_result", default=False)


def shows_color() -> bool:
    """Return whether escape sequences are allowed: https://no-color.org, and terminals that can do nothing."""
    return STYLE.get().has_color and not os.environ.get("NO_COLOR") and not is_dumb()


def is_dumb() -> bool:
    """Return whether the terminal says that it cannot move the cursor."""
    return os.environ.get("TERM", "").lower() in {"dumb", "unknown"}


def shows_progress() -> bool:
    """Return whether progress is shown: only to people at a terminal."""
    return sys.stderr.isatty() and not STYLE.get().is_quiet


def safe(value: object) -> str:
    """Return one line without escape sequences, control characters and invisible or reordering characters.

    Returns "" for None.
    """
    text = _ESCAPES.sub("", "" if value is None else str(value))
    spaced = re.sub(r"[\t\r\n]+", " ", text)
    return "".join(char for char in spaced if unicodedata.category(char) not in _UNSEEN)


def safe_lines(blocks: Iterable[bytes]) -> Iterator[str]:
    """Yield the lines of a text in UTF-8 that arrives in blocks, each one safe to show."""
    rest = b""
    for block in blocks:
        *lines, rest = (rest + block).split(b"\n")
        yield from (safe(line.removesuffix(b"\r").decode("utf-8", "replace")) for line in lines)
    if rest:
        yield safe(rest.decode("utf-8", "replace"))


def print_line(text: str = "") -> None:
    """Write a line of the result to stdout."""
    click.echo(text)


def note(text: str) -> None:
    """Write a line that is not part of the result to stderr, if people read it."""
    style = STYLE.get()
    if not (style.is_quiet or (style.is_machine and not sys.stderr.isatty())):
        click.echo(text, err=True)


def note_of_result(text: str, **facts: object) -> None:
    """Write a note on how complete the result is. A program that reads stderr gets it as JSON, with `facts`."""
    style = STYLE.get()
    if style.is_machine and not style.is_quiet and not sys.stderr.isatty():
        click.echo(json.dumps({"note": text, **facts}), err=True)
    else:
        note(text)


def emit(document: dict[str, Any]) -> None:
    """Write the result for programs: one line of JSON to stdout. ASCII only, so it is safe on a terminal too."""
    click.echo(json.dumps(document))
    HAS_RESULT.set(True)


def is_asked(as_json: bool) -> bool:  # noqa: FBT001 - the session's own flag
    """Return whether a person can answer a question: no JSON output, and stdin and stderr are terminals."""
    return not as_json and sys.stdin.isatty() and sys.stderr.isatty()


def when(value: object) -> str:
    """Format a time from the API for people: to the second, in UTC. Returns other text safe to show."""
    try:
        moment = datetime.fromisoformat(str(value)).astimezone(UTC)
    except ValueError:
        return safe(value)
    return f"{moment:%Y-%m-%d %H:%M:%S}Z"


def span(seconds: float) -> str:
    """Format a duration for people: "8 s", "2 min 5 s", "3 h 10 min"."""
    whole = max(0, round(seconds))
    minutes, rest = divmod(whole, 60)
    if not minutes:
        return f"{rest} s"
    hours, left = divmod(minutes, 60)
    return f"{hours:,} h {left} min" if hours else f"{minutes} min {rest} s"


def at_home(path: Path) -> str:
    """Format a path for people, safe to show. A path in the home folder begins with ~."""
    try:
        return safe(Path("~") / path.relative_to(Path.home()))
    except (ValueError, RuntimeError):  # outside the home folder, or no home folder
        return safe(path)


def number(value: object) -> str:
    """Format a whole number with thousands separators; "" for anything else."""
    return f"{value:,}" if isinstance(value, int) else ""


def size(count: float) -> str:
    """Format a byte count for people (decimal units)."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:  # noqa: PLR2004 - step of the unit prefixes
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def tolerate_narrow_encodings() -> None:
    """Let stdout and stderr replace characters that their encoding lacks, instead of failing."""
    codecs.register_error("numberyard.plain", _plain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="numberyard.plain")


def _plain(error: UnicodeError) -> tuple[str, int]:
    """Return the nearest ASCII characters, "?" where there is none."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end].translate(_PLAIN)
    return text.encode("ascii", "replace").decode("ascii"), error.end


def open_missing_streams() -> None:
    """Open /dev/null where a standard stream is closed, so that no other file gets its number."""
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            while (opened := os.open(os.devnull, os.O_RDWR)) < descriptor:
                pass
            setattr(sys, name, open(opened, "r" if name == "stdin" else "w", encoding="utf-8"))  # noqa: PTH123, SIM115 - of a descriptor


def silence(*streams: TextIO) -> None:
    """Redirect streams that cannot be written to /dev/null, so that their final flush does not fail."""
    for stream in streams:
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
