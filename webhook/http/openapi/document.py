"""Completes the framework's OpenAPI document, so that clients can be generated from it.

The document says of every operation what it takes, every content type that it sends, and every refusal: always a
problem (RFC 9457). Names of operations and schemas are a published contract.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from apiflask import APIFlask
from pydantic import BaseModel

from schemas.http import callbacks, resources, webhooks
from schemas.http.constraints import without_null
from schemas.request_problems import REQUEST_PROBLEMS, RequestCode
from schemas.workbooks import MEDIA_TYPE
from webhook.http import access
from webhook.http.openapi import examples, headers, problem_codes, schemas
from webhook.http.openapi.declarations import EVERYWHERE, Declaration, Header, declaration_of
from webhook.http.request_bodies import JSON, MULTIPART

Json = dict[str, Any]
PROBLEM = "application/problem+json"
_READINESS = "/readyz"
_DESCRIPTION = """\
Import spreadsheets of phone numbers, get the result of every row, and keep the inventory of who holds which number.

Uploads and actions on numbers are jobs: the response is `202` with the job, which `get_job` returns until it has ended.
Errors are problem details (RFC 9457) with a stable `code`. Later versions may add members to responses, and codes.
Every POST takes an `Idempotency-Key`. Unknown and repeated parameters and fields are refused, and text with U+0000.
"""
_TAGS = {
    "Uploads": "Spreadsheets of numbers, sample files and import profiles.",
    "Actions": "Assign, unassign, change and delete numbers.",
    "Jobs": "Progress, reviews, corrections and reports of uploads and actions.",
    "Numbers": "The inventory, as you may see it.",
    "Accounts": "Tenants, users, carriers and API tokens.",
    "Callbacks": "Signed notifications when a job has ended.",
    "Webhooks": "Subscriptions to events of jobs and numbers, sent as signed messages.",
    "Service": "Health and metrics, for operators.",
}
_PATH_PARAMETERS = {
    "job_id": "ID of the job.",
    "number": "Number of the correction within its job, counted from 1.",
    "e164": "The number with + and its calling code, such as +12125550142.",
    "tenant_id": "ID of the tenant; `me` is your own.",
    "user_id": "ID of the user.",
    "carrier_id": "ID of the carrier.",
    "token_id": "ID of the token, which is not its secret.",
    "callback_id": "ID of the callback: the `webhook-id` of its attempts.",
    "webhook_id": "ID of the subscription.",
    "message_id": "ID of the message: the `webhook-id` of its attempts.",
    "profile_id": "ID of the import profile.",
}
_RECEIVED: dict[str, tuple[str, str, str, type[BaseModel]]] = {
    "jobEnded": (
        "receive_job_ended",
        "Callbacks",
        "A job that was sent with `callback_url`, or that a subscription is to, has ended",
        callbacks.JobEnded,
    ),
    "numbersChanged": ("receive_number_changes", "Webhooks", "Numbers have changed", webhooks.NumbersChanged),
    "webhookTest": ("receive_webhook_test", "Webhooks", "A test message", webhooks.WebhookTest),
}
_BY_STATUS = {
    "400": RequestCode.BAD_REQUEST,
    "401": RequestCode.UNAUTHENTICATED,
    "403": RequestCode.FORBIDDEN,
    "404": RequestCode.NOT_FOUND,
    "409": RequestCode.REQUEST_UNDER_WAY,
    "413": RequestCode.BODY_TOO_LARGE,
    "415": RequestCode.UNSUPPORTED_MEDIA_TYPE,
    "422": RequestCode.INVALID_FIELD,
    "429": RequestCode.RATE_LIMITED,
    "500": RequestCode.INTERNAL_ERROR,
    "503": RequestCode.UNAVAILABLE,
}
_OTHERS = {"4XX": "Any other refusal", "5XX": "Any other error"}
# The framework's words for statuses that no route describes.
_UNSPECIFIC = {"Not found", "Validation error", "Successful response"}
_SUCCESSES = {"200": "OK", "201": "Created", "202": "Accepted: see the job", "204": "Done"}


def complete(app: APIFlask, spec: Json | str) -> Json | str:
    """Return the document with everything that the framework does not express. Called once, by the framework."""
    if isinstance(spec, str):
        return spec
    components = spec["components"]
    schemas.hoist(spec)
    for framework_error in ("HTTPError", "ValidationError"):
        components["schemas"].pop(framework_error, None)
    schemas.add(spec, resources.Problem)
    components["parameters"] = headers.parameters()
    components["headers"] = headers.RESPONSE_HEADERS
    components["securitySchemes"]["operator"] = {
        "type": "http",
        "scheme": "bearer",
        "description": "The token that the operator has configured for metrics.",
    }
    for path, method, view in _views(app):
        if method in spec["paths"].get(path, {}):
            _complete_operation(spec, path, method, _declaration(path, method, view))
            if view.__doc__ is not None:  # the framework leaves out the first line
                spec["paths"][path][method]["description"] = inspect.cleandoc(view.__doc__)
            _add_requirement(spec["paths"][path][method], view)
    spec["webhooks"] = {name: {"post": _received(spec, name)} for name in _RECEIVED}
    schemas.finish(spec)
    examples.add(components["schemas"])
    spec["info"] |= {
        "description": _DESCRIPTION,
        "contact": {"name": "The operator of this service"},
        "license": {"name": "Apache License 2.0", "identifier": "Apache-2.0"},
    }
    spec["servers"] = [{"url": "/"}]
    spec["tags"] = [{"name": name, "description": text} for name, text in _TAGS.items()]
    return spec


def _views(app: APIFlask) -> Iterator[tuple[str, str, Callable[..., Any]]]:
    """Yield path (as OpenAPI writes it), method and view of every route."""
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
        for method in rule.methods or ():
            yield path, method.lower(), app.view_functions[rule.endpoint]


def _declaration(path: str, method: str, view: Callable[..., Any]) -> Declaration:
    """Return what a view declares, and what every route of its kind does."""
    declaration = declaration_of(view)
    has_key = method == "post" and path.startswith("/v1/")
    headers = (*([Header.IDEMPOTENCY_KEY] if has_key else []), *declaration.headers, *EVERYWHERE)
    return replace(declaration, headers=headers)


def _complete_operation(spec: Json, path: str, method: str, declaration: Declaration) -> None:
    operation = spec["paths"][path][method]
    content = operation.get("requestBody", {}).get("content", {})
    if declaration.json is not None:
        content = content | {JSON: {"schema": schemas.add(spec, declaration.json)}}
    if declaration.form is not None:
        content = content | {MULTIPART: {"schema": schemas.add_form(spec, declaration.form)}}
    content = content | {kind: {"schema": _file_schema(kind) | {"minLength": 1}} for kind in declaration.bodies}
    if content:
        operation["requestBody"] = {"content": content, "required": True}
    operation["security"] = _security(path)
    parameters = [_described(parameter) for parameter in operation.get("parameters", [])]
    if declaration.query is not None:
        parameters += [_described(parameter) for parameter in schemas.query_parameters(spec, declaration.query)]
    parameters += [headers.parameter_reference(header) for header in declaration.headers]
    if parameters:
        operation["parameters"] = parameters
    operation["responses"] = _responses(path, method, operation, declaration)
    headers.add_to_responses(operation, declaration.headers)
    if path.startswith("/v1/"):
        problem_codes.add(operation, declaration.headers)


def _add_requirement(operation: Json, view: Callable[..., Any]) -> None:
    """Add the role and the scopes that an operation needs (R35): as members, and in its description."""
    needed = access.declared(view)
    if needed is not None:
        operation |= access.requirement(needed)
        operation["description"] = f"{operation['description']}\n\n{access.requirement_text(needed)}"


def _security(path: str) -> list[Json]:
    if path == "/metrics":
        return [{"operator": []}, {}]
    return [{"bearer": []}] if path.startswith("/v1/") else []


def _described(parameter: Json) -> Json:
    """Return a parameter with its description beside its schema, and without null, which no query can say."""
    schema = without_null(parameter["schema"])
    if parameter["name"] == "cursor":
        schema = {"type": "string", "description": "`next_cursor` of the page before; without it, the first page."}
    schema.pop("title", None)
    text = schema.pop("description", None) or _PATH_PARAMETERS.get(parameter["name"])
    example = {"example": examples.PATH_VALUES[parameter["name"]]} if parameter["in"] == "path" else {}
    return parameter | {"schema": schema} | ({"description": text} if text else {}) | example


def _responses(path: str, method: str, operation: Json, declaration: Declaration) -> Json:
    """Return the responses by status: the successes as they are, and every refusal as a problem."""
    responses = dict(operation["responses"])
    for status in _refusals(path, method, operation, declaration):
        responses.setdefault(status, {"description": ""})
    for status, response in responses.items():
        content = response.get("content", {})
        if status >= "400":
            # Where a dependency is unavailable, the first of them is sent; where too many requests run, the other.
            health = responses["200"]["content"] if path == _READINESS and status == "503" else {}
            content = health | {PROBLEM: {"schema": schemas.reference("Problem")}}
        elif status in {"204", "304"}:
            content = {}
        elif declaration.files:
            content = {kind: {"schema": _file_schema(kind)} for kind in declaration.files}
        text = _text(status, response["description"], declaration)
        responses[status] = {"description": text} | ({"content": content} if content else {})
    return {status: responses[status] for status in sorted(responses, key=lambda status: ("X" in status, status))}


def _file_schema(content_type: str) -> Json:
    return {"type": "string", "format": "binary"} if content_type == MEDIA_TYPE else {"type": "string"}


def _refusals(path: str, method: str, operation: Json, declaration: Declaration) -> set[str]:
    """Return the refusals that an operation has for what it takes, and those that every operation has."""
    parameters = operation.get("parameters", [])
    has_body = "requestBody" in operation
    rules = {
        **dict.fromkeys(("400", "401", "403", "429", "500", "503"), path.startswith("/v1/")),
        "404": any(parameter.get("in") == "path" for parameter in parameters),
        "413": has_body or method != "get",  # a body that is not needed is judged all the same
        "415": has_body,
        "409": Header.IDEMPOTENCY_KEY in declaration.headers,
        "422": path.startswith("/v1/"),  # any query is judged, even where none is needed
    }
    return {status for status, applies in rules.items() if applies} | set(_OTHERS)


def _text(status: str, described: str, declaration: Declaration) -> str:
    own = "" if described in _UNSPECIFIC else described
    if status == "409" and own and Header.IDEMPOTENCY_KEY in declaration.headers:
        return f"{own}; or a request with this Idempotency-Key is still in progress"
    if own:
        return own
    if status in _BY_STATUS:
        return REQUEST_PROBLEMS[_BY_STATUS[status]].title.rstrip(".")
    return _OTHERS.get(status) or _SUCCESSES[status]


def _received(spec: Json, name: str) -> Json:
    """Return a request that receivers of callbacks and subscribers get (OpenAPI 3.1, `webhooks`)."""
    operation_id, tag, summary, body = _RECEIVED[name]
    fields = {
        "webhook-id": "The same for every attempt",
        "webhook-timestamp": "Unix seconds",
        "webhook-signature": "v1,...",
    }
    return {
        "operationId": operation_id,
        "tags": [tag],
        "summary": summary,
        "description": "Signed as in the Standard Webhooks specification. Delivered at least once.",
        "security": [],
        "parameters": [
            {"name": name, "in": "header", "required": True, "description": text, "schema": {"type": "string"}}
            for name, text in fields.items()
        ],
        "requestBody": {"required": True, "content": {JSON: {"schema": schemas.add(spec, body)}}},
        "responses": {
            "2XX": {"description": "Accepted"},
            "410": {"description": "Ends the attempts of this callback, or the subscription"},
        },
    }
