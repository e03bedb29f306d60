"""Queries for showing numbers: pages of a resolved filter (`worker.numbers.filters`), one number, its history (R3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from schemas.database.tables import carriers, jobs, number_events, phone_numbers, users
from schemas.permissions import Actor, Tenant
from worker.database import tenant_scope
from worker.numbers import bounded_search, times
from worker.numbers.filters import ResolvedFilter
from worker.numbers.times import JobTimes

LONGEST = 15  # digits of an E.164 number


@dataclass(frozen=True)
class NumberView:
    """A number, its holder and uploader for the checks of `schemas.permissions`, and the names of its carriers.

    `created_at`, `updated_at`: as in `times`; None if the job is unknown.
    """

    row: sa.Row[Any]
    holder: Tenant
    uploader: Tenant
    created_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True)
class NumberPage:
    """Numbers, ascending, and the number up to which the page is complete; None if it is the last page."""

    views: list[NumberView]
    examined_to: int | None


def page(connection: sa.Connection, resolved_filter: ResolvedFilter, limit: int) -> NumberPage:
    """Return up to `limit` numbers. Raises as `bounded_search.page`."""
    found = bounded_search.page(connection, resolved_filter, limit)
    return NumberPage(these(connection, found.numbers), found.examined_to)


def these(connection: sa.Connection, numbers: Sequence[int]) -> list[NumberView]:
    """Return these numbers, ascending. The caller has checked that the actor sees them."""
    query = _select().where(phone_numbers.c.e164.in_(numbers)).order_by(phone_numbers.c.e164)
    return _with_tenants(connection, connection.execute(query).all() if numbers else [])


def visible(connection: sa.Connection, actor: Actor, numbers: Sequence[int]) -> set[int]:
    """Return those of the numbers that exist and that the actor sees (R3)."""
    listed = sa.cast(list(numbers), ARRAY(sa.BigInteger))
    query = sa.select(phone_numbers.c.e164).where(
        tenant_scope.numbers_of(actor.tenant), phone_numbers.c.e164 == sa.any_(listed)
    )
    return set(connection.execute(query).scalars())


def get(connection: sa.Connection, actor: Actor, e164: int) -> NumberView | None:
    """Return a number, or None if it does not exist or the actor does not see it."""
    query = _select().where(tenant_scope.numbers_of(actor.tenant), phone_numbers.c.e164 == e164)
    return next(iter(_with_tenants(connection, connection.execute(query).all())), None)


def history(connection: sa.Connection, actor: Actor, view: NumberView) -> list[sa.Row[Any]]:
    """Return the jobs that created or changed the number and that the actor sees, oldest first."""
    noted = sa.select(number_events.c.job_id).where(number_events.c.e164 == view.row.e164)
    touched = jobs.c.id.in_([view.row.created_job_id, view.row.changed_job_id]) | jobs.c.id.in_(noted)
    query = sa.select(jobs).where(touched, tenant_scope.jobs_of(actor.tenant)).order_by(jobs.c.id)
    return list(connection.execute(query))


def _select() -> sa.Select[Any]:
    voice, sms = carriers.alias(), carriers.alias()
    voice_user, sms_user = users.alias(), users.alias()
    return (
        sa.select(
            phone_numbers,
            times.LAST_JOB.label("last_job_id"),
            voice.c.name.label("voice_carrier"),
            sms.c.name.label("sms_carrier_profile"),
            *_of_user(voice_user, "voice_user"),
            *_of_user(sms_user, "sms_user"),
        )
        .outerjoin(voice, voice.c.id == phone_numbers.c.voice_carrier_id)
        .outerjoin(sms, sms.c.id == phone_numbers.c.sms_carrier_id)
        .outerjoin(voice_user, voice_user.c.id == phone_numbers.c.voice_user_id)
        .outerjoin(sms_user, sms_user.c.id == phone_numbers.c.sms_user_id)
    )


def _of_user(table: sa.FromClause, prefix: str) -> list[sa.ColumnElement[Any]]:
    return [table.c[name].label(f"{prefix}_{name}") for name in ("public_id", "name", "email", "kind")]


def _with_tenants(connection: sa.Connection, rows: Sequence[sa.Row[Any]]) -> list[NumberView]:
    ids = {row.holder_id for row in rows} | {row.uploader_id for row in rows}
    tenants = tenant_scope.tenants_by_id(connection, sorted(ids)) if ids else {}
    known = times.of_jobs(connection, {job for row in rows for job in (row.created_job_id, row.last_job_id)})
    return [_view(row, tenants, known) for row in rows]


def _view(row: sa.Row[Any], tenants: Mapping[int, Tenant], known: Mapping[int, JobTimes]) -> NumberView:
    created, last = known.get(row.created_job_id), known.get(row.last_job_id)
    return NumberView(
        row,
        tenants[row.holder_id],
        tenants[row.uploader_id],
        None if created is None else created.created_at,
        None if last is None else last.ended_at,
    )
