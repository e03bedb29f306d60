"""An S3 API server in a process of its own (moto), and a proxy before it that injects faults.

The server refuses what S3 refuses: parts below 5 MiB, buckets and keys that are not there. It keeps the files in memory
and on the temporary disk, for as long as it runs.
"""

from __future__ import annotations

import http.client
import os
import random
import subprocess
import sys
import threading
import time
from contextlib import suppress
from enum import Enum, auto
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

import httpx

from tests.support.servers.service import wait_for
from worker.runtime.processes.ports import LOOPBACK, free_port

BUCKET = "numbers"
START_SECONDS = 60.0
LIST_ATTEMPTS = 10  # moto answers 500 when objects are removed while it lists them
SLOW_BYTES = 10 * 1024  # a second
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1"}
NAMESPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"


class S3:
    """The server, for the length of a `with` block. `page`: how many keys a listing has at most."""

    def __init__(self, page: int = 1000) -> None:
        self.port = free_port()
        self.url = f"http://{LOOPBACK}:{self.port}"
        self._page = page

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "moto.server", "-H", LOOPBACK, "-p", str(self.port)]
        environment = os.environ | {"MOTO_S3_DEFAULT_MAX_KEYS": str(self._page)}
        self._process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_for(self._answers, START_SECONDS, "start of the S3 server")
            assert self._ask("PUT", "").status_code == 200
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def _answers(self) -> bool:
        assert self._process.poll() is None, "the S3 server ended"
        with suppress(httpx.TransportError):
            return httpx.get(self.url, trust_env=False).status_code == 200
        return False

    def _ask(self, method: str, query: str) -> httpx.Response:
        credential = "Credential=key/20260101/us-east-1/s3/aws4_request"
        headers = {"Authorization": f"AWS4-HMAC-SHA256 {credential}, SignedHeaders=host, Signature=0"}
        for _ in range(LIST_ATTEMPTS):
            answer = httpx.request(method, f"{self.url}/{BUCKET}{query}", headers=headers, trust_env=False, timeout=60)
            if not answer.is_server_error:
                break
            time.sleep(1)
        return answer.raise_for_status()

    def refuse_unknown_keys(self) -> None:
        """From now on, check signatures and rights, as S3 does. This object then lists nothing any more."""
        httpx.post(f"{self.url}/moto-api/reset-auth", content="0", trust_env=False).raise_for_status()

    def keys(self) -> list[str]:
        """The keys of all objects, in order."""
        return self._names("?list-type=2&max-keys=100000", "Contents")

    def unfinished(self) -> list[str]:
        """The keys of multipart uploads that were neither completed nor aborted."""
        return self._names("?uploads", "Upload")

    def _names(self, query: str, element: str) -> list[str]:
        answer = ET.fromstring(self._ask("GET", query).content)  # noqa: S314 - our own server
        return [str(found.findtext(f"{NAMESPACE}Key")) for found in answer.iter(f"{NAMESPACE}{element}")]


class Fault(Enum):
    """What the proxy does to requests."""

    NONE = auto()
    SLOW_DOWN = auto()  # a share of the requests is answered with 503
    REFUSED = auto()  # nothing listens
    SILENT = auto()  # takes connections and requests and never answers
    SLOW = auto()  # 10 KB/s both ways


class FaultyStore:
    """An HTTP proxy on loopback before an S3 server, with faults. In threads of its own; use it in a `with` block."""

    def __init__(self, server: S3, seed: int = 1) -> None:
        self.server = server
        self.port = free_port()
        self.url = f"http://{LOOPBACK}:{self.port}"
        self.fault = Fault.NONE
        self.share = 0.3
        self.random = random.Random(seed)
        self.requests = self.faults = 0

    def __enter__(self) -> Self:
        self._listen()
        return self

    def __exit__(self, *_: object) -> None:
        self.set_fault(Fault.REFUSED)

    def set_fault(self, fault: Fault) -> None:
        """Change the fault. Requests that `SILENT` has taken are then cut off."""
        before, self.fault = self.fault, fault
        if fault is Fault.REFUSED and before is not Fault.REFUSED:
            self._http.shutdown()
            self._http.server_close()
        elif before is Fault.REFUSED and fault is not Fault.REFUSED:
            self._listen()

    def _listen(self) -> None:
        self._http = _Server((LOOPBACK, self.port), _Handler)
        self._http.store = self
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256
    store: FaultyStore

    def handle_error(self, *_: object) -> None:
        """Ignore clients that closed their connection."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def handle_any(self) -> None:
        store = self.server.store
        store.requests += 1
        if store.fault in {Fault.SILENT, Fault.REFUSED}:  # connections that were kept open are still served
            self._drop(store)
            return
        body = self._body(store.fault)
        if store.fault is Fault.SLOW_DOWN and store.random.random() < store.share:
            store.faults += 1
            self._answer(503, {"Content-Type": "application/xml"}, SLOW_DOWN, store.fault)
            return
        self._answer(*self._forwarded(body), store.fault)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_any  # noqa: N815 - the names that http.server calls

    def _drop(self, store: FaultyStore) -> None:
        store.faults += 1
        while store.fault is Fault.SILENT:
            time.sleep(0.05)
        self.close_connection = True

    def _body(self, fault: Fault) -> bytes:
        left, blocks = int(self.headers.get("Content-Length") or 0), []
        while left:
            block = self.rfile.read(min(left, SLOW_BYTES if fault is Fault.SLOW else 1 << 20))
            if not block:
                raise ConnectionError
            blocks.append(block)
            left -= len(block)
            _throttle(fault, len(block))
        return b"".join(blocks)

    def _forwarded(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        upstream = http.client.HTTPConnection(LOOPBACK, urlsplit(self.server.store.server.url).port, timeout=300)
        try:
            upstream.request(self.command, self.path, body or None, dict(self.headers))
            answer = upstream.getresponse()
            return answer.status, dict(answer.headers), answer.read()
        finally:
            upstream.close()

    def _answer(self, status: int, headers: dict[str, str], content: bytes, fault: Fault) -> None:
        hops = {"connection", "transfer-encoding", "date", "server"} | (
            set() if self.command == "HEAD" else {"content-length"}
        )
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in hops:
                self.send_header(name, value)
        if self.command != "HEAD":
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        step = SLOW_BYTES if fault is Fault.SLOW else 1 << 20
        for start in range(0, len(content), step):
            self.wfile.write(content[start : start + step])
            _throttle(fault, len(content[start : start + step]))

    def log_message(self, *_: Any) -> None:  # noqa: ANN401
        """Write nothing to standard error."""


SLOW_DOWN = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>SlowDown</Code>'
    b"<Message>Please reduce your request rate.</Message><RequestId>REQUEST1</RequestId></Error>"
)


def _throttle(fault: Fault, size: int) -> None:
    if fault is Fault.SLOW:
        time.sleep(size / SLOW_BYTES)
