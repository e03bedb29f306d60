"""READ THIS FIRST: the stages in order. One work item = one lease = one transaction that writes.

    read -> validate -> cut | resolve -> write | merge -> render
    ------- check --------- | ----- write ---- | --- report ----

Uploads, assignments, changes, deletions and undos all take this path; only the source of their rows differs (a file, a
list, a selection, the job to undo). The check runs once and cuts the rows into chunks. Any worker writes the chunks, in
any order. The report puts the results back into file order. Rows under review can be corrected (R33): `correct` takes
them back to the check, where only these are validated again. Many rows are also validated and rendered batch by batch,
by any worker. When the job has ended, its callback is sent (`worker.callbacks.deliver`) and an e-mail to its starter
(`worker.mail.deliver`). The report becomes a workbook only when one is requested (`worker.steps.workbook_report`).
An export has only one work item, which writes its file (`worker.steps.export_file`). The work items of a small job are
carried out by one worker, one after the other (`worker.queue.leases.claim_next`).
A work item that runs twice takes effect once: only the lease holder can commit.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pyarrow as pa
import structlog
from sqlalchemy import Connection, Row

from schemas import arrow_schemas, permissions, request_problems
from schemas.codes import Code, Outcome, text_of
from schemas.job_kinds import JOB_KINDS, JobKind
from schemas.jobs import TERMINAL, JobStatus, OnError, Phase, Stage, Tally
from schemas.quotas import QuotaExceededError
from schemas.request_problems import RequestCode
from worker.callbacks import deliver
from worker.config import error_reports
from worker.config.errors import reason_of
from worker.config.failpoints import Failpoint, hit
from worker.config.settings import Settings, get_settings
from worker.database import quotas, schema_version
from worker.database.engine import transaction
from worker.database.schema_version import ProcessKind, UnusableSchemaError
from worker.jobs import corrections
from worker.mail import deliver as deliver_mail
from worker.numbers import changes, inventory
from worker.queue import completion, leases, turns
from worker.queue.attempts import Attempt, AttemptOutcome, observed
from worker.queue.completion import Following
from worker.queue.heartbeat import heartbeat
from worker.reports.row_messages import Layout
from worker.stages.read import FileFault, UnsettledTableError
from worker.stages.resolve import abort, resolve
from worker.stages.write import changes_of
from worker.steps import check as check_step
from worker.steps import corrections as corrections_step
from worker.steps import export_file, failures, report, workbook_report
from worker.steps import write_chunk as write_step
from worker.steps.chunk_facts import Job, facts_for_chunk, job_of
from worker.steps.file_profiles import Profiles
from worker.steps.file_reading import FileReading, described, file_facts, record
from worker.storage import arrow_files, corrected_files, files

log = structlog.get_logger(__name__)
ROWS_PER_IDLE_SECOND = 5_000  # rate at which the slowest storage stores results
CLAIMS, CLAIM_PAUSE_SECONDS = 20, 0.005  # attempts; then the rescue round finds what waits
CONFLICTS = 5  # attempts in one lease; then the chunk is postponed, as after a transient failure


def run(*phases: Phase, goes_on: bool = False) -> bool:
    """Claim the next work item of some phases and process it. Return False if there is none.

    `goes_on`: with a small job, until it has ended: each further work item is claimed as the one before it ends.
    """
    settings = get_settings()
    lease = _claim(phases, settings, goes_on=goes_on)
    has_run = lease is not None
    while lease is not None:
        with observed(lease) as attempt, heartbeat(lease, settings.lease_seconds):
            lease = _attempt(lease, settings, attempt)
    return has_run


def _claim(phases: tuple[Phase, ...], settings: Settings, *, goes_on: bool = False) -> leases.Lease | None:
    """Claim a work item, but none while the tables have a version that this process cannot use.

    Repeated if what had the next turns could not be claimed: it was withdrawn, or other workers have claimed it.
    """
    queues = turns.queues_of(phases)
    for _ in range(CLAIMS):
        with transaction() as connection:
            try:
                schema_version.check(connection, ProcessKind.WORKER)
            except UnusableSchemaError as error:
                log.warning("unusable_tables", reason=str(error))
                return None
            turns.promote(connection, queues)
        with transaction() as connection:
            lease = leases.claim(connection, phases, settings.lease_seconds, goes_on=goes_on)
        if lease is not None:
            return lease
        with transaction() as connection:
            if not turns.settle_all(connection, phases, settings.hint_seconds):
                return None
        time.sleep(CLAIM_PAUSE_SECONDS)
    return None


def _attempt(lease: leases.Lease, settings: Settings, attempt: Attempt) -> leases.Lease | None:
    """Process the work item, or have it retried or ended: every attempt leaves a record in the database.

    Return the lease of the work item to go on with, if any.
    """
    try:
        if failures.is_past_transient_deadline(lease, settings):
            attempt.end(AttemptOutcome.GIVEN_UP, lease.last_error)
            failures.end_job(lease, RequestCode.UNAVAILABLE)
        elif lease.attempt > failures.most_attempts(lease.phase, settings):
            attempt.end(AttemptOutcome.GIVEN_UP, lease.last_error)
            failures.give_up(lease)
        else:
            return STEPS[lease.phase](lease)
    except leases.LostLeaseError:
        attempt.end(AttemptOutcome.LEASE_LOST)
        log.warning("lease_lost")
    except Exception as error:
        is_transient = failures.is_transient_failure(error)
        reason = reason_of(error)
        attempt.end(AttemptOutcome.HELD_UP if is_transient else AttemptOutcome.FAILED, reason)
        if is_transient:
            log.warning("try_again", error=type(error).__name__, reason=reason)
        else:
            log.exception("failed", attempt=lease.attempt)
            error_reports.report(error)
        failures.postpone(lease, counts=not is_transient, error=error)
    return None


def check(lease: leases.Lease) -> leases.Lease | None:
    """read -> validate -> cut: cut the rows into chunks, or end the job with the file's error and keep nothing.

    For a file of several batches this is only `read`; `validate` and `cut` are separate work items. A file beyond the
    tenant's rows per day (R37) ends the job here: it has been read, and nothing is written.
    """
    hit(Failpoint.CHECK_CLAIMED)
    try:
        return _check(lease)
    except QuotaExceededError as exceeded:
        failures.exceed(lease, exceeded)
        return None


def _check(lease: leases.Lease) -> leases.Lease | None:
    job, row = _job_of(lease)
    # The API checks this too, but the enterprise may have lost the permission since.
    refused = permissions.check_upload(job.actor) if job.kind is JobKind.UPLOAD else None
    try:
        if refused is not None:
            raise FileFault(refused, text_of(refused).message)  # noqa: TRY301 - one exit for all file errors
        if row.rechecks:
            # What earlier checks stored: they are over, and this one reads only the upload.
            files.remove_older(lease.job_public_id, lease.token)
        if job.kind is JobKind.UNDO:
            return _end_check(lease, check_step.check_undo(lease, job, row), job)
        checked, reading = check_step.check_rows_of(lease, job, row, Profiles(job.actor))
    except UnsettledTableError as unsettled:
        _end_unsettled(lease, job, unsettled)
        return None
    except FileFault as fault:
        failures.refuse(lease, fault.code, fault.detail, fault.context)
        return None
    if isinstance(checked, completion.CheckedJob):
        return _end_check(lease, checked, job, reading)
    complete = partial(completion.complete_read, lease=lease, file_facts=checked.facts, batch_rows=checked.batch_rows)
    counting = _counting_rows(complete, lease, job, sum(checked.batch_rows))
    end = partial(_end_reading, lease=lease, job=job, reading=reading, complete=counting)
    return _enter(lease, end, Failpoint.READ_ENTERED, Failpoint.READ_COMMITTED, len(checked.batch_rows))


def _end_unsettled(lease: leases.Lease, job: Job, unsettled: UnsettledTableError) -> None:
    """Ask which column is which, if the job is to be reviewed (R31); else end it with the file's error."""
    if unsettled.facts is None or unsettled.description is None:
        failures.refuse(lease, unsettled.code, unsettled.detail, unsettled.context)
        return
    description = described(unsettled.description, unsettled.facts, JOB_KINDS[job.kind].form, job.actor)
    complete = partial(
        completion.complete_unsettled,
        lease=lease,
        file_facts=file_facts(unsettled.facts),
        problem=request_problems.of_file(unsettled.code, unsettled.detail, unsettled.context),
    )
    reading = FileReading(job.options, None, description)
    end = partial(_end_reading, lease=lease, job=job, reading=reading, complete=complete)
    _enter(lease, end, Failpoint.CHECK_ENTERED, Failpoint.CHECK_COMMITTED)


def _end_reading(
    connection: Connection,
    lease: leases.Lease,
    job: Job,
    reading: FileReading | None,
    complete: Callable[[Connection], Following],
) -> Following:
    """Record how the file was read, and end the work item; the last step fails if the lease is lost."""
    if reading is not None:
        record(connection, lease, job, reading)
    return complete(connection)


def _counting_rows(
    complete: Callable[[Connection], Following], lease: leases.Lease, job: Job, rows: int
) -> Callable[[Connection], Following]:
    """Return `complete`, and then the count of rows against the tenant's rows per day (R37). `QuotaExceededError`.

    Those of an undo and of a retry do not count (R27, R33).
    """
    if job.kind is JobKind.UNDO or job.options.only_failed:
        return complete

    def end(connection: Connection) -> Following:
        following = complete(connection)
        quotas.take_rows(connection, lease.job_id, rows)
        return following

    return end


def correct(lease: leases.Lease) -> None:
    """Apply the open corrections to the rows of a review (R33); the batches they concern are then validated again."""
    hit(Failpoint.CORRECT_CLAIMED)
    job, row = _job_of(lease)
    with transaction() as connection:
        open_corrections = corrections.open_of_job(connection, lease.job_id)
    try:
        applied = corrections_step.apply(lease, job, row, open_corrections)
    except FileFault as fault:
        failures.refuse(lease, fault.code, fault.detail, fault.context)
        return
    hit(Failpoint.CORRECT_STORED)

    def end(connection: Connection) -> Phase | None:
        corrections.mark_applied(connection, lease.job_id, applied.rows)
        if applied.recut is not None:
            return completion.complete_recut(connection, lease, applied.recut)
        return completion.complete_correct(connection, lease, applied.facts, applied.batch_rows)

    _enter(lease, end, Failpoint.CORRECT_ENTERED, Failpoint.CORRECT_COMMITTED, max(len(applied.batch_rows), 1))


def preview(lease: leases.Lease) -> None:
    """Answer what a correction would do; nothing is stored but the answer."""
    hit(Failpoint.PREVIEW_CLAIMED)
    with transaction() as connection:
        question = corrections.question(connection, lease)
    job, row = _job_of(lease)
    answer = None if question is None else corrections_step.preview(lease, job, row, question)
    with transaction() as connection:
        corrections.answer(connection, lease, answer)


def validate(lease: leases.Lease) -> None:
    """validate, for one batch: store the results of its rows, or end the job with the file's error."""
    hit(Failpoint.VALIDATE_CLAIMED)
    job, row = _job_of(lease)
    try:
        key = check_step.validate_batch(lease, job, row.file_facts)
    except FileFault as fault:
        failures.refuse(lease, fault.code, fault.detail, fault.context)
        return
    hit(Failpoint.VALIDATE_STORED)
    end = partial(completion.complete_validate, lease=lease, key=key)
    _enter(lease, end, Failpoint.VALIDATE_ENTERED, Failpoint.VALIDATE_COMMITTED)


def cut(lease: leases.Lease) -> leases.Lease | None:
    """cut, after all batches are validated: cut the rows into chunks, or end the job with the file's error."""
    hit(Failpoint.CUT_CLAIMED)
    job, row = _job_of(lease)
    with transaction() as connection:
        keys = completion.result_keys(connection, lease.job_id, Phase.VALIDATE)
    try:
        checked = check_step.cut(lease, job, row.file_facts, keys)
    except FileFault as fault:
        failures.refuse(lease, fault.code, fault.detail, fault.context)
        return None
    return _end_check(lease, checked, job)


def _job_of(lease: leases.Lease) -> tuple[Job, Row[Any]]:
    with transaction() as connection:
        row = completion.job_row(connection, lease.job_id)
        return job_of(connection, row), row


def _end_check(
    lease: leases.Lease, checked: completion.CheckedJob, job: Job, reading: FileReading | None = None
) -> leases.Lease | None:
    complete: Callable[[Connection], Following] = partial(completion.complete_check, lease=lease, checked=checked)
    if reading is not None:  # after `cut`, the rows have been counted when they were read
        complete = _counting_rows(complete, lease, job, checked.rows_total)
    end = partial(_end_reading, lease=lease, job=job, reading=reading, complete=complete)
    following = _enter(lease, end, Failpoint.CHECK_ENTERED, Failpoint.CHECK_COMMITTED, max(len(checked.chunk_rows), 1))
    hit(Failpoint.CHECK_ANNOUNCED)
    return following


def _enter(
    lease: leases.Lease,
    end: Callable[[Connection], Following],
    entered: Failpoint,
    committed: Failpoint,
    pieces: int = 1,
) -> leases.Lease | None:
    """Record the result of a work item, and announce the work items that are now ready, or return the claimed one."""
    with transaction() as connection:
        following = end(connection)
        hit(entered)
    hit(committed)
    return completion.announce(following, lease, pieces)


def write_chunk(lease: leases.Lease) -> leases.Lease | None:
    """resolve -> write: numbers, job state and counts commit together, or not at all.

    If another transaction changed the numbers, or deleted what they refer to, resolve again from the current inventory;
    `ConflictError` after `CONFLICTS` conflicts. If the database refuses rows, these fail and the others are written.
    """
    hit(Failpoint.WRITE_CLAIMED)
    chunk = arrow_files.get_table(files.chunk_key(lease.job_public_id, lease.check, lease.number))
    for conflicts in range(CONFLICTS):
        try:
            following = _write_once(lease, chunk, met_conflict=conflicts > 0)
        except inventory.ConflictError:
            log.info("conflict")
        else:
            break
    else:
        raise inventory.ConflictError
    hit(Failpoint.WRITE_COMMITTED)
    claimed = completion.announce(following, lease)
    hit(Failpoint.WRITE_ANNOUNCED)
    return claimed


def _write_once(lease: leases.Lease, chunk: pa.Table, *, met_conflict: bool) -> Following:
    # An all-or-nothing job has one chunk of any size, and the time to store its results grows with that size.
    idle = lease.rows / ROWS_PER_IDLE_SECOND
    with transaction(idle if idle > get_settings().lease_seconds else None) as connection:
        row = completion.job_row(connection, lease.job_id)
        job = job_of(connection, row)
        with lease.timed(Stage.LOOK_UP):
            world = facts_for_chunk(connection, job, chunk, met_conflict=met_conflict)
        with lease.timed(Stage.RESOLVE):
            decided = resolve(chunk, world)
            all_or_nothing = job.options.on_error is OnError.ABORT
            if all_or_nothing:
                decided = abort(decided, other_rows_failed=Tally.from_json(row.tally).count(Outcome.FAILED) > 0)
        hit(Failpoint.WRITE_RESOLVED, chunk.column("e164").to_numpy())
        with lease.timed(Stage.WRITE):
            decided = write_step.write_and_store(connection, lease, chunk, decided, all_or_nothing=all_or_nothing)
            changed = changes_of(decided)
        key, image_key = write_step.keys(lease, decided)
        following = completion.complete_chunk(connection, lease, key, arrow_schemas.tally(decided.results), image_key)
        changes.record(connection, lease.job_id, changed)  # the last statement: other writers wait from here on
        hit(Failpoint.WRITE_ENTERED)
        return following


def publish(lease: leases.Lease) -> None:
    """merge -> render: put every row's result into file order, then end the job.

    For a file of several batches this is only `merge`; `render` is then one work item for each batch.
    """
    hit(Failpoint.REPORT_CLAIMED)
    with transaction() as connection:
        keys = completion.result_keys(connection, lease.job_id)
        counted = completion.tally_of(connection, lease.job_id)
        row = completion.job_row(connection, lease.job_id)
    if row.status in TERMINAL:  # its tally is final, and no longer that of the check
        raise leases.LostLeaseError(f"job {lease.job_public_id} has ended")
    unreached = Code.CANCELLED if row.status == JobStatus.CANCELLING else None
    tally = report.merge_results(lease, keys, counted, unreached)
    hit(Failpoint.REPORT_MERGED)
    batch_rows = report.batch_rows(lease)
    if len(batch_rows) > 1:
        merged = partial(completion.complete_merge, lease=lease, tally=tally, batch_rows=batch_rows)
        _enter(lease, merged, Failpoint.MERGE_ENTERED, Failpoint.MERGE_COMMITTED, len(batch_rows))
        return
    report.render(lease, _layout_of(lease, row), 0)
    hit(Failpoint.REPORT_STORED)
    end = partial(completion.complete_report, lease=lease, tally=tally)
    _enter(lease, end, Failpoint.REPORT_ENTERED, Failpoint.REPORT_COMMITTED)


def render(lease: leases.Lease) -> None:
    """render, for one batch; the last one ends the job."""
    hit(Failpoint.RENDER_CLAIMED)
    with transaction() as connection:
        row = completion.job_row(connection, lease.job_id)
    report.render(lease, _layout_of(lease, row), lease.number)
    hit(Failpoint.RENDER_STORED)
    _enter(
        lease, partial(completion.complete_render, lease=lease), Failpoint.RENDER_ENTERED, Failpoint.RENDER_COMMITTED
    )


def _layout_of(lease: leases.Lease, row: Row[Any]) -> Layout:
    return corrected_files.layout_of(lease.job_public_id, lease.read, row.file_facts)


STEPS: Mapping[Phase, Callable[[leases.Lease], leases.Lease | None]] = {
    Phase.CHECK: check,
    Phase.CORRECT: correct,
    Phase.VALIDATE: validate,
    Phase.CUT: cut,
    Phase.WRITE: write_chunk,
    Phase.REPORT: publish,
    Phase.RENDER: render,
    Phase.CALLBACK: deliver.deliver,
    Phase.WORKBOOK: workbook_report.build,
    Phase.MAIL: deliver_mail.deliver,
    Phase.PREVIEW: preview,
    Phase.EXPORT: export_file.write,
}
