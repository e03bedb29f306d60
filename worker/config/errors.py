"""Texts about exceptions, for logs and error reports, without values of rows.

PostgreSQL quotes values in the lines after the first of a message, and SQLAlchemy appends the parameters: of a database
error only the SQLSTATE and the first line are used, with long numbers hidden.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator
from pathlib import Path

LONGEST_REASON = 300  # characters
LONGEST_MESSAGE = 500
MOST_FRAMES = 25  # of one exception, the innermost
MOST_CAUSES = 4
_NUMBERS = re.compile(r"(?<![\w-])\+?\d{6,}")
HIDDEN = "***"


def sqlstate_of(error: BaseException) -> str:
    """Return the SQLSTATE of a database error, from the driver itself or through SQLAlchemy; empty for other errors."""
    return getattr(getattr(error, "orig", error), "sqlstate", None) or ""


def name_of(error: BaseException) -> str:
    """Return the qualified name of the exception's type."""
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def reason_of(error: BaseException) -> str:
    """Return why something failed in one line without values of rows.

    The SQLSTATE and the first line of the server's message; of an error of the operating system, its text; of an error
    that has a `log_reason`, that. Of any other error, only its type: its message could quote a cell.
    """
    own = getattr(error, "log_reason", None)
    if isinstance(own, str):
        return f"{name_of(error)}: {own}"
    if _is_of_database(error):
        return _database_reason(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{name_of(error)}: {error.strerror}"
    return name_of(error)


def described(error: BaseException) -> str:
    """Return an exception and its causes with their call stacks, the innermost call first, a line each."""
    parts: list[str] = []
    for number, each in enumerate(_causes(error)):
        prefix = "caused by " if number else ""
        frames = traceback.extract_tb(each.__traceback__)[-MOST_FRAMES:]
        lines = [f"  {_short(frame.filename)}:{frame.lineno} in {frame.name}" for frame in reversed(frames)]
        parts += [prefix + _message(each), *lines]
    return "\n".join(parts)


def _causes(error: BaseException) -> Iterator[BaseException]:
    each: BaseException | None = error
    for _ in range(MOST_CAUSES):
        if each is None:
            return
        yield each
        each = each.__cause__ or (None if each.__suppress_context__ else each.__context__)


def _message(error: BaseException) -> str:
    if _is_of_database(error):
        return _database_reason(error)
    text = str(error)[:LONGEST_MESSAGE]
    return f"{name_of(error)}: {text}" if text else name_of(error)


def _is_of_database(error: BaseException) -> bool:
    return hasattr(error, "orig") or hasattr(error, "sqlstate")


def _database_reason(error: BaseException) -> str:
    original = getattr(error, "orig", None) or error
    message = getattr(getattr(original, "diag", None), "message_primary", None) or str(original)
    first = _NUMBERS.sub(HIDDEN, message.strip().partition("\n")[0])[:LONGEST_REASON]
    return " ".join(filter(None, (name_of(original), sqlstate_of(error)))) + (f": {first}" if first else "")


def _short(path: str) -> str:
    return "/".join(Path(path).parts[-3:])
