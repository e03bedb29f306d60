"""Extends a lease while its holder works: a thread updates the database every quarter of the lease time.

A lost lease is not claimed back; the holder learns of the loss when it commits. The lease of a holder that hangs is
extended for at most `longest_piece_seconds`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from sqlalchemy.exc import SQLAlchemyError

from worker.config.errors import reason_of
from worker.config.settings import get_settings
from worker.database.engine import transaction
from worker.queue import leases

log = structlog.get_logger(__name__)


@contextmanager
def heartbeat(lease: leases.Lease, lease_seconds: float) -> Iterator[None]:
    """Extend the lease until the block ends."""
    done = threading.Event()
    beating = threading.Thread(target=_beat, args=(lease, lease_seconds, done), name="heartbeat", daemon=True)
    beating.start()
    try:
        yield
    finally:
        done.set()
        beating.join()


def _beat(lease: leases.Lease, lease_seconds: float, done: threading.Event) -> None:
    until = time.monotonic() + get_settings().longest_piece_seconds
    while not done.wait(lease_seconds / 4):
        if time.monotonic() > until:
            log.error("work_item_hangs", job=lease.job_public_id)
            return
        try:
            with transaction() as connection:
                leases.extend(connection, lease, lease_seconds)
        except leases.LostLeaseError:
            return
        except SQLAlchemyError as error:
            log.warning(
                "heartbeat_failed", job=lease.job_public_id, error=type(error).__name__, reason=reason_of(error)
            )
