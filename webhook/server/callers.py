"""The threads of a web process, given to callers in turn: who sends many requests delays mostly their own (R37).

Requests with the same credentials have the same caller: a token or a session, which is not looked up, else an address.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from webhook.http.concurrency_limits import Holders
from worker.config.waits import on_wait

T = TypeVar("T")
Caller = int


def caller_of(credentials: bytes, address: str) -> Caller:
    """Return the caller of a request; one without credentials is known by its address."""
    return hash(credentials or address)


class Turn:
    """A thread that a caller has."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.is_waiting = False


class Pool:
    """Threads, with limits on the requests that run in them or wait for one. Used in the event loop only.

    `most`: requests in all. `share`: of them, so many of one caller run at a time, besides those that only wait
    (`worker.config.waits`). A free thread goes to each caller in turn.
    """

    def __init__(self, name: str, threads: int, most: int, share: int | None = None) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._free = threads
        self._share = threads if share is None else share
        self._requests = Holders()
        self._most = most
        self._running = Counter[Caller]()
        self._waiting: OrderedDict[Caller, deque[asyncio.Future[None]]] = OrderedDict()

    def enter(self, caller: Caller) -> bool:
        """Count a request and return True; False if there are too many."""
        return self._requests.enter(caller, self._most)

    def leave(self, caller: Caller) -> None:
        """Stop counting a request."""
        self._requests.leave(caller)

    async def run(self, step: Callable[[], T], caller: Caller) -> T:
        """Run a step in a thread, once it is the caller's turn."""
        await self._get_thread(caller)
        loop, turn = asyncio.get_running_loop(), Turn(caller)

        def notify(step: Callable[[Turn], None]) -> None:
            with suppress(RuntimeError):  # the process ends, and its event loop has already
                loop.call_soon_threadsafe(step, turn)

        def waits() -> None:
            notify(self._wait)

        def end(_future: Future[T]) -> None:
            notify(self._end)

        def run() -> T:
            before = on_wait.set(waits)
            try:
                return step()
            finally:
                on_wait.reset(before)

        future = self._executor.submit(run)
        future.add_done_callback(end)
        return await asyncio.wrap_future(future)

    async def _get_thread(self, caller: Caller) -> None:
        if self._may_run(caller) and caller not in self._waiting:
            self._begin(caller)
            return
        queued: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(caller, deque()).append(queued)
        try:
            await queued
        except asyncio.CancelledError:
            if queued.done() and not queued.cancelled():  # it had just got its thread
                self._end(Turn(caller))
            raise

    def _may_run(self, caller: Caller) -> bool:
        return self._free > 0 and self._running[caller] < self._share

    def _begin(self, caller: Caller) -> None:
        self._free -= 1
        self._running[caller] += 1

    def _wait(self, turn: Turn) -> None:
        """Stop counting a step that only waits; its thread stays in use."""
        if not turn.is_waiting:
            self._stop_counting(turn)
            self._go_on()

    def _end(self, turn: Turn) -> None:
        self._free += 1
        if not turn.is_waiting:
            self._stop_counting(turn)
        self._go_on()

    def _stop_counting(self, turn: Turn) -> None:
        turn.is_waiting = True
        self._running[turn.caller] -= 1
        if not self._running[turn.caller]:
            del self._running[turn.caller]

    def _go_on(self) -> None:
        """Give free threads to callers that wait, one each in turn."""
        for _ in range(len(self._waiting)):
            if self._free <= 0:
                return
            caller, queue = self._waiting.popitem(last=False)
            while queue and queue[0].done():  # cancelled
                queue.popleft()
            if queue and self._running[caller] < self._share:
                self._begin(caller)
                queue.popleft().set_result(None)
            if queue:
                self._waiting[caller] = queue
