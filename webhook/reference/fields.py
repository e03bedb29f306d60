"""The fields of a schema of the OpenAPI document, as rows for people: type, limits, default, values, inner fields."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from webhook.http.openapi.schemas import PREFIX

Json = dict[str, Any]
_DEEPEST = 4  # levels of fields within fields
_LONGEST_PATTERN = 60  # characters; a longer pattern, or one against control characters, helps no reader
_BOUNDS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "maxProperties": "at most {} members",
}


@dataclass(frozen=True)
class Field:
    """A parameter, a field of a body, or a member of a response. `location`: of a parameter."""

    name: str
    type: str
    description: str = ""
    is_required: bool = False
    limits: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    default: str | None = None
    fields: tuple[Field, ...] = ()
    location: str = ""


class FieldReader:
    """Reads the schemas of a document."""

    def __init__(self, document: Json) -> None:
        self._components = document["components"]

    def parameters(self, operation: Json) -> tuple[Field, ...]:
        """Return the parameters of an operation: in the path, in the query, in headers."""
        given = [self._parameter(parameter) for parameter in operation.get("parameters", [])]
        order = ("path", "query", "header")
        return tuple(sorted(given, key=lambda field: order.index(field.location)))

    def _parameter(self, parameter: Json) -> Field:
        if "$ref" in parameter:
            parameter = self._components["parameters"][parameter["$ref"].rpartition("/")[2]]
        return self._field(
            parameter["name"],
            parameter["schema"] | {"description": parameter.get("description", "")},
            is_required=parameter.get("required", False),
            location=parameter["in"],
        )

    def body(self, schema: Json) -> tuple[Field, ...]:
        """Return the fields of an object."""
        return self._inner(schema, ())

    def resolve(self, schema: Json) -> tuple[Json, str]:
        """Return a schema without a reference to it, and the name of what it refers to."""
        if "$ref" not in schema:
            return schema, ""
        name = schema["$ref"].removeprefix(PREFIX)
        return self._components["schemas"][name] | {key: schema[key] for key in schema.keys() - {"$ref"}}, name

    def _field(
        self, name: str, schema: Json, *, is_required: bool, location: str = "", parents: tuple[str, ...] = ()
    ) -> Field:
        kinds = [self.resolve(kind)[0] for kind in _alternatives(schema)]
        described = self.resolve(schema)[0]
        nullable = " or null" if _is_nullable(schema) else ""
        merged: Json = {}
        for kind in kinds:
            merged = kind | merged
        merged |= {key: described[key] for key in ("default", *_BOUNDS) if key in described}
        return Field(
            name=name,
            type=" or ".join(dict.fromkeys(self._type(kind) for kind in kinds)) + nullable,
            description=described.get("description") or merged.get("description", ""),
            is_required=is_required,
            limits=tuple(_limits(merged)),
            values=self._values(kinds),
            default=_default(merged),
            fields=self._inner(schema, parents),
            location=location,
        )

    def _type(self, schema: Json) -> str:
        kinds = schema.get("type", "string" if "enum" in schema or "const" in schema else "any value")
        kind = " or ".join(kinds) if isinstance(kinds, list) else kinds
        if kind == "array" and "items" in schema:
            items = [self.resolve(item)[0] for item in _alternatives(schema["items"])]
            return f"array of {' or '.join(dict.fromkeys(self._type(item) for item in items))}"
        kind = {"object": "object", "boolean": "boolean"}.get(kind, kind)
        return f"{kind} ({schema['format']})" if "format" in schema else kind

    def _values(self, kinds: list[Json]) -> tuple[str, ...]:
        values: list[str] = []
        for kind in kinds:
            values += [str(value) for value in kind.get("enum", []) if value is not None]
            values += [str(kind["const"])] if "const" in kind else []
            for item in _alternatives(kind.get("items", {})):
                values += [str(value) for value in self.resolve(item)[0].get("enum", [])]
        return tuple(dict.fromkeys(values))

    def _inner(self, schema: Json, parents: tuple[str, ...]) -> tuple[Field, ...]:
        """Return the fields of an object, of the objects in a list, or of those that a map has as values."""
        if len(parents) >= _DEEPEST:
            return ()
        fields: dict[str, Field] = {}
        for alternative in _alternatives(schema):
            kind, name = self.resolve(alternative)
            if name and name in parents:
                continue
            inside = (*parents, name)
            required = kind.get("required", ())
            for field, inner in kind.get("properties", {}).items():
                fields[field] = self._field(field, inner, is_required=field in required, parents=inside)
            for key in ("items", "additionalProperties"):
                if isinstance(kind.get(key), dict):
                    fields |= {field.name: field for field in self._inner(kind[key], inside)}
        return tuple(fields.values())


def _alternatives(schema: Json) -> list[Json]:
    """Return what a value may be, without null."""
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            return [kind for kind in schema[key] if kind.get("type") != "null"]
    return [schema]


def _is_nullable(schema: Json) -> bool:
    return any(kind.get("type") == "null" for key in ("anyOf", "oneOf") for kind in schema.get(key, ()))


def _default(schema: Json) -> str | None:
    value = schema.get("default")
    return value if value is None or isinstance(value, str) else json.dumps(value)


def _limits(schema: Mapping[str, Any]) -> Iterator[str]:
    for key, text in _BOUNDS.items():
        if key in schema and not (key.startswith("min") and schema[key] == 0):
            yield text.format(f"{schema[key]:,}")
    pattern = schema.get("pattern")
    if pattern and len(pattern) <= _LONGEST_PATTERN and "\\u0000" not in pattern:
        yield f"pattern {pattern}"
