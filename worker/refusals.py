"""Writes a chunk of which the database refuses some numbers: their rows fail, all others are written (R28)."""

from __future__ import annotations

import pyarrow as pa
import structlog
from sqlalchemy import Connection

from worker.infra import singly
from worker.stages.resolve import Decisions, abort, without
from worker.stages.write import note, write_singly

log = structlog.get_logger(__name__)

# Refused numbers that an all-or-nothing job names; it writes nothing, so the others are not tried any more.
MOST_NAMED = 1_000


def write_sound(
    connection: Connection, chunk: pa.Table, decided: Decisions, job_id: int, *, all_or_nothing: bool
) -> Decisions:
    """Write what the database takes of a chunk; return the decisions that hold then.

    `all_or_nothing`: with a number refused nothing is written, and rows that would have been say ABORTED.
    """
    with connection.begin_nested() as savepoint:
        refused = write_singly(connection, decided, MOST_NAMED if all_or_nothing else chunk.num_rows)
        if len(refused.numbers):
            decided = without(decided, chunk, refused.numbers)
            _report(refused)
            if all_or_nothing:
                savepoint.rollback()
                return abort(decided, other_rows_failed=True)
    note(connection, decided, job_id)
    return decided


def _report(refused: singly.Refused) -> None:
    log.error("numbers_refused", numbers=len(refused.numbers), reasons=dict(refused.reasons.most_common(10)))
