"""gunicorn's worker class: uvicorn with `BoundedProtocol`."""

from __future__ import annotations

import logging
import signal
import sys
from types import FrameType
from typing import Any, ClassVar

from uvicorn_worker import UvicornWorker

from webhook.server.protocol import BoundedProtocol

LONGEST_HEAD = 64 * 1024  # bytes of a request line and all header fields


class Worker(UvicornWorker):  # type: ignore[misc] # uvicorn_worker has no types
    """A web process."""

    CONFIG_KWARGS: ClassVar[dict[str, Any]] = {
        "http": BoundedProtocol,
        "h11_max_incomplete_event_size": LONGEST_HEAD,
        "interface": "asgi3",
        "loop": "asyncio",
        "ws": "none",
        "lifespan": "off",
        "access_log": False,  # `webhook.http.request_metrics` counts requests
        "server_header": False,
        "proxy_headers": False,  # `webhook.server.clients` reads them
    }

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - as gunicorn calls it
        super().__init__(*arguments, **options)
        # At WARNING, uvicorn logs a line for each request that it cannot parse: clients could fill the log.
        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)

    def init_signals(self) -> None:
        """Run exit handlers when the process is stopped: uvicorn raises the signal again at the end."""
        super().init_signals()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _exit)


def _exit(_number: int, _frame: FrameType | None) -> None:
    sys.exit(0)
