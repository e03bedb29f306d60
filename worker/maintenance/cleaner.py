"""The cleanup round: removes expired files and rows, and files that killed processes left behind.

docs/reference/retention.md lists what bounds each table.

A round does a bounded part of the work; the next one continues. Any number may run at once. An interrupted round does
no harm: the next one finds what is left.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import DBAPIError

from worker.accounts import device_cookies, login_throttle, sessions, tokens
from worker.config.errors import reason_of
from worker.config.settings import get_settings
from worker.database import processes, quotas
from worker.database.engine import transaction
from worker.jobs import idempotency, past_deliveries, retention, upload_slots, webhooks
from worker.maintenance import orphan_folders
from worker.numbers import changes, counts, history, holdings_report
from worker.storage import files, scratch

log = structlog.get_logger(__name__)

MOST_JOBS = 1000
MOST_ROWS = 5_000  # removed in one transaction
MOST_BATCHES = 20  # such transactions of one step
MOST_FOLDERS = 2000
MOST_SECONDS = 10.0  # for each step: the worker has other work, above all the rescue round

FAILURES: tuple[type[Exception], ...] = (DBAPIError, *files.FAILURES)

_T = TypeVar("_T")


def clean() -> None:
    """Run one round. A step that fails is logged and left to the next round."""
    for step in STEPS:
        try:
            count = step()
        except FAILURES as error:
            name, reason = type(error).__name__, reason_of(error)
            log.warning("tidying_failed", step=step.__name__, error=name, reason=reason)
            continue
        if count:
            log.info("tidied", step=step.__name__, count=count)


def forget_keys() -> int:
    """Delete expired idempotency keys; return how many."""
    return _in_batches(idempotency.forget_expired)


def forget_sessions() -> int:
    """Delete ended sessions; return how many."""
    with transaction() as connection:
        return sessions.forget_ended(connection)


def forget_sign_ins() -> int:
    """Delete old attempts at signing in, and browsers that are not known any more; return how many."""
    return _in_batches(login_throttle.forget_old) + _in_batches(device_cookies.forget_old)


def forget_tokens() -> int:
    """Delete tokens that were revoked or expired long ago; return how many."""
    return _in_batches(tokens.remove_ended)


def forget_callbacks() -> int:
    """Delete callbacks that ended long ago; return how many."""
    return _in_batches(past_deliveries.forget_callbacks)


def forget_mails() -> int:
    """Delete e-mails that ended long ago; return how many."""
    return _in_batches(past_deliveries.forget_mails)


def forget_processes() -> int:
    """Delete processes that ended without removing themselves; return how many."""
    with transaction() as connection:
        return processes.remove_ended(connection)


def fold_counts() -> int:
    """Add up rows of the counts of numbers; return how many rows fewer there are."""
    with transaction() as connection:
        return counts.fold(connection)


def fold_usage() -> int:
    """Add up rows of what tenants use of their quotas, and delete those of past days; return how many rows fewer."""
    with transaction() as connection:
        folded = quotas.fold(connection)
    return folded + _in_batches(quotas.forget_days)


def forget_slots() -> int:
    """Delete slots of uploads whose process was killed; return how many."""
    return _in_batches(upload_slots.forget_expired)


def count_day() -> int:
    """Count the numbers that were held when yesterday ended, once; return how many days were counted."""
    with transaction() as connection:
        return holdings_report.count_day(connection)


def expire_days() -> int:
    """Remove the daily counts of numbers that are no longer kept; return how many rows."""
    return _in_batches(holdings_report.expire_days)


def expire_history() -> int:
    """Remove a part of the histories of numbers that are no longer kept; return how many rows."""
    with transaction() as connection:
        return history.expire(connection)


def expire(most: int = MOST_JOBS) -> int:
    """Remove the expired files of up to `most` jobs; return the number of jobs."""
    with transaction() as connection:
        due = retention.due(connection, most)
    return sum(_expire(job_id) for job_id in _in_time(due))


def _expire(job_id: int) -> bool:
    """Remove the files first, then mark the job: after a crash in between, the next round finds the job again.

    In the other order, no round would find the files. Nothing reads them meanwhile: for readers, files expire by the
    clock, not by the mark.
    """
    with transaction() as connection:
        ended = retention.hold(connection, job_id)
        if ended is None:
            return False
        remove_files(ended)
        retention.mark(connection, ended)
    return True


def remove_files(ended: retention.Ended) -> None:
    """Remove a job's expired files, or its folder if no files are kept."""
    if ended.kept:
        orphan_folders.remove(ended.job, ended.over, ended.checks, failed=ended.failed)
    else:
        files.remove_job(ended.job)


def expire_changes() -> int:
    """Remove changes of the inventory that are no longer kept; return how many chunks' changes."""
    with transaction() as connection:
        return changes.expire(connection)


def forget_messages() -> int:
    """Delete old messages to subscribers; return how many."""
    return _in_batches(webhooks.forget) + _in_batches(webhooks.forget_unsent)


def remove_orphans(most: int = MOST_FOLDERS) -> int:
    """Remove old folders without a job, and old partial files of jobs; return the number of folders.

    An upload that is being received has no job yet, but its file is recent.
    """
    folders = orphan_folders.some(most)
    with transaction() as connection:
        before, kept = retention.orphans_before(connection), retention.keeping(connection, folders)
    count = 0
    for job in _in_time(folders):
        if job in kept:
            orphan_folders.remove_left(job, before)
            continue
        newest = orphan_folders.newest(job)
        if newest is not None and newest < before:
            files.remove_job(job)
            count += 1
    return count


def remove_scratch() -> int:
    """Remove the scratch folders of killed processes on this machine; return how many."""
    return scratch.remove_abandoned(min(scratch.YOUNG_SECONDS, get_settings().orphan_hours * retention.HOUR))


def _in_batches(remove: Callable[[sa.Connection, int], int]) -> int:
    """Remove rows, up to `MOST_ROWS` per transaction, until fewer are left or the step is over; return how many."""
    total = 0
    for _ in _in_time(range(MOST_BATCHES)):
        with transaction() as connection:
            count = remove(connection, MOST_ROWS)
        total += count
        if count < MOST_ROWS:
            break
    return total


def _in_time(items: Iterable[_T]) -> Iterator[_T]:
    """Yield the items until the step's time is over."""
    end = time.monotonic() + MOST_SECONDS
    for item in items:
        if time.monotonic() > end:
            return
        yield item


STEPS: tuple[Callable[[], int], ...] = (
    forget_keys,
    forget_sessions,
    forget_sign_ins,
    forget_tokens,
    fold_counts,
    fold_usage,
    forget_slots,
    expire,
    expire_changes,
    expire_history,
    expire_days,
    forget_messages,
    forget_callbacks,
    forget_mails,
    forget_processes,
    remove_orphans,
    remove_scratch,
    count_day,
)
