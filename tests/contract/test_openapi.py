"""The HTTP contract as far as issue 2 goes: what it names exists, is described and is guarded (R4)."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator, validate
from pydantic import BaseModel
from werkzeug.routing import Rule

from schemas.codes import CATALOGUE
from schemas.http import __path__ as bodies
from schemas.request_problems import REQUEST_PROBLEMS
from tests.support.api_client import Door, application
from tests.support.declared_answers import followed
from webhook.http.openapi.examples import EXAMPLES

Json = dict[str, Any]
APP = application()
STATUSES = {problem.status for problem in REQUEST_PROBLEMS.values()} | {spec.status for spec in CATALOGUE.values()}
MODELS: dict[str, type[BaseModel]] = {
    name: model
    for module in pkgutil.iter_modules(bodies)
    for name, model in vars(importlib.import_module(f"schemas.http.{module.name}")).items()
    if isinstance(model, type) and issubclass(model, BaseModel)
}
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
JSON, MULTIPART, PROBLEM = "application/json", "multipart/form-data", "application/problem+json"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
FILES = ["application/jsonl", XLSX, "text/csv"]
# Clients call these: an id that changes breaks them. With each, its successful responses.
OPERATIONS = {
    "create_carrier": ("POST /v1/carriers", {201: [JSON]}),
    "create_tenant": ("POST /v1/tenants", {201: [JSON]}),
    "create_token": ("POST /v1/tokens", {201: [JSON]}),
    "create_user": ("POST /v1/users", {201: [JSON]}),
    "delete_carrier": ("DELETE /v1/carriers/{carrier_id}", {204: []}),
    "delete_tenant": ("DELETE /v1/tenants/{tenant_id}", {204: []}),
    "delete_user": ("DELETE /v1/users/{user_id}", {204: []}),
    "get_carrier": ("GET /v1/carriers/{carrier_id}", {200: [JSON]}),
    "get_tenant": ("GET /v1/tenants/{tenant_id}", {200: [JSON]}),
    "get_token": ("GET /v1/tokens/{token_id}", {200: [JSON]}),
    "get_user": ("GET /v1/users/{user_id}", {200: [JSON]}),
    "list_carriers": ("GET /v1/carriers", {200: [JSON]}),
    "list_tenants": ("GET /v1/tenants", {200: [JSON]}),
    "list_tokens": ("GET /v1/tokens", {200: [JSON]}),
    "list_users": ("GET /v1/users", {200: [JSON]}),
    "revoke_token": ("DELETE /v1/tokens/{token_id}", {204: []}),
    "update_carrier": ("PATCH /v1/carriers/{carrier_id}", {200: [JSON]}),
    "update_tenant": ("PATCH /v1/tenants/{tenant_id}", {200: [JSON]}),
    "update_user": ("PATCH /v1/users/{user_id}", {200: [JSON]}),
    "create_assignment": ("POST /v1/assignments", {202: [JSON]}),
    "create_capability_change": ("POST /v1/capability-changes", {202: [JSON]}),
    "create_deletion": ("POST /v1/deletions", {202: [JSON]}),
    "create_export": ("POST /v1/exports", {202: [JSON]}),
    "create_unassignment": ("POST /v1/unassignments", {202: [JSON]}),
    "get_callback": ("GET /v1/callbacks/{callback_id}", {200: [JSON]}),
    "get_callback_secret": ("GET /v1/callbacks/secret", {200: [JSON]}),
    "list_quotas": ("GET /v1/quotas", {200: [JSON]}),
    "list_changes": ("GET /v1/changes", {200: [JSON]}),
    "create_webhook": ("POST /v1/webhooks", {201: [JSON]}),
    "delete_webhook": ("DELETE /v1/webhooks/{webhook_id}", {204: []}),
    "get_webhook": ("GET /v1/webhooks/{webhook_id}", {200: [JSON]}),
    "get_webhook_message": ("GET /v1/webhooks/{webhook_id}/messages/{message_id}", {200: [JSON]}),
    "list_webhook_messages": ("GET /v1/webhooks/{webhook_id}/messages", {200: [JSON]}),
    "list_webhooks": ("GET /v1/webhooks", {200: [JSON]}),
    "replay_webhook_message": ("POST /v1/webhooks/{webhook_id}/messages/{message_id}/replay", {202: [JSON]}),
    "rotate_webhook_secret": ("POST /v1/webhooks/{webhook_id}/secret", {200: [JSON]}),
    "test_webhook": ("POST /v1/webhooks/{webhook_id}/test", {202: [JSON]}),
    "update_webhook": ("PATCH /v1/webhooks/{webhook_id}", {200: [JSON]}),
    "list_callbacks": ("GET /v1/callbacks", {200: [JSON]}),
    "replay_callback": ("POST /v1/callbacks/{callback_id}/replay", {202: [JSON]}),
    "rotate_callback_secret": ("POST /v1/callbacks/secret", {200: [JSON]}),
    "cancel_job": ("POST /v1/jobs/{job_id}/cancel", {202: [JSON]}),
    "confirm_job": ("POST /v1/jobs/{job_id}/confirm", {202: [JSON]}),
    "correct_job": ("POST /v1/jobs/{job_id}/corrections", {202: [JSON]}),
    "get_job": ("GET /v1/jobs/{job_id}", {200: [JSON], 304: []}),
    "get_job_file": ("GET /v1/jobs/{job_id}/file", {200: FILES, 206: FILES, 304: []}),
    "get_job_report_csv": ("GET /v1/jobs/{job_id}/report.csv", {200: ["text/csv"], 206: ["text/csv"], 304: []}),
    "get_job_report_jsonl": ("GET /v1/jobs/{job_id}/report.jsonl", {200: ["application/jsonl"], 304: []}),
    "get_job_report_xlsx": ("GET /v1/jobs/{job_id}/report.xlsx", {200: [XLSX], 206: [XLSX], 304: []}),
    "list_job_corrections": ("GET /v1/jobs/{job_id}/corrections", {200: [JSON]}),
    "list_job_rows": ("GET /v1/jobs/{job_id}/rows", {200: [JSON]}),
    "list_jobs": ("GET /v1/jobs", {200: [JSON]}),
    "preview_job_correction": ("POST /v1/jobs/{job_id}/corrections/preview", {200: [JSON]}),
    "recheck_job": ("POST /v1/jobs/{job_id}/recheck", {202: [JSON]}),
    "retry_job": ("POST /v1/jobs/{job_id}/retry", {202: [JSON]}),
    "take_back_job_correction": ("DELETE /v1/jobs/{job_id}/corrections/{number}", {202: [JSON]}),
    "undo_job": ("POST /v1/jobs/{job_id}/undo", {202: [JSON]}),
    "get_holdings_csv": ("GET /v1/reports/holdings.csv", {200: ["text/csv"], 206: ["text/csv"], 304: []}),
    "get_number": ("GET /v1/numbers/{e164}", {200: [JSON]}),
    "get_numbers_csv": ("GET /v1/numbers.csv", {200: ["text/csv"]}),
    "get_numbers_jsonl": ("GET /v1/numbers.jsonl", {200: ["application/jsonl"]}),
    "list_numbers": ("GET /v1/numbers", {200: [JSON]}),
    "get_liveness": ("GET /livez", {200: [JSON]}),
    "get_metrics": (
        "GET /metrics",
        {200: ["application/openmetrics-text; version=1.0.0", "text/plain; version=0.0.4"]},
    ),
    "get_readiness": ("GET /readyz", {200: [JSON]}),
    "create_import_profile": ("POST /v1/import-profiles", {201: [JSON]}),
    "create_upload": ("POST /v1/uploads", {202: [JSON]}),
    "delete_import_profile": ("DELETE /v1/import-profiles/{profile_id}", {204: []}),
    "get_import_profile": ("GET /v1/import-profiles/{profile_id}", {200: [JSON]}),
    "get_template_csv": ("GET /v1/templates/numbers.csv", {200: ["text/csv"], 206: ["text/csv"], 304: []}),
    "get_template_xlsx": ("GET /v1/templates/numbers.xlsx", {200: [XLSX], 206: [XLSX], 304: []}),
    "list_import_profiles": ("GET /v1/import-profiles", {200: [JSON]}),
    "update_import_profile": ("PATCH /v1/import-profiles/{profile_id}", {200: [JSON]}),
}
STORED = {
    "get_holdings_csv",
    "get_job_file",
    "get_job_report_csv",
    "get_job_report_xlsx",
    "get_template_csv",
    "get_template_xlsx",
}
HONOURED = {
    "Prefer": {
        "cancel_job",
        "confirm_job",
        "correct_job",
        "create_assignment",
        "create_capability_change",
        "create_deletion",
        "create_export",
        "create_unassignment",
        "create_upload",
        "create_user",
        "get_job",
        "get_job_report_xlsx",
        "recheck_job",
        "retry_job",
        "take_back_job_correction",
        "undo_job",
    },
    "Idempotency-Key": {name for name, (operation, _) in OPERATIONS.items() if operation.startswith("POST /v1/")},
    "X-Request-Id": set(OPERATIONS),
    "traceparent": set(OPERATIONS),
    "If-None-Match": STORED | {"get_job", "get_job_report_jsonl"},
    "If-Match": STORED
    | {"confirm_job", "correct_job", "get_job_report_jsonl", "recheck_job", "take_back_job_correction"},
    "Range": STORED,
    "If-Range": STORED,
}


@pytest.fixture
def client() -> FlaskClient:
    return APP.test_client()


@pytest.fixture
def spec(client: FlaskClient) -> Json:
    answer = client.get("/openapi.json")
    assert answer.status_code == 200
    found: Json = answer.json
    return found


def routes() -> list[tuple[str, Rule]]:
    """Every method and rule below /v1."""
    rules = [rule for rule in APP.url_map.iter_rules() if rule.rule.startswith("/v1/")]
    return [(method, rule) for rule in rules for method in sorted((rule.methods or set()) - UNSPECIFIC)]


def sent(spec: Json, path: str, content_type: str) -> Json:
    """The schema of a POST's body."""
    return followed(spec, spec["paths"][path]["post"]["requestBody"]["content"][content_type]["schema"])


def operations(spec: Json) -> Iterator[tuple[str, Json]]:
    """Every operation: "GET /v1/jobs", and what is said of it."""
    for path, item in spec["paths"].items():
        for method, operation in item.items():
            yield f"{method.upper()} {path}", operation


def objects(node: object) -> Iterator[Json]:
    """Every object in the document."""
    if isinstance(node, dict):
        yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from objects(child)


def address(rule: Rule) -> str:
    """An address that the rule matches."""
    return re.sub(r"<[^>]+>", "1", rule.rule)


def template(rule: Rule) -> str:
    """The rule as OpenAPI writes it."""
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)


def test_follows_openapi(spec: Json) -> None:
    assert spec["openapi"].startswith("3.1.")
    validate(spec, cls=OpenAPIV31SpecValidator)


@pytest.mark.parametrize(("method", "path"), PROMISED)
def test_what_was_promised_is_described(spec: Json, method: str, path: str) -> None:
    assert path in spec["paths"]
    assert spec["paths"][path][method]["summary"]


def test_the_upload_form_is_described(spec: Json) -> None:
    body = sent(spec, "/v1/uploads", MULTIPART)
    assert {"file", "voice_carrier", "sms_carrier_profile", "assign_to", "on_existing", "accept"} <= set(
        body["properties"]
    )
    assert body["required"] == ["file"]


@pytest.mark.parametrize("path", ["assignments", "unassignments", "capability-changes", "deletions"])
def test_r14c_how_the_numbers_of_an_action_are_read_is_described(spec: Json, path: str) -> None:
    for kind in (JSON, MULTIPART):
        fields = sent(spec, f"/v1/{path}", kind)["properties"]
        assert fields["number_format"]["enum"] == ["auto", "national", "international"]
        country = fields["country_code"]
        text = country if kind == MULTIPART else country["anyOf"][0]  # a form has no null
        assert {"type": "string", "maxLength": 60}.items() <= text.items()
        assert country["description"]


def test_r14b_how_the_numbers_of_an_upload_are_read_is_described(spec: Json) -> None:
    form = sent(spec, "/v1/uploads", MULTIPART)
    assert form["properties"]["number_format"]["enum"] == ["auto", "national", "international"]
    assert {"number_format", "country_code"} <= set(spec["components"]["schemas"]["Job"]["properties"])


def test_all_routes_are_described(spec: Json) -> None:
    assert [
        (method, rule.rule) for method, rule in routes() if method.lower() not in spec["paths"].get(template(rule), {})
    ] == []


def test_descriptions_name_the_token_and_the_refusals(spec: Json) -> None:
    schemes = spec["components"]["securitySchemes"]
    assert schemes["bearer"] == {"type": "http", "scheme": "bearer"}
    for path, operations in spec["paths"].items():
        for operation in operations.values():
            if path.startswith("/v1/"):
                assert operation["security"] == [{"bearer": []}]
            for status in ("4XX", "5XX"):
                assert PROBLEM in operation["responses"][status]["content"]


def test_every_operation_has_its_id_and_its_successes(spec: Json) -> None:
    found = {
        operation["operationId"]: (
            name,
            {
                int(status): sorted(response.get("content", {}))
                for status, response in operation["responses"].items()
                if status < "400"
            },
        )
        for name, operation in operations(spec)
    }
    assert found == OPERATIONS
    assert len(found) == sum(1 for _ in operations(spec))
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)+", name) for name in found)


def test_every_refusal_is_a_problem(spec: Json) -> None:
    for name, operation in operations(spec):
        refusals = {status: response for status, response in operation["responses"].items() if status >= "400"}
        assert {"4XX", "5XX"} <= refusals.keys() <= {*map(str, STATUSES), "4XX", "5XX"}
        for status, response in refusals.items():
            contents = dict(response["content"])
            assert contents.pop(PROBLEM)["schema"] == {"$ref": "#/components/schemas/Problem"}
            assert list(contents) == ([JSON] if (name, status) == ("GET /readyz", "503") else [])
        assert ("401" in refusals) == name.split()[1].startswith(("/v1/", "/metrics"))


def test_each_schema_has_one_name_and_is_used(spec: Json) -> None:
    schemas = spec["components"]["schemas"]
    assert not [name for name in schemas if not re.fullmatch(r"[A-Z][A-Za-z]+", name)]
    assert not {"HTTPError", "ValidationError"} & schemas.keys()
    assert not [node for node in objects(spec) if "$defs" in node]
    assert {node["title"] for node in schemas.values()} == schemas.keys()
    assert {node["$ref"] for node in objects(spec) if "$ref" in node} >= {
        f"#/components/schemas/{name}" for name in schemas
    }


def test_headers_are_parameters_where_they_are_honoured(spec: Json) -> None:
    parameters = spec["components"]["parameters"]
    found: dict[str, set[str]] = {parameter["name"]: set() for parameter in parameters.values()}
    for _, operation in operations(spec):
        for parameter in operation.get("parameters", []):
            if "$ref" in parameter:
                header = parameters[parameter["$ref"].rpartition("/")[2]]
                assert (header["in"], header["required"]) == ("header", False)
                found[header["name"]].add(operation["operationId"])
    assert found == HONOURED


def test_all_parameters_are_described_or_speak_for_themselves(spec: Json) -> None:
    """Values of closed sets are listed; no query can say null; a cursor is what the page before gave."""
    for name, operation in operations(spec):
        for parameter in operation.get("parameters", []):
            if "$ref" not in parameter:
                schema = followed(spec, parameter["schema"])
                assert {"type": "null"} not in schema.get("anyOf", []), name
                assert parameter["in"] == "query" or parameter["description"]
                if parameter["name"] in {"kind", "status", "outcome", "state", "rows", "free_for", "user_kind"}:
                    assert schema["enum"], (name, parameter["name"])
                if parameter["name"] == "cursor":
                    assert schema == {"type": "string"}


def test_files_are_binary(spec: Json) -> None:
    for _, operation in operations(spec):
        form = operation.get("requestBody", {}).get("content", {}).get(MULTIPART)
        if form is not None:
            file = followed(spec, form["schema"])["properties"]["file"]
            assert (file["type"], file["format"]) == ("string", "binary")
        for response in operation["responses"].values():
            if XLSX in response.get("content", {}):
                assert response["content"][XLSX]["schema"] == {"type": "string", "format": "binary"}


def test_a_client_sends_only_what_its_caller_sets(spec: Json) -> None:
    """A default in a body would be sent: it would change options of a re-check, or override those of a profile."""
    for body in ("UploadForm", "RecheckBody", "Assignment", "ProfileOptions", "MappingBody", "NewUser"):
        fields = spec["components"]["schemas"][body]["properties"]
        assert not [name for name, field in fields.items() if "default" in field]


def test_members_may_be_added_to_responses(spec: Json) -> None:
    for name in ("Job", "Row", "Number", "Tenant", "JobEnded"):
        assert spec["components"]["schemas"][name].get("additionalProperties", True) is True


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_are_valid(spec: Json, name: str) -> None:
    schema = spec["components"]["schemas"][name]
    assert schema["examples"] == [EXAMPLES[name]]
    Draft202012Validator(schema | {"components": spec["components"]}).validate(EXAMPLES[name])
    fields = EXAMPLES[name].keys() - ({"file"} if name.endswith("Form") else set())  # the model has the form without it
    MODELS[name].model_validate({field: EXAMPLES[name][field] for field in fields})


def test_the_document_says_whose_it_is(spec: Json) -> None:
    assert spec["servers"] == [{"url": "/"}]
    assert spec["info"]["license"]["identifier"] == "Apache-2.0"
    assert spec["info"]["description"]
    assert {tag for _, operation in operations(spec) for tag in operation["tags"]} == {
        tag["name"] for tag in spec["tags"]
    }


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
    assert not [path for path in client.get("/openapi.json").get_json()["paths"] if path.startswith("/docs")]
