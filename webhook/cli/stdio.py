"""The standard streams, whatever they are connected to: a narrow encoding, or a reader that has gone."""

from __future__ import annotations

import codecs
import contextlib
import os
import sys
from io import TextIOWrapper

_PLAIN = str.maketrans({"“": '"', "”": '"', "’": "'", "–": "-", "…": "..."})


def speak_plainly() -> None:
    """Have stdout and stderr write what their encoding can, instead of failing on a quotation mark it lacks."""
    codecs.register_error("numberyard.plain", _plain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="numberyard.plain")


def _plain(error: UnicodeError) -> tuple[str, int]:
    """Nearest characters of ASCII, "?" for those that have none."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    given = error.object[error.start : error.end].translate(_PLAIN)
    return given.encode("ascii", "replace").decode("ascii"), error.end


def hush() -> None:
    """Nobody reads stdout any more: let nothing fail that is still to be written when the program ends."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
