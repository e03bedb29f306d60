"""A stand-in for the HTTP API on a real socket, for tests of the command line alone. It follows the OpenAPI document.

It knows no rules: it answers what a test has laid out and remembers what it was asked.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse

Json = dict[str, Any]
TOKEN = "nyk_right"  # noqa: S105 - of the stand-in only
JOB_ID = "0198-job"
REPORT = b"Country Code,Phone Number,_row,_code\n1,2125550142,2,CREATED\n1,\x1b[31mred,3,INVALID_CHARACTER\n"


def job(status: str = "completed", **over: Any) -> Json:  # noqa: ANN401 - any field of a job
    """A job as `GET /v1/jobs/{id}` shows it."""
    counts = {"total": 100, "created": 100, "updated": 0, "deleted": 0, "unchanged": 0, "skipped": 0, "failed": 0}
    return {
        "id": JOB_ID,
        "kind": "upload",
        "status": status,
        "created_at": "2026-01-01T10:00:00+00:00",
        "started_at": "2026-01-01T10:00:00+00:00",
        "finished_at": "2026-01-01T10:00:02+00:00",
        "file": {"name": "numbers.csv", "size": 1000, "sha256": "0" * 64, "format": "csv"},
        "progress": {"phase": status, "rows_total": 100, "rows_done": 50, "rows_per_second": 25.0, "eta_seconds": 2},
        "links": {"report_csv": f"/v1/jobs/{JOB_ID}/report.csv" if status.startswith("completed") else None},
        "counts": counts | {"unprocessed": 0, "warnings": 0} | over.pop("counts", {}),
        "error_summary": [],
        "problem": None,
        **over,
    }


@dataclass
class Service:
    """What is to be answered, and what was asked. The last of `jobs` stays; None breaks the connection."""

    url: str = ""
    jobs: list[Json | None] = field(default_factory=lambda: [job()])
    lists: dict[str, list[Json]] = field(default_factory=dict)
    numbers: dict[str, Json] = field(default_factory=dict)
    things: dict[str, Json] = field(default_factory=dict)
    refusal: tuple[int, Json] | None = None
    workbook_refusals: list[tuple[int, str]] = field(default_factory=list)
    plain_answer: str | None = None
    page_size: int = 2
    asked: list[tuple[str, str]] = field(default_factory=list)
    heard: list[str | None] = field(default_factory=list)
    uploads: list[Json] = field(default_factory=list)
    posts: list[tuple[str, Json]] = field(default_factory=list)
    total: int = 5
    prefers: list[str | None] = field(default_factory=list)
    polled: threading.Condition = field(default_factory=threading.Condition)

    def __call__(self, environ: Json, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        self.asked.append((request.method, request.full_path.rstrip("?")))
        self.heard.append(request.headers.get("Authorization"))
        return self._answer(request)(environ, start_response)

    def _answer(self, request: Request) -> Response:
        if self.plain_answer is not None:
            return Response(self.plain_answer, content_type="text/html")
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return _problem(401, {"code": "UNAUTHENTICATED", "detail": "Sign in."})
        if self.refusal:
            return _problem(*self.refusal)
        if request.method == "POST":
            return self._post(request)
        return self._read(request)

    def _read(self, request: Request) -> Response:
        path = request.path
        if path in self.lists:
            return self._page(request, self.lists[path])
        if path in self.things:
            return _json(200, self.things[path])
        if path.startswith(f"/v1/jobs/{JOB_ID}/report."):
            return self._report(path)
        if path == f"/v1/jobs/{JOB_ID}":
            return self._poll(request)
        if path.removeprefix("/v1/numbers/") in self.numbers:
            return _json(200, self.numbers[path.removeprefix("/v1/numbers/")])
        return _problem(404, {"code": "NOT_FOUND", "detail": "There is no such thing."})

    def _report(self, path: str) -> Response:
        if not path.endswith(".xlsx") or not self.workbook_refusals:
            return Response(REPORT, content_type="text/csv")
        status, code = self.workbook_refusals.pop(0)
        answer = _problem(status, {"code": code, "detail": "Not yet."})
        answer.headers["Retry-After"] = "0"
        return answer

    def _post(self, request: Request) -> Response:
        if request.mimetype == "multipart/form-data":
            return self._upload(request)
        self.posts.append((request.path, request.get_json()))
        return _json(202, job("accepted"))

    def _upload(self, request: Request) -> Response:
        content = request.files["file"]
        size = sum(len(piece) for piece in iter(lambda: content.read(1 << 20), b""))
        length = request.headers.get("Content-Length")
        self.uploads.append(
            {"name": content.filename, "size": size, "fields": request.form.to_dict(), "length": length}
            | {"to": request.path}
        )
        return _json(202, job("accepted"))

    def _poll(self, request: Request) -> Response:
        with self.polled:
            self.prefers.append(request.headers.get("Prefer"))
            self.polled.notify_all()
        found = self.jobs.pop(0) if len(self.jobs) > 1 else self.jobs[0]
        if found is None:
            request.environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        return _json(200, found or {})

    def _page(self, request: Request, entries: list[Json]) -> Response:
        start = int(request.args.get("cursor", 0))
        end = start + min(self.page_size, int(request.args["limit"]))
        cursor = str(end) if end < len(entries) else None
        counted = {"total": self.total} if request.args.get("count") == "true" else {}
        return _json(200, {"data": entries[start:end], "next_cursor": cursor} | counted)

    def wait_for_polls(self, count: int) -> None:
        with self.polled:
            assert self.polled.wait_for(lambda: len(self.prefers) >= count, timeout=30)


def _json(status: int, document: Json) -> Response:
    return Response(json.dumps(document), status=status, content_type="application/json")


def _problem(status: int, document: Json) -> Response:
    return Response(json.dumps(document), status=status, content_type="application/problem+json")


@contextmanager
def running() -> Iterator[Service]:
    """The stand-in on a free port of this machine, served from a thread."""
    service = Service()
    server = make_server("127.0.0.1", 0, service, threaded=True)
    service.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
