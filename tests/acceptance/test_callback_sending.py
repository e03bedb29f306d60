"""Callbacks of the whole service: slow receivers hold nothing up, and a killed sender loses nothing."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

import psutil

from tests.support.servers import service
from tests.support.servers.callback_receiver import NETWORK, receiving
from tests.support.servers.service import Service, wait_for

DEADLINE = 60.0


def sender(up: Service) -> psutil.Process | None:
    """The process that sends callbacks."""
    for one in up.below():
        with contextlib.suppress(psutil.NoSuchProcess):
            words = one.cmdline()
            if "upkeep@%h" in words and not any(word.endswith("subreaper.py") for word in words):
                return one
    return None


def test_slow_receivers_and_a_killed_sender(tmp_path: Path) -> None:
    settings = {"callback_networks": NETWORK, "callback_timeout_seconds": 30, "callback_backoff_scale": 0.01}
    with receiving() as slow, receiving() as quick, service.running(tmp_path, 1, **settings) as up:
        released = threading.Event()

        def meanwhile() -> None:
            released.wait(DEADLINE)

        slow.meanwhile = meanwhile
        client = up.client("Harbour")
        jobs = [
            client.upload(service.block(10, 2_122_000_000 + 100 * number), callback_url=slow.url)
            for number in range(10)
        ]
        # All threads of the sender wait for the slow receiver: imports go on, to the end.
        wait_for(lambda: len(slow.got) == 8, DEADLINE, "eight callbacks under way")
        last = client.upload(service.block(5000, 2_123_000_000), callback_url=quick.url)
        assert client.ended(last)["status"] == "completed"
        assert quick.got == []
        # Killed in the middle of all of them: they are sent again, under the same ids, and the others follow.
        first = sender(up)
        assert first is not None
        first.kill()
        released.set()
        wait_for(lambda: len(set(slow.ids)) == len(jobs), DEADLINE, "every callback")
        wait_for(lambda: quick.got, DEADLINE, "the last callback")
        waiting = "SELECT 1 FROM job_chunks WHERE phase = 'callback' AND state <> 'done'"
        wait_for(lambda: not up.ask(waiting), DEADLINE, "the notes")
        assert {got.event["data"]["id"] for got in slow.got} == set(jobs)
        assert len(set(slow.ids)) == len(jobs) < len(slow.ids)
        again = sender(up)
        assert again is not None
        assert again.pid != first.pid
