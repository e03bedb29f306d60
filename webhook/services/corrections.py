"""Correct rows of an upload under review, and take the failed rows of an ended one into a new review (R33)."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import sqlalchemy as sa

from schemas.http.corrections import (
    CorrectionBody,
    CorrectionList,
    CorrectionPreview,
    CorrectionPreviewBody,
    CorrectionView,
)
from schemas.job_kinds import JobKind
from schemas.jobs import TERMINAL, JobOptions, Mode, Phase
from schemas.request_problems import RequestCode
from webhook.http import auth, idempotency, serializers
from webhook.http.concurrency_limits import WAITS
from webhook.http.errors import refuse
from webhook.services import jobs
from webhook.services.job_submission import announce, submit_upload_again, submitting
from worker.config.failpoints import Failpoint, hit
from worker.database.engine import transaction
from worker.jobs import control, corrections
from worker.jobs.queries import JobView
from worker.queue import broker, job_state
from worker.storage import arrow_files, files

PATIENCE = 10.0  # seconds that a request waits for the answer to a question
PAUSE = 0.02
HIGHEST_NUMBER = 2**31 - 1  # of a correction


def correct(job_id: str, body: CorrectionBody, if_match: str | None = None) -> str:
    """Correct rows of the job; return its public id. They are validated again, by workers.

    `if_match`: the state that the admin saw, as for `webhook.services.jobs.confirm`. Refused: CANNOT_CORRECT,
    NOT_IN_REVIEW, REVIEW_EXPIRED, MAPPING_REQUIRED, LIMIT_REACHED, PRECONDITION_FAILED, and INVALID_FIELD for rows that
    the file does not have.
    """
    raw = body.model_dump(exclude_unset=True)
    _check_rows(_reviewed(job_id), body)
    return _decided(job_id, if_match, lambda connection, view: corrections.add(connection, view.row.id, raw, _name()))


def take_back(job_id: str, number: int, if_match: str | None = None) -> str:
    """Take a correction back, given by its number; return the job's public id. Its rows are validated without it."""

    def decide(connection: sa.Connection, view: JobView) -> Phase:
        phase = corrections.take_back(connection, view.row.id, number) if number <= HIGHEST_NUMBER else None
        if phase is None:
            raise refuse(RequestCode.NOT_FOUND, "Correction not found.")
        return phase

    return _decided(job_id, if_match, decide)


def listed(job_id: str) -> CorrectionList:
    """Return the corrections of a job, in their order."""
    with transaction() as connection:
        view = jobs.find_own(connection, job_id)
        rows = corrections.of_job(connection, view.row.id)
    return CorrectionList(
        data=[
            CorrectionView(
                number=row.number, created_at=row.created_at, created_by=row.created_by, rows=row.rows, **row.body
            )
            for row in rows
        ]
    )


def preview(job_id: str, body: CorrectionPreviewBody) -> CorrectionPreview:
    """Return what a correction would do. Refused as for `correct`; UNAVAILABLE if no worker answers in time."""
    view = _reviewed(job_id)
    _check_rows(view, body)
    if not WAITS.try_acquire():
        raise WAITS.refusal()
    try:
        with transaction() as connection:
            try:
                job = job_state.lock_job(connection, view.row.id)
                corrections.check_open(connection, job)
                number = corrections.ask(connection, job.id, body.model_dump(exclude_unset=True))
            except control.WrongStateError as error:
                raise refuse(error.code, job_status=error.status) from error
        broker.wake(Phase.PREVIEW, job_id)
        return _answer(view.row.id, number)
    finally:
        WAITS.release()


def _answer(job_id: int, number: int) -> CorrectionPreview:
    """Wait for an answer, at most `PATIENCE` seconds, and delete the question."""
    deadline = time.monotonic() + PATIENCE
    answer = None
    try:
        while answer is None and time.monotonic() < deadline:
            time.sleep(PAUSE)
            with transaction() as connection:
                answer = corrections.answer_to(connection, number)
                if answer is None and not corrections.is_asked(connection, number):
                    break  # the rows were corrected, or checked again, meanwhile
    finally:
        with transaction() as connection:
            corrections.drop_question(connection, job_id, number)
    if not answer:
        raise refuse(RequestCode.UNAVAILABLE)
    return CorrectionPreview(**answer)


def retry(job_id: str) -> str:
    """Take the failed rows of an ended upload into a new review; return its public id.

    If it was all-or-nothing, all its rows. Refused: CANNOT_CORRECT, JOB_NOT_ENDED, NOTHING_TO_CORRECT, REPORT_EXPIRED.
    """
    new = str(uuid.uuid4())
    with submitting(new), transaction() as connection:
        view = jobs.find_own(connection, job_id)
        # Locked, so that its files are not removed before the new job exists and protects them.
        job_state.lock_job(connection, view.row.id, with_claims=False)
        view = jobs.find_own(connection, job_id)
        _check_retry(view)
        row = view.row
        options = replace(JobOptions.from_json(row.options), mode=Mode.REVIEW, only_failed=True, save_profile=None)
        submit_upload_again(connection, row, new, options)
    announce(new)
    return new


def _check_retry(view: JobView) -> None:
    row = view.row
    if row.kind != JobKind.UPLOAD:
        raise refuse(RequestCode.CANNOT_CORRECT)
    if row.status not in TERMINAL:
        raise refuse(RequestCode.JOB_NOT_ENDED, job_status=row.status)
    if serializers.had_report(row) and not serializers.has_report(row):
        raise refuse(RequestCode.REPORT_EXPIRED)
    if not serializers.rows_to_retry(view):
        raise refuse(RequestCode.NOTHING_TO_CORRECT)


def _name() -> str:
    return auth.actor().name


def _reviewed(job_id: str) -> JobView:
    """Return a job of the actor's own tenant whose rows can be corrected now."""
    with transaction() as connection:
        view = jobs.find_own(connection, job_id)
        try:
            corrections.check_open(connection, view.row)
        except control.WrongStateError as error:
            raise refuse(error.code, job_status=error.status) from error
    return view


def _check_rows(view: JobView, body: CorrectionBody) -> None:
    """Refuse numbers of rows that the file does not have."""
    named = np.fromiter(sorted(body.parsed().rows), np.int64)
    if not len(named):
        return
    try:
        table = arrow_files.get_table(files.preview_key(view.row.public_id, view.row.check_token), ("row",))
    except files.MissingFileError as error:  # checked again meanwhile
        raise refuse(RequestCode.NOT_IN_REVIEW, job_status=view.row.status) from error
    missing = named[~np.isin(named, table.column("row").to_numpy(), assume_unique=True)]
    if len(missing):
        raise refuse(RequestCode.INVALID_FIELD, f"The file has no row {missing[0]:,} below its header.", field="row")


def _decided(job_id: str, if_match: str | None, decide: Callable[[sa.Connection, JobView], Phase]) -> str:
    """Change a job under its lock, in the state that was seen; return its public id."""
    with transaction() as connection:
        view = jobs.find_own(connection, job_id)
        control.lock(connection, view.row.id)
        view = jobs.find_own(connection, job_id)  # again: as it is now, and stays until the transaction ends
        jobs.check_state(view, if_match)
        try:
            corrections.check_open(connection, view.row)
            phase = decide(connection, view)
        except control.WrongStateError as error:
            raise refuse(error.code, job_status=error.status) from error
        idempotency.record_job(connection, job_id)
    hit(Failpoint.DECISION_COMMITTED)
    broker.wake(phase, job_id)
    return job_id
