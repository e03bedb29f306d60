"""Tells a tenant's own server that a job has ended: at least once, signed, with an id that stays the same.

A try is sent outside any transaction and noted in one, by whoever still holds the lease. What cannot be delivered is
tried again for a day, then given up; what the receiver says beyond a status is not read. URLs are never logged.
"""

from __future__ import annotations

import random
import time
from dataclasses import replace
from http import HTTPStatus
from importlib.metadata import version

import structlog

from schemas import callback_signing
from schemas.http.callbacks import DeliveryResult
from worker.callbacks import http_client
from worker.callbacks.pinned_network import UndeliveredError
from worker.config.failpoints import Point, pass_by
from worker.config.settings import Settings, get_settings
from worker.database.engine import transaction
from worker.jobs import callbacks
from worker.jobs.callbacks import Message, Try
from worker.queue import leases

log = structlog.get_logger(__name__)

# Answers whose Retry-After is listened to (RFC 9110, section 10.2.3, in seconds).
BUSY = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})


def deliver(lease: leases.Lease) -> None:
    """Send a callback once, and note how it went. `LostLeaseError` if somebody else has it now.

    Whoever dies between the two has sent it and not said so: it is sent again, under the same id.
    """
    settings = get_settings()
    pass_by(Point.CALLBACK_CLAIMED)
    with transaction() as connection:
        message = callbacks.message(connection, lease)
    began = time.perf_counter()
    tried = _try(message, settings)
    tried = replace(tried, duration_ms=round((time.perf_counter() - began) * 1000))
    pause = _pause(lease.attempt, tried, settings)
    pass_by(Point.CALLBACK_ANSWERED)
    with transaction() as connection:
        callbacks.note(connection, lease, tried, pause)
    pass_by(Point.CALLBACK_COMMITTED)
    log.info("callback_tried", result=tried.result.value, status=tried.status, again_in=pause)


def _try(message: Message, settings: Settings) -> Try:
    rules = http_client.Rules(
        networks=settings.networks_for_callbacks,
        seconds=settings.callback_timeout_seconds,
        redirects=settings.callback_redirects,
        ca_file=settings.callback_ca_file,
    )
    headers = {
        "User-Agent": f"numberyard/{version('numberyard')}",
        "Content-Type": "application/json",
        **message.headers,
    }
    try:
        answer = http_client.post(message.url, message.body, headers, rules)
    except UndeliveredError as error:
        return Try(error.result, error.status)
    return Try(_result_of(answer.status), answer.status, _retry_after(answer))


def _result_of(status: int) -> DeliveryResult:
    if status in range(200, 300):
        return DeliveryResult.DELIVERED
    return DeliveryResult.GONE if status == HTTPStatus.GONE else DeliveryResult.HTTP_ERROR


def _retry_after(answer: http_client.Answer) -> float | None:
    """The seconds that a busy receiver asks for; a date is not understood here, and then the schedule holds."""
    text = (answer.retry_after or "").strip()
    if answer.status not in BUSY or not (text.isascii() and text.isdecimal()):
        return None
    return min(float(text), callback_signing.LONGEST_RETRY_AFTER)


def _pause(attempt: int, tried: Try, settings: Settings) -> float | None:
    """Seconds to the next try; None if there is none."""
    if tried.result in {DeliveryResult.DELIVERED, DeliveryResult.GONE}:
        return None
    jitter = random.uniform(-1.0, 1.0)  # noqa: S311 - spreads load, keeps no secret
    pause = callback_signing.pause_after(attempt, jitter, tried.retry_after)
    return None if pause is None else pause * settings.callback_backoff_scale
