"""The web processes under gunicorn count together, and what a killed one has counted stays."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import sqlalchemy as sa

from schemas.metrics import HTTP_IN_FLIGHT, HTTP_SECONDS, LEDGER_UP
from tests.support.metrics_scrape import Scrape, parsed
from tests.support.servers.service import wait_for
from tests.support.servers.web_server import serving
from webhook.http.gunicorn_conf import MEMORY
from worker.storage import scratch

SECONDS = 60.0
REQUESTS = 60
FROZEN = """
import gc
from types import SimpleNamespace
from gunicorn.config import Config
from webhook import serving
config = Config()
for hook in ("on_starting", "post_worker_init", "on_exit"):
    config.set(hook, getattr(serving, hook))
config.on_starting(SimpleNamespace(app=SimpleNamespace(app_uri="webhook.asgi:create_app()")))
print(gc.isenabled())
config.post_worker_init(None)
print(gc.isenabled(), gc.get_freeze_count())
config.on_exit(None)"""


@pytest.fixture
def gunicorn(database: sa.Engine, tmp_path: Path) -> Iterator[tuple[psutil.Popen, httpx.Client]]:  # noqa: ARG001 - named in the environment
    """Gunicorn with two web processes, and a client of it that connects anew for every request."""
    with serving(tmp_path, 2) as web, web.client() as client:
        yield web.process, client


def scrape(client: httpx.Client) -> Scrape:
    answer = client.get("/metrics")
    assert answer.status_code == 200, answer.text
    return parsed(answer.text)


def lives(found: Scrape) -> float:
    """How often `/livez` was answered."""
    return found.sample(f"{HTTP_SECONDS.name}_count", HTTP_SECONDS, "GET", "/livez", "2xx")


def mapped(process: psutil.Process) -> list[Any]:
    """The files that a web process counts in."""
    return [file for file in process.memory_maps() if scratch.PREFIX in file.path and file.path.endswith(".db")]


@pytest.mark.long
def test_web_processes_count_together(gunicorn: tuple[psutil.Popen, httpx.Client]) -> None:
    process, client = gunicorn
    wait_for(lambda: len(process.children()) == 2, SECONDS, "both web processes")
    before = lives(scrape(client))
    for _ in range(REQUESTS):
        assert client.get("/livez").status_code == 200
    for _ in range(6):  # whichever is asked
        found = scrape(client)
        assert lives(found) == before + REQUESTS
        assert (found[HTTP_IN_FLIGHT], found[LEDGER_UP]) == (1, 1)
    old = process.children()[0]
    old.kill()
    wait_for(lambda: len(process.children()) == 2 and old not in process.children(), SECONDS, "another web process")
    for _ in range(6):
        assert lives(scrape(client)) == before + REQUESTS


@pytest.mark.long
def test_the_folder_goes_with_gunicorn(gunicorn: tuple[psutil.Popen, httpx.Client]) -> None:
    process, client = gunicorn
    scrape(client)
    (folder,) = {Path(file.path).parent for child in process.children() for file in mapped(child)}
    assert folder.parent == (MEMORY if MEMORY.exists() else Path(tempfile.gettempdir()))
    process.send_signal(signal.SIGTERM)
    assert process.wait(SECONDS) == 0
    assert not folder.exists()


@pytest.mark.long
def test_what_stays_is_not_looked_through_for_garbage() -> None:
    done = subprocess.run([sys.executable, "-c", FROZEN], capture_output=True, text=True, check=True)
    while_starting, afterwards, frozen = done.stdout.split()
    assert (while_starting, afterwards) == ("False", "True")
    assert int(frozen) > 50_000
