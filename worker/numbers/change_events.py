"""Changes of the inventory as their reader sees them: what happened, and the number's state after it (R34)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import sqlalchemy as sa

from schemas.capabilities import CAPABILITY_NAMES, CARRIER_FIELDS
from schemas.database.tables import jobs, users
from schemas.http.changes import ChangeType, NumberChange
from schemas.http.resources import NumberUser, TenantRef
from schemas.job_kinds import JobKind
from schemas.permissions import Actor, Tenant, TenantKind
from worker.database import tenant_scope
from worker.numbers.changes import ChangedNumber
from worker.phone import region

_USERS = ("voice_user_id", "sms_user_id")
_ENTERPRISE = list(TenantKind).index(TenantKind.ENTERPRISE)  # its level: the index in its path


@dataclass(frozen=True)
class _Names:
    """What the states refer to, by database id; what was deleted since is missing."""

    jobs: Mapping[int, sa.Row[Any]]  # of all tenants: their kind
    visible_jobs: frozenset[int]
    tenants: Mapping[int, Tenant]
    carriers: Mapping[int, str]
    users: Mapping[int, sa.Row[Any]]


def rendered(connection: sa.Connection, actor: Actor, changed: Sequence[ChangedNumber]) -> list[NumberChange]:
    """Return changes that the actor sees as its client gets them."""
    names = _names(connection, actor, changed)
    countries = region.regions_of(np.array([each.e164 for each in changed], np.int64)).tolist()
    return [_event(each, region.REGIONS[index], names) for each, index in zip(changed, countries, strict=True)]


def change_type(changed: ChangedNumber, *, is_undo: bool) -> ChangeType:
    """Return what happened, as the reader sees it: of what is outside its tree it learns nothing (R3)."""
    before, after = changed.before, changed.after
    if not changed.existed:
        return ChangeType.RESTORED if is_undo else ChangeType.CREATED
    if after is None:
        return ChangeType.GONE if changed.exists else ChangeType.DELETED
    if before is None:
        return ChangeType.ASSIGNED
    got = any(after[user] not in {0, before[user]} for user in _USERS)
    lost = any(before[user] and not after[user] for user in _USERS)
    if before["holder_id"] != after["holder_id"]:
        is_up = after["holder_id"] in changed.paths[before["holder_id"]]
        return ChangeType.UNASSIGNED if is_up and not got else ChangeType.ASSIGNED
    if got or before["voice_forwarded"] != after["voice_forwarded"]:
        return ChangeType.UNASSIGNED if lost and not got else ChangeType.ASSIGNED
    return ChangeType.UNASSIGNED if lost else ChangeType.CHANGED


def _event(changed: ChangedNumber, country: str, names: _Names) -> NumberChange:
    job = names.jobs.get(changed.job_id)
    kind = change_type(changed, is_undo=job is not None and job.kind == JobKind.UNDO)
    is_told = job is not None and changed.job_id in names.visible_jobs and kind is not ChangeType.GONE
    return NumberChange(
        id=str(changed.cursor),
        at=changed.at,
        type=kind,
        e164=f"+{changed.e164}",
        job_id=job.public_id if is_told and job is not None else None,
        **({} if changed.after is None else {"country": country, **_state(changed.after, changed.paths, names)}),
    )


def _state(state: Mapping[str, int], paths: Mapping[int, Sequence[int]], names: _Names) -> dict[str, Any]:
    holder_id, uploader_id = state["holder_id"], state["uploader_id"]
    in_use = any(state[user] for user in _USERS)
    return {
        **{name: bool(state[name]) for name in CAPABILITY_NAMES},
        **{carrier.name: names.carriers.get(state[carrier.id_name]) for carrier in CARRIER_FIELDS},
        "status": "assigned" if in_use or holder_id != uploader_id else "unassigned",
        "tenant": _ref(names.tenants.get(holder_id)),
        "uploaded_by": _ref(names.tenants.get(uploader_id)),
        "voice_user": _user(names, state["voice_user_id"], "forwarded" if state["voice_forwarded"] else "voice"),
        "sms_user": _user(names, state["sms_user_id"], "sms"),
        "is_external": uploader_id in paths[holder_id][_ENTERPRISE:],  # the uploader is the holder or above it (R3)
    }


def _ref(tenant: Tenant | None) -> TenantRef | None:
    return None if tenant is None else TenantRef(id=tenant.public_id, name=tenant.name, kind=tenant.kind.value)


def _user(names: _Names, user_id: int, service: Literal["voice", "forwarded", "sms"]) -> NumberUser | None:
    row = names.users.get(user_id)
    if row is None:
        return None
    return NumberUser(id=row.public_id, name=row.name, email=row.email, kind=row.kind, service=service)


def _names(connection: sa.Connection, actor: Actor, changed: Sequence[ChangedNumber]) -> _Names:
    states = [each.after for each in changed if each.after is not None]
    job_ids = sorted({each.job_id for each in changed})
    rows = connection.execute(
        sa.select(jobs.c.id, jobs.c.public_id, jobs.c.kind, tenant_scope.jobs_of(actor.tenant).label("is_seen")).where(
            jobs.c.id.in_(job_ids)
        )
    ).all()
    user_ids = _ids(states, _USERS)
    found = connection.execute(
        sa.select(users).where(users.c.id.in_(user_ids), tenant_scope.users_of(actor.tenant))
    ).all()
    return _Names(
        {row.id: row for row in rows},
        frozenset(row.id for row in rows if row.is_seen),
        tenant_scope.tenants_by_id(connection, _ids(states, ("holder_id", "uploader_id"))),
        tenant_scope.carrier_names(connection, _ids(states, [carrier.id_name for carrier in CARRIER_FIELDS])),
        {row.id: row for row in found},
    )


def _ids(states: Iterable[Mapping[str, int]], columns: Sequence[str]) -> list[int]:
    return sorted({state[column] for state in states for column in columns} - {0})
