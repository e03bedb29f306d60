"""One reader for the JSON of every request: what readers could understand differently is refused (RFC 8259)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask import Flask, Request
from werkzeug.test import EnvironBuilder

from webhook.app import create_app
from webhook.http import body_limits, request_bodies
from webhook.http.errors import Refused
from webhook.http.request_bodies import BoundedRequest, parse_object


def refusal(content: bytes) -> dict[str, Any]:
    with pytest.raises(Refused) as caught:
        parse_object(content)
    return caught.value.body


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"{} {}", "not JSON"),
        (b'{"a": 1,}', "not JSON"),
        (b"{'a': 1}", "not JSON"),
        (b'{"a": 01}', "not JSON"),
        (b'{"a": +1}', "not JSON"),
        (b'{"a": "\x00"}', "not JSON"),
        (b'{"a": 1} // so', "not JSON"),
        (b"null", "must be a JSON object"),
        (b"[]", "must be a JSON object"),
        (b'"text"', "must be a JSON object"),
        (b'{"a": NaN}', "NaN is not JSON"),
        (b'{"a": -Infinity}', "-Infinity is not JSON"),
        (b'{"a": 1e999}', "too large"),
        (b'{"a": 1' + b"0" * 5000 + b"}", "more than 300 digits"),
        (b'\xef\xbb\xbf{"a": 1}', "byte order mark"),
        ('{"a": "\u00e9"}'.encode("latin-1"), "not UTF-8"),
        ('{"a": 1}'.encode("utf-16"), "not UTF-8"),
        ('{"a": 1}'.encode("utf-16-le"), "not JSON"),
        (b'{"a": "\xed\xa0\x80"}', "not UTF-8"),  # half a surrogate pair, encoded
        (b"[" * 200_000, "nested"),
        (b'{"a":' * 200_000, "nested"),
        (b'{"a": ' + b"[" * 200_000 + b"]" * 200_000 + b"}", "nested"),
        (b'{"a": ' + b"[" * request_bodies.DEEPEST + b"]" * request_bodies.DEEPEST + b"}", "nested"),
        (json.dumps({str(place): 1 for place in range(129)}).encode(), "128 members"),
    ],
)
def test_what_is_no_json_object_is_refused(content: bytes, said: str) -> None:
    body = refusal(content)
    assert (body["status"], body["code"]) == (400, "BAD_REQUEST")
    assert said in body["detail"]
    assert "RFC 8259" in body["fix"]
    assert len(json.dumps(body)) < 2000


@pytest.mark.parametrize(
    ("content", "key"),
    [
        (b'{"a": 1, "a": 1}', "a"),
        (b'{"b": [{"c": 1, "c": 2}]}', "c"),
        (b'{"d": 1, "\\u0064": 2}', "d"),
        (b'{"' + b"x" * 500 + b'": 1, "' + b"x" * 500 + b'": 1}', "x" * 100),
        (b'{"\\ud800": 1, "\\ud800": 1}', "\ud800"),
    ],
)
def test_a_key_that_is_there_twice_is_named(content: bytes, key: str) -> None:
    body = refusal(content)
    assert (body["status"], body["code"], body["key"]) == (422, "DUPLICATE_KEY", key)
    json.dumps(body).encode()


def test_the_place_of_a_fault_is_told() -> None:
    body = refusal(b'{"a": 1,\n  "b" 2}')
    assert (body["line"], body["column"]) == (2, 7)
    assert refusal(b'{"a": "\xff"}')["at"] == 7


def test_ordinary_json_is_read() -> None:
    found = {"a": [1, -2.5, 1e300, True, None, "\U0001f600 \u96fb"], "b": {"c": {}}, "\u96fb": "\ud7a3"}
    assert parse_object(json.dumps(found).encode()) == found
    assert parse_object(json.dumps(found, ensure_ascii=False).encode()) == found
    deepest = b'{"a": ' + b"[" * (request_bodies.DEEPEST - 2) + b"]" * (request_bodies.DEEPEST - 2) + b"}"
    assert list(parse_object(deepest)) == ["a"]


def request(content: bytes, limit: int, *, content_type: str = "application/json", chunked: bool = False) -> Request:
    """A request as a server hands it over: one that ends the body by itself, with a length or without."""
    environ = EnvironBuilder(method="POST", data=content, content_type=content_type).get_environ()
    environ["wsgi.input_terminated"] = True
    if chunked:
        del environ["CONTENT_LENGTH"]
    found = BoundedRequest(environ)
    found.max_content_length = limit
    return found


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("over", [0, 1, 200_000])
def test_the_limit_is_exact(chunked: bool, over: int) -> None:
    content = b'{"a": "' + b"x" * 100_000 + b'"}' + b" " * over
    read = request(content, len(content) - over, chunked=chunked)
    with Flask(__name__).app_context():
        if not over:
            assert read.get_json()["a"] == "x" * 100_000
            return
        with pytest.raises(Refused) as caught:
            read.get_json()
    body = caught.value.body
    assert (body["status"], body["code"], body["limit"]) == (413, "BODY_TOO_LARGE", len(content) - over)


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "text/json", "application/x-www-form-urlencoded", "application/json; charset=latin-1"],
)
def test_other_content_types_are_refused(content_type: str) -> None:
    with pytest.raises(Refused) as caught:
        request(b"{}", 100, content_type=content_type).get_json(force=True)
    assert (caught.value.body["status"], caught.value.body["value"]) == (415, content_type)


def test_many_things_are_not_made_where_no_list_is_taken() -> None:
    content = b'{"a": [' + b"[]," * 20_000 + b"[]]}"
    assert len(request(content, body_limits.LIST).get_json()["a"]) == 20_001
    with pytest.raises(Refused) as caught:
        request(content, body_limits.SMALL).get_json()
    assert (caught.value.body["status"], caught.value.body["code"]) == (400, "BAD_REQUEST")


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=UTF-8", "APPLICATION/JSON"])
def test_json_is_taken_by_its_content_type(content_type: str) -> None:
    assert request(b"{}", 100, content_type=content_type).get_json() == {}


def test_a_whole_number_is_an_integer_however_it_is_written() -> None:
    """As in JSON Schema, by which clients check what they send."""
    values = request(b'{"a": [3.0, 3e2, 3.5, 1e300, -0.0]}', 100).get_json()["a"]
    assert values == [3, 300, 3.5, 1e300, 0]
    assert [type(value) for value in values] == [int, int, float, float, int]


def test_every_route_takes_little_unless_it_says_otherwise() -> None:
    """A new route has the small limit; those with another one are known."""
    views = create_app().view_functions
    declared = {name: vars(view)["_body_limit"] for name, view in views.items() if "_body_limit" in vars(view)}
    form = {"multipart/form-data"}  # limited as it is read, as are files that are the body
    lists = dict.fromkeys(("assign", "unassign", "change", "delete"), (body_limits.LIST, form))
    assert declared == {f"actions.{name}": limit for name, limit in lists.items()} | {
        "uploads.upload": (body_limits.SMALL, form | body_limits.RAW_FILES),
        "portal.upload": (body_limits.SMALL, form),
        "portal.read_pasted": (body_limits.MIB, set()),
    }
