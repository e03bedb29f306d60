"""Build response bodies (`schemas.http`) from database rows; those of numbers: `worker.numbers.number_bodies`.

No queries, no requests.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from flask import url_for

from schemas import permissions
from schemas.callback_signing import message_id
from schemas.codes import Outcome
from schemas.exports import ExportOptions
from schemas.http import import_profiles, resources, tenants, users
from schemas.http.mapping import MappingBody
from schemas.job_kinds import WITHOUT_ROWS, JobKind
from schemas.job_progress import seconds_left, share_done
from schemas.jobs import TERMINAL, JobOptions, JobStatus, OnError, counts_of, error_summary, warning_summary
from schemas.permissions import Actor, UserKind
from schemas.roles import Operation, operation_on_job
from schemas.user_services import Service
from webhook.http import file_serializer
from worker.accounts.carriers import CarrierView
from worker.accounts.tenants import TenantView
from worker.accounts.users import UserView
from worker.jobs.import_profiles import ProfileView
from worker.jobs.queries import JobView, may_be_rechecked
from worker.numbers.number_bodies import tenant_ref

_HAS_REPORT = frozenset({JobStatus.COMPLETED, JobStatus.COMPLETED_WITH_ERRORS})


def had_report(row: sa.Row[Any]) -> bool:
    """Return whether the job ever had a report or, under review, a preview of one."""
    if row.kind in WITHOUT_ROWS:
        return False
    checked_only = {JobStatus.CANCELLED, JobStatus.REVIEW}
    return row.status in _HAS_REPORT or (row.status in checked_only and row.check_token is not None)


def has_report(row: sa.Row[Any]) -> bool:
    """Return whether the job's report is still available: reports expire."""
    return had_report(row) and not row.report_is_gone


def rows_to_retry(view: JobView) -> int:
    """Return how many rows of an upload that has ended can be taken into a new review (R33); 0 if it cannot be.

    Its failed rows; of an all-or-nothing upload that failed, all rows: none was written.
    """
    if view.row.kind != JobKind.UPLOAD or view.row.status not in TERMINAL or not has_report(view.row):
        return 0
    failed = view.tally.count(Outcome.FAILED)
    is_abort = JobOptions.from_json(view.row.options).on_error is OnError.ABORT
    return int(view.row.rows_total) if failed and is_abort else failed


def _review(row: sa.Row[Any]) -> resources.Review:
    """Return the stored review; what a later release has added to it is left out, for upgrades."""
    known = {name: value for name, value in row.review.items() if name in resources.Review.model_fields}
    return resources.Review(expires_at=row.review_until, **known)


def job(actor: Actor, view: JobView) -> resources.Job:
    """Return a job as it is now, with the links that the actor can use."""
    row, options = view.row, JobOptions.from_json(view.row.options)
    owner = resources.TenantRef(id=row.tenant_public_id, name=row.tenant_name, kind=row.tenant_kind)
    return resources.Job(
        id=row.public_id,
        kind=row.kind,
        status=row.status,
        mode=options.mode.value,
        on_error=options.on_error.value,
        on_existing=options.on_existing.value,
        accept=options.accept.value,
        number_format=options.number_format.value,
        country_code=options.country_code,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        created_by=resources.CreatedBy(name=row.created_by, tenant=owner),
        external_id=row.external_id,
        metadata=row.metadata,
        file=file_serializer.file(view),
        progress=_progress(view),
        counts=resources.Counts(**counts_of(view.tally, row.rows_total)),
        error_summary=[resources.ErrorCount(**entry) for entry in error_summary(view.tally)],
        warning_summary=[resources.WarningCount(**entry) for entry in warning_summary(view.tally)],
        problem=None if row.problem is None else resources.Problem(**row.problem),
        duplicate_of=row.duplicate_of,
        parent_job_id=row.parent_job_id,
        lineage=_lineage(view),
        undo_of=row.undo_of,
        can_confirm=row.status == JobStatus.REVIEW and row.check_token is not None,
        can_recheck=may_be_rechecked(row),
        can_correct=row.kind == JobKind.UPLOAD and row.status == JobStatus.REVIEW and row.check_token is not None,
        can_retry=rows_to_retry(view) > 0,
        review=None if row.review is None else _review(row),
        export=None if options.export is None else _export(row, ExportOptions.from_json(options.export)),
        links=_links(actor, view),
    )


def has_file(row: sa.Row[Any]) -> bool:
    """Return whether the job is an export whose file can be downloaded: files expire, as reports do."""
    return row.kind == JobKind.EXPORT and row.status == JobStatus.COMPLETED and not row.report_is_gone


def _export(row: sa.Row[Any], options: ExportOptions) -> resources.JobExport:
    return resources.JobExport(**options.to_json(), **row.file_facts)


def _lineage(view: JobView) -> resources.Lineage | None:
    if not view.family:
        return None
    jobs = []
    for each in view.family:
        counts = counts_of(each.tally, each.row.rows_total)
        shown = {name: counts[name] for name in ("total", "failed", "unprocessed")}
        jobs.append(
            resources.LineageJob(id=each.row.public_id, status=each.row.status, created_at=each.row.created_at, **shown)
        )
    first, last = jobs[0], jobs[-1]
    mended = sum(job.total - job.failed - job.unprocessed for job in jobs[1:])
    # A follow-up may hold only some of the failed rows, which leaves the others open; or all rows again, which leaves
    # open those that fail again.
    still = max(first.failed + first.unprocessed - mended, last.failed + last.unprocessed)
    return resources.Lineage(jobs=jobs, rows_open=still)


def _progress(view: JobView) -> resources.Progress:
    row, queued = view.row, view.queued
    rate = eta = None
    # The elapsed time includes the wait for confirmation, so jobs with a review have no rate.
    if row.seconds and row.review is None and row.status != JobStatus.REVIEW:
        rate = round(row.rows_done / float(row.seconds), 1) if row.rows_done else None
        if row.status not in TERMINAL:
            part = _part_done(row)
            share = part if row.kind in WITHOUT_ROWS else share_done(row.status, part)
            eta = seconds_left(float(row.seconds), share)
    elif queued is not None:
        eta = queued.seconds
    return resources.Progress(
        phase=row.status,
        rows_total=row.rows_total,
        rows_done=row.rows_done,
        rows_per_second=rate,
        eta_seconds=None if eta is None else round(eta, 1),
        queue_position=None if queued is None else queued.position,
        held_up_since=row.held_up_since,
    )


def _part_done(row: sa.Row[Any]) -> float:
    """Return the completed share (0 to 1) of the phase that a job's status names."""
    if row.status == JobStatus.RUNNING:
        return float(row.rows_done / row.rows_total) if row.rows_total else 0.0
    return 1 - row.pieces_left / row.pieces if row.pieces else 0.0


def _links(actor: Actor, view: JobView) -> resources.JobLinks:
    row = view.row

    def at(endpoint: str, **query: Any) -> str:  # noqa: ANN401 - as in `url_for`
        return url_for(endpoint, job_id=row.public_id, **query)

    there = has_report(row)
    file = at("jobs.file") if has_file(row) else None
    return resources.JobLinks(
        self=at("jobs.show"),
        rows=at("jobs.rows"),
        report_csv=at("jobs.report_csv") if there else None,
        report_failed_csv=at("jobs.report_csv", rows="failed") if there else None,
        report_xlsx=at("jobs.report_xlsx") if there else None,
        report_jsonl=at("jobs.report_jsonl") if there else None,
        corrections=at("jobs.list_corrections") if row.kind == JobKind.UPLOAD else None,
        parent=_job_path(row.parent_job_id),
        undo_of=_job_path(row.undo_of),
        duplicate_of=_job_path(row.duplicate_of),
        callback=url_for("callbacks.show", callback_id=message_id(row.callback)) if row.callback else None,
        file=file,
        **{name: at(f"jobs.{name}") for name in _actions(actor, view)},
    )


def _actions(actor: Actor, view: JobView) -> set[str]:
    """Return the actions on the job that are possible now and allowed to the actor (R1, R27, R35), by their views."""
    row = view.row
    if not permissions.may_control(actor.tenant, row.tenant_id):
        return set()
    decide = operation_on_job(row.kind)
    is_reviewed = row.status == JobStatus.REVIEW and row.review_until > datetime.now(UTC)
    is_checked = is_reviewed and row.check_token is not None
    is_corrected = is_checked and row.kind == JobKind.UPLOAD
    possible = {
        "confirm": (is_checked, {Operation.DECIDE_JOBS, decide}),
        "recheck": (may_be_rechecked(row), {Operation.UPLOAD}),
        "correct": (is_corrected, {Operation.UPLOAD}),
        "preview_correction": (is_corrected, {Operation.UPLOAD}),
        "retry": (rows_to_retry(view) > 0, {Operation.UPLOAD}),
        "cancel": (row.status not in TERMINAL | {JobStatus.CANCELLING}, {Operation.CANCEL_JOBS, decide}),
        "undo": (view.can_undo, {Operation.CHANGE_NUMBERS}),
    }
    return {
        name
        for name, (is_possible, operations) in possible.items()
        if is_possible and not any(permissions.check_operation(actor, operation) for operation in operations)
    }


def _job_path(job_id: str | None) -> str | None:
    return None if job_id is None else url_for("jobs.show", job_id=job_id)


def user(view: UserView, job_id: str | None = None) -> users.User:
    """Return a user with its numbers."""
    row = view.row

    def numbers(service: Service) -> list[str]:
        return [f"+{e164}" for e164 in view.numbers.get(service, ())]

    main = next(iter(numbers(Service.VOICE)), None)
    return users.User(
        id=row.public_id,
        name=row.name,
        email=row.email,
        kind=row.kind,
        tenant=tenant_ref(view.tenant),
        sms_enabled=row.sms_enabled,
        extension=row.extension,
        phone_number=main if row.kind == UserKind.PBX else None,
        default_did=main if row.kind == UserKind.TRUNK else None,
        forwarded_dids=numbers(Service.FORWARDED),
        sms_dids=numbers(Service.SMS),
        created_at=row.created_at,
        job_id=job_id,
    )


def tenant(view: TenantView) -> tenants.Tenant:
    """Return a tenant with its own default carriers and the effective ones."""
    return tenants.Tenant(
        id=view.tenant.public_id,
        name=view.tenant.name,
        kind=view.tenant.kind.value,
        parent_id=view.parent,
        allow_external_numbers=view.tenant.allow_external_numbers,
        billing_reference=view.billing_reference,
        default_voice_carrier=view.own["voice"],
        default_sms_carrier_profile=view.own["sms"],
        effective_default_voice_carrier=view.effective["voice"],
        effective_default_sms_carrier_profile=view.effective["sms"],
    )


def carrier(view: CarrierView) -> tenants.Carrier:
    """Return a carrier as the requesting tenant sees it."""
    return tenants.Carrier(
        id=view.row.public_id,
        name=view.row.name,
        service=view.row.service,
        tenant_id=view.owner.public_id,
        is_default=view.is_default,
    )


def import_profile(actor: Actor, view: ProfileView) -> import_profiles.ImportProfile:
    """Return a profile. Who created it, and when it was last used, is not for tenants below (R3)."""
    row, is_own = view.row, view.owner.id == actor.tenant.id
    return import_profiles.ImportProfile(
        id=row.public_id,
        name=row.name,
        mapping=MappingBody(**row.mapping),
        options=import_profiles.ProfileOptions(**row.options),
        headers=row.headers,
        tenant=tenant_ref(view.owner),
        can_change=permissions.check_change_profile(actor.tenant, view.owner) is None,
        created_by=row.created_by if is_own else None,
        last_used_at=row.last_used_at if is_own else None,
    )


def token(row: sa.Row[Any]) -> tenants.Token:
    """Return a token without its secret."""
    return tenants.Token(
        id=row.public_id,
        name=row.name,
        tenant=resources.TenantRef(id=row.tenant_public_id, name=row.tenant_name, kind=row.tenant_kind),
        role=row.role,
        scopes=row.scopes,
        networks=row.networks,
        created_at=row.created_at,
        created_by=row.created_by,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
        last_used_from=row.last_used_from,
    )
