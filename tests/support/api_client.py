"""The HTTP API as tests call it, in the test's own process: uploads, actions, jobs, rows and reports in a line each."""

from __future__ import annotations

import csv
import functools
import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from apiflask import APIFlask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.declared_answers import hold_to_the_document
from webhook.app import create_app

Json = dict[str, Any]
REPORT_BOM = "\ufeff"


@functools.cache
def application() -> APIFlask:
    """The application, once in a process: settings are read when they are used, and templates are compiled once."""
    app = create_app()
    hold_to_the_document(app)
    return app


@dataclass(frozen=True)
class Door:
    """The API in the name of `token`. `work_off` does what is due of all phases, or of those that it is given."""

    client: FlaskClient
    token: str
    work_off: Callable[..., None]

    def as_(self, token: str) -> Door:
        """The same API in another's name."""
        return Door(self.client, token, self.work_off)

    def get(self, path: str, **more: Any) -> TestResponse:  # noqa: ANN401 - handed on to the client
        """GET; a workbook report, unless the request says how long it waits, once a worker has built it."""
        headers = {"Authorization": f"Bearer {self.token}"} | more.pop("headers", {})
        if "/report.xlsx" not in path or "Prefer" in headers:
            return self.client.get(path, headers=headers, **more)
        headers["Prefer"] = "wait=0"
        if self.client.get(path, headers=headers, **more).status_code == 503:
            self.work_off()
        return self.client.get(path, headers=headers, **more)

    def post(self, path: str, body: Json | None = None, **more: Any) -> TestResponse:  # noqa: ANN401 - handed on
        """POST JSON; the answer may be a refusal."""
        headers = {"Authorization": f"Bearer {self.token}"} | more.pop("headers", {})
        return self.client.post(path, json=body, headers=headers, **more)

    def patch(self, path: str, body: Json) -> TestResponse:
        """PATCH JSON; the answer may be a refusal."""
        return self.client.patch(path, json=body, headers={"Authorization": f"Bearer {self.token}"})

    def delete(self, path: str, **more: Any) -> TestResponse:  # noqa: ANN401 - handed on to the client
        """DELETE; the answer may be a refusal."""
        headers = {"Authorization": f"Bearer {self.token}"} | more.pop("headers", {})
        return self.client.delete(path, headers=headers, **more)

    def send(self, content: bytes, name: str = "numbers.csv", to: str = "uploads", **fields: str) -> TestResponse:
        """Send a file; the answer may be a refusal."""
        data = {**fields, "file": (io.BytesIO(content), name)}
        return self.client.post(f"/v1/{to}", data=data, headers={"Authorization": f"Bearer {self.token}"})

    def upload(self, content: bytes, name: str = "numbers.csv", to: str = "uploads", **fields: str) -> Json:
        """Send a file, have its job done, and answer the job."""
        return self.done(self.send(content, name, to, **fields))

    def act(self, action: str, body: Json) -> Json:
        """`act("assignments", {"numbers": [..], "tenant_id": ..})`: have the job done, and answer it."""
        return self.done(self.post(f"/v1/{action}", body))

    def done(self, answer: TestResponse) -> Json:
        """Have an accepted job done, and answer it."""
        assert answer.status_code == 202, answer.get_data(as_text=True)
        self.work_off()
        return self.job(answer.json["id"])

    def codes(self, job_id: str) -> dict[str, str]:
        """What became of each number of a job: number, or what was given for it, -> code."""
        return {row["number"] or row["cells"]["Phone Number"]: row["code"] for row in self.rows(job_id)}

    def job(self, job_id: str) -> Json:
        answer = self.get(f"/v1/jobs/{job_id}")
        assert answer.status_code == 200, answer.get_data(as_text=True)
        found: Json = answer.json
        return found

    def rows(self, job_id: str, **query: str | int) -> list[Json]:
        """Every row of the job, page by page."""
        found: list[Json] = []
        cursor: str | int | None = 0
        while cursor is not None:
            answer = self.get(f"/v1/jobs/{job_id}/rows", query_string={"limit": 1000, **query, "cursor": cursor})
            assert answer.status_code == 200, answer.get_data(as_text=True)
            found += answer.json["data"]
            cursor = answer.json["next_cursor"]
        return found

    def outcome(self, content: bytes, **fields: str) -> list[Json]:
        """Upload a file and answer what became of its rows."""
        return self.rows(self.upload(content, **fields)["id"])

    def report(self, job_id: str, which: str = "all") -> bytes:
        answer = self.get(f"/v1/jobs/{job_id}/report.csv", query_string={"rows": which})
        assert answer.status_code == 200, answer.get_data(as_text=True)
        found: bytes = answer.data
        return found

    def report_lines(self, job_id: str) -> list[Json]:
        answer = self.get(f"/v1/jobs/{job_id}/report.jsonl")
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return [json.loads(line) for line in answer.data.splitlines()]


def table(report: bytes) -> list[dict[str, str]]:
    """A CSV report as a spreadsheet program reads it."""
    return list(csv.DictReader(io.StringIO(report.decode().removeprefix(REPORT_BOM), newline="")))


def text_of(answer: TestResponse) -> str:
    """What an answer says; of a workbook, what its parts say."""
    if not zipfile.is_zipfile(io.BytesIO(answer.data)):
        return answer.get_data(as_text=True)
    with zipfile.ZipFile(io.BytesIO(answer.data)) as parts:
        return "".join(parts.read(name).decode() for name in parts.namelist())
