"""Texts about exceptions, for logs, traces and error reports, without values of rows and without secrets.

PostgreSQL quotes values in the lines after the first of a message, and SQLAlchemy appends the parameters: of a database
error only the SQLSTATE and the first line are used. That line quotes values, too, if the data is at fault. Libraries
quote the text that they cannot parse. So quoted parts and numbers are hidden, unless they can only be names of objects.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator
from pathlib import Path

from worker.config import secret_filter

LONGEST_REASON = 300  # characters
LONGEST_MESSAGE = 500
MOST_FRAMES = 25  # of one exception, the innermost
MOST_CAUSES = 4
HIDDEN = secret_filter.HIDDEN
_NUMBERS = re.compile(r"(?<![\w-])\+?\d{6,}")
# Values in a message, in the order in which they are replaced; expressions of Python and of PostgreSQL. The last quote
# counts, as values contain quotes; a message that was cut has only the first. Servers quote in their own language.
_QUOTE = "[\"\u00ab\u00bb\u2018\u201a\u201c\u201d\u201e]|(?<![a-z])'"
VALUES = (
    rf"({_QUOTE}).*[\"'\u00ab\u00bb\u2018\u2019\u201c\u201d]",
    rf"({_QUOTE}).*",
    r"\+?\d([\s()./-]*\d){5,}",
)
_VALUES = [re.compile(pattern, re.DOTALL) for pattern in VALUES]
# SQLSTATEs of connections, transactions, missing objects, resources and the server: their messages quote names only.
_NAMES_ONLY = ("08", "25", "26", "28", "3D", "40", "42", "53", "54", "55", "57", "58", "XX")
_CONNECTION_ERRORS = frozenset({"OperationalError", "InterfaceError"})  # of the driver, without a SQLSTATE
# Errors of the program: their texts quote names in it.
_OF_PROGRAM = frozenset({AttributeError, NameError, TypeError, ImportError, ModuleNotFoundError, NotImplementedError})
_QUOTING = frozenset({"pyarrow", "pandas", "numpy"})  # libraries that quote whole rows, without quotes


def sqlstate_of(error: BaseException) -> str:
    """Return the SQLSTATE of a database error, from the driver itself or through SQLAlchemy; empty for other errors."""
    return getattr(getattr(error, "orig", error), "sqlstate", None) or ""


def name_of(error: BaseException) -> str:
    """Return the qualified name of the exception's type."""
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def reason_of(error: BaseException) -> str:
    """Return why something failed in one line without values of rows and secrets.

    The SQLSTATE, the constraint and the first line of the server's message; of an error of the operating system, its
    text; of an error that has a `log_reason`, that. Of any other error, only its type: its message could quote a cell.
    """
    own = getattr(error, "log_reason", None)
    if isinstance(own, str):
        return f"{name_of(error)}: {secret_filter.cleaned(own)}"
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
    if _is_of_database(error) or isinstance(getattr(error, "log_reason", None), str):
        return reason_of(error)[:LONGEST_MESSAGE]
    text = _text_of(error)[:LONGEST_MESSAGE]
    return f"{name_of(error)}: {text}" if text else name_of(error)


def _text_of(error: BaseException) -> str:
    """Return the message of an exception without values; empty if they could be anywhere in it."""
    if type(error).__module__.partition(".")[0] in _QUOTING:
        return ""
    is_safe = type(error) in _OF_PROGRAM or (isinstance(error, OSError) and error.strerror is not None)
    # Secrets first: what is cut or hidden in part is no longer recognized as one.
    text = secret_filter.cleaned(str(error))
    return _NUMBERS.sub(HIDDEN, text) if is_safe else _without_values(text)


def _without_values(text: str) -> str:
    for values in _VALUES:
        text = values.sub(HIDDEN, text)
    return text


def _is_of_database(error: BaseException) -> bool:
    return hasattr(error, "orig") or hasattr(error, "sqlstate")


def _database_reason(error: BaseException) -> str:
    original = getattr(error, "orig", None) or error
    message = getattr(getattr(original, "diag", None), "message_primary", None) or str(original)
    message = secret_filter.cleaned(message.strip())
    sqlstate = sqlstate_of(error)
    if not _has_names_only(original, sqlstate):
        message = _without_values(message)
    first = _NUMBERS.sub(HIDDEN, message.partition("\n")[0])[:LONGEST_REASON]
    return " ".join(filter(None, (name_of(original), sqlstate, _constraint_of(original)))) + (
        f": {first}" if first else ""
    )


def _has_names_only(error: BaseException, sqlstate: str) -> bool:
    if sqlstate:
        return sqlstate.startswith(_NAMES_ONLY)
    return any(kind.__name__ in _CONNECTION_ERRORS for kind in type(error).__mro__)


def _constraint_of(error: BaseException) -> str | None:
    return getattr(getattr(error, "diag", None), "constraint_name", None)


def _short(path: str) -> str:
    return "/".join(Path(path).parts[-3:])
