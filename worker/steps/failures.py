"""Failures of work items: refuse the file, retry, or isolate the row that causes the failure.

A chunk that fails repeatedly is halved until the failing row is alone; that row is reported as an internal error and
all others are written (R28). Rows that the database refuses are handled in `worker.steps.write_chunk`, not here. Every
attempt is recorded in the database.
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
from schemas.mails import MailResult
from schemas.quotas import QuotaExceededError
from schemas.request_problems import RequestCode
from worker.config.errors import reason_of, sqlstate_of
from worker.config.failpoints import Failpoint, hit
from worker.config.settings import Settings, get_settings
from worker.database.engine import TRANSIENT, is_transient, transaction
from worker.jobs import callbacks, corrections, mails, workbook_items
from worker.numbers import inventory
from worker.queue import broker, completion, leases
from worker.storage import arrow_files, files

log = structlog.get_logger(__name__)

# Halvings in one job: enough to isolate some thousand rows. If more fail, the rows are not the cause: the job ends, and
# the rows that it did not reach are unprocessed. No row fails because of others.
MOST_HALVED = 10_000
FIRST_DELAY = 0.5  # seconds; doubled with every attempt
LONGEST_DELAY = 30.0
PATIENT_SECONDS = 300.0
TRANSIENT_ERRORS = (inventory.ConflictError, files.StoreError)
SENT_OUT = frozenset({Phase.CALLBACK, Phase.MAIL})  # to external servers
# Faults of a file that another mapping, sheet, separator, encoding or option may avoid.
READABLE_OTHERWISE = frozenset(
    {
        Code.EMPTY_FILE,
        Code.NO_HEADER,
        Code.MISSING_COLUMN,
        Code.DUPLICATE_COLUMN,
        Code.BAD_ENCODING,
        Code.UNREADABLE_FILE,
        Code.TOO_MANY_ROWS,
        Code.TOO_MANY_COLUMNS,
    }
)
_SEPARATOR = " | "  # between the kind of an error and its reason, in `job_chunks.last_error`
DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
DISK_FAILED = frozenset({errno.EIO})


def refuse(lease: leases.Lease, code: Code, detail: str, context: Mapping[str, object]) -> None:
    """End the job with the file's error. Keep only the problem, and the file if it may be readable otherwise (R31)."""
    keeps_upload = code in READABLE_OTHERWISE
    with transaction() as connection:
        problem = request_problems.of_file(code, detail, context)
        following = completion.fail_job(connection, lease, problem, keeps_upload=keeps_upload)
    hit(Failpoint.REFUSE_COMMITTED)
    with suppress(*files.FAILURES):  # retention removes the files later
        if keeps_upload:
            files.remove_all_but(lease.job_public_id, files.upload_key(lease.job_public_id))
        else:
            files.remove_job(lease.job_public_id)
    log.info("file_refused", code=code.value)
    broker.wake(following, lease.job_public_id)


def exceed(lease: leases.Lease, exceeded: QuotaExceededError) -> None:
    """End a job whose rows exceed its tenant's quota (R37). Its file is kept, to be checked again on another day."""
    with transaction() as connection:
        following = completion.fail_job(connection, lease, request_problems.of_quota(exceeded))
    hit(Failpoint.REFUSE_COMMITTED)
    with suppress(*files.FAILURES):  # retention removes the files later
        files.remove_all_but(lease.job_public_id, files.upload_key(lease.job_public_id))
    log.info("quota_exceeded", quota=exceeded.quota.value)
    broker.wake(following, lease.job_public_id)


def most_attempts(phase: Phase, settings: Settings) -> int:
    """Return how many times a work item is started before it is given up.

    What is sent has its own schedule, which the step itself ends; attempts beyond it have killed their worker.
    """
    return settings.max_attempts + (callback_signing.TRIES if phase in SENT_OUT else 0)


def postpone(lease: leases.Lease, *, counts: bool, error: Exception | None = None) -> None:
    """Give the work item back for a retry, with a delay that grows with every attempt. Ignore a lost lease.

    If the database is unavailable, wait up to `PATIENT_SECONDS` for it: a lease that is not given back expires, and
    then the attempt counts.
    """
    failure = None if error is None or not counts else f"{_kind_of(error)}{_SEPARATOR}{reason_of(error)}"
    delay = _delay(lease, failure, counts=counts)
    until = time.monotonic() + PATIENT_SECONDS
    while True:
        try:
            with transaction() as connection:
                leases.release(connection, lease, delay, counts=counts, error=failure)
        except leases.LostLeaseError:
            log.warning("lease_lost")
        except TRANSIENT:
            if time.monotonic() > until:
                raise
            time.sleep(FIRST_DELAY)
            continue
        return


def _delay(lease: leases.Lease, failure: str | None, *, counts: bool) -> float:
    """Return the seconds until the next attempt; 0 for a chunk that failed with the same kind of error before.

    Waiting would not help then, and would delay every halving.
    """
    if lease.phase in SENT_OUT and counts:
        # An internal error must not use up a day's attempts in minutes.
        pause = callback_signing.SCHEDULE[min(lease.attempt, len(callback_signing.SCHEDULE)) - 1]
        return float(pause * get_settings().callback_backoff_scale)
    if lease.phase is Phase.WRITE and failure is not None and _is_same_kind(failure, lease.last_error):
        return 0.0
    return float(min(FIRST_DELAY * 2 ** min(lease.attempt + lease.transient_failures, 10), LONGEST_DELAY))


def _kind_of(error: Exception) -> str:
    """Return a text that identifies the kind of error and contains no data of the rows."""
    return f"{type(error).__module__}.{type(error).__qualname__} {sqlstate_of(error)}".rstrip()


def _is_same_kind(failure: str, earlier: str | None) -> bool:
    return earlier is not None and failure.partition(_SEPARATOR)[0] == earlier.partition(_SEPARATOR)[0]


def _sqlstate_in(failure: str | None) -> str:
    """Return the SQLSTATE in a text made by `_kind_of`; empty if there is none."""
    _, _, sqlstate = (failure or "").partition(_SEPARATOR)[0].partition(" ")
    return sqlstate


def is_transient_failure(error: Exception) -> bool:
    """Return whether the error is a transient failure: database, storage, disk or a conflict, not the rows."""
    is_disk = isinstance(error, OSError) and error.errno in DISK_FULL | DISK_FAILED
    return is_disk or is_transient(error) or isinstance(error, TRANSIENT_ERRORS)


def is_past_transient_deadline(lease: leases.Lease, settings: Settings) -> bool:
    """Return whether transient failures have exceeded `patience_hours`. What is sent has no such limit."""
    return lease.phase not in SENT_OUT and lease.held_up_seconds > settings.patience_hours * 3600


def give_up(lease: leases.Lease) -> None:
    """End a work item whose attempts are used up: halve a chunk, fail a single row, or end the job (INTERNAL_ERROR)."""
    if lease.phase is Phase.CALLBACK:
        with transaction() as connection:
            callbacks.give_up(connection, lease)
        log.error("callback_given_up", attempt=lease.attempt)
        return
    if lease.phase is Phase.MAIL:
        with transaction() as connection:
            mails.end(connection, lease, MailResult.GIVEN_UP)
        log.error("mail_given_up", attempt=lease.attempt)
        return
    if lease.phase is Phase.PREVIEW:
        _give_up_preview(lease)
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
        if is_transient_failure(error):
            raise
        # The chunk's file is missing or damaged, so its rows cannot be determined.
        log.exception("chunk_unreadable")
        end_job(lease)


def _all_or_nothing(lease: leases.Lease) -> bool:
    """Return whether the job is all-or-nothing: it ends and writes nothing, as its rows cannot fail one by one."""
    with transaction() as connection:
        options = JobOptions.from_json(completion.job_row(connection, lease.job_id).options)
    return options.on_error is OnError.ABORT


def end_job(lease: leases.Lease, code: RequestCode = RequestCode.INTERNAL_ERROR) -> None:
    """End the job for a reason other than its rows; rows written so far stay written.

    A workbook and a preview are not part of the job's own work: only their work item ends.
    """
    if lease.phase is Phase.PREVIEW:
        _give_up_preview(lease)
        return
    if lease.phase is Phase.WORKBOOK:
        with transaction() as connection:
            workbook_items.give_up(connection, lease)
        log.error("workbook_given_up", attempt=lease.attempt, error=lease.last_error)
        return
    problem = request_problems.of_job(code, _sqlstate_in(lease.last_error))
    with transaction() as connection:
        following = completion.fail_job(connection, lease, problem)
    log.error("job_given_up", code=code.value, attempt=lease.attempt, error=lease.last_error)
    broker.wake(following, lease.job_public_id)


def _give_up_preview(lease: leases.Lease) -> None:
    with transaction() as connection:
        corrections.answer(connection, lease, None)
    log.error("preview_given_up", attempt=lease.attempt, error=lease.last_error)


def _halved(lease: leases.Lease) -> int:
    with transaction() as connection:
        return completion.count_halved_items(connection, lease.job_id)


def _halve(lease: leases.Lease) -> None:
    chunk = arrow_files.get_table(files.chunk_key(lease.job_public_id, lease.check, lease.number))
    rows = np.flatnonzero(arrow_schemas.first_lines(chunk))  # a row with many numbers is not split
    middle = len(rows) // 2
    halves = [chunk.slice(0, rows[middle]), chunk.slice(rows[middle])]
    with transaction() as connection:
        numbers = completion.halve(connection, lease, [middle, len(rows) - middle])
        for number, half in zip(numbers, halves, strict=True):
            arrow_files.put_table(files.chunk_key(lease.job_public_id, lease.check, number), half)
        hit(Failpoint.HALVE_ENTERED)
    hit(Failpoint.HALVE_COMMITTED)
    log.warning("chunk_halved", rows=lease.rows)
    broker.wake(Phase.WRITE, lease.job_public_id, len(numbers))


def _give_up_row(lease: leases.Lease) -> None:
    chunk = arrow_files.get_table(files.chunk_key(lease.job_public_id, lease.check, lease.number))
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
    key = files.result_key(lease.job_public_id, lease.number, lease.token)
    arrow_files.put_table(key, failed)
    with transaction() as connection:
        tally = arrow_schemas.tally(failed)
        following = completion.complete_chunk(connection, lease, key, tally)
    hit(Failpoint.GIVE_UP_COMMITTED)
    log.error("row_given_up", row=chunk.column("row")[0].as_py(), error=lease.last_error)
    completion.announce(following, lease)
