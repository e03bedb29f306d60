"""Constraints of request fields, as the OpenAPI document states them and as validation enforces them.

Clients check values by the document. So a value that the document allows is not refused for its form, except where
JSON Schema cannot express the rule (`tests/acceptance/test_generated_requests.py` lists those).
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import core_schema

from schemas.codes import Code
from schemas.name_matching import LONGEST, collapse_spaces

_CONTROL = r"\u0000-\u001f\u007f-\u009f\u2028\u2029"
LINE = rf"^[^{_CONTROL}]*$"  # text without control characters and line breaks
# The same with at least one character that is not a space.
NAME = rf"^[^{_CONTROL}]*[^\s{_CONTROL}][^{_CONTROL}]*$"
CODE = r"^[A-Z][A-Z0-9_]*$"
_LINE = re.compile(LINE)


class _NotNull:
    """Marks a field that can be left out, but not be null: `Annotated[Name | None, NOT_NULL] = None`."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:  # noqa: ANN401 - as in pydantic
        return core_schema.no_info_before_validator_function(_given, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return without_null(handler(schema))


NOT_NULL = _NotNull()


def without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a JSON schema without the null that it allows besides others."""
    kinds = [kind for kind in schema.get("anyOf", []) if kind != {"type": "null"}]
    rest = {name: value for name, value in schema.items() if name != "anyOf" and (name, value) != ("default", None)}
    if not kinds:
        return rest
    return rest | (kinds[0] if len(kinds) == 1 else {"anyOf": kinds})


def none_if_empty(text: str) -> str | None:
    """Return a text, None for an empty one, which a form sends for a field that was not filled in."""
    return text or None


def _given(value: object) -> object:
    if value is None:
        raise ValueError("may not be null")
    return value


def _name(text: str) -> str:
    """Return a name as it is kept. `ValueError` unless it is 1 to 200 printable characters."""
    if len(text) > LONGEST or not _LINE.fullmatch(text):
        raise ValueError(f"a name is 1 to {LONGEST} printable characters")
    return collapse_spaces(text)


Name = Annotated[
    str,
    AfterValidator(_name),
    Field(
        description=f"1 to {LONGEST} printable characters.",
        json_schema_extra={"minLength": 1, "maxLength": LONGEST, "pattern": NAME},
    ),
]


def _code(text: str) -> str:
    if text not in Code.__members__:
        raise ValueError(f"“{text}” isn't the code of a result")
    return text


CodeName = Annotated[
    str,
    Field(max_length=64, json_schema_extra={"pattern": CODE}),
    AfterValidator(_code),
]
