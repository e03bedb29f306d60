"""What happens to work that cannot be done: the file is refused, the try is repeated, or the fault is narrowed down.

A chunk that fails again and again is halved until the one row at fault is alone; that row is reported as our error and
all others are written (R28). A chunk of which the database only refuses rows does not come here
(`worker.steps.write_chunk`). Every try ends in the ledger, none in silence.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Mapping
from contextlib import suppress

import numpy as np
import pyarrow as pa
import structlog

from schemas import arrow_schemas, callback_signing, request_problems
from schemas.codes import Code, fault_bit, number_of
from schemas.columns import Column
from schemas.jobs import JobOptions, OnError, Phase
from schemas.request_problems import RequestCode
from worker.config.failpoints import Point, pass_by
from worker.config.settings import Settings, get_settings
from worker.database.engine import TRANSIENT, is_transient, sqlstate_of, transaction
from worker.jobs import callbacks, workbook_items
from worker.numbers import inventory
from worker.queue import broker, completion, leases
from worker.storage import arrow_files, files

log = structlog.get_logger(__name__)

# Halvings in one job: enough to single out some thousand rows. When more fail it is not the rows: the job ends, and the
# rows that it did not reach are unprocessed. No row is given up because of others.
MOST_HALVED = 10_000
FIRST_DELAY = 0.5  # seconds; doubled with every try
LONGEST_DELAY = 30.0
PATIENT_SECONDS = 300.0
SURROUNDINGS = (inventory.ConflictError, files.StoreError)
DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


def refuse(lease: leases.Lease, code: Code, detail: str, context: Mapping[str, object]) -> None:
    """End the job with the file's fault. Nothing is kept but the problem's text."""
    with transaction() as connection:
        following = completion.fail(connection, lease, request_problems.of_file(code, detail, context))
    pass_by(Point.REFUSE_COMMITTED)
    with suppress(files.StoreError):  # retention removes its files later
        files.remove_job(lease.job)
    log.info("file_refused", code=code.value)
    broker.wake(following, lease.job)


def most_attempts(phase: Phase, settings: Settings) -> int:
    """How often a piece is begun before it is given up.

    A callback has its own schedule, which the step itself ends; what goes beyond are tries that killed their worker.
    """
    return settings.max_attempts + (callback_signing.TRIES if phase is Phase.CALLBACK else 0)


def postpone(lease: leases.Lease, *, counts: bool, error: Exception | None = None) -> None:
    """Have the work tried again, later with every try. A lease that is lost needs nothing of the kind.

    Where the database is away this waits for it: a lease that nobody gives back runs out, and its try counts.
    """
    kind = None if error is None or not counts else _kind_of(error)
    delay = _delay(lease, kind, counts=counts)
    until = time.monotonic() + PATIENT_SECONDS
    while True:
        try:
            with transaction() as connection:
                leases.give_back(connection, lease, delay, counts=counts, error=kind)
        except leases.LostLeaseError:
            log.warning("lease_lost")
        except TRANSIENT:
            if time.monotonic() > until:
                raise
            time.sleep(FIRST_DELAY)
            continue
        return


def _delay(lease: leases.Lease, kind: str | None, *, counts: bool) -> float:
    """Seconds until the next try: none for a chunk that has failed with the same kind of error before.

    Waiting would change nothing then, and every halving would pay for it.
    """
    if lease.phase is Phase.CALLBACK and counts:
        # A fault of ours must not use a day's tries up in minutes.
        pause = callback_signing.SCHEDULE[min(lease.attempt, len(callback_signing.SCHEDULE)) - 1]
        return float(pause * get_settings().callback_backoff_scale)
    if lease.phase is Phase.WRITE and kind is not None and kind == lease.last_error:
        return 0.0
    return float(min(FIRST_DELAY * 2 ** min(lease.attempt + lease.setbacks, 10), LONGEST_DELAY))


def _kind_of(error: Exception) -> str:
    """What tells one kind of error from another, and nothing that the rows say."""
    return f"{type(error).__module__}.{type(error).__qualname__} {sqlstate_of(error)}".rstrip()


def is_of_the_surroundings(error: Exception) -> bool:
    """Whether it says nothing about the rows: the database or the storage is away, or there is no room."""
    is_full = isinstance(error, OSError) and error.errno in DISK_FULL
    return is_full or is_transient(error) or isinstance(error, SURROUNDINGS)


def is_out_of_patience(lease: leases.Lease, settings: Settings) -> bool:
    """Whether the surroundings have been in the way for so long that its people should be told."""
    return lease.phase is not Phase.CALLBACK and lease.held_up_seconds > settings.patience_hours * 3600


def give_up(lease: leases.Lease) -> None:
    """The tries are used up: halve a chunk, give up a single row, or end the job with our own fault."""
    if lease.phase is Phase.CALLBACK:
        with transaction() as connection:
            callbacks.give_up(connection, lease)
        log.error("callback_given_up", attempt=lease.attempt)
        return
    if lease.phase is not Phase.WRITE or _all_or_nothing(lease):
        end_job(lease)
        return
    try:
        if lease.rows == 1:
            _give_up_row(lease)
        elif _halved(lease) < MOST_HALVED:
            _halve(lease)
        else:
            log.error("too_many_halved")
            end_job(lease)
    except leases.LostLeaseError:
        raise
    except Exception as error:
        if is_of_the_surroundings(error):
            raise
        # The chunk is gone or torn: nobody can say any more which rows these were.
        log.exception("chunk_unreadable")
        end_job(lease)


def _all_or_nothing(lease: leases.Lease) -> bool:
    """Rows of such a job cannot be given up one by one: it ends, and nothing of it is written."""
    with transaction() as connection:
        options = JobOptions.from_json(completion.job_row(connection, lease.job_id).options)
    return options.on_error is OnError.ABORT


def end_job(lease: leases.Lease, code: RequestCode = RequestCode.INTERNAL_ERROR) -> None:
    """End the job, for no fault of its rows; what was written until then stays.

    A workbook is none of the job's own work: only its work item ends.
    """
    if lease.phase is Phase.WORKBOOK:
        with transaction() as connection:
            workbook_items.give_up(connection, lease)
        log.error("workbook_given_up", attempt=lease.attempt, error=lease.last_error)
        return
    with transaction() as connection:
        following = completion.fail(connection, lease, request_problems.of_request(code))
    broker.wake(following, lease.job)


def _halved(lease: leases.Lease) -> int:
    with transaction() as connection:
        return completion.dead(connection, lease.job_id)


def _halve(lease: leases.Lease) -> None:
    chunk = arrow_files.get_table(files.chunk_key(lease.job, lease.check, lease.number))
    rows = np.flatnonzero(arrow_schemas.first_lines(chunk))  # a row that stands for many numbers stays whole
    middle = len(rows) // 2
    halves = [chunk.slice(0, rows[middle]), chunk.slice(rows[middle])]
    with transaction() as connection:
        numbers = completion.halve(connection, lease, [middle, len(rows) - middle])
        for number, half in zip(numbers, halves, strict=True):
            arrow_files.put_table(files.chunk_key(lease.job, lease.check, number), half)
        pass_by(Point.HALVE_ENTERED)
    pass_by(Point.HALVE_COMMITTED)
    log.warning("chunk_halved", rows=lease.rows)
    broker.wake(Phase.WRITE, lease.job, len(numbers))


def _give_up_row(lease: leases.Lease) -> None:
    chunk = arrow_files.get_table(files.chunk_key(lease.job, lease.check, lease.number))
    chunk = chunk.filter(pa.array(arrow_schemas.first_lines(chunk)))
    columns = (
        chunk.column("place").to_numpy(),
        chunk.column("row").to_numpy(),
        np.full(chunk.num_rows, number_of(Code.INTERNAL_ERROR), dtype=np.uint8),
        np.full(chunk.num_rows, fault_bit(Code.INTERNAL_ERROR, Column.NONE), dtype=np.uint64),
        chunk.column("warnings").to_numpy(),
        np.zeros(chunk.num_rows, dtype=np.int32),
    )
    failed = pa.table([pa.array(column) for column in columns], schema=arrow_schemas.CHUNK_RESULTS)
    key = files.result_key(lease.job, lease.number, lease.token)
    arrow_files.put_table(key, failed)
    with transaction() as connection:
        tally = arrow_schemas.tally(failed)
        following = completion.end_chunk(connection, lease, key, tally)
    pass_by(Point.GIVE_UP_COMMITTED)
    log.error("row_given_up", row=chunk.column("row")[0].as_py(), error=lease.last_error)
    broker.wake(following, lease.job)
