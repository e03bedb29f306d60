"""From what the database says to the bodies of `schemas.api` and `schemas.accounts`. No query, no request."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from flask import url_for

from schemas import accounts, api, permissions
from schemas.jobs import TERMINAL, JobStatus, UploadOptions, counts_of, error_summary
from schemas.permissions import Actor, NumberFacts, Tenant
from worker.infra.carriers import CarrierView
from worker.infra.job_views import JobView
from worker.infra.number_views import NumberView
from worker.infra.tenants import TenantView

HAS_REPORT = (JobStatus.COMPLETED, JobStatus.COMPLETED_WITH_ERRORS)


def job(view: JobView) -> api.Job:
    """A job as it is now."""
    row, options = view.row, UploadOptions.from_json(view.row.options)
    owner = api.TenantRef(id=row.tenant_public_id, name=row.tenant_name, kind=row.tenant_kind)
    return api.Job(
        id=row.public_id,
        kind=row.kind,
        status=row.status,
        mode="apply",
        on_error="skip",
        on_existing=options.on_existing.value,
        accept=options.accept.value,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        created_by=api.CreatedBy(name=row.created_by, tenant=owner),
        file=_file(row),
        progress=_progress(row),
        counts=api.Counts(**counts_of(view.tally, row.rows_total)),
        error_summary=[api.ErrorCount(**entry) for entry in error_summary(view.tally)],
        problem=None if row.problem is None else api.Problem(**row.problem),
        duplicate_of=row.duplicate_of,
        parent_job_id=None,
        undo_of=None,
        links=_links(row),
    )


def _file(row: sa.Row[Any]) -> api.JobFile:
    facts = {name: value for name, value in row.file_facts.items() if name in api.JobFile.model_fields}
    return api.JobFile(name=row.file_name, size=row.file_size, sha256=row.file_sha256.hex(), **facts)


def _progress(row: sa.Row[Any]) -> api.Progress:
    rate = eta = None
    if row.seconds and row.rows_done:
        rate = round(row.rows_done / float(row.seconds), 1)
        if row.status not in TERMINAL:
            eta = round((row.rows_total - row.rows_done) / rate, 1) if rate else None
    return api.Progress(
        phase=row.status,
        rows_total=row.rows_total,
        rows_done=row.rows_done,
        rows_per_second=rate,
        eta_seconds=eta,
        queue_position=row.queue_position,
    )


def _links(row: sa.Row[Any]) -> api.JobLinks:
    def at(endpoint: str, **query: Any) -> str:  # noqa: ANN401 - as `url_for` takes them
        return url_for(endpoint, job_id=row.public_id, **query)

    has_report = row.status in HAS_REPORT
    return api.JobLinks(
        self=at("jobs.show"),
        rows=at("jobs.rows"),
        report_csv=at("jobs.report_csv") if has_report else None,
        report_failed_csv=at("jobs.report_csv", rows="failed") if has_report else None,
        report_xlsx=None,
    )


def number(actor: Actor, view: NumberView, history: Iterable[sa.Row[Any]] = ()) -> api.Number:
    """A number as this actor sees it."""
    row = view.row
    return api.Number(
        e164=f"+{row.e164}",
        country=row.country,
        voice=row.voice,
        sms=row.sms,
        fax=row.fax,
        voice_carrier=row.voice_carrier,
        sms_carrier_profile=row.sms_carrier_profile,
        status="unassigned" if view.holder.id == view.uploader.id else "assigned",
        tenant=_ref(view.holder),
        uploaded_by=_ref(view.uploader),
        voice_user=None,
        sms_user=None,
        is_external=view.uploader.kind is permissions.TenantKind.ENTERPRISE,
        can=_can(actor.tenant, NumberFacts(view.holder, view.uploader)),
        history=[
            api.HistoryEntry(job_id=entry.public_id, kind=entry.kind, at=entry.created_at, by=entry.created_by)
            for entry in history
        ],
    )


def tenant(view: TenantView) -> accounts.Tenant:
    """A tenant with its own defaults and those that hold for it."""
    return accounts.Tenant(
        id=view.tenant.public_id,
        name=view.tenant.name,
        kind=view.tenant.kind.value,
        parent_id=view.parent,
        allow_external_numbers=view.tenant.allow_external_numbers,
        default_voice_carrier=view.own["voice"],
        default_sms_carrier_profile=view.own["sms"],
        effective_default_voice_carrier=view.effective["voice"],
        effective_default_sms_carrier_profile=view.effective["sms"],
    )


def carrier(view: CarrierView) -> accounts.Carrier:
    """A carrier as the asking tenant sees it."""
    return accounts.Carrier(
        id=view.row.public_id,
        name=view.row.name,
        service=view.row.service,
        tenant_id=view.owner.public_id,
        is_default=view.is_default,
    )


def token(row: sa.Row[Any]) -> accounts.Token:
    """A token without its secret."""
    return accounts.Token(
        id=row.public_id,
        name=row.name,
        tenant=api.TenantRef(id=row.tenant_public_id, name=row.tenant_name, kind=row.tenant_kind),
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )


def _ref(tenant: Tenant) -> api.TenantRef:
    return api.TenantRef(id=tenant.public_id, name=tenant.name, kind=tenant.kind.value)


def _can(actor: Tenant, facts: NumberFacts) -> api.Can:
    found = {
        "assign": permissions.check_assign(actor, facts),
        "change": permissions.check_change(actor, facts),
        "delete": permissions.check_delete(actor, facts),
    }
    codes = {action: code.value for action, code in found.items() if code is not None}
    return api.Can(codes=codes, **{action: code is None for action, code in found.items()})
