"""State changes of a job: adding work items, legal status transitions, and the end of a job that is being cancelled.

Used by `worker.queue.completion` (workers), `worker.jobs.control` (admins) and `worker.maintenance.rescue_queries`. A
transaction that changes a work item and its job locks the work item first, which prevents deadlocks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from schemas.database.tables import admins, callbacks, job_chunks, jobs, mails, tenants, webhook_messages, webhooks
from schemas.http.webhooks import JOB, AllEvents, MessageKind
from schemas.job_kinds import WITHOUT_ROWS
from schemas.jobs import APART, TERMINAL, ChunkState, JobStatus, Phase, may_move_from
from schemas.mails import EVENT_OF, MailEvent
from worker.config.settings import get_settings
from worker.database import counters

# Time for the wake-up message that follows the commit, before the rescue round sends another.
FIRST_WAKEUP_SECONDS = 2.0


def lock_job(connection: sa.Connection, job_id: int, *, with_claims: bool = True) -> sa.Row[Any]:
    """Lock a job until the transaction ends, and return its row. Meanwhile no other transaction can change the job.

    `with_claims`: locks the whole row, and so waits for claims (`leases.claim`), too: no work item is claimed while it
    is locked. Without, other transactions may also add jobs that refer to this one.
    """
    query = sa.select(jobs).where(jobs.c.id == job_id)
    return connection.execute(query.with_for_update(key_share=not with_claims)).one()


def add_work_items(
    connection: sa.Connection,
    job_id: int,
    phase: Phase,
    rows: Mapping[int, int],
    **columns: Any,  # noqa: ANN401 - columns
) -> None:
    """Add work items: number -> row count; `columns` are the same for all of them.

    One plain statement: the driver runs many sets of values as a pipeline, and after a pipeline PostgreSQL does not end
    an idle transaction. Its locks on work item and job would then last for as long as its worker is stopped.
    """
    arrays = (sa.cast(list(values), ARRAY(sa.BigInteger)) for values in (rows, rows.values()))
    pieces = sa.func.unnest(*arrays).table_valued("number", "rows").render_derived()
    fixed = {"job_id": job_id, "phase": phase.value, **columns}
    work_items = sa.select(
        pieces.c.number,
        pieces.c.rows,
        in_seconds(FIRST_WAKEUP_SECONDS),
        *(sa.literal(value, job_chunks.c[name].type) for name, value in fixed.items()),
    )
    connection.execute(job_chunks.insert().from_select(["number", "rows", "hint_due_at", *fixed], work_items))


def change_status(connection: sa.Connection, job_id: int, status: JobStatus) -> bool:
    """Move a job to a status, by legal transitions only. Return False if there is none; True if it has the status.

    Every job ends through this function: the transaction that ends the job also adds the work items of its callback and
    of its e-mail, if it has them, and counts the job's results. The tally is final by then.
    """
    values: dict[str, Any] = {"status": status}
    if status is JobStatus.CHECKING:
        values["started_at"] = sa.func.now()
    if status in TERMINAL:
        values["finished_at"] = sa.func.now()
        if status is not JobStatus.COMPLETED:
            # Of an export that did not end well, nothing is left: its total counts the numbers in its file.
            values["rows_total"] = sa.case((jobs.c.kind.in_(sorted(WITHOUT_ROWS)), 0), else_=jobs.c.rows_total)
    moved = connection.execute(
        jobs.update().where(jobs.c.id == job_id, jobs.c.status.in_(may_move_from(status))).values(values)
    )
    if moved.rowcount:
        if status in TERMINAL:
            if _wants_callback(connection, job_id):
                add_work_items(connection, job_id, Phase.CALLBACK, {0: 0})
            _add_webhook_messages(connection, job_id, status)
            counters.add_job(connection, job_id)
        if status in EVENT_OF and get_settings().offers_mail:
            _add_mail(connection, job_id, EVENT_OF[status])
        return True
    now: str = connection.execute(sa.select(jobs.c.status).where(jobs.c.id == job_id)).scalar_one()
    return now == status


def _add_mail(connection: sa.Connection, job_id: int, event: MailEvent) -> None:
    """Add an e-mail and its work item, if the job's starter chose the event; one at most for each job and event.

    No wake-up message: the rescue round announces it, so that nothing is sent from the transaction's caller.
    """
    of_starter = (admins.c.id == jobs.c.created_by_admin_id) & (admins.c.tenant_id == jobs.c.tenant_id)
    chosen_by = (
        sa.select(jobs.c.id, sa.literal(event.value), jobs.c.tenant_id, admins.c.id)
        .join(admins, of_starter)
        .where(jobs.c.id == job_id, admins.c[f"mail_{event}"])
    )
    insertion = insert(mails).from_select(["job_id", "event", "tenant_id", "admin_id"], chosen_by)
    if connection.execute(insertion.on_conflict_do_nothing().returning(mails.c.job_id)).one_or_none() is not None:
        add_work_items(connection, job_id, Phase.MAIL, {event.number: 0})


def _add_webhook_messages(connection: sa.Connection, job_id: int, status: JobStatus) -> None:
    """Add a message for each subscription to the end of jobs of the job's tenant, or of those above it."""
    line = (
        sa.select(sa.func.unnest(tenants.c.path))
        .join(jobs, jobs.c.tenant_id == tenants.c.id)
        .where(jobs.c.id == job_id)
    )
    events = [AllEvents.JOB.value, JOB + status.value]
    subscribed = sa.select(webhooks.c.id, sa.literal(MessageKind.JOB.value), sa.literal(job_id)).where(
        webhooks.c.tenant_id.in_(line), webhooks.c.is_enabled, webhooks.c.events.overlap(events)
    )
    connection.execute(webhook_messages.insert().from_select(["webhook_id", "kind", "job_id"], subscribed))


def end_job(connection: sa.Connection, job_id: int, status: JobStatus) -> Phase | None:
    """End a job; return CALLBACK if it has a callback, whose work item is then added."""
    change_status(connection, job_id, status)
    return Phase.CALLBACK if _wants_callback(connection, job_id) else None


def _wants_callback(connection: sa.Connection, job_id: int) -> bool:
    is_wanted: bool = connection.execute(sa.select(sa.exists().where(callbacks.c.job_id == job_id))).scalar_one()
    return is_wanted


def start_report(connection: sa.Connection, job_id: int) -> Phase:
    """Add the report's work item for a job whose chunks are all written."""
    change_status(connection, job_id, JobStatus.PUBLISHING)
    add_work_items(connection, job_id, Phase.REPORT, {0: 0})
    return Phase.REPORT


def start_export(connection: sa.Connection, job_id: int) -> None:
    """Move an export to RUNNING: there is nothing to check. Does nothing at a later attempt."""
    change_status(connection, job_id, JobStatus.CHECKING)
    change_status(connection, job_id, JobStatus.RUNNING)


def is_waited_for() -> sa.ColumnElement[bool]:
    """Return the condition for jobs that a leased work item or the report ends, if they are cancelled.

    The report counts in any state: its RENDER items follow it and end the job.

    Workbooks and e-mails do not count: those of a review do not change the job.
    """
    of_job = (job_chunks.c.job_id == jobs.c.id) & job_chunks.c.phase.not_in(sorted(APART))
    return sa.exists().where(of_job, (job_chunks.c.state == ChunkState.LEASED) | (job_chunks.c.phase == Phase.REPORT))


def finish_cancellation(connection: sa.Connection, job_id: int) -> Phase | None:
    """End a job that is being cancelled, unless it `is_waited_for`. The caller has locked it.

    A checked job gets a report first: add its work item and return REPORT. Any other job has no results to report.
    """
    query = sa.select(jobs.c.check_token, is_waited_for().label("is_waited_for")).where(jobs.c.id == job_id)
    job = connection.execute(query).one()
    if job.is_waited_for:
        return None
    if job.check_token is None:
        return end_job(connection, job_id, JobStatus.CANCELLED)
    add_work_items(connection, job_id, Phase.REPORT, {0: 0})
    return Phase.REPORT


def is_same_work_item(
    first: ReadOnlyColumnCollection[str, Any], second: ReadOnlyColumnCollection[str, Any]
) -> sa.ColumnElement[bool]:
    """Return the condition that two rows are the same work item."""
    return sa.and_(first.job_id == second.job_id, first.phase == second.phase, first.number == second.number)


def in_seconds(seconds: float | sa.ColumnElement[float]) -> sa.ColumnElement[Any]:
    """Return the SQL expression for a time from now, by the database's clock."""
    return sa.func.now() + sa.func.make_interval(0, 0, 0, 0, 0, 0, seconds)
