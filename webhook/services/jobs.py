"""Jobs: their status and rows (R28), and the decisions of their own tenant: confirm, cancel, undo (R27)."""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Callable

import sqlalchemy as sa
from werkzeug.http import parse_etags, quote_etag

from schemas import permissions, request_problems
from schemas.codes import Outcome
from schemas.columns import Column
from schemas.http import resources
from schemas.job_kinds import WITHOUT_ROWS
from schemas.jobs import TERMINAL, JobStatus, Phase
from schemas.quotas import QuotaExceededError
from schemas.request_problems import RequestCode
from schemas.roles import operation_on_job
from webhook.http import auth, idempotency, quotas, serializers
from webhook.http.concurrency_limits import WAITS
from webhook.http.errors import Refused, refuse, stop_if
from webhook.http.preferences import decline_wait
from webhook.services.awaited_jobs import AwaitedJobs
from worker.config.failpoints import Failpoint, hit
from worker.database import tenant_scope
from worker.database.engine import transaction
from worker.jobs import control, queries
from worker.jobs.queries import JobView
from worker.jobs.search import JobFilter
from worker.queue import broker
from worker.reports.row_messages import Layout
from worker.storage import corrected_files
from worker.storage.report_reader import Tokens, open_report

FIRST_LOOK, LAST_LOOK = 0.01, 0.05  # seconds between polls of a job that a request waits for: small jobs end soon
SLOWER = 1.02  # factor from one pause to the next
AWAITED = AwaitedJobs()
RESTING = TERMINAL | {JobStatus.REVIEW}  # nothing happens without a decision
WORDS = {
    RequestCode.NOT_FOUND: "Job not found.",
    RequestCode.FORBIDDEN: "Only the company that started this job can do this.",
}


def page(query: resources.JobsQuery) -> resources.JobList:
    """Return jobs of the actor's own tenant and of those below it, newest first."""
    filters = JobFilter(**query.model_dump(exclude={"limit"}))
    with transaction() as connection:
        page = queries.page(connection, auth.actor(), filters, query.limit)
    return resources.JobList(data=[serializers.job(auth.actor(), view) for view in page.views], next_cursor=page.cursor)


def get(job_id: str, wait: float = 0.0, *, must_wait: bool = False) -> resources.Job:
    """Return the job; with `wait`, once it has ended or waits for a decision, at most `wait` seconds later."""
    return serializers.job(auth.actor(), wait_for(job_id, wait, must_wait=must_wait))


def rows(job_id: str, query: resources.RowsQuery, column: Column | None = None) -> resources.RowList:
    """Return row outcomes in file order; under review, predicted ones. Empty if the job ended before it had any.

    `column`: only rows whose code is that of a fault in it.
    """
    view = find(job_id)
    _check_has_rows(view)
    if view.row.status in TERMINAL and not serializers.had_report(view.row):
        return resources.RowList(data=[], next_cursor=None)
    outcomes = None if query.outcome is None else frozenset({Outcome(query.outcome)})
    with open_report(job_id, tokens_of(view), layout_of(view), preview=is_reviewed(view)) as published:
        records, following = published.page(outcomes, query.code, query.cursor, query.limit, column)
    cursor = None if following is None else str(following)
    return resources.RowList(data=[resources.Row(**row) for row in records], next_cursor=cursor)


def confirm(job_id: str, if_match: str | None = None) -> str:
    """Carry out a reviewed job. Like `cancel` and `undo`, returns the public id of the job to show next.

    `if_match`: the state that the admin saw (`etag_of`); refused with PRECONDITION_FAILED if it has changed since.
    """

    def decide(connection: sa.Connection, row_id: int) -> Phase:
        _check_kind(connection, job_id)
        if if_match is not None:
            control.lock(connection, row_id)
            check_state(_find(connection, job_id), if_match)
        return control.confirm(connection, row_id)

    return _decided(job_id, decide)


def etag_of(job: resources.Job) -> str:
    """Return the entity tag of a job's state, without quotation marks."""
    return hashlib.sha256(job.model_dump_json().encode()).hexdigest()[:32]


def check_state(view: JobView, if_match: str | None) -> None:
    """Refuse (PRECONDITION_FAILED) unless the job is in the state that `if_match` names, as in If-Match (RFC 9110)."""
    if if_match is None:
        return
    if not parse_etags(if_match).contains_raw(quote_etag(etag_of(serializers.job(auth.actor(), view)))):
        detail = "The job has changed since you saw it."
        raise refuse(RequestCode.PRECONDITION_FAILED, detail, fix="Open the job again, then decide.")


def cancel(job_id: str) -> str:
    """Stop a job: rows already written stay, the others are not processed."""

    def decide(connection: sa.Connection, row_id: int) -> Phase | None:
        _check_kind(connection, job_id)
        return control.cancel(connection, row_id)

    return _decided(job_id, decide)


def undo(job_id: str) -> str:
    """Undo a job by means of another job. Numbers changed since are left alone (R27)."""
    undoing = str(uuid.uuid4())

    def enter(connection: sa.Connection, undone_id: int) -> Phase:
        control.undo(connection, undone_id, undoing, auth.actor())
        return Phase.CHECK

    return _decided(job_id, enter, undoing)


def wait_for(job_id: str, patience: float, *, must_wait: bool = False) -> JobView:
    """Return the job once it has ended or waits for a decision, or after `patience` seconds.

    If too many requests wait already, returns the job at once, which a preference allows (RFC 7240), or raises
    `Refused` with 503 if the request does nothing but wait (`must_wait`).
    """
    view = find(job_id)
    deadline = time.monotonic() + patience
    if not patience or view.row.status in RESTING:
        return view
    if not WAITS.try_acquire():
        if must_wait:
            raise WAITS.refusal()
        decline_wait()
        return view
    try:
        pause = FIRST_LOOK
        with AWAITED.awaiting(view.row.id):
            while (left := deadline - time.monotonic()) > 0:
                time.sleep(min(pause, left))
                pause = min(pause * SLOWER, LAST_LOOK)
                status = AWAITED.status_of(view.row.id, deadline)
                if status is None or status in RESTING:
                    break
        return find(job_id)
    finally:
        WAITS.release()


def find(job_id: str) -> JobView:
    """Return a job that the actor sees. Invisible and missing ones give the same 404 (R3)."""
    with transaction() as connection:
        return _find(connection, job_id)


def find_own(connection: sa.Connection, job_id: str) -> JobView:
    """Return a job that the actor sees and may decide about: one of its own tenant (R1)."""
    view = _find(connection, job_id)
    owner = tenant_scope.tenant_by_id(connection, view.row.tenant_id)
    stop_if(permissions.check_control(auth.actor().tenant, owner), WORDS)
    return view


def layout_of(view: JobView) -> Layout:
    """Return the report's columns. Raises `Refused` if the job has no report, or not yet, or no longer."""
    _check_has_rows(view)
    if serializers.has_report(view.row):
        row = view.row
        return corrected_files.layout_of(row.public_id, row.read_token, row.file_facts, preview=is_reviewed(view))
    if serializers.had_report(view.row):
        raise refuse(RequestCode.REPORT_EXPIRED)
    if view.row.status in TERMINAL:
        raise refuse(RequestCode.NO_REPORT)
    raise Refused(request_problems.of_request(RequestCode.REPORT_NOT_READY), {"Retry-After": "1"})


def _check_has_rows(view: JobView) -> None:
    if view.row.kind in WITHOUT_ROWS:
        raise refuse(
            RequestCode.NO_REPORT, "An export has no rows and no report.", fix="Download its file: see links.file."
        )


def is_reviewed(view: JobView) -> bool:
    """Return whether the job is under review, so that row outcomes are predictions."""
    return bool(view.row.status == JobStatus.REVIEW)


def tokens_of(view: JobView) -> Tokens:
    """Return the tokens of the leases under which the job's files were written."""
    return Tokens(view.row.read_token, view.row.check_token)


def _find(connection: sa.Connection, job_id: str) -> JobView:
    view = queries.get(connection, auth.actor(), job_id)
    if view is None:
        raise refuse(RequestCode.NOT_FOUND, WORDS[RequestCode.NOT_FOUND])
    return view


def _check_kind(connection: sa.Connection, job_id: str) -> None:
    """R35: who confirms or cancels a job needs the scope of starting one of its kind."""
    auth.require(operation_on_job(_find(connection, job_id).row.kind))


def _decided(job_id: str, decide: Callable[[sa.Connection, int], Phase | None], following: str | None = None) -> str:
    """Apply a decision of the job's own tenant; return the public id of the job, or of the job that results."""
    with transaction() as connection:
        row = find_own(connection, job_id).row
        try:
            phase = decide(connection, row.id)
        except control.WrongStateError as error:
            raise refuse(error.code, job_status=error.status) from error
        except QuotaExceededError as error:
            raise quotas.refused(error) from error
        idempotency.record_job(connection, following or job_id)
    hit(Failpoint.DECISION_COMMITTED)
    broker.wake(phase, following or job_id)
    return following or job_id
