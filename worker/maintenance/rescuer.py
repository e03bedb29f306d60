"""The rescue round: recovers work items whose worker or wake-up message is lost, and ends reviews that have expired.

Selects by state and deadline, never by a time window, so it also finds what happened while no round was running.
"""

from __future__ import annotations

import structlog
from sqlalchemy.exc import DBAPIError

from schemas.metrics import SWEEP, Finding
from worker.config.errors import reason_of
from worker.config.failpoints import Failpoint, hit
from worker.config.settings import get_settings
from worker.database import counters
from worker.database.engine import transaction
from worker.jobs import webhook_messages
from worker.maintenance import rescue_queries
from worker.queue import broker, turns

log = structlog.get_logger(__name__)
MOST_PROMOTED = 10_000  # jobs in each queue and round


def rescue() -> None:
    """Release expired leases, end expired reviews and stuck cancellations, announce unclaimed work items again.

    Any number may run at once.
    """
    settings = get_settings()
    try:
        # One after the other, each under its own locks.
        with transaction() as connection:
            freed = rescue_queries.release_expired_leases(connection)
            counters.add(connection, {(SWEEP, (Finding.LEASES_EXPIRED.value,)): freed})
        with transaction() as connection:
            expired = rescue_queries.expire_reviews(connection)
            settled = rescue_queries.finish_cancellations(connection)
            has_messages = webhook_messages.is_due(connection)
            counts = {Finding.REVIEWS_EXPIRED: expired, Finding.SETTLED: len(settled)}
            counters.add(connection, {(SWEEP, (finding.value,)): count for finding, count in counts.items()})
            counters.fold(connection)
            hit(Failpoint.SWEEP_ENTERED)
        for queue in broker.PHASES:
            with transaction() as connection:
                turns.promote(connection, [queue], MOST_PROMOTED)
        with transaction() as connection:
            overdue = turns.overdue(connection, settings.hint_seconds)
            announced = sum(count for _, _, count in overdue)
            counters.add(connection, {(SWEEP, (Finding.ANNOUNCED.value,)): announced})
    except DBAPIError as error:
        log.warning("sweep_failed", error=type(error).__name__, reason=reason_of(error))
        return
    hit(Failpoint.SWEEP_COMMITTED)
    if freed:
        log.warning("leases_expired", count=freed)
    if expired:
        log.info("reviews_expired", count=expired)
    due = [(phase, job, 1) for phase, job in settled if phase is not None]
    for phase, job, count in due + overdue:
        broker.wake(phase, job, count)
    if has_messages:
        broker.wake_webhooks()
