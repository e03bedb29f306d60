"""Threads of a web process go to callers in turn (R37): one who sends much delays mostly their own requests."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from webhook.http import refusals
from webhook.http.concurrency_limits import Holders
from webhook.server import gateway
from webhook.server.callers import Caller, Pool, caller_of
from worker.config import waits
from worker.config.settings import Settings

BUSY, OTHER, THIRD = 1, 2, 3


class Steps:
    """Steps that begin, and end when they are let go."""

    def __init__(self, *, waiting: bool = False) -> None:
        self.begun: list[Caller] = []
        self._waiting = waiting
        self._go = threading.Semaphore(0)

    def of(self, caller: Caller) -> Callable[[], None]:
        def step() -> None:
            self.begun.append(caller)
            if self._waiting:
                waits.begins()
            assert self._go.acquire(timeout=10)

        return step

    def let_go(self, count: int) -> None:
        self._go.release(count)


async def begun(steps: Steps, count: int) -> list[Caller]:
    """What has begun once it is so many steps, and a moment later."""
    async with asyncio.timeout(10):
        while len(steps.begun) < count:  # noqa: ASYNC110 - they begin in other threads
            await asyncio.sleep(0.001)
    await asyncio.sleep(0.05)
    return list(steps.begun)


def scope_of(path: str) -> dict[str, Any]:
    """Of a request without credentials."""
    return {
        "type": "http", "method": "GET", "http_version": "1.1", "scheme": "http", "path": path,
        "raw_path": path.encode(), "query_string": b"", "headers": [(b"host", b"h")], "server": ("h", 80),
        "client": None,
    }  # fmt: skip


def test_r37_a_caller_who_sends_much_leaves_threads_to_others() -> None:
    async def run() -> None:
        pool, steps = Pool("test", threads=4, most=20, share=2), Steps()
        busy = [asyncio.ensure_future(pool.run(steps.of(BUSY), BUSY)) for _ in range(10)]
        assert await begun(steps, 2) == [BUSY] * 2
        other = asyncio.ensure_future(pool.run(steps.of(OTHER), OTHER))
        assert await begun(steps, 3) == [BUSY, BUSY, OTHER]
        steps.let_go(11)
        await asyncio.gather(*busy, other)
        assert steps.begun.count(BUSY) == 10

    asyncio.run(run())


def test_r37_a_free_thread_goes_to_each_caller_in_turn() -> None:
    async def run() -> None:
        pool, steps = Pool("test", threads=1, most=20, share=1), Steps()
        first = asyncio.ensure_future(pool.run(steps.of(BUSY), BUSY))
        await begun(steps, 1)
        callers = [BUSY, BUSY, BUSY, OTHER, OTHER, THIRD]
        rest = [asyncio.ensure_future(pool.run(steps.of(caller), caller)) for caller in callers]
        await asyncio.sleep(0)
        steps.let_go(7)
        await asyncio.gather(first, *rest)
        assert steps.begun == [BUSY, BUSY, OTHER, THIRD, BUSY, OTHER, BUSY]

    asyncio.run(run())


def test_requests_that_wait_do_not_count() -> None:
    """Those for a job or for the storage: a token whose requests wait is answered as before."""

    async def run() -> None:
        pool, steps = Pool("test", threads=4, most=20, share=1), Steps(waiting=True)
        tasks = [asyncio.ensure_future(pool.run(steps.of(BUSY), BUSY)) for _ in range(6)]
        assert await begun(steps, 4) == [BUSY] * 4  # all threads
        steps.let_go(6)
        await asyncio.gather(*tasks)

    asyncio.run(run())


def test_a_cancelled_request_frees_what_it_had() -> None:
    async def run() -> None:
        pool, steps = Pool("test", threads=1, most=20, share=1), Steps()
        first = asyncio.ensure_future(pool.run(steps.of(BUSY), BUSY))
        await begun(steps, 1)
        waiting = [asyncio.ensure_future(pool.run(steps.of(OTHER), OTHER)) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        steps.let_go(1)
        await first
        waiting[1].cancel()  # it may have its thread just now
        steps.let_go(2)
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert isinstance(results[0], asyncio.CancelledError)
        assert results[2] is None
        last = asyncio.ensure_future(pool.run(steps.of(THIRD), THIRD))
        steps.let_go(1)
        await last

    asyncio.run(run())


def test_an_error_of_a_step_is_the_callers_and_frees_the_thread() -> None:
    async def run() -> None:
        pool = Pool("test", threads=1, most=2, share=1)
        with pytest.raises(ZeroDivisionError):
            await pool.run(lambda: 1 // 0, BUSY)
        assert await pool.run(lambda: 5, BUSY) == 5

    asyncio.run(run())


def test_r37_the_last_quarter_of_a_limit_is_for_callers_who_have_none() -> None:
    holders = Holders()
    assert [holders.enter(BUSY, 8) for _ in range(8)] == [True] * 6 + [False] * 2
    assert [holders.enter(caller, 8) for caller in (OTHER, OTHER, THIRD, 4)] == [True, False, True, False]
    holders.leave(BUSY)
    assert not holders.enter(BUSY, 8)
    assert holders.enter(4, 8)


def test_callers_are_not_distinguished_where_none_is_named() -> None:
    holders = Holders()
    assert [holders.enter(None, 4) for _ in range(5)] == [True] * 4 + [False]


def test_a_caller_is_known_by_credentials_or_else_by_address() -> None:
    assert caller_of(b"Bearer a", "192.0.2.1") == caller_of(b"Bearer a", "192.0.2.2")
    assert caller_of(b"Bearer a", "192.0.2.1") != caller_of(b"Bearer b", "192.0.2.1")
    assert caller_of(b"", "192.0.2.1") != caller_of(b"", "192.0.2.2")


def test_a_late_response_occupies_neither_a_thread_nor_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    """Strangers who are refused at sign-in come back later (R37); others are answered meanwhile."""
    monkeypatch.setattr(gateway, "QUEUED_PER_THREAD", 0)

    def application(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/late":
            environ[refusals.LATE] = 0.5
        start("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    async def run() -> None:
        served = gateway.Gateway(application, Settings(web_threads=8))
        began = time.monotonic()
        sent: dict[str, list[float]] = {"/late": [], "/": []}

        async def request(path: str) -> None:
            async def send(message: dict[str, Any]) -> None:
                if message["type"] == "http.response.start":
                    assert message["status"] == 200
                    sent[path].append(time.monotonic() - began)

            async def receive() -> dict[str, Any]:
                return {"type": "http.request", "body": b"", "more_body": False}

            await served(scope_of(path), receive, send)

        late = []
        for _ in range(20):  # more than the process takes at a time
            late.append(asyncio.ensure_future(request("/late")))
            await asyncio.sleep(0.005)
        for _ in range(10):
            await request("/")
        assert not sent["/late"]
        assert len(sent["/"]) == 10
        await asyncio.gather(*late)
        assert min(sent["/late"]) >= 0.5

    asyncio.run(run())


def test_callers_behind_a_proxy_are_those_that_it_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the proxy, which would be one caller for all who have not signed in."""
    seen: list[Caller] = []
    enter = Pool.enter

    def entered(pool: Pool, caller: Caller) -> bool:
        seen.append(caller)
        return enter(pool, caller)

    monkeypatch.setattr(Pool, "enter", entered)

    def application(_environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        start("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(_message: dict[str, Any]) -> None:
        return

    async def run() -> None:
        served = gateway.Gateway(application, Settings())
        for address in (b"192.0.2.1", b"192.0.2.2", b"192.0.2.1"):
            fields = [(b"host", b"h"), (b"x-forwarded-for", address)]
            await served({**scope_of("/"), "headers": fields, "client": ("127.0.0.1", 5)}, receive, send)

    asyncio.run(run())
    assert seen[0] == seen[2] != seen[1]
