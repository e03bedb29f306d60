"""The standard streams: limited encodings, and a reader that closes stdout."""

from __future__ import annotations

import codecs
import contextlib
import os
import sys
from io import TextIOWrapper

_PLAIN = str.maketrans({"“": '"', "”": '"', "’": "'", "–": "-", "…": "..."})


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
    given = error.object[error.start : error.end].translate(_PLAIN)
    return given.encode("ascii", "replace").decode("ascii"), error.end


def silence_broken_pipe() -> None:
    """Redirect stdout to /dev/null after its reader has closed it, so that the final flush does not fail."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
