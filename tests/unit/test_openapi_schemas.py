"""Schemas of the OpenAPI document: one for each name, and as clients can use them."""

from __future__ import annotations

import pytest

from schemas.http.constraints import without_null
from webhook.http.openapi import schemas
from webhook.http.openapi.schemas import Json


def document(**definitions: Json) -> Json:
    named = {name.replace("__", "."): schema for name, schema in definitions.items()}
    return {"paths": {}, "components": {"schemas": named}}


def test_nested_schemas_are_hoisted_and_shared() -> None:
    counts = {"type": "object", "properties": {"total": {"type": "integer"}}}
    spec = document(
        Job={"properties": {"counts": {"$ref": "#/components/schemas/Job.Counts"}}},
        Job__Counts=counts,
        JobList__Counts=dict(counts),
    )
    schemas.hoist(spec)
    assert set(spec["components"]["schemas"]) == {"Job", "Counts"}
    assert spec["components"]["schemas"]["Job"]["properties"]["counts"] == {"$ref": "#/components/schemas/Counts"}


def test_two_schemas_with_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="Counts"):
        schemas.hoist(document(Job__Counts={"type": "object"}, Undo__Counts={"type": "integer"}))


def test_a_form_has_no_null() -> None:
    text = {"anyOf": [{"type": "string", "maxLength": 60}, {"type": "null"}], "default": None, "description": "x"}
    assert without_null(text) == {"type": "string", "maxLength": 60, "description": "x"}
    assert without_null({"type": "boolean"}) == {"type": "boolean"}
