"""A small WSGI application behind the gateway, for tests of the web server alone.

`/body` answers with the digest of the request body, `/blocks/N` with N mebibytes, `/slow` after a second, `/counts`
with how many responses were closed and how many request bodies broke off.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from threading import Lock
from typing import TYPE_CHECKING

from werkzeug.exceptions import ClientDisconnected
from werkzeug.wrappers import Request, Response

from webhook.server.gateway import Gateway
from worker.config.settings import get_settings

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

MIB, PIECE = 1024 * 1024, 64 * 1024
_lock = Lock()
_requests: ContextVar[int] = ContextVar("requests", default=0)  # in this context
_counts = {"closed": 0, "broken": 0}


def create_app() -> Gateway:
    return Gateway(application, get_settings())


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    request = Request(environ)
    _requests.set(_requests.get() + 1)
    name, _, size = request.path.strip("/").partition("/")
    return _answers[name](request, int(size or 0))(environ, start_response)


def block(number: int) -> bytes:
    """One of the mebibytes of `/blocks/N`."""
    return bytes([number % 256]) * MIB


def _body(request: Request, _size: int) -> Response:
    digest, size = hashlib.sha256(), 0
    try:
        while piece := request.stream.read(MIB):
            digest.update(piece)
            size += len(piece)
    except ClientDisconnected:
        _count("broken")
        return Response("truncated", 400)
    return Response(json.dumps([digest.hexdigest(), size]))


def _context(_request: Request, _size: int) -> Response:
    return Response(str(_requests.get()))


def _blocks(request: Request, size: int) -> Response:
    response = Response(_made(size))
    response.call_on_close(lambda: _count("closed"))
    if "length" in request.args:
        response.content_length = size * MIB
    return response


def _made(size: int) -> Iterator[bytes]:
    for number in range(size):
        for _ in range(0, MIB, PIECE):
            yield bytes([number % 256]) * PIECE


def _slow(_request: Request, _size: int) -> Response:
    time.sleep(1)
    return Response("slow")


def _counted(_request: Request, _size: int) -> Response:
    with _lock:
        return Response(json.dumps(_counts))


def _count(name: str) -> None:
    with _lock:
        _counts[name] += 1


_answers = {"body": _body, "context": _context, "blocks": _blocks, "slow": _slow, "counts": _counted, "livez": _counted}
