"""The schemas of the OpenAPI document: one for each name, and as generated clients need them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import BaseModel

from schemas.http.constraints import without_null
from schemas.http.rechecks import RecheckBody

Json = dict[str, Any]
PREFIX = "#/components/schemas/"
_FILE = {
    "type": "string",
    "format": "binary",
    "contentMediaType": "application/octet-stream",
    "description": "The spreadsheet.",
}


def reference(name: str) -> Json:
    """Return the reference to a schema."""
    return {"$ref": PREFIX + name}


def hoist(spec: Json) -> None:
    """Move the schemas that the framework nested under others (`Job.Counts`) to the top, each once.

    Raises `ValueError` if two schemas with one name differ.
    """
    for node in _objects(spec):
        if isinstance(node.get("$ref"), str) and node["$ref"].startswith(PREFIX):
            node["$ref"] = PREFIX + _last(node["$ref"].removeprefix(PREFIX))
    nested = spec["components"]["schemas"]
    spec["components"]["schemas"] = {}
    for name, schema in nested.items():
        _put(spec, _last(name), schema)


def add(spec: Json, model: type[BaseModel]) -> Json:
    """Add the schema of a model, and those that it refers to; return the reference to it."""
    schema = model.model_json_schema(ref_template=PREFIX + "{model}")
    for name, nested in schema.pop("$defs", {}).items():
        _put(spec, name, nested)
    _put(spec, model.__name__, schema)
    return reference(model.__name__)


def add_form(spec: Json, form: type[BaseModel]) -> Json:
    """Add the schema of a multipart body with a file and these fields; return the reference to it."""
    found = add(spec, form)
    schema = spec["components"]["schemas"][form.__name__]
    schema["properties"] = {"file": dict(_FILE)} | {
        name: without_null(field) for name, field in schema["properties"].items()
    }
    schema["required"] = ["file"]
    return found


def query_parameters(spec: Json, model: type[BaseModel]) -> list[Json]:
    """Return a query parameter for each field of a model; an object is JSON in a text."""
    schema = model.model_json_schema(ref_template=PREFIX + "{model}")
    for name, nested in schema.pop("$defs", {}).items():
        _put(spec, name, nested)
    parameters = []
    for name, field in schema["properties"].items():
        kind = without_null(field)
        if kind.get("type", "object") == "object":
            text = f"{kind.get('description', '')} An object as JSON.".strip()
            kind = {"type": "string", "contentMediaType": "application/json", "description": text}
        kind.pop("default", None)
        parameters.append({"name": name, "in": "query", "required": False, "schema": kind})
    return parameters


def finish(spec: Json) -> None:
    """Let clients send only what their callers set, and accept members of responses that a later version adds."""
    definitions = spec["components"]["schemas"]
    sent = set(_reachable(definitions, _names_in([_bodies(spec), _parameters(spec)])))
    for name, schema in definitions.items():
        for field in schema.get("properties", {}).values():
            field.pop("title", None)
            if name in sent:
                _explain_default(field, is_unchanged=name == RecheckBody.__name__)
        if name not in sent and schema.get("additionalProperties") is False:
            del schema["additionalProperties"]


def _explain_default(field: Json, *, is_unchanged: bool) -> None:
    """Replace a default, which clients would send, by words: what is left out may be in an import profile, or stay."""
    value = field.pop("default", None)
    if value and not is_unchanged:
        field["description"] = f"{field.get('description', '')} Default: `{value}`.".strip()


def _bodies(spec: Json) -> list[Json]:
    return [operation.get("requestBody", {}) for item in spec["paths"].values() for operation in item.values()]


def _parameters(spec: Json) -> list[Json]:
    return [operation.get("parameters", []) for item in spec["paths"].values() for operation in item.values()]


def _reachable(definitions: Json, names: Iterable[str]) -> Iterator[str]:
    seen: set[str] = set()
    left = list(names)
    while left:
        name = left.pop()
        if name not in seen:
            seen.add(name)
            yield name
            left.extend(_names_in(definitions[name]))


def _names_in(node: object) -> Iterator[str]:
    for found in _objects(node):
        if isinstance(found.get("$ref"), str) and found["$ref"].startswith(PREFIX):
            yield found["$ref"].removeprefix(PREFIX)


def _objects(node: object) -> Iterator[Json]:
    """Yield every object in a document."""
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from _objects(value)
    elif isinstance(node, list):
        for value in node:
            yield from _objects(value)


def _put(spec: Json, name: str, schema: Json) -> None:
    if spec["components"]["schemas"].setdefault(name, schema) != schema:
        raise ValueError(f"two schemas are called {name}")


def _last(name: str) -> str:
    return name.rpartition(".")[2]
