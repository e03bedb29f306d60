"""A TCP proxy on loopback that can be a bad network: silent, half-deaf, resetting, or losing the answer to a COMMIT.

Knows of the PostgreSQL protocol only what a statement looks like on the wire: its text, and a NUL behind it.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import threading
from collections.abc import Coroutine
from enum import Enum, auto
from typing import Any, Self

from worker.runtime.processes.ports import LOOPBACK

COMMIT, ROLLBACK = b"COMMIT\x00", b"ROLLBACK\x00"
BLOCK = 1 << 16


class Mode(Enum):
    """How the network is."""

    SOUND = auto()
    SILENT = auto()  # takes connections and bytes, and nothing ever comes back
    HALF = auto()  # what is said arrives, the answers do not
    RESET = auto()  # every connection is reset


class Proxy:
    """Between clients at `address` and `port` and a server. In a thread of its own; use it in a `with` block."""

    def __init__(self, server_port: int, address: str = LOOPBACK) -> None:
        self._server_port = server_port
        self._address = address
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._mode = Mode.SOUND
        self._audible = asyncio.Event()
        self._audible.set()
        self._lines: set[asyncio.Transport | asyncio.WriteTransport] = set()
        self._pumps: set[asyncio.Task[None]] = set()
        self._commits_to_lose = 0
        self.after = b""
        self.commits_lost = 0
        self.port = 0

    def __enter__(self) -> Self:
        self._thread.start()
        self._run(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def be(self, mode: Mode) -> None:
        """Change the network. Connections that met a bad one are cut when it is sound again."""
        self._run(self._be(mode))

    def lose_commits(self, count: int, after: bytes = b"") -> None:
        """The next COMMITs reach the server; who sent them is cut off before it hears so.

        With `after` only those of transactions in which that text was said. What a driver has prepared is not said
        again: end the connections that may have before.
        """
        self.after = after
        self._commits_to_lose = count

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self) -> None:
        self._door = await asyncio.start_server(self._connected, self._address, 0)
        self.port = self._door.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        self._door.close()
        self._cut()
        for pump in self._pumps:
            pump.cancel()

    async def _be(self, mode: Mode) -> None:
        if mode is Mode.RESET or self._mode is not Mode.SOUND:
            self._cut()
        self._mode = mode
        if mode is Mode.SILENT:
            self._audible.clear()
        else:
            self._audible.set()

    def _cut(self) -> None:
        for line in list(self._lines):
            with contextlib.suppress(AttributeError):  # asyncio's own: of a connection that is closed
                line.abort()
        self._lines.clear()

    async def _connected(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        self._lines.add(to_client.transport)
        if self._mode is Mode.RESET:
            to_client.transport.abort()
            return
        try:
            server, to_server = await asyncio.open_connection(LOOPBACK, self._server_port)
        except OSError:
            to_client.transport.abort()
            return
        self._lines.add(to_server.transport)
        line = _Line(self, client, to_client, server, to_server)
        for pump in (line.forth(), line.back()):
            task = asyncio.create_task(pump)
            self._pumps.add(task)
            task.add_done_callback(self._pumps.discard)

    async def passes(self, *, back: bool) -> bool:
        """Whether bytes pass now. In a silent network whoever asks waits, and is cut when it ends."""
        await self._audible.wait()
        return not (back and self._mode is Mode.HALF)

    def loses(self) -> bool:
        """Whether the answer to this COMMIT is to be lost."""
        if self._commits_to_lose == 0:
            return False
        self._commits_to_lose -= 1
        self.commits_lost += 1
        return True


class _Line:
    """One client's connection and the one that was made for it."""

    def __init__(
        self,
        proxy: Proxy,
        client: asyncio.StreamReader,
        to_client: asyncio.StreamWriter,
        server: asyncio.StreamReader,
        to_server: asyncio.StreamWriter,
    ) -> None:
        self._proxy = proxy
        self._client, self._to_client = client, to_client
        self._server, self._to_server = server, to_server
        self._lost = self._meant = False
        self._heard = b""

    async def forth(self) -> None:
        """What the client says."""
        with contextlib.suppress(OSError):
            while said := await self._client.read(BLOCK):
                await self._proxy.passes(back=False)
                self._lost = self._lost or self._loses(said)
                self._to_server.write(said)
                await self._to_server.drain()
        self._to_server.close()

    async def back(self) -> None:
        """What the server says."""
        with contextlib.suppress(OSError):
            while said := await self._server.read(BLOCK):
                if self._lost:
                    break
                if await self._proxy.passes(back=True):
                    self._to_client.write(said)
                    await self._to_client.drain()
        self._to_client.transport.abort() if self._lost else self._to_client.close()

    def _loses(self, said: bytes) -> bool:
        """Whether a COMMIT is in it whose answer is to be lost. What is said may come in parts."""
        after, lost = self._proxy.after, False
        text, end = self._heard + said, 0
        for found in re.finditer(b"|".join(re.escape(word) for word in (COMMIT, ROLLBACK, after) if word), text):
            end = found.end()
            if found[0] == after:
                self._meant = True
                continue
            lost = lost or (found[0] == COMMIT and (self._meant or not after) and self._proxy.loses())
            self._meant = False
        longest = max(len(ROLLBACK), len(after))
        self._heard = text[max(end, len(text) - longest + 1) :]
        return lost
