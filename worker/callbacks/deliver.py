"""Delivery of callbacks: notifies a tenant's server that a job has ended, at least once, signed, with a constant id.

An attempt is sent outside any transaction and recorded in one, which only the lease holder can commit. A callback that
cannot be delivered is retried for a day, then given up. The response's body is not read. URLs are never logged.
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
from worker.config.failpoints import Failpoint, hit
from worker.config.settings import Settings, get_settings
from worker.database.engine import transaction
from worker.jobs import callbacks
from worker.jobs.callbacks import Message, Try
from worker.queue import leases

log = structlog.get_logger(__name__)

# Responses whose Retry-After is respected (RFC 9110, section 10.2.3, in seconds).
BUSY = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})


def deliver(lease: leases.Lease) -> None:
    """Send a callback once and record the result. `LostLeaseError` if another worker has the work item now.

    If the process dies between the two, the callback was sent but not recorded: it is sent again, with the same id.
    """
    settings = get_settings()
    hit(Failpoint.CALLBACK_CLAIMED)
    with transaction() as connection:
        message = callbacks.message(connection, lease)
    began = time.perf_counter()
    tried = send(message, settings)
    tried = replace(tried, duration_ms=round((time.perf_counter() - began) * 1000))
    pause = pause_after(lease.attempt, tried, settings)
    hit(Failpoint.CALLBACK_ANSWERED)
    with transaction() as connection:
        callbacks.note(connection, lease, tried, pause)
    hit(Failpoint.CALLBACK_COMMITTED)
    log.info("callback_tried", result=tried.result.value, status=tried.status, again_in=pause)


def send(message: Message, settings: Settings) -> Try:
    """Send a message once, to an untrusted URL; return the result."""
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
    """Return the seconds that a busy receiver asks to wait; None for a date, as dates are not supported."""
    text = (answer.retry_after or "").strip()
    if answer.status not in BUSY or not (text.isascii() and text.isdecimal()):
        return None
    return min(float(text), callback_signing.LONGEST_RETRY_AFTER)


def pause_after(attempt: int, tried: Try, settings: Settings) -> float | None:
    """Return the seconds until the next attempt; None if there is none."""
    if tried.result in {DeliveryResult.DELIVERED, DeliveryResult.GONE}:
        return None
    jitter = random.uniform(-1.0, 1.0)  # noqa: S311 - spreads load, protects no secret
    pause = callback_signing.pause_after(attempt, jitter, tried.retry_after)
    return None if pause is None else pause * settings.callback_backoff_scale
