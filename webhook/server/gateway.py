"""The ASGI application, which runs the WSGI application in threads.

A thread gets a request once its body is complete. Large bodies are streamed, in a limited number of separate threads.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import structlog

from schemas.request_problems import RequestCode
from webhook.http import refusals, request_logs
from webhook.http.concurrency_limits import UPLOADS
from webhook.http.request_metrics import METHODS, OTHER
from webhook.server import framing, problems
from webhook.server.callers import Caller, Pool, caller_of
from webhook.server.clients import Clients
from webhook.server.connections import Connection, Connections, Peer
from webhook.server.incoming import DisconnectedError, Incoming, Input, Rate, TooSlowError, TruncatedError
from webhook.server.wsgi_call import Call, environ_of
from worker.config import error_reports
from worker.config.settings import Settings

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

SMALL = 64 * 1024  # bytes; up to this size, a body is read before a thread gets the request
PIECE = 64 * 1024  # bytes sent at a time
STALL_SECONDS = 60.0  # within which a client must receive `PIECE` bytes
QUEUED_PER_THREAD = 4  # requests that may wait for a thread
PER_CALLER = 4  # requests of one caller that run at a time, besides those that wait: more only share the interpreter
HEALTH_THREADS, HEALTH_REQUESTS = 2, 64
LIVE = "/livez"
LINGER_BYTES, LINGER_SECONDS, IDLE_SECONDS = 64 * 1024 * 1024, 20.0, 5.0  # limits on reading the rest of a refused body
CLOSE = (b"connection", b"close")
Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
log = structlog.get_logger(__name__)


@dataclass
class Exchange:
    """A request, and the means to answer it."""

    scope: Scope
    incoming: Incoming
    receive: Receive
    send: Send
    caller: Caller = 0
    refusal: RequestCode | None = None
    is_answered_early: bool = False  # before the whole body was read
    has_left: bool = False  # the pool, before its response was sent
    call: Call | None = None

    def header(self, name: bytes) -> bytes:
        """Return the value of a header field; b"" if it is absent."""
        return b", ".join(value for key, value in self.scope["headers"] if key == name)

    def log(self, step: Callable[[], object]) -> None:
        """Run a step that logs with the request's id and route, if it has reached the application."""
        if self.call is None:
            step()
        else:
            self.call.within(step)


class Gateway:
    """An ASGI application around a WSGI application."""

    def __init__(self, app: WSGIApplication, settings: Settings) -> None:
        self._app = app
        self._rate = Rate(settings.min_body_bytes_per_second, settings.body_grace_seconds)
        threads, most_per_client = settings.web_threads, settings.max_connections_per_address
        self._requests = Pool("request", threads, threads * (1 + QUEUED_PER_THREAD), PER_CALLER)
        self._uploads = Pool("upload", settings.share_uploads, settings.share_uploads)
        self._health = Pool("health", HEALTH_THREADS, HEALTH_REQUESTS)
        self._clients = Clients(most_per_client, settings.networks_of_proxies)
        self.connections = Connections(settings.max_connections, most_per_client, settings.networks_of_proxies)
        self.head_seconds = settings.request_head_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        peer: Peer | None = scope["client"]
        connection = self.connections.find(peer) if peer else None
        if connection is not None:
            connection.request_began()
        body = receive if connection is None else _until_input_ends(receive, connection)
        exchange = Exchange(scope, _incoming(scope, body, self._rate), receive, send)
        try:
            await self._serve(exchange, peer[0] if peer else "")
        except DisconnectedError:
            return
        except TimeoutError:
            exchange.log(partial(log.warning, "client_stalled", seconds=STALL_SECONDS))
            if connection is not None:
                connection.abort()
        finally:
            if connection is not None:
                connection.request_ended()

    async def _serve(self, exchange: Exchange, address: str) -> None:
        fault = framing.fault_of(exchange.scope)
        if fault is not None:
            await _refuse(exchange, *fault)
            return
        client = self._clients.address_of(address, exchange.header(b"x-forwarded-for").decode("latin-1"))
        exchange.caller = caller_of(_credentials(exchange.scope), client or address)
        if client is None:
            await self._serve_client(exchange)
        elif self._clients.enter(client):
            try:
                await self._serve_client(exchange)
            finally:
                self._clients.leave(client)
        else:
            exchange.refusal = RequestCode.RATE_LIMITED
            await self._run(exchange, self._requests)
            await _read_on(exchange)

    async def _serve_client(self, exchange: Exchange) -> None:
        await self._read_and_run(exchange)
        await _read_on(exchange)  # after the request has released its thread and its slot

    async def _read_and_run(self, exchange: Exchange) -> None:
        incoming = exchange.incoming
        is_small = False
        try:
            is_small = int(exchange.header(b"content-length") or 0) <= SMALL and await incoming.fill(SMALL)
        except TooSlowError:
            exchange.refusal = RequestCode.REQUEST_TOO_SLOW
        except TruncatedError:
            pass  # the application finds that out by reading, and answers
        if is_small or exchange.refusal is not None:
            await self._run(exchange, self._health if exchange.scope["path"] == LIVE else self._requests)
        elif UPLOADS.try_acquire(exchange.caller):
            try:
                await self._run(exchange, self._uploads)
            finally:
                UPLOADS.release(exchange.caller)
        else:
            exchange.refusal = RequestCode.UNAVAILABLE
            await self._run(exchange, self._requests)

    async def _run(self, exchange: Exchange, pool: Pool) -> None:
        if not pool.enter(exchange.caller):
            await _refuse(exchange, HTTPStatus.SERVICE_UNAVAILABLE, "Too many requests are under way.")
            return
        try:
            await self._respond(exchange, pool)
        finally:
            if not exchange.has_left:
                pool.leave(exchange.caller)

    async def _respond(self, exchange: Exchange, pool: Pool) -> None:
        environ = environ_of(exchange.scope, _body_of(exchange))
        if exchange.refusal is not None:
            environ[refusals.KEY] = exchange.refusal
        call = exchange.call = Call(self._app, environ)
        try:
            block = await pool.run(partial(_begun, call), exchange.caller)
            if block is None:
                await problems.send(exchange.send, HTTPStatus.INTERNAL_SERVER_ERROR, "", CLOSE)
            else:
                await self._send_response(exchange, pool, call, block)
        finally:
            if not call.is_done:
                await pool.run(call.close, exchange.caller)

    async def _send_response(self, exchange: Exchange, pool: Pool, call: Call, block: bytes) -> None:
        """Send the whole response. If a part of the request body is unread, the connection is closed afterwards."""
        is_read = exchange.incoming.is_complete
        if call.seconds_late and call.is_done:
            pool.leave(exchange.caller)
            exchange.has_left = True
            await asyncio.sleep(call.seconds_late)
        await exchange.send(_start(call, () if is_read else (CLOSE,)))
        if call.is_done and is_read:
            await _send_block(exchange.send, block, more=False)
            return
        gone = asyncio.ensure_future(_until_gone(exchange.receive)) if is_read else None
        try:
            while True:
                await _send_block(exchange.send, block, more=not (call.is_done and is_read))
                if call.is_done or (gone is not None and gone.done()):
                    break
                block = await pool.run(call.more, exchange.caller)
        finally:
            if gone is not None:
                gone.cancel()
        exchange.is_answered_early = not is_read


async def _refuse(exchange: Exchange, status: int, detail: str) -> None:
    """Answer and log a request that does not reach the application, and so has neither a route nor an id."""
    method = exchange.scope["method"]
    request_logs.write(method if method in METHODS else OTHER, request_logs.NO_ROUTE, status, 0.0)
    await problems.send(exchange.send, status, detail, CLOSE)


def _body_of(exchange: Exchange) -> io.BufferedIOBase:
    """Return the file that the application reads the request body from: empty if the request is refused."""
    if exchange.refusal is not None:
        return io.BytesIO()
    if exchange.incoming.is_complete:
        return io.BytesIO(exchange.incoming.take())
    return io.BufferedReader(Input(exchange.incoming, asyncio.get_running_loop()), SMALL)


async def _read_on(exchange: Exchange) -> None:
    """After an early response, read and drop the rest of the body within limits, then end the response.

    Most clients read no response before they have sent the whole body. A server that closes the connection with unread
    bytes resets it, and the response is lost (RFC 9112, section 9.6).
    """
    if exchange.is_answered_early:
        await exchange.incoming.discard(LINGER_BYTES, LINGER_SECONDS, IDLE_SECONDS)
        await _send_block(exchange.send, b"", more=False)


def _begun(call: Call) -> bytes | None:
    """Return the beginning of the response body; None if the application raised an exception. Runs in a thread."""
    try:
        return call.begin()
    except Exception as error:  # noqa: BLE001 - logged
        call.within(partial(_log_failure, error))
        return None


def _log_failure(error: Exception) -> None:
    log.error("application_failed", exc_info=error)
    error_reports.report(error)


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send_block(send: Send, block: bytes, *, more: bool) -> None:
    """Send a block in parts of `PIECE` bytes, each of which the client must receive within `STALL_SECONDS`."""
    for start in range(0, max(len(block), 1), PIECE):
        is_last = start + PIECE >= len(block)
        message = {"type": "http.response.body", "body": block[start : start + PIECE], "more_body": more or not is_last}
        async with asyncio.timeout(STALL_SECONDS):
            await send(message)


def _until_input_ends(receive: Receive, connection: Connection) -> Receive:
    """Wrap `receive`: after the last part of a truncated body it returns a disconnect with `can_respond`."""
    has_ended = False

    async def receive_part() -> dict[str, Any]:
        nonlocal has_ended
        message = {"type": "http.request", "body": b"", "more_body": True} if has_ended else await receive()
        has_ended = connection.has_input_ended
        if has_ended and message.get("more_body") and not message.get("body"):
            return {"type": "http.disconnect", "can_respond": True}
        return message

    return receive_part


def _credentials(scope: Scope) -> bytes:
    """Return what the application will know the caller by: the token, or else the cookies, which have the session."""
    fields = dict(scope["headers"])
    return bytes(fields.get(b"authorization") or fields.get(b"cookie") or b"")


def _incoming(scope: Scope, receive: Receive, rate: Rate) -> Incoming:
    names = {name for name, _ in scope["headers"]}
    return Incoming(receive, rate, has_body=bool(names & {b"content-length", b"transfer-encoding"}))


def _start(call: Call, more_headers: tuple[tuple[bytes, bytes], ...]) -> dict[str, Any]:
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in call.headers]
    return {"type": "http.response.start", "status": call.status, "headers": [*headers, *more_headers]}
