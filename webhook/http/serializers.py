"""Build response bodies (`schemas.http`) from database rows. No queries, no requests."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import sqlalchemy as sa
from flask import url_for

from schemas import permissions
from schemas.callback_signing import message_id
from schemas.capabilities import CAPABILITY_NAMES
from schemas.codes import Outcome
from schemas.http import import_profiles, resources, tenants, users
from schemas.http.mapping import MappingBody
from schemas.job_kinds import JobKind
from schemas.job_progress import seconds_left, share_done
from schemas.jobs import TERMINAL, JobOptions, JobStatus, OnError, counts_of, error_summary, warning_summary
from schemas.permissions import Actor, NumberFacts, Tenant, UserKind
from schemas.user_services import Service
from webhook.http import file_serializer
from worker.accounts.carriers import CarrierView
from worker.accounts.tenants import TenantView
from worker.accounts.users import UserView
from worker.jobs.import_profiles import ProfileView
from worker.jobs.queries import JobView, may_be_rechecked
from worker.numbers.queries import NumberView

_HAS_REPORT = frozenset({JobStatus.COMPLETED, JobStatus.COMPLETED_WITH_ERRORS})


def had_report(row: sa.Row[Any]) -> bool:
    """Return whether the job ever had a report or, under review, a preview of one."""
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


def job(view: JobView) -> resources.Job:
    """Return a job as it is now."""
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
        progress=_progress(row),
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
        review=None if row.review is None else resources.Review(expires_at=row.review_until, **row.review),
        links=_links(row),
    )


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


def _progress(row: sa.Row[Any]) -> resources.Progress:
    rate = eta = None
    # The elapsed time includes the wait for confirmation, so jobs with a review have no rate.
    if row.seconds and row.review is None and row.status != JobStatus.REVIEW:
        rate = round(row.rows_done / float(row.seconds), 1) if row.rows_done else None
        if row.status not in TERMINAL:
            eta = seconds_left(float(row.seconds), share_done(row.status, _part_done(row)))
    elif row.status == JobStatus.ACCEPTED and row.seconds_in_queue is not None:
        eta = float(row.seconds_in_queue)
    return resources.Progress(
        phase=row.status,
        rows_total=row.rows_total,
        rows_done=row.rows_done,
        rows_per_second=rate,
        eta_seconds=None if eta is None else round(eta, 1),
        queue_position=row.queue_position,
        held_up_since=row.held_up_since,
    )


def _part_done(row: sa.Row[Any]) -> float:
    """Return the completed share (0 to 1) of the phase that a job's status names."""
    if row.status == JobStatus.RUNNING:
        return float(row.rows_done / row.rows_total) if row.rows_total else 0.0
    return 1 - row.pieces_left / row.pieces if row.pieces else 0.0


def _links(row: sa.Row[Any]) -> resources.JobLinks:
    def at(endpoint: str, **query: Any) -> str:  # noqa: ANN401 - as in `url_for`
        return url_for(endpoint, job_id=row.public_id, **query)

    there = has_report(row)
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
    )


def _job_path(job_id: str | None) -> str | None:
    return None if job_id is None else url_for("jobs.show", job_id=job_id)


def number(actor: Actor, view: NumberView, history: Iterable[sa.Row[Any]] = ()) -> resources.Number:
    """Return a number as this actor sees it."""
    row = view.row
    facts = NumberFacts(
        holder=view.holder,
        uploader=view.uploader,
        voice=row.voice,
        sms=row.sms,
        voice_user=row.voice_user_id is not None,
        sms_user=row.sms_user_id is not None,
    )
    return resources.Number(
        e164=f"+{row.e164}",
        country=row.country,
        **{name: getattr(row, name) for name in CAPABILITY_NAMES},
        voice_carrier=row.voice_carrier,
        sms_carrier_profile=row.sms_carrier_profile,
        status="assigned" if permissions.is_assigned(facts) else "unassigned",
        tenant=_ref(view.holder),
        uploaded_by=_ref(view.uploader),
        voice_user=_number_user(row, "voice_user", "forwarded" if row.voice_forwarded else "voice"),
        sms_user=_number_user(row, "sms_user", "sms"),
        is_external=view.uploader.kind is permissions.TenantKind.ENTERPRISE,
        can=_can(actor.tenant, facts),
        history=[
            resources.HistoryEntry(job_id=entry.public_id, kind=entry.kind, at=entry.created_at, by=entry.created_by)
            for entry in history
        ],
    )


def _number_user(
    row: sa.Row[Any], prefix: str, service: Literal["voice", "forwarded", "sms"]
) -> resources.NumberUser | None:
    if getattr(row, f"{prefix}_id") is None:
        return None
    columns = row._mapping  # noqa: SLF001 - the documented way to read a column by its name
    return resources.NumberUser(
        id=columns[f"{prefix}_public_id"],
        name=columns[f"{prefix}_name"],
        email=columns[f"{prefix}_email"],
        kind=columns[f"{prefix}_kind"],
        service=service,
    )


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
        tenant=_ref(view.tenant),
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
        tenant=_ref(view.owner),
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
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )


def _ref(tenant: Tenant) -> resources.TenantRef:
    return resources.TenantRef(id=tenant.public_id, name=tenant.name, kind=tenant.kind.value)


def _can(actor: Tenant, facts: NumberFacts) -> resources.Can:
    refusals = {
        "assign": permissions.check_assignable(actor, facts),
        "change": permissions.check_change(actor, facts),
        "delete": permissions.check_delete(actor, facts),
    }
    codes = {action: code.value for action, code in refusals.items() if code is not None}
    return resources.Can(codes=codes, **{action: code is None for action, code in refusals.items()})
