"""Numbers as the API shows them (`schemas.http.resources.Number`), in lists and in exports. No queries."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import sqlalchemy as sa

from schemas import permissions
from schemas.capabilities import CAPABILITY_NAMES
from schemas.http import resources
from schemas.permissions import Actor, NumberFacts, Tenant
from worker.numbers.queries import NumberView


def number(actor: Actor, view: NumberView, history: Iterable[sa.Row[Any]] = ()) -> resources.Number:
    """Return a number as this actor sees it."""
    row = view.row
    voice_user = _user(row, "voice_user", "forwarded" if row.voice_forwarded else "voice")
    entries = [
        resources.HistoryEntry(job_id=entry.public_id, kind=entry.kind, at=entry.created_at, by=entry.created_by)
        for entry in history
    ]
    update = {"voice_user": voice_user, "sms_user": _user(row, "sms_user", "sms"), "history": entries}
    return without_users(actor, view).model_copy(update=update)


def without_users(actor: Actor, view: NumberView) -> resources.Number:
    """Return the same without the users of the number, who only count for its status, and without history."""
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
        tenant=tenant_ref(view.holder),
        uploaded_by=tenant_ref(view.uploader),
        voice_user=None,
        sms_user=None,
        is_external=view.uploader.kind is permissions.TenantKind.ENTERPRISE,
        can=_can(actor.tenant, facts),
        created_at=view.created_at,
        updated_at=view.updated_at,
        history=[],
    )


def tenant_ref(tenant: Tenant) -> resources.TenantRef:
    """Return a reference to a tenant, with its name."""
    return resources.TenantRef(id=tenant.public_id, name=tenant.name, kind=tenant.kind.value)


def _user(row: sa.Row[Any], prefix: str, service: Literal["voice", "forwarded", "sms"]) -> resources.NumberUser | None:
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


def _can(actor: Tenant, facts: NumberFacts) -> resources.Can:
    refusals = {
        "assign": permissions.check_assignable(actor, facts),
        "change": permissions.check_change(actor, facts),
        "delete": permissions.check_delete(actor, facts),
    }
    codes = {action: code.value for action, code in refusals.items() if code is not None}
    return resources.Can(codes=codes, **{action: code is None for action, code in refusals.items()})
