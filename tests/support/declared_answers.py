"""Holds every answer of the API in the tests against the OpenAPI document: status, content type and, at first, body."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from apiflask import APIFlask
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator
from werkzeug.exceptions import HTTPException
from werkzeug.test import TestResponse

Json = dict[str, Any]
MOST_BODIES = 5  # of an operation's status that are validated in a process; each takes milliseconds
# Any request can be refused so, whatever it is for; no operation has to say it of itself.
EVERYWHERE = {405, 408, 415, 500, 503}


def followed(spec: Json, schema: Json) -> Json:
    """The schema itself, or the one that it refers to."""
    if "$ref" not in schema:
        return schema
    found: Json = spec["components"]["schemas"][schema["$ref"].removeprefix("#/components/schemas/")]
    return found


class DeclaredAnswers:
    """The document of an application."""

    def __init__(self, app: APIFlask) -> None:
        self._app = app
        with app.app_context():
            self._spec: Json = app._get_spec()  # type: ignore[assignment] # noqa: SLF001 - `spec` makes it anew
        self._bodies: Counter[tuple[str, int]] = Counter()

    def check(self, answer: TestResponse) -> None:
        """Fail if the document does not declare such an answer of the operation."""
        operation = self._operation(answer)
        if operation is None or operation["operationId"] == "get_metrics":
            return
        status, name = answer.status_code, operation["operationId"]
        declared = operation["responses"].get(str(status))
        if status >= 400 and declared is None:
            assert status in EVERYWHERE, f"{name}: {status} is not declared: {answer.get_data(as_text=True)}"
            declared = operation["responses"][f"{status // 100}XX"]
        assert declared is not None, f"{name}: {status} is not declared"
        contents = declared.get("content", {})
        assert (answer.mimetype or None) in (contents or {None}), f"{name}: {status} with {answer.content_type}"
        self._check_headers(answer, declared, name)
        if status >= 400 and "x-codes" in declared and answer.mimetype == "application/problem+json":
            assert answer.get_json()["code"] in declared["x-codes"], f"{name}: {status} {answer.get_json()}"
        if (answer.mimetype or "").endswith("json") and answer.request.method != "HEAD":
            self._check_body(answer, contents[answer.mimetype]["schema"], name)

    def _operation(self, answer: TestResponse) -> Json | None:
        adapter = self._app.url_map.bind("localhost")
        try:
            rule, _ = adapter.match(answer.request.path, answer.request.method, return_rule=True)
        except HTTPException:
            return None
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
        found: Json | None = self._spec["paths"].get(path, {}).get(answer.request.method.lower())
        return found

    def _check_headers(self, answer: TestResponse, declared: Json, name: str) -> None:
        for header in self._spec["components"]["headers"]:
            if header in answer.headers and header not in {"Accept-Ranges", "WWW-Authenticate"}:
                assert header in declared["headers"] or answer.status_code >= 400, f"{name}: {header} is not declared"

    def _check_body(self, answer: TestResponse, schema: Json, name: str) -> None:
        self._bodies[name, answer.status_code] += 1
        if self._bodies[name, answer.status_code] <= MOST_BODIES:
            whole = schema | {"components": self._spec["components"]}
            Draft202012Validator(whole).validate(answer.get_json())


def hold_to_the_document(app: APIFlask) -> None:
    """Have every test client of the application check what it is answered."""
    declared: list[DeclaredAnswers] = []

    class Client(FlaskClient):
        def open(self, *args: Any, **kwargs: Any) -> TestResponse:  # noqa: ANN401 - as in Flask
            answer = super().open(*args, **kwargs)
            if not declared:
                declared.append(DeclaredAnswers(app))
            declared[0].check(answer)
            return answer

    app.test_client_class = Client
