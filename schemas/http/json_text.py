"""JSON objects in form fields and query parameters, which are text."""

from __future__ import annotations

import json
from typing import Any


def from_text(value: object) -> object:
    """Return the JSON object in a form field; anything else as it is."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value, object_pairs_hook=_members)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError("must be a JSON object (RFC 8259)") from error


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object's members. `ValueError` for duplicate names: parsers differ in which one they use."""
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("has a key twice")
    return members
