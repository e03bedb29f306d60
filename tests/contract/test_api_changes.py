"""Changes of the API since the last release are on their page, and none breaks clients without a reason."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from tests.contract import api_changes
from tests.contract.api_changes import Change, Document, compare

Json = dict[str, Any]


def document(field: Json, *, required: tuple[str, ...] = (), query: Json | None = None, **more: Json) -> Document:
    """A document of one operation, with a field `a` in its body and in its response."""
    schema = {"type": "object", "properties": {"a": field, **more}, "required": list(required)}
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}
    operation = {"requestBody": {"content": content}, "responses": {"200": {"content": content}}}
    if query is not None:
        operation["parameters"] = [{"in": "query", "name": "q", **query}]
    return Document({"paths": {"/v1/things": {"post": operation}}, "components": {"schemas": {"Thing": schema}}})


TEXT = {"type": "string"}
NULLABLE = {"anyOf": [{"type": "string"}, {"type": "null"}]}


@pytest.mark.parametrize(
    ("old", "new", "breaking"),
    [
        (document(TEXT), document(TEXT), []),
        (document(TEXT), document(TEXT, b=TEXT), []),
        (document(TEXT, b=TEXT), document(TEXT), ["no longer accepted", "no longer in the response"]),
        (document(TEXT), document(TEXT, required=("a",)), ["is required"]),
        (document(TEXT, required=("a",)), document(TEXT), ["may be missing"]),
        (document(TEXT), document({"type": "integer"}), ["no longer string", "may be integer"]),
        (document(TEXT), document(NULLABLE), ["may be null"]),
        (document(NULLABLE), document(TEXT), ["no longer null"]),
        (document(TEXT), document(TEXT | {"enum": ["x"]}), ['is one of "x"']),
        (document(TEXT | {"enum": ["x", "y"]}), document(TEXT | {"enum": ["x"]}), ['no longer "y"']),
        (document(TEXT | {"enum": ["x"]}), document(TEXT | {"enum": ["x", "y"]}), []),
        (document(TEXT | {"maxLength": 9}), document(TEXT | {"maxLength": 8}), ["maxLength 8"]),
        (document(TEXT | {"maxLength": 8}), document(TEXT | {"maxLength": 9}), []),
        (document(TEXT | {"minLength": 1}), document(TEXT), []),
        (document(TEXT), document(TEXT | {"pattern": "^x$"}), ["pattern ^x$"]),
        (document(TEXT), document(TEXT, query={"schema": TEXT}), []),
        (document(TEXT), document(TEXT, query={"schema": TEXT, "required": True}), ["added, required"]),
        (document(TEXT, query={"schema": TEXT}), document(TEXT), ["query q is no longer accepted"]),
        (document(TEXT, query={"schema": NULLABLE}), document(TEXT, query={"schema": TEXT}), []),
        (document(TEXT), Document({"paths": {}}), ["removed"]),
        (Document({"paths": {}}), document(TEXT), []),
    ],
)
def test_what_breaks_clients(old: Document, new: Document, breaking: list[str]) -> None:
    found = [str(change) for change in compare(old, new) if change.breaks]
    assert len(found) == len(breaking), found
    for text in breaking:
        assert any(text in change for change in found), (text, found)


@pytest.fixture(scope="module")
def changes() -> tuple[str, list[Change]]:
    try:
        version, old = api_changes.released()
    except subprocess.CalledProcessError:
        pytest.skip("this checkout has no history")
    return version, compare(old, api_changes.current())


def test_no_change_breaks_clients_unannounced(changes: tuple[str, list[Change]]) -> None:
    known = api_changes.announcements()
    breaking = [change for change in changes[1] if change.breaks]
    assert [str(change) for change in breaking if not any(each.covers(change) for each in known)] == []
    assert [each.why for each in known if not any(each.covers(change) for change in breaking)] == []


def test_the_page_is_up_to_date(changes: tuple[str, list[Change]]) -> None:
    assert api_changes.PAGE.read_text(encoding="utf-8") == api_changes.page(*changes)
