"""The samples of an operation: curl and Python, generated from the OpenAPI document, and the command line.

Values are the document's examples. URL and token are those of the environment, with the names that the command line
uses, so that all three samples run in the same shell. Tests run the samples as they are, with other IDs.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from schemas.workbooks import MEDIA_TYPE
from webhook.http.openapi.declarations import CSV, JSON_LINES
from webhook.http.openapi.examples import EXAMPLES
from webhook.http.openapi.schemas import PREFIX
from webhook.reference.command_samples import COMMANDS
from webhook.reference.literals import as_json, as_python

Json = dict[str, Any]
JSON, MULTIPART = "application/json", "multipart/form-data"
UPLOAD_FILE = "numbers.csv"
NO_COMMAND = "The command line has no command for this operation."
_ENDINGS = {CSV: "csv", JSON_LINES: "jsonl", MEDIA_TYPE: "xlsx"}
# Optional parameters that show what an operation is for.
_QUERIES: Mapping[str, Mapping[str, str]] = {
    "list_numbers": {"country": "US", "status": "unassigned"},
    "get_numbers_csv": {"country": "US", "status": "unassigned"},
    "get_numbers_jsonl": {"country": "US", "status": "unassigned"},
    "list_changes": {"limit": "100"},
    "list_jobs": {"limit": "20"},
    "list_job_rows": {"outcome": "failed"},
    "get_job_report_csv": {"rows": "failed"},
    "list_callbacks": {"state": "failed"},
    "list_webhook_messages": {"state": "failed"},
}
_HEADERS: Mapping[str, Mapping[str, str]] = {"get_job": {"Prefer": "wait=10"}}


@dataclass(frozen=True)
class Sample:
    """A program that calls an operation, or its commands. `language`: as Pygments names it; "" if there is none."""

    title: str
    language: str
    text: str


@dataclass(frozen=True)
class Request:
    """What the samples of an operation send: a JSON `body`, or the fields of a `form` with a file."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Json | None
    form: Json | None
    file_name: str | None  # where a download is saved
    has_answer: bool
    needs_token: bool


def samples(method: str, path: str, operation: Json) -> tuple[Sample, ...]:
    """Return the samples of an operation: curl, Python, command line."""
    request = request_of(method, path, operation)
    command = COMMANDS[operation["operationId"]]
    return (
        Sample("curl", "bash", _curl(request)),
        Sample("Python", "python", _python(request)),
        Sample("CLI", "bash", command) if command else Sample("CLI", "", NO_COMMAND),
    )


def request_of(method: str, path: str, operation: Json) -> Request:
    """Return the request with the document's examples: its JSON body or, where there is none, its form."""
    values = {
        parameter["name"]: parameter["example"]
        for parameter in operation.get("parameters", [])
        if parameter.get("in") == "path"
    }
    content = operation.get("requestBody", {}).get("content", {})
    success = next(response for status, response in operation["responses"].items() if status < "300")
    content_types = success.get("content", {})
    kind = next((kind for kind in (*_ENDINGS, *content_types) if kind in content_types), None)
    name = operation["operationId"]
    return Request(
        method=method.upper(),
        path=path.format(**values),
        query=_QUERIES.get(name, {}),
        headers=_HEADERS.get(name, {}),
        body=_example(content[JSON]) if JSON in content else None,
        form=_example(content[MULTIPART]) if JSON not in content and MULTIPART in content else None,
        file_name=_file_name(path, kind),
        has_answer=kind is not None,
        needs_token=bool(operation["security"]) and {} not in operation["security"],
    )


def _example(content: Json) -> Json:
    return EXAMPLES[content["schema"]["$ref"].removeprefix(PREFIX)]


def _file_name(path: str, kind: str | None) -> str | None:
    """Return a name for a download: the last part of the path."""
    if kind not in _ENDINGS:
        return None
    name = path.rpartition("/")[2]
    return name if "." in name else f"export.{_ENDINGS[kind]}"


def _curl(request: Request) -> str:
    query = f"?{urlencode(request.query)}" if request.query else ""
    method = "" if request.method == "GET" or request.form is not None else f"-X {request.method} "
    return " \\\n  ".join([f'curl {method}"$NUMBERYARD_URL{request.path}{query}"', *_curl_options(request)])


def _curl_options(request: Request) -> Iterator[str]:
    if request.needs_token:
        yield '-H "Authorization: Bearer $NUMBERYARD_TOKEN"'
    for name, value in request.headers.items():
        yield f'-H "{name}: {value}"'
    if request.body is not None:
        yield '-H "Content-Type: application/json"'
        yield f"-d {shlex.quote(as_json(request.body))}"
    for name, value in (request.form or {}).items():
        field = f"{name}=@{UPLOAD_FILE}" if name == "file" else f"{name}={_form_text(value)}"
        yield f"-F {shlex.quote(field)}"
    if request.file_name is not None:
        yield f"-o {request.file_name}"


def _form_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _python(request: Request) -> str:
    uses_file = request.form is not None
    is_encoded = any(not isinstance(value, str) for value in (request.form or {}).values())
    lines = (["import json"] if is_encoded else []) + ["import os"]
    lines += ["from pathlib import Path"] if request.file_name else []
    lines += ["", "import requests", ""]
    indent = ""
    if uses_file:
        lines.append(f'with open("{UPLOAD_FILE}", "rb") as file:')
        indent = "    "
    lines += [f"{indent}{line}" for line in _python_call(request)]
    lines.append("response.raise_for_status()")
    if request.file_name is not None:
        lines.append(f'Path("{request.file_name}").write_bytes(response.content)')
    elif request.has_answer:
        lines.append("print(response.json())" if request.needs_token else "print(response.text)")
    return "\n".join(lines)


def _python_call(request: Request) -> Iterator[str]:
    yield f"response = requests.{request.method.lower()}("
    yield f'    os.environ["NUMBERYARD_URL"] + "{request.path}",'
    headers = [f'"{name}": "{value}"' for name, value in request.headers.items()]
    if request.needs_token:
        headers.insert(0, '"Authorization": "Bearer " + os.environ["NUMBERYARD_TOKEN"]')
    if len(headers) > 1:
        yield from ("    headers={", *(f"        {header}," for header in headers), "    },")
    elif headers:
        yield f"    headers={{{headers[0]}}},"
    if request.query:
        yield f"    params={as_python(dict(request.query), 4)},"
    if request.body is not None:
        yield from f"    json={as_python(request.body, 4)},".split("\n")
    if request.form is not None:
        yield '    files={"file": file},'
        yield "    data={"
        for name, value in request.form.items():
            if name != "file":
                text = as_python(value, 8)
                yield from f'        "{name}": {text if isinstance(value, str) else f"json.dumps({text})"},'.split("\n")
        yield "    },"
    yield "    timeout=60,"
    yield ")"
