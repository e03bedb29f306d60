"""gunicorn's configuration (`--config python:webhook.http.gunicorn_conf`) for `numberyard up` and containers.

Each web process counts its own requests and a scrape reaches one of them, so all count in files of one folder, from
which whoever is asked adds up (prometheus-client's multiprocess mode). The folder lives as long as gunicorn does.
Nothing here may import prometheus-client before the folder is named: that is when it decides how to count.
"""

from __future__ import annotations

import gc
import os
import resource
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from worker.storage import scratch

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
# In memory, where there is such a place: the files are mapped, and a process that writes to one dies of a full disk.
MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of its own is made in there, as in any temporary folder

worker_class = "webhook.server.worker.Worker"
workers = 2
timeout = 120  # seconds that a process's event loop may stand still
graceful_timeout = 10  # seconds that requests under way get when it stops
keepalive = 15  # seconds that a connection may wait for its next request
control_socket_disable = True

_held = ExitStack()


def on_starting(_server: Any) -> None:  # noqa: ANN401 - gunicorn has no types
    """Before the first web process is started."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # each connection needs a file
    within = MEMORY if os.access(MEMORY, os.W_OK | os.X_OK) else None
    os.environ[FOLDER] = str(_held.enter_context(scratch.folder(within)))
    gc.disable()  # the web processes inherit it: nearly all that is made while they start stays


def post_worker_init(_worker: Any) -> None:  # noqa: ANN401 - gunicorn has no types
    """A web process has made its application, which stays as long as the process does.

    Looked through for garbage it would halt some request for 70 ms and more, again and again.
    """
    gc.collect()
    gc.freeze()
    gc.enable()


def child_exit(_server: Any, worker: Any) -> None:  # noqa: ANN401 - gunicorn has no types
    """A web process is gone, and with it what it had in hand; what it has counted stays."""
    from prometheus_client import multiprocess  # noqa: PLC0415 - not before the folder is named

    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def on_exit(_server: Any) -> None:  # noqa: ANN401 - gunicorn has no types
    """Gunicorn ends."""
    _held.close()
