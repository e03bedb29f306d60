"""Request bodies as they arrive: read by the event loop at a minimum rate, and by threads as `wsgi.input`."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import Awaitable, Callable
from contextvars import Context
from dataclasses import dataclass
from typing import Any

from werkzeug.exceptions import ClientDisconnected, RequestTimeout

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]


class BodyError(Exception):
    """The body did not arrive."""


class TooSlowError(BodyError):
    """The body arrives more slowly than the minimum rate."""


class DisconnectedError(BodyError):
    """The client closed the connection before the end of the body."""


class TruncatedError(DisconnectedError):
    """The client ended its side of the connection within the body, and may still read a response."""


@dataclass(frozen=True)
class Rate:
    """The minimum rate of a body, averaged from its beginning and enforced once `grace` is over."""

    bytes_per_second: float
    grace: float  # seconds

    def seconds_for(self, size: int) -> float:
        """Return the time within which more than `size` bytes must have arrived."""
        return max(self.grace, size / self.bytes_per_second)


class Incoming:
    """The body of one request, read part by part in the event loop."""

    def __init__(self, receive: Receive, rate: Rate, *, has_body: bool) -> None:
        self._receive = receive
        self._rate = rate
        self._began = time.monotonic()
        self._read_ahead: list[bytes] = []
        self.size = 0
        self.is_complete = not has_body

    @property
    def has_read_ahead(self) -> bool:
        """Whether parts have arrived that have not been taken yet."""
        return bool(self._read_ahead)

    async def fill(self, most: int) -> bool:
        """Read ahead until the body is complete or longer than `most` bytes; return whether it is complete."""
        while not self.is_complete and self.size <= most:
            self._read_ahead.append(await self._next())
        return self.is_complete

    def take(self) -> bytes:
        """Return the parts read ahead, joined."""
        piece = b"".join(self._read_ahead)
        self._read_ahead.clear()
        return piece

    async def next(self) -> bytes:
        """Return the next part; b"" at the end."""
        if piece := self.take():
            return piece
        while not self.is_complete:
            piece = await self._next()
            if piece:
                return piece
        return b""

    async def discard(self, most: int, seconds: float, idle_seconds: float) -> None:
        """Read and drop up to `most` bytes for up to `seconds`, or until none arrive for `idle_seconds`."""
        until = time.monotonic() + seconds
        end = self.size + most
        try:
            while not self.is_complete and self.size < end and time.monotonic() < until:
                async with asyncio.timeout(min(max(until - time.monotonic(), 0.01), idle_seconds)):
                    await self._next()
        except (BodyError, TimeoutError):
            return

    async def _next(self) -> bytes:
        left = self._began + self._rate.seconds_for(self.size) - time.monotonic()
        try:
            async with asyncio.timeout(max(left, 0.0)):
                message = await self._receive()
        except TimeoutError as error:
            raise TooSlowError from error
        if message["type"] == "http.disconnect":
            raise TruncatedError if message.get("can_respond") else DisconnectedError
        piece: bytes = message.get("body", b"")
        self.size += len(piece)
        self.is_complete = not message.get("more_body", False)
        return piece


class Input(io.RawIOBase):
    """`wsgi.input`: the file that a thread reads a body from. Raises errors that the application can answer."""

    def __init__(self, incoming: Incoming, loop: asyncio.AbstractEventLoop) -> None:
        self._incoming = incoming
        self._loop = loop
        self._piece = memoryview(b"")

    def readable(self) -> bool:
        """Return True: the stream is readable."""
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - any writable buffer
        """Fill the buffer from the current part, or wait for the next one."""
        if not self._piece:
            self._piece = memoryview(self._wait())
        count = min(len(buffer), len(self._piece))
        buffer[:count] = self._piece[:count]
        self._piece = self._piece[count:]
        return count

    def _wait(self) -> bytes:
        if self._incoming.is_complete and not self._incoming.has_read_ahead:
            return b""
        try:
            # In a separate context: callbacks that this registers with the loop would keep the request's context alive.
            return Context().run(asyncio.run_coroutine_threadsafe, self._incoming.next(), self._loop).result()
        except TooSlowError as error:
            raise RequestTimeout from error
        except DisconnectedError as error:
            raise ClientDisconnected from error
