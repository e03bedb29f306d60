"""R35: every operation of the API and every page of the portal, by every role and scope.

What each needs is in `tests/support/permission_matrix.py`, by hand; what there is comes from the OpenAPI document and
from the routes, so that a new one fails here until it is in the table.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from schemas.permissions import TokenLimits
from schemas.roles import Role, Scope
from tests.support.api_client import Door, application
from tests.support.factories import World
from tests.support.permission_matrix import EVERY_SCOPE, NEEDED, ROLES, includes, role_of_pages
from tests.support.portal_client import SITE, signed_in
from webhook.http import access
from worker.accounts import tokens

Json = dict[str, Any]
APP = application()
SOME_ID = "00000000-0000-4000-8000-000000000000"
METHODS = {"GET", "POST", "PATCH", "DELETE", "PUT"}


def operations() -> Iterator[tuple[str, str, str, Json]]:
    """Every operation that needs a token: its id, method, an address, and what the document says of it."""
    for path, item in APP.test_client().get("/openapi.json").json["paths"].items():
        for method, operation in item.items():
            if {"bearer": []} in operation["security"]:
                address = re.sub(r"\{\w+\}", SOME_ID, path.replace("{number}", "1"))
                yield operation["operationId"], method.upper(), address, operation


OPERATIONS = {name: (method, path, operation) for name, method, path, operation in operations()}


def pages() -> Iterator[tuple[str, Rule]]:
    """Every method and rule of the portal for people who are signed in."""
    for rule in APP.url_map.iter_rules():
        view = APP.view_functions[rule.endpoint]
        is_open = rule.endpoint == "portal.static" or getattr(view, "_portal_open", False)
        if rule.endpoint.startswith("portal.") and not is_open:
            yield from ((method, rule) for method in sorted((rule.methods or set()) & METHODS))


PAGES = {f"{method} {rule.rule}": (method, rule) for method, rule in pages()}


def token(database: sa.Engine, world: World, role: str, *scopes: str) -> str:
    """A token of the reseller; without scopes it has all."""
    chosen = frozenset(map(Scope, scopes or EVERY_SCOPE.split()))
    with database.begin() as connection:
        return tokens.create(connection, world.north.id, "test", TokenLimits(Role(role), chosen)).secret


def call(client: FlaskClient, secret: str, name: str) -> TestResponse:
    method, path, _ = OPERATIONS[name]
    headers = {"Authorization": f"Bearer {secret}", "Prefer": "wait=0"}
    return client.open(path, method=method, headers=headers, json={} if method in {"POST", "PATCH"} else None)


def lacking(answer: TestResponse) -> tuple[str | None, list[str]]:
    """The role and the scopes that a refusal says are missing; (None, []) for any other answer."""
    if answer.status_code != 403:
        return None, []
    body = answer.json
    assert body["code"] == "FORBIDDEN"
    for text in [body.get("required_role") or "", *body.get("required_scopes", [])]:
        assert text in body["detail"]
    return body.get("required_role"), body.get("required_scopes", [])


def test_the_table_has_every_operation() -> None:
    assert set(NEEDED) == set(OPERATIONS)


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_says_what_it_needs(name: str) -> None:
    """In the document: for programs as members, for people in the description; and 403 as an answer."""
    operation, (role, scopes) = OPERATIONS[name][2], NEEDED[name]
    assert operation["x-required-role"] == role
    assert operation["x-required-scopes"] == scopes.split()
    assert f"the role `{role}`" in operation["description"]
    assert scopes == EVERY_SCOPE or all(f"`{scope}`" in operation["description"] for scope in scopes.split())
    assert "403" in operation["responses"]


@pytest.mark.parametrize("role", ROLES)
def test_r35_each_operation_by_each_role(role: str, api: Door, world: World, database: sa.Engine) -> None:
    secret = token(database, world, role)
    for name, (needed, _) in NEEDED.items():
        answer = call(api.client, secret, name)
        if includes(role, needed):
            assert lacking(answer) == (None, []), name
            assert answer.status_code != 401, name
        else:
            assert lacking(answer) == (needed, []), name
            assert f"the token's role is {role}" in answer.json["detail"], name


@pytest.mark.parametrize("scope", EVERY_SCOPE.split())
def test_r35_each_operation_with_each_scope(scope: str, api: Door, world: World, database: sa.Engine) -> None:
    """One that is not among those needed is refused by name, however high the role."""
    secret = token(database, world, "admin", scope)
    for name, (_, scopes) in NEEDED.items():
        expected = [] if scope in scopes.split() else scopes.split()
        assert lacking(call(api.client, secret, name)) == (None, expected), name


def test_r35_role_and_scope_can_both_be_missing(api: Door, world: World, database: sa.Engine) -> None:
    answer = call(api.client, token(database, world, "viewer", "jobs:read"), "create_token")
    assert lacking(answer) == ("admin", ["tokens:write"])


def test_a_route_that_declares_nothing_answers_nobody() -> None:
    with pytest.raises(LookupError, match="does not declare what it needs"):
        access.operation_of(lambda: None)


# The portal


def test_the_table_has_every_page() -> None:
    assert {(method, rule.rule) for method, rule in PAGES.values()} == set(role_of_pages())


@pytest.mark.parametrize("role", ROLES)
def test_r35_each_page_by_each_role(role: str, world: World, database: sa.Engine) -> None:
    """Forms are sent without their token: one that the role is not enough for is refused for the role, before that."""
    portal = signed_in(database, world.north.tenant, role=role)
    needed = role_of_pages()
    headers = {"Accept": "application/json", "Origin": SITE}
    for name, (method, rule) in PAGES.items():
        path = re.sub(r"<any\((\w+),?[^>]*>|<int:\w+>|<\w+>", lambda found: found[1] or "1", rule.rule)
        if rule.endpoint in {"portal.sign_out", "portal.sign_out_everywhere"}:
            continue  # the browser would be signed out
        answer = portal.client.open(path, method=method, headers=headers)
        if includes(role, needed[method, rule.rule]):
            assert answer.status_code != 401, name
            assert "required_role" not in answer.get_data(as_text=True), name
        else:
            assert lacking(answer) == (needed[method, rule.rule], []), name
            assert f"your role is {role}" in answer.json["detail"], name
