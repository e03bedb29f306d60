"""Accounts in a fresh database and their requests, over the API of whichever release serves it."""

from __future__ import annotations

import contextlib
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.support.servers.service import ENDED, NO_TLS, Json, wait_for
from tests.upgrade.stand import Running

JOB_SECONDS = 180.0


@dataclass
class Api:
    """The API in the name of a token, at whichever of the web processes accepts the connection."""

    webs: list[Running]
    token: str

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:  # noqa: ANN401 - httpx's own
        """Send a request; one that met no process is sent to the next, as a load balancer does."""
        headers = {"Authorization": f"Bearer {self.token}"} | options.pop("headers", {})
        for web in [*self.webs] * 50:
            with contextlib.suppress(httpx.ConnectError, httpx.RemoteProtocolError, httpx.ReadError):
                return httpx.request(
                    method, web.url + path, headers=headers, timeout=60, trust_env=False, verify=NO_TLS, **options
                )
            time.sleep(0.1)
        raise AssertionError("no web process accepts connections")

    def json(self, method: str, path: str, **options: Any) -> Json:  # noqa: ANN401 - httpx's own
        """Return the body of a successful response."""
        answer = self.request(method, path, **options)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        found: Json = answer.json() if answer.content else {}
        return found

    def get(self, path: str) -> Json:
        return self.json("GET", path)

    def post(self, path: str, body: Json | None = None) -> Json:
        return self.json("POST", path, json=body or {})

    def upload(self, content: bytes, key: str | None = None, **fields: str) -> str:
        """Upload a file; return the job's id."""
        headers = {"Idempotency-Key": key or uuid.uuid4().hex}
        answer = self.json(
            "POST", "/v1/uploads", files={"file": ("numbers.csv", content)}, data=fields, headers=headers
        )
        return str(answer["id"])

    def job(self, job_id: str) -> Json:
        return self.get(f"/v1/jobs/{job_id}")

    def reaches(self, job_id: str, *statuses: str) -> Json:
        """The job once it has one of the statuses."""

        def look() -> Json | None:
            job = self.job(job_id)
            assert job["status"] in statuses or job["status"] not in ENDED, job
            return job if job["status"] in statuses else None

        found: Json = wait_for(look, JOB_SECONDS, f"job {job_id} to be {statuses}", 0.1)
        return found

    def ended(self, job_id: str) -> Json:
        return self.reaches(job_id, *ENDED)


@dataclass
class Accounts:
    """A master reseller and a reseller with its default carriers."""

    master: Api
    reseller: Api


def create(webs: list[Running], master_token: str) -> Accounts:
    """Create the reseller, its carriers and its token."""
    master = Api(webs, master_token)
    tenant = master.post("/v1/tenants", {"name": "Harbour", "kind": "reseller"})
    token = master.post("/v1/tokens", {"name": "programs", "tenant_id": tenant["id"]})["token"]
    reseller = Api(webs, token)
    for service in ("voice", "sms"):
        reseller.post("/v1/carriers", {"name": f"{service} carrier", "service": service})
    defaults = {"default_voice_carrier": "voice carrier", "default_sms_carrier_profile": "sms carrier"}
    reseller.json("PATCH", "/v1/tenants/me", json=defaults)
    return Accounts(master, reseller)


@dataclass
class Load:
    """Requests without a pause, from threads, until the end of the block: what was answered with an error."""

    accounts: Accounts
    rows: Callable[[int], bytes]  # the file of the n-th upload
    pause: float = 1.0  # seconds between two uploads
    answered: int = 0
    errors: list[str] = field(default_factory=list)
    uploads: list[str] = field(default_factory=list)
    _done: threading.Event = field(default_factory=threading.Event)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        threads = [threading.Thread(target=target) for target in (self._read, self._upload)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._done.set()
            for thread in threads:
                thread.join()

    def _read(self) -> None:
        api = self.accounts.reseller
        while not self._done.is_set():
            for path in ("/v1/jobs", "/v1/numbers?limit=50", "/v1/tenants/me", "/v1/carriers", "/v1/tokens"):
                self._note(api.request("GET", path), path)
            for job_id in self.uploads[-1:]:
                self._note(api.request("GET", f"/v1/jobs/{job_id}"), "a job")

    def _upload(self) -> None:
        number = 0
        while not self._done.wait(self.pause):
            content, key = self.rows(number), uuid.uuid4().hex
            number += 1
            send = {"files": {"file": ("small.csv", content)}, "headers": {"Idempotency-Key": key}}
            answer = self.accounts.reseller.request("POST", "/v1/uploads", **send)
            self._note(answer, "an upload")
            if answer.is_success:
                self.uploads.append(answer.json()["id"])

    def _note(self, answer: httpx.Response, what: str) -> None:
        self.answered += 1
        if not answer.is_success:
            self.errors.append(f"{what}: {answer.status_code} {answer.text[:300]}")
