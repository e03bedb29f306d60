"""A receiver of callbacks on a real socket of this machine, for tests: it answers as it is told and keeps what it got.

Callbacks reach it with `callback_networks=127.0.0.0/8`. With TLS it has a certificate for `receiver.example` and for
nothing else, by an authority that is made with it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import trustme

NETWORK = "127.0.0.0/8"
TLS_NAME = "receiver.example"
DRIP_SECONDS = 0.05


@dataclass(frozen=True)
class Got:
    """A request as it came."""

    path: str
    headers: dict[str, str]  # names in lower case
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found

    def is_signed_by(self, secret: str) -> bool:
        """Whether one of the signatures is by this secret (`whsec_...`): written anew from the specification."""
        key = base64.b64decode(secret.split("_", 1)[1])
        content = f"{self.headers['webhook-id']}.{self.headers['webhook-timestamp']}.".encode() + self.body
        wanted = base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()
        return f"v1,{wanted}" in self.headers["webhook-signature"].split(" ")


@dataclass
class Receiver:
    """`mode`: "ok", "redirect" (to `location`), "drip" (a byte now and then), "hang", "drop", "garbage", or a status.

    `meanwhile` is called while the sender waits for its answer. `ca_file`: the authority (PEM) of its certificate.
    """

    port: int = 0
    scheme: str = "http"
    mode: str | int = "ok"
    headers: dict[str, str] = field(default_factory=dict)
    got: list[Got] = field(default_factory=list)
    connections: int = 0
    meanwhile: Callable[[], None] = lambda: None
    released: threading.Event = field(default_factory=threading.Event)
    ca_file: Path | None = None

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/hook?key=s3cret"

    @property
    def ids(self) -> list[str]:
        return [one.headers["webhook-id"] for one in self.got]


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        told = self.server.told
        body = self.rfile.read(int(self.headers["Content-Length"]))
        told.got.append(Got(self.path, {name.lower(): value for name, value in self.headers.items()}, body))
        told.meanwhile()
        answer = {"drip": self._drip, "hang": self._hang, "drop": self._drop, "garbage": self._garbage}
        answer.get(str(told.mode), self._answer)()

    def _answer(self) -> None:
        mode = self.server.told.mode
        self.send_response({"ok": 204, "redirect": 307}.get(str(mode)) or int(mode))
        for name, value in self.server.told.headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _drip(self) -> None:
        """A head that never ends, a byte at a time: each read of it succeeds."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
        while not self.server.told.released.wait(DRIP_SECONDS):
            self.wfile.write(b"x")

    def _hang(self) -> None:
        self.server.told.released.wait()

    def _drop(self) -> None:
        self.connection.shutdown(socket.SHUT_RDWR)

    def _garbage(self) -> None:
        self.wfile.write(b"220 mail.example ESMTP\r\n" * 3)

    def log_message(self, *_args: Any) -> None:  # noqa: ANN401 - http.server's signature
        """Says nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = True

    def __init__(self, told: Receiver) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.told = told

    def get_request(self) -> tuple[socket.socket, Any]:
        self.told.connections += 1
        return super().get_request()

    def handle_error(self, *_args: Any) -> None:  # noqa: ANN401 - http.server's signature
        """A sender that has had enough is no error here."""


@contextmanager
def receiving(*, tls: bool = False) -> Iterator[Receiver]:
    """A receiver for the length of a block."""
    with TemporaryDirectory() as folder, _served(Path(folder), tls=tls) as told:
        yield told


@contextmanager
def _served(folder: Path, *, tls: bool) -> Iterator[Receiver]:
    told = Receiver(scheme="https" if tls else "http")
    server = _Server(told)
    told.port = server.server_port
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority = trustme.CA()
        authority.issue_cert(TLS_NAME).configure_cert(context)
        told.ca_file = folder / "authority.pem"
        authority.cert_pem.write_to_path(str(told.ca_file))
        # The handshake is made with the first byte that is read, by the request's own thread.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield told
    finally:
        told.released.set()
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def silent_port() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]
