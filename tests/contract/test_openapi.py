"""The HTTP contract as far as issue 2 goes: what it names exists, is described and is guarded (R4)."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urljoin

import pytest
from flask.testing import FlaskClient
from openapi_spec_validator import OpenAPIV31SpecValidator, validate
from werkzeug.routing import Rule

from tests.support.api_client import Door, application

APP = application()
PROMISED = [
    ("post", "/v1/uploads"),
    ("get", "/v1/jobs"),
    ("get", "/v1/jobs/{job_id}"),
    ("get", "/v1/jobs/{job_id}/rows"),
    ("get", "/v1/jobs/{job_id}/report.csv"),
    ("get", "/v1/jobs/{job_id}/report.jsonl"),
    ("get", "/v1/templates/numbers.csv"),
    ("get", "/v1/templates/numbers.xlsx"),
    ("get", "/v1/numbers"),
    ("get", "/v1/numbers/{e164}"),
    ("get", "/livez"),
    ("get", "/readyz"),
    ("get", "/metrics"),
]
UNSPECIFIC = {"HEAD", "OPTIONS"}


@pytest.fixture
def client() -> FlaskClient:
    return APP.test_client()


@pytest.fixture
def spec(client: FlaskClient) -> dict[str, Any]:
    answer = client.get("/openapi.json")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json
    return found


def routes() -> list[tuple[str, Rule]]:
    """Every method and rule below /v1."""
    rules = [rule for rule in APP.url_map.iter_rules() if rule.rule.startswith("/v1/")]
    return [(method, rule) for rule in rules for method in sorted((rule.methods or set()) - UNSPECIFIC)]


def address(rule: Rule) -> str:
    """An address that the rule matches."""
    return re.sub(r"<[^>]+>", "1", rule.rule)


def template(rule: Rule) -> str:
    """The rule as OpenAPI writes it."""
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)


def test_follows_openapi(spec: dict[str, Any]) -> None:
    assert spec["openapi"].startswith("3.1.")
    validate(spec, cls=OpenAPIV31SpecValidator)


@pytest.mark.parametrize(("method", "path"), PROMISED)
def test_what_was_promised_is_described(spec: dict[str, Any], method: str, path: str) -> None:
    assert path in spec["paths"]
    assert spec["paths"][path][method]["summary"]


def test_the_upload_form_is_described(spec: dict[str, Any]) -> None:
    body = spec["paths"]["/v1/uploads"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert {"file", "voice_carrier", "sms_carrier_profile", "assign_to", "on_existing", "accept"} <= set(
        body["properties"]
    )
    assert body["required"] == ["file"]


@pytest.mark.parametrize("path", ["assignments", "unassignments", "capability-changes", "deletions"])
def test_r14c_how_the_numbers_of_an_action_are_read_is_described(spec: dict[str, Any], path: str) -> None:
    bodies = spec["paths"][f"/v1/{path}"]["post"]["requestBody"]["content"]
    for kind in ("application/json", "multipart/form-data"):
        fields = bodies[kind]["schema"]["properties"]
        assert fields["number_format"]["enum"] == ["auto", "national", "international"]
        assert fields["country_code"]["anyOf"][0] == {"type": "string", "maxLength": 60}
        assert fields["country_code"]["description"]


def test_r14b_how_the_numbers_of_an_upload_are_read_is_described(spec: dict[str, Any]) -> None:
    form = spec["paths"]["/v1/uploads"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert form["properties"]["number_format"]["enum"] == ["auto", "national", "international"]
    assert {"number_format", "country_code"} <= set(spec["components"]["schemas"]["Job"]["properties"])


def test_all_routes_are_described(spec: dict[str, Any]) -> None:
    assert [
        (method, rule.rule) for method, rule in routes() if method.lower() not in spec["paths"].get(template(rule), {})
    ] == []


def test_descriptions_name_the_token_and_the_refusals(spec: dict[str, Any]) -> None:
    schemes = spec["components"]["securitySchemes"]
    assert schemes["bearer"] == {"type": "http", "scheme": "bearer"}
    for path, operations in spec["paths"].items():
        for operation in operations.values():
            if path.startswith("/v1/"):
                assert operation["security"] == [{"bearer": []}]
            assert "application/problem+json" in operation["responses"]["default"]["content"]


@pytest.mark.parametrize(("method", "rule"), routes(), ids=lambda value: getattr(value, "rule", value))
@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer ", "Basic bnlrXw==", "nyk_something"])
def test_r4_nobody_gets_in_without_a_token(
    client: FlaskClient, method: str, rule: Rule, authorization: str | None
) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = client.open(address(rule), method=method, headers=headers)
    assert answer.status_code == 401
    assert answer.content_type == "application/problem+json"
    assert answer.json["code"] == "UNAUTHENTICATED"
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_r4_a_token_nobody_issued_is_refused_everywhere(api: Door) -> None:
    for method, rule in routes():
        answer = api.client.open(address(rule), method=method, headers={"Authorization": "Bearer nyk_nobody"})
        assert (answer.status_code, answer.json["code"]) == (401, "UNAUTHENTICATED"), rule.rule


def test_the_way_to_the_docs_does_not_lead_to_another_host(client: FlaskClient) -> None:
    answer = client.get("/docs", headers={"Host": "elsewhere.example"})
    assert (answer.status_code, answer.headers["Location"]) == (308, "/docs/")
    assert "/docs" not in client.get("/openapi.json").get_json()["paths"]


def test_docs_load_nothing_from_elsewhere(client: FlaskClient) -> None:
    page = client.get("/docs/", follow_redirects=True)
    assert page.status_code == 200
    linked = re.findall(r'(?:src|href)="([^"]+)"', page.get_data(as_text=True))
    assert linked
    for link in linked:
        assert not re.match(r"(https?:)?//", link)
        found = client.get(urljoin("/docs/", link), follow_redirects=True)
        assert found.status_code == 200, link
