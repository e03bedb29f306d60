"""One call of the WSGI application (PEP 3333), run in steps, each possibly in another thread.

A step ends when a group of blocks is ready. The next begins when the client has received them, so a client that reads
slowly occupies no thread.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextvars import Context
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from webhook.http.refusals import LATE
from worker.config.waits import on_wait

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

GROUP = 128 * 1024  # bytes per step, or one block if that is larger
Scope = dict[str, Any]


class Call:
    """A request in the application. Call `begin`, then `more` until `is_done`, and `close` in any case."""

    def __init__(self, app: WSGIApplication, environ: WSGIEnvironment) -> None:
        self._app = app
        self._environ = environ
        self._context = Context()  # Flask keeps the request in it; empty, whatever ran on the connection before
        self._body: Iterable[bytes] = ()
        self._blocks: Iterator[bytes] = iter(())
        self._written: list[bytes] = []
        self.status = 0
        self.headers: list[tuple[str, str]] = []
        self.is_done = False

    @property
    def seconds_late(self) -> float:
        """Return the seconds after which the response is to be sent (`webhook.http.refusals`)."""
        return float(self._environ.get(LATE, 0.0))

    def begin(self) -> bytes:
        """Call the application and return the beginning of the response body."""
        return self._run(self._begin)

    def more(self) -> bytes:
        """Return more of the response body."""
        return self._run(self._more)

    def close(self) -> None:
        """End the response, complete or not."""
        self._context.run(self._close)

    def within(self, step: Callable[[], object]) -> None:
        """Run a step that logs or reports in the request's context, between the other steps."""
        self._context.run(step)

    def _run(self, step: Callable[[], bytes]) -> bytes:
        self._context.run(on_wait.set, on_wait.get())
        return self._context.run(step)

    def _begin(self) -> bytes:
        self._body = self._app(self._environ, self._start_response)
        self._blocks = iter(self._body)
        # Of a file that is made while it is sent, the client gets the beginning at once.
        is_made = all(name.lower() != "content-length" for name, _ in self.headers)
        return self._more(1 if is_made else GROUP)

    def _more(self, least: int = GROUP) -> bytes:
        group, self._written = self._written, []
        size = sum(map(len, group))
        while size < least:
            block = next(self._blocks, None)
            if block is None:
                self.is_done = True
                self._close()
                break
            group.append(block)
            size += len(block)
        return group[0] if len(group) == 1 else b"".join(group)

    def _close(self) -> None:
        body, self._body = self._body, ()
        close: Callable[[], None] | None = getattr(body, "close", None)
        if close is not None:
            close()

    def _start_response(
        self,
        status: str,
        headers: list[tuple[str, str]],
        exc_info: Any = None,  # noqa: ANN401, ARG002 - as in WSGI
    ) -> Callable[[bytes], object]:
        self.status = int(status.split(" ", 1)[0])
        self.headers = headers
        return self._written.append


def environ_of(scope: Scope, body: Any) -> WSGIEnvironment:  # noqa: ANN401 - a readable file
    """Return the WSGI environment of an ASGI request."""
    host, port = scope["server"] or ("localhost", 0)
    client = scope["client"] or ("", 0)
    path, authority = _parts_of(scope["raw_path"])
    environ: WSGIEnvironment = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": host,
        "SERVER_PORT": str(port or 0),
        "REMOTE_ADDR": client[0],
        "REMOTE_PORT": str(client[1]),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": body,
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in scope["headers"]:
        _add_header(environ, name.decode("latin-1"), value.decode("latin-1"))
    if authority:
        environ["HTTP_HOST"] = authority.decode("latin-1")
    return environ


def _parts_of(target: bytes) -> tuple[bytes, bytes]:
    """Return the path and the authority of a request target; RFC 9112, section 3.2.2: the authority replaces Host."""
    scheme, separator, rest = target.partition(b"://")
    if not separator or scheme.lower() not in {b"http", b"https"}:
        return target, b""
    authority, slash, path = rest.partition(b"/")
    return slash + path or b"/", authority


def _add_header(environ: WSGIEnvironment, name: str, value: str) -> None:
    """Add a header field. Names with `_` are left out: WSGI cannot distinguish them from names with `-`."""
    if "_" in name:
        return
    key = name.upper().replace("-", "_")
    if key not in {"CONTENT_TYPE", "CONTENT_LENGTH"}:
        key = f"HTTP_{key}"
    if key in environ:
        value = f"{environ[key]}{'; ' if key == 'HTTP_COOKIE' else ','}{value}"
    environ[key] = value
