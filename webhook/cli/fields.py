"""The fields that `--fields` selects from documents of the API, with dots between nested names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, get_args

import click
from pydantic import BaseModel

from webhook.cli.terminal import safe

Json = dict[str, Any]


def value_of(document: object, field: str) -> object:
    """Return the value of a field; None if there is none."""
    for name in field.split("."):
        document = document.get(name) if isinstance(document, dict) else None
    return document


def selected(document: Json, fields: Sequence[str]) -> Json:
    """Return a document with only these fields, nested as they were; the whole one without fields."""
    if not fields:
        return document
    result: Json = {}
    for field in fields:
        *parents, last = field.split(".")
        level = result
        for name in parents:
            if not isinstance(level.get(name), dict):
                level[name] = {}
            level = level[name]
        level[last] = value_of(document, field)
    return result


def check_fields(fields: Sequence[str], model: str, documents: Sequence[Json] = ()) -> None:
    """Raise `click.UsageError` for a field that neither the model nor a document has.

    `model`: module and name of the schema of these documents. The documents may be of a newer service.
    """
    if not fields:
        return
    module, _, name = model.partition(":")
    members = _members(getattr(import_module(module), name))
    _check({field: info.annotation for field, info in members}, fields, documents)


def check_names(fields: Sequence[str], names: Sequence[str]) -> None:
    """Raise `click.UsageError` for a field that is not in `names`, those of a result without a schema."""
    _check(dict.fromkeys(names, object), fields)


def _check(known: Mapping[str, Any], fields: Sequence[str], documents: Sequence[Json] = ()) -> None:
    for field in fields:
        path = field.split(".")
        if not _is_in(known, path) and not any(_has(document, path) for document in documents):
            parent, names = _nearest(known, path)
            listed = ", ".join(f"{parent}{each}" for each in sorted(names))
            raise click.UsageError(f"No field “{safe(field)}”. Fields: {listed}.")


def _members(model: type[BaseModel]) -> list[tuple[str, Any]]:
    return [(info.serialization_alias or name, info) for name, info in model.model_fields.items()]


def _inner(annotation: object) -> Mapping[str, Any] | None:
    """Return the fields of an object; None for values that have none, an empty mapping for objects with any."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {name: info.annotation for name, info in _members(annotation)}
    if annotation is dict or getattr(annotation, "__origin__", None) is dict:
        return {}
    if getattr(annotation, "__origin__", None) is list:
        return None
    return next((inner for part in get_args(annotation) if (inner := _inner(part)) is not None), None)


def _is_in(known: Mapping[str, Any], path: Sequence[str]) -> bool:
    for index, name in enumerate(path):
        if name not in known:
            return bool(index) and not known  # an object with any fields
        inner = _inner(known[name])
        if inner is None:
            return index == len(path) - 1
        known = inner
    return True


def _has(document: object, path: Sequence[str]) -> bool:
    if not path:
        return True
    return isinstance(document, dict) and path[0] in document and _has(document[path[0]], path[1:])


def _nearest(known: Mapping[str, Any], path: Sequence[str]) -> tuple[str, Mapping[str, Any]]:
    """Return the fields at the level where one is missing, and the path to them."""
    parent = ""
    for name in path[:-1]:
        inner = _inner(known.get(name))
        if not inner:
            break
        known, parent = inner, f"{parent}{name}."
    return parent, known
