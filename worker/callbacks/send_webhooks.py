"""Sends messages to subscribers: signed, at least once, with a constant id; changes of numbers in their order.

An attempt is sent outside any transaction and recorded in one, which only the process that claimed the message can
commit. If it dies between the two, the message is sent again, with the same id.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import structlog
from sqlalchemy.exc import DBAPIError

from schemas import callback_signing
from schemas.http.callbacks import DeliveryResult
from worker.callbacks.deliver import pause_after, send
from worker.config.errors import reason_of
from worker.config.failpoints import Failpoint, hit
from worker.config.settings import get_settings
from worker.database.engine import transaction
from worker.jobs import webhook_messages
from worker.jobs.webhook_messages import Claimed
from worker.queue import broker

log = structlog.get_logger(__name__)

MOST_SECONDS = 10.0  # of one round; then others have their turn
MOST_ROUNDS = 4  # at a time in one process: slow receivers must leave threads for callbacks
_LIMIT = threading.BoundedSemaphore(MOST_ROUNDS)


def send_due() -> None:
    """Send messages that are due, until none is left or the time is over."""
    if not _LIMIT.acquire(blocking=False):
        return
    try:
        if _send_until(time.monotonic() + MOST_SECONDS):
            broker.wake_webhooks()
    except DBAPIError as error:
        log.warning("webhooks_failed", error=type(error).__name__, reason=reason_of(error))
    finally:
        _LIMIT.release()


def _send_until(end: float) -> bool:
    """Return whether messages may be left."""
    while time.monotonic() < end:
        with transaction() as connection:
            claimed = webhook_messages.claim(connection)
        if claimed is not None:
            _deliver(claimed)
            continue
        with transaction() as connection:
            if not webhook_messages.prepare(connection):
                return False
    return True


def _deliver(claimed: Claimed) -> None:
    settings = get_settings()
    hit(Failpoint.WEBHOOK_CLAIMED)
    if claimed.message is None:
        with transaction() as connection:
            webhook_messages.give_up(connection, claimed)
        log.warning("webhook_content_expired", webhook=claimed.webhook_id)
        return
    began = time.perf_counter()
    tried = send(claimed.message, settings)
    tried = replace(tried, duration_ms=round((time.perf_counter() - began) * 1000))
    hit(Failpoint.WEBHOOK_ANSWERED)
    pause = pause_after(claimed.attempt, tried, settings)
    if pause is None and claimed.is_ordered and tried.result is not DeliveryResult.DELIVERED:
        # What follows waits for it, so it is never given up: the subscription is switched off in the end.
        pause = callback_signing.SCHEDULE[-1] * settings.callback_backoff_scale
    with transaction() as connection:
        is_noted = webhook_messages.note(connection, claimed, tried, pause)
    hit(Failpoint.WEBHOOK_COMMITTED)
    log.info("webhook_tried", result=tried.result.value, status=tried.status, again_in=pause, is_noted=is_noted)
