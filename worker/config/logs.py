"""Logging: JSON lines on standard error, with the job that they are about."""

from __future__ import annotations

import logging
import sys

import structlog
from structlog.typing import Processor

from worker.config.settings import get_settings


def configure() -> None:
    """Configure the process's logging, for structlog and for libraries that use the standard module."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(get_settings().log_level)
    for chatty in ("celery.app.trace", "celery.worker.strategy", "celery.beat"):  # two lines for every rescue round
        logging.getLogger(chatty).setLevel(logging.WARNING)
    logging.getLogger("httpcore").setLevel(logging.WARNING)  # it would log responses of external servers
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
