"""gunicorn's configuration (`--config python:webhook.http.gunicorn_conf`) for `numberyard up` and containers.

Each web process counts its own requests, and a scrape reaches only one process. So all processes count in files of one
folder, and the scraped process adds them up (prometheus-client's multiprocess mode). The folder lives as long as
gunicorn does. Nothing here may import prometheus-client before the folder is set: it decides at import how to count.
"""

from __future__ import annotations

import gc
import importlib
import logging
import os
import resource
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from gunicorn import glogging

from worker.config import logs
from worker.database.processes import Registration
from worker.database.schema_version import ProcessKind
from worker.storage import scratch

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
# In memory where possible: the files are memory-mapped, and a full disk kills the process that writes to one.
MEMORY = Path("/dev/shm")  # noqa: S108 - a private folder is created in it, as in any temporary folder


class Logger(glogging.Logger):  # type: ignore[misc] # gunicorn has no types
    """gunicorn's logger, with the handler and the format of this service; uvicorn uses its handlers, too."""

    def setup(self, cfg: Any) -> None:  # noqa: ANN401 - gunicorn has no types
        """Configure logging for gunicorn's own process, and for web processes until they create the application."""
        super().setup(cfg)
        logs.configure("web")
        self.error_log.handlers[:] = logging.getLogger().handlers


logger_class = Logger
worker_class = "webhook.server.worker.Worker"
workers = 2
timeout = 120  # seconds that the event loop of a process may be blocked
graceful_timeout = 10  # seconds that running requests get when a process stops
keepalive = 15  # seconds that a connection may wait for its next request
control_socket_disable = True

_exit_stack = ExitStack()
_registration = Registration(ProcessKind.WEB)  # each web process has its own copy


def on_starting(server: Any) -> None:  # noqa: ANN401 - gunicorn has no types
    """Prepare what web processes inherit, before the first one starts: limits, the metrics folder, imported modules.

    Modules are imported once, not by each process, so that one that is replaced responds again at once. They open
    nothing: that is left to `create_app`.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # each connection needs a file
    within = MEMORY if os.access(MEMORY, os.W_OK | os.X_OK) else None
    os.environ[FOLDER] = str(_exit_stack.enter_context(scratch.folder(within)))
    gc.disable()  # inherited by the web processes: nearly all objects made during start-up stay
    importlib.import_module(server.app.app_uri.partition(":")[0])  # "webhook.asgi:create_app()"


def post_worker_init(_worker: Any) -> None:  # noqa: ANN401 - gunicorn has no types
    """Exempt the application from garbage collection once a web process has created it.

    It lives as long as the process, and scanning it would halt requests for 70 ms and more, again and again.
    """
    gc.collect()
    gc.freeze()
    gc.enable()
    _registration.begin()


def worker_exit(_server: Any, _worker: Any) -> None:  # noqa: ANN401 - gunicorn has no types
    """Remove the web process from the registered ones, in that process."""
    _registration.end()


def child_exit(_server: Any, worker: Any) -> None:  # noqa: ANN401 - gunicorn has no types
    """Remove the requests in flight of a web process that has exited; its counters stay."""
    from prometheus_client import multiprocess  # noqa: PLC0415 - not before the folder is set

    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def on_exit(_server: Any) -> None:  # noqa: ANN401 - gunicorn has no types
    """Remove the metrics folder when gunicorn exits."""
    _exit_stack.close()
