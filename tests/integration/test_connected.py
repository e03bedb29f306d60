"""The health check of containers without a door: are they connected to the broker (issue 2, item 7)."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from worker.queue.healthcheck import connected
from worker.runtime.embedded import EmbeddedValkey
from worker.runtime.processes.ports import free_port


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with EmbeddedValkey(tmp_path, durable=False) as server:
        yield server.url


def check(url: str | None) -> subprocess.CompletedProcess[str]:
    given = {} if url is None else {"NUMBERYARD_REDIS_URL": url}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NUMBERYARD_")}
    return subprocess.run(
        [sys.executable, "-m", "worker.queue.healthcheck"],
        env=kept | given,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.long
def test_only_another_connection_counts(url: str) -> None:
    assert not connected(url)
    with redis.Redis.from_url(url) as other:
        other.ping()
        assert connected(url)
        assert check(url).returncode == 0
    assert not connected(url)


@pytest.mark.long
def test_says_why_not_in_one_line(url: str) -> None:
    for given in (url, None, f"redis://:secret@127.0.0.1:{free_port()}/0"):
        done = check(given)
        assert done.returncode == 1
        assert len(done.stderr.splitlines()) == 1
        assert "secret" not in done.stderr
