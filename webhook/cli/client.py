"""A client of the public HTTP API (v1). Returns plain data or raises one of two errors. Prints nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from types import TracebackType
from typing import Any, BinaryIO, Self, cast
from urllib.parse import quote, urlsplit

import httpx

from webhook.cli.connection_errors import (
    UnreachableError,
    error_without_problem_document,
    not_numberyard_error,
    translating_connection_errors,
)

Json = dict[str, Any]

_CONNECT_SECONDS = 10.0
_TIMEOUT = httpx.Timeout(30.0, connect=_CONNECT_SECONDS)
# The service responds to an upload only when the whole file is stored and checked.
_UPLOAD_TIMEOUT = httpx.Timeout(30.0, connect=_CONNECT_SECONDS, read=600.0)
_WORKBOOK_SECONDS = 600.0  # how long to retry while the service builds a workbook
_BUSY_SECONDS = 60.0  # how long to retry while the service sends too many reports or is briefly unavailable
_LONGEST_PAUSE = 30  # seconds between retries
# The largest page size that every list allows.
_PAGE = 200
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class ProblemError(Exception):
    """The service refused the request: RFC 9457 problem details with a `code`, and the HTTP status."""

    def __init__(self, status: int, document: Json) -> None:
        super().__init__(document.get("code", status))
        self.status = status
        self.document = document


class _Counted:
    """An open file that reports how much of it was read. With `fileno` httpx gets its length without reading it."""

    def __init__(self, file: BinaryIO, on_read: Callable[[int], None]) -> None:
        self._file = file
        self._on_read = on_read

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._on_read(len(data))
        return data

    def fileno(self) -> int:
        return self._file.fileno()


class Api:
    """A connection to the service. Every method raises `ProblemError` or `UnreachableError`."""

    def __init__(
        self, url: str, token: str | None, patience: float | None = None, unsigned: Exception | None = None
    ) -> None:
        """Connect to `url`. `patience`: timeout of every request, in seconds. None: the default of each request.

        `unsigned`: raised instead of sending a request without a token.
        """
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        # Do not reach a service on this machine through a proxy from the environment.
        through_proxy = urlsplit(url).hostname not in LOOPBACK
        self.url = url
        self._unsigned = None if token else unsigned
        self._http = httpx.Client(
            base_url=url,
            headers=headers,
            timeout=_TIMEOUT if patience is None else patience,
            trust_env=through_proxy,
            follow_redirects=True,
            event_hooks={"request": [self.check_token]},
        )

    def check_token(self, _request: httpx.Request | None = None) -> None:
        """Raise `unsigned` if there is no token."""
        if self._unsigned is not None:
            raise self._unsigned

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def job(self, job_id: str, wait: int = 0) -> Json:
        """Return the job; with `wait` (seconds, at most 10), once it has ended or is in review, or after that time."""
        headers = {"Prefer": f"wait={wait}"} if wait else {}
        return self._get(f"/v1/jobs/{_part(job_id)}", headers=headers)

    def number(self, e164: str) -> Json:
        """Return one number with its history."""
        return self._get(f"/v1/numbers/{_part(e164)}")

    def changes(self, after: str | None, limit: int, wait: int = 0) -> Json:
        """Return changes of the inventory after a cursor; with `wait` (seconds, at most 10), once there are any."""
        query = {"limit": str(limit), "wait": str(wait)} | ({} if after is None else {"after": after})
        page = self._get("/v1/changes", params=query)
        if not isinstance(page.get("next_cursor"), str):
            raise not_numberyard_error(self.url)
        return page

    def pages(self, path: str, filters: Mapping[str, str | None], limit: int) -> Json:
        """Return the first `limit` entries of a list, over several pages: `{"data": [..], "next_cursor": ..}`."""
        data: list[Json] = []
        cursor: str | None = None
        for page in self.each_page(path, filters, limit):
            data += page["data"]
            cursor = page.get("next_cursor")
        return {"data": data, "next_cursor": cursor}

    def each_page(self, path: str, filters: Mapping[str, str | None], limit: int) -> Iterator[Json]:
        """Yield the pages with the first `limit` entries of a list; at least one."""
        active_filters = {name: value for name, value in filters.items() if value is not None}
        left, cursor = limit, None
        while True:
            page_parameters = {"limit": str(min(left, _PAGE))} | ({"cursor": cursor} if cursor else {})
            page = self._get(path, params=active_filters | page_parameters)
            if "data" not in page:
                raise not_numberyard_error(self.url)
            yield page
            cursor = page.get("next_cursor")
            left -= len(page["data"])
            if not cursor or left <= 0:
                return

    def get(self, kind: str, thing_id: str) -> Json:
        """Return one resource of a kind, such as "tenants"."""
        return self._get(f"/v1/{kind}/{_part(thing_id)}")

    def create(self, kind: str, body: Json) -> Json:
        """Create a resource and return it."""
        with translating_connection_errors(self.url):
            answer = self._http.post(f"/v1/{kind}", json=body)
        return self._document(answer)

    def change(self, kind: str, thing_id: str, body: Json) -> Json:
        """Change the fields in `body` and return the resource."""
        with translating_connection_errors(self.url):
            answer = self._http.patch(f"/v1/{kind}/{_part(thing_id)}", json=body)
        return self._document(answer)

    def delete(self, kind: str, thing_id: str) -> None:
        """Delete a resource, or revoke a token."""
        with translating_connection_errors(self.url):
            answer = self._http.delete(f"/v1/{kind}/{_part(thing_id)}")
        if not answer.is_success:
            raise _problem_of(answer, self.url)

    def decide(self, job_id: str, what: str) -> Json:
        """Confirm, cancel or undo a job. Returns that job; for an undo, the new job that undoes it."""
        return self.create(f"jobs/{_part(job_id)}/{what}", {})

    def recheck(self, job_id: str, body: Json) -> Json:
        """Check an upload's stored file again. Returns that job, or the new one that does."""
        return self.create(f"jobs/{_part(job_id)}/recheck", body)

    def correct(self, job_id: str, body: Json) -> Json:
        """Correct rows of an upload under review, and return it."""
        return self.create(f"jobs/{_part(job_id)}/corrections", body)

    def preview_correction(self, job_id: str, body: Json) -> Json:
        """Return what a correction would do."""
        return self.create(f"jobs/{_part(job_id)}/corrections/preview", body)

    def act_on(self, kind: str, thing_id: str, what: str) -> Json:
        """Do something with one resource of a kind, and return the response."""
        return self.create(f"{kind}/{_part(thing_id)}/{what}", {})

    @staticmethod
    def path(kind: str, thing_id: str, part: str) -> str:
        """Return the kind of the resources that are a part of another one."""
        return f"{kind}/{_part(thing_id)}/{part}"

    def count(self, filters: Mapping[str, str]) -> int:
        """Return how many numbers match."""
        page = self._get("/v1/numbers", params={**filters, "count": "true", "limit": "1"})
        if not isinstance(page.get("total"), int):
            raise not_numberyard_error(self.url)
        return int(page["total"])

    def upload(
        self,
        name: str,
        file: BinaryIO,
        fields: Mapping[str, str | int | None],
        on_read: Callable[[int], None],
        to: str = "uploads",
    ) -> Json:
        """Stream an open file from disk. `on_read` gets the byte count of each block. Returns the job."""
        form = {field: str(value) for field, value in fields.items() if value is not None}
        with translating_connection_errors(self.url):
            part = (_utf8(name), cast("BinaryIO", _Counted(file, on_read)), "application/octet-stream")
            answer = self._http.post(
                f"/v1/{to}", data=form, files={"file": part}, timeout=_UPLOAD_TIMEOUT, follow_redirects=False
            )
        return self._document(answer)

    @contextmanager
    def report(self, job_id: str, rows: str, file_format: str) -> Iterator[Iterator[bytes]]:
        """Stream the report's bytes. Retries while its workbook is being built or the service is busy."""
        with self._stream(f"/v1/jobs/{_part(job_id)}/report.{file_format}", params={"rows": rows}) as answer:
            yield answer.iter_bytes()

    @contextmanager
    def numbers_file(self, file_format: str, filters: Mapping[str, str | None]) -> Iterator[Iterator[bytes]]:
        """Stream the matching numbers as CSV or JSON lines. Retries while the service is busy."""
        active_filters = {name: value for name, value in filters.items() if value is not None}
        with self._stream(f"/v1/numbers.{file_format}", params=active_filters) as answer:
            yield answer.iter_bytes()

    @contextmanager
    def job_file(self, job_id: str, start: int = 0, etag: str | None = None) -> Iterator[tuple[httpx.Response, bool]]:
        """Stream the file of an export, from byte `start` on if it is still the one with this ETag.

        Yields the response, and whether it continues the file: else it has the whole one.
        """
        resumes = {"Range": f"bytes={start}-", "If-Range": etag} if start and etag else {}
        headers = {"Accept-Encoding": "identity", **resumes}
        with self._stream(f"/v1/jobs/{_part(job_id)}/file", headers=headers) as answer:
            yield answer, answer.status_code == HTTPStatus.PARTIAL_CONTENT

    @contextmanager
    def _stream(self, path: str, **request: Any) -> Iterator[httpx.Response]:  # noqa: ANN401 - handed on to httpx
        began = time.monotonic()
        while True:
            with translating_connection_errors(self.url), self._http.stream("GET", path, **request) as answer:
                if answer.is_success:
                    yield answer
                    return
                answer.read()
                problem = _problem_of(answer, self.url)
                pause = _pause_of(answer)
            if time.monotonic() + pause > began + _seconds_to_retry(problem):
                raise problem
            time.sleep(pause)

    def _get(self, path: str, **request: Any) -> Json:  # noqa: ANN401 - handed on to httpx
        with translating_connection_errors(self.url):
            answer = self._http.get(path, **request)
        return self._document(answer)

    def _document(self, answer: httpx.Response) -> Json:
        document = _json_of(answer)
        if not answer.is_success:
            raise _problem_of(answer, self.url)
        if document is None:
            raise not_numberyard_error(self.url, answer)
        return document


def _seconds_to_retry(problem: Exception) -> float:
    """Return how long to retry a report after this refusal, in seconds."""
    code = problem.document["code"] if isinstance(problem, ProblemError) else ""
    return {"WORKBOOK_NOT_READY": _WORKBOOK_SECONDS, "UNAVAILABLE": _BUSY_SECONDS}.get(code, 0.0)


def _pause_of(answer: httpx.Response) -> float:
    """Return the seconds of Retry-After, at least one."""
    seconds = answer.headers.get("Retry-After", "")
    return float(min(max(int(seconds), 1), _LONGEST_PAUSE)) if seconds.isascii() and seconds.isdecimal() else 1.0


def _utf8(name: str) -> str:
    """Return a file name for a request, with bytes that are not UTF-8 replaced (PEP 383)."""
    return name.encode(errors="surrogateescape").decode(errors="replace")


def _part(text: str) -> str:
    """Quote any text as one segment of a path."""
    return quote(text, safe="+")


def _json_of(answer: httpx.Response) -> Json | None:
    try:
        document = answer.json()
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def _problem_of(answer: httpx.Response, url: str) -> ProblemError | UnreachableError:
    document = _json_of(answer)
    if document is not None and "code" in document:
        return ProblemError(answer.status_code, document)
    return error_without_problem_document(answer, url)
