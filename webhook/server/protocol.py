"""uvicorn's HTTP/1.1 protocol, with the limits that it lacks.

uvicorn limits neither connections per address nor the time for a request head (its issue 157), and answers requests
that it cannot parse with plain text. The methods overridden here are those of `asyncio.Protocol`, which are fixed, and
two of uvicorn: `send_400_response` and `shutdown`. tests/integration/test_slow_clients.py fails if they change.
"""

from __future__ import annotations

import asyncio
import sys
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol

from webhook.server import problems
from webhook.server.connections import Peer, Verdict

if TYPE_CHECKING:
    from webhook.server.gateway import Gateway

LINGER_SECONDS = 2.0  # in which a client that is still sending may read the response
_DETAILS = {
    HTTPStatus.BAD_REQUEST: "The request is not valid HTTP/1.1.",
    HTTPStatus.REQUEST_URI_TOO_LONG: "The address is too long.",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: "The header fields are too large.",
    HTTPStatus.NOT_IMPLEMENTED: "The only transfer coding supported is chunked.",
}
_REFUSALS = {
    Verdict.FULL: (HTTPStatus.SERVICE_UNAVAILABLE, "Too many connections are open."),
    Verdict.ADDRESS_FULL: (HTTPStatus.TOO_MANY_REQUESTS, "Too many connections are open from this address."),
}


class BoundedProtocol(H11Protocol):
    """One connection of a client."""

    def __init__(self, config: Config, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - as uvicorn calls it
        super().__init__(config, *arguments, **options)
        gateway = cast("Gateway", config.app)
        self._connections = gateway.connections
        self._head_seconds = gateway.head_seconds
        self._peer: Peer | None = None  # None for a Unix socket, which only a proxy on this machine connects to
        self._is_open = False  # accepted, and not closed by this process
        self._requests = 0  # running in the application
        self._has_part_of_head = False
        self.has_input_ended = False  # within a request body
        self._unsent = 0
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as in uvicorn
        """Accept the connection and start the deadline of its first request head, or refuse it."""
        peer = transport.get_extra_info("peername")
        self._peer = (str(peer[0]), int(peer[1])) if peer else None
        verdict = self._connections.admit(self._peer, self) if self._peer else Verdict.ACCEPTED
        if verdict is not Verdict.ACCEPTED:
            transport.write(problems.response(*_REFUSALS[verdict]))
            transport.close()
            return
        super().connection_made(transport)
        self._is_open = True
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        """Parse data. The first byte of a request head restarts its deadline."""
        if not self._is_open:
            return
        if not self._requests and not self._has_part_of_head:
            self._has_part_of_head = True
            self._start_deadline()
        super().data_received(data)

    def eof_received(self) -> bool:  # type: ignore[override] # uvicorn closes the connection in any case
        """Return whether a client that sends no more still gets a response: to a truncated request, too."""
        cycle = self.cycle
        if not self._is_open or cycle is None or cycle.response_complete:
            return False
        cycle.keep_alive = False
        if cycle.more_body:
            self.has_input_ended = True
            cycle.message_event.set()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Remove the connection."""
        self._stop_deadline()
        if self.transport is None:
            return  # the connection was refused
        self._is_open = False
        if self._peer is not None:
            self._connections.release(self._peer)
        super().connection_lost(exc)

    def request_began(self) -> None:
        """Note that a request head is complete and the application is called."""
        self._requests += 1
        self._has_part_of_head = False
        self._stop_deadline()
        self._mark_busy()

    def request_ended(self) -> None:
        """Note that the application has returned; some of its response may still be unsent."""
        self._requests -= 1
        if not self._requests and self._is_open:
            self._wait_for_head()

    def give_way(self) -> None:
        """Close to make room for another connection."""
        self._is_open = False
        self.transport.abort()

    def abort(self) -> None:
        """Close without sending the rest."""
        self.transport.abort()

    def shutdown(self) -> None:
        """Close when the running request ends, or at once if there is none."""
        if self._is_open:
            super().shutdown()
        else:
            self.transport.abort()

    def send_400_response(self, msg: str) -> None:
        """Answer a request that cannot be parsed with a problem document."""
        error = sys.exc_info()[1]
        status = error.error_status_hint if isinstance(error, h11.RemoteProtocolError) else HTTPStatus.BAD_REQUEST
        if status == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE and b"\n" not in self.conn.trailing_data[0]:
            status = HTTPStatus.REQUEST_URI_TOO_LONG
        self._end(status, _DETAILS.get(HTTPStatus(status), msg))

    def _wait_for_head(self) -> None:
        self._has_part_of_head = False
        if self._peer is not None:
            self._connections.mark_idle(self._peer)
        self._start_deadline()

    def _mark_busy(self) -> None:
        if self._peer is not None:
            self._connections.mark_busy(self._peer)

    def _start_deadline(self) -> None:
        self._stop_deadline()
        if self._peer is None:
            return
        self._deadline = self.loop.call_later(self._head_seconds, self._expire)

    def _stop_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _expire(self) -> None:
        """Close a connection without a request; extend the deadline while its client receives the last response."""
        unsent = self.transport.get_write_buffer_size()
        if unsent and unsent != self._unsent:
            self._unsent = unsent
            self._start_deadline()
        elif self._has_part_of_head and not unsent and not self.transport.is_closing():
            self._end(HTTPStatus.REQUEST_TIMEOUT, "The request head did not arrive in time.")
        else:
            self.transport.abort()

    def _end(self, status: int, detail: str) -> None:
        """Send a problem document, and close once the client has read it; anything it still sends is dropped."""
        self._is_open = False
        self._mark_busy()
        if self.cycle is not None and not self.cycle.response_complete:
            if self.cycle.response_started:
                self.transport.abort()
                return
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.write(problems.response(status, detail))
        self.transport.write_eof()
        self._stop_deadline()
        self._deadline = self.loop.call_later(LINGER_SECONDS, self.transport.abort)
