"""Writes the decisions about a chunk and stores its results, in the caller's transaction.

If the database refuses some of the numbers, their rows fail and all others are written (R28).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa
import structlog
from sqlalchemy import Connection

from worker.config.failpoints import Failpoint, hit
from worker.database.engine import is_refusal
from worker.queue import leases
from worker.stages.resolve import Decisions, abort, without
from worker.stages.write import note, write, write_singly
from worker.storage import background_writes, files

log = structlog.get_logger(__name__)

# Refused numbers that an all-or-nothing job reports; it writes nothing, so the other numbers are not tried.
MOST_NAMED = 1_000


def write_and_store(
    connection: Connection, lease: leases.Lease, chunk: pa.Table, decided: Decisions, *, all_or_nothing: bool
) -> Decisions:
    """Write a chunk, and store its results and before-images under `keys`; return the final decisions.

    `ConflictError` as for `write`. `all_or_nothing`: if a number is refused, write nothing.
    """
    try:
        # The files are stored while the database writes.
        with _storing(lease, decided), connection.begin_nested():
            write(connection, decided, lease.job_id)
            hit(Failpoint.WRITE_COPIED)
    except Exception as error:
        if not is_refusal(error):
            raise
        decided = _write_sound(connection, chunk, decided, lease.job_id, all_or_nothing=all_or_nothing)
        hit(Failpoint.WRITE_REFUSED)
        with _storing(lease, decided):
            pass
    hit(Failpoint.WRITE_RESULT_STORED)
    if decided.images.num_rows:
        hit(Failpoint.WRITE_IMAGE_STORED)
    return decided


def keys(lease: leases.Lease, decided: Decisions) -> tuple[str, str | None]:
    """Return the storage keys of a chunk's results, and of its before-images if there are any."""
    image_key = files.image_key(lease.job_public_id, lease.number, lease.token) if decided.images.num_rows else None
    return files.result_key(lease.job_public_id, lease.number, lease.token), image_key


@contextmanager
def _storing(lease: leases.Lease, decided: Decisions) -> Iterator[None]:
    """Store the results and before-images of a chunk by the end of the block. `StoreError`."""
    key, image_key = keys(lease, decided)
    with background_writes.storing() as files:
        files.put(key, decided.results)
        if image_key is not None:
            files.put(image_key, decided.images)
        yield


def _write_sound(
    connection: Connection, chunk: pa.Table, decided: Decisions, job_id: int, *, all_or_nothing: bool
) -> Decisions:
    """Write the numbers that the database accepts; with `all_or_nothing` none, and all other rows become ABORTED."""
    with connection.begin_nested() as savepoint:
        refused = write_singly(connection, decided, job_id, MOST_NAMED if all_or_nothing else chunk.num_rows)
        log.error("numbers_refused", numbers=len(refused.numbers), reasons=dict(refused.reasons.most_common(10)))
        decided = without(decided, chunk, refused.numbers)
        if all_or_nothing and len(refused.numbers):
            savepoint.rollback()
            return abort(decided, other_rows_failed=True)
    note(connection, decided, job_id)
    return decided
