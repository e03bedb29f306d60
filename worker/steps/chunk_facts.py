"""Loads the data that the stages need, as plain values: names for the check, facts for resolving a chunk.

Runs inside the caller's transaction; the stages themselves have no database connection.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from schemas.arrow_schemas import STATE
from schemas.capabilities import CARRIER_FIELDS
from schemas.columns import Column
from schemas.job_kinds import ACTIONS, JobKind
from schemas.jobs import JobOptions, ListFormat, Mode, OnExisting
from schemas.name_matching import unambiguous
from schemas.permissions import Tenant
from schemas.user_services import Service
from worker.arrays.distinct import distinct_ids
from worker.database import tenant_scope
from worker.numbers import inventory, tree_countries
from worker.stages.read import FileFacts
from worker.stages.resolving.model import ChunkFacts, Defaults, Numbers
from worker.stages.validate import Names

_TENANTS = ("holder_id", "uploader_id")
_USERS = ("voice_user_id", "sms_user_id")
_CARRIERS = tuple(field.id_name for field in CARRIER_FIELDS)
# The only column that is read of existing numbers that the job does not change: their holder (R17).
_UNCHANGED = ("holder_id",)


@dataclass(frozen=True)
class Job:
    """A job being processed: its kind, the tenant it acts for and its options."""

    id: int
    kind: JobKind
    actor: Tenant
    options: JobOptions


def job_of(connection: sa.Connection, row: sa.Row[Any]) -> Job:
    """Build a `Job` from a row of `jobs`."""
    actor = tenant_scope.tenant_by_id(connection, row.tenant_id)
    return Job(row.id, JobKind(row.kind), actor, JobOptions.from_json(row.options))


def names_for(connection: sa.Connection, job: Job, rows: FileFacts) -> Names:
    """Return what names in a row mean to this admin (R12), for the columns that the rows have.

    Carriers at its level or above, tenants and users at or below. For an action that has to find its numbers, also the
    calling codes of the admin's tree (R14c).
    """
    actor = job.actor
    columns = {*rows.mapping, *rows.constants}
    if job.kind is JobKind.UPLOAD and job.options.mode is Mode.REVIEW:
        columns.add(Column.TARGET)  # a correction may fill it in
    carriers = tenant_scope.carriers_by_service(connection, actor)
    ids = {field.column: unambiguous(carriers[field.capability]) for field in CARRIER_FIELDS}
    if Column.TARGET in columns:
        below = tenant_scope.tenants_below(connection, actor).values()
        targets = [(tenant.name, tenant.id) for tenant in below] + [(tenant.public_id, tenant.id) for tenant in below]
        ids[Column.TARGET] = unambiguous(targets)
    if Column.USER in columns:
        ids[Column.USER] = unambiguous(tenant_scope.user_names(connection, actor))
    finds = job.kind in ACTIONS and rows.format != ListFormat.SELECTION
    return Names(ids, tuple(tree_countries.calling_codes_in_tree(connection, actor)) if finds else ())


def facts_for_chunk(
    connection: sa.Connection, job: Job, chunk: pa.Table, *, lock: bool = True, met_conflict: bool = False
) -> ChunkFacts:
    """Load the facts to resolve a chunk (`schemas.arrow_schemas.CHUNK`, for an undo `UNDO_CHUNK`).

    `lock` locks, until the transaction ends, the users that get a number, and the existing numbers if the job is to
    change them. An upload leaves most existing numbers unchanged, and a lock costs as much as a change: it locks
    numbers only when it writes them (`ChunkFacts.held` is False); after a conflict (`met_conflict`) it locks them here.
    """
    is_upload = job.kind is JobKind.UPLOAD
    may_change = not is_upload or job.options.on_existing is OnExisting.UPDATE
    is_locked = lock and may_change and (met_conflict or not is_upload)
    columns = STATE.names if may_change else _UNCHANGED
    state = inventory.look_up(connection, chunk.column("e164").to_numpy(), lock=is_locked, columns=columns)
    existing = Numbers(state["e164"], {name: values for name, values in state.items() if name != "e164"})
    users = tenant_scope.users_by_id(connection, sorted(_users(job, chunk)))
    tenant_ids = _ids_in_state(existing, _TENANTS) | {job.actor.id, job.options.target_id or job.actor.id}
    tenant_ids |= {user.tenant.id for user in users.values()} | _ids_in_chunk(chunk, ("target_id", *_TENANTS))
    defaults = tenant_scope.default_carriers(connection, sorted(tenant_ids))
    carriers = tenant_scope.carriers_by_service(connection, job.actor)
    return ChunkFacts(
        kind=job.kind,
        job_id=job.id,
        actor=job.actor,
        options=job.options,
        tenants=tenant_scope.tenants_by_id(connection, sorted(tenant_ids)),
        voice_carriers=frozenset(carrier_id for _, carrier_id in carriers["voice"]),
        sms_carriers=frozenset(carrier_id for _, carrier_id in carriers["sms"]),
        defaults={tenant_id: Defaults(*pair) for tenant_id, pair in defaults.items()},
        existing=existing,
        carrier_owners=tenant_scope.carrier_owners(
            connection, sorted(_ids_in_state(existing, _CARRIERS) | _ids_in_chunk(chunk, _CARRIERS))
        ),
        users=users,
        slots=_slots(connection, job, chunk, users, lock=lock),
        held=is_locked,
    )


def _users(job: Job, chunk: pa.Table) -> set[int]:
    """Return the ids of the users that rows name or, in an undo, that get their numbers back."""
    user_ids = {job.options.user_id} - {None}
    return {int(user) for user in user_ids if user} | _ids_in_chunk(chunk, ("user_id", *_USERS))


def _slots(connection: sa.Connection, job: Job, chunk: pa.Table, users: Iterable[int], *, lock: bool) -> dict[int, int]:
    """Return the number that each user already has as its own, if the chunk may assign it one: user id -> number."""
    if job.kind is JobKind.ASSIGN:
        services = _ids_in_chunk(chunk, ("service",)) | {int(job.options.service or Service.VOICE)}
        gives = any(service & Service.VOICE for service in services)
    else:
        gives = job.kind is JobKind.UNDO
    return inventory.slots(connection, sorted(users), lock=lock) if gives and users else {}


def _ids_in_chunk(chunk: pa.Table, columns: Iterable[str]) -> set[int]:
    present = [name for name in columns if name in chunk.schema.names]
    return {id_ for name in present for id_ in distinct_ids(chunk.column(name).to_numpy())}


def _ids_in_state(numbers: Numbers, columns: Iterable[str]) -> set[int]:
    return {id_ for name in columns for id_ in distinct_ids(numbers.state[name])}
