"""Values as source text, over several lines: JSON, or literals of Python."""

from __future__ import annotations

import json
from collections.abc import Callable

_WIDTH = 60  # characters that a list or an object may have on one line


def as_json(value: object, indent: int = 0) -> str:
    """Return a value as JSON; further lines are indented by `indent` spaces."""
    return _text(value, indent, json.dumps, trailing_comma="")


def as_python(value: object, indent: int = 0) -> str:
    """Return a value as a literal of Python; further lines are indented by `indent` spaces."""
    return _text(value, indent, _python_scalar, trailing_comma=",")


def _python_scalar(value: object) -> str:
    return json.dumps(value) if isinstance(value, str) else repr(value)


def _text(value: object, indent: int, scalar: Callable[[object], str], *, trailing_comma: str) -> str:
    if isinstance(value, dict):
        pairs = [(f"{json.dumps(name)}: ", item) for name, item in value.items()]
        opening, closing = "{", "}"
    elif isinstance(value, list):
        pairs = [("", item) for item in value]
        opening, closing = "[", "]"
    else:
        return scalar(value)
    step = 4 if trailing_comma else 2
    inner = [name + _text(item, indent + step, scalar, trailing_comma=trailing_comma) for name, item in pairs]
    line = f"{opening}{', '.join(inner)}{closing}"
    if "\n" not in line and len(line) <= _WIDTH:
        return line
    pad = " " * (indent + step)
    lines = f",\n{pad}".join(inner)
    return f"{opening}\n{pad}{lines}{trailing_comma}\n{' ' * indent}{closing}"
