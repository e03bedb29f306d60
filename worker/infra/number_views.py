"""Numbers as they are looked at: keyset pages over the inventory, limited to the looker's tree (R3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from schemas.permissions import Actor, Tenant
from schemas.tables import carriers, jobs, number_events, phone_numbers, tenants, users
from worker.infra import scope

LONGEST = 15  # digits of an E.164 number


@dataclass(frozen=True)
class NumberFilter:
    """Which numbers; None does not narrow. `digits` is how the number begins, `after` the last one already seen."""

    digits: str | None = None
    status: str | None = None
    capability: str | None = None
    country: str | None = None
    carrier: str | None = None
    tenant_id: str | None = None
    user_id: str | None = None
    uploaded_by: str | None = None
    free_for: str | None = None
    after: int | None = None


@dataclass(frozen=True)
class NumberView:
    """A number, with its holder and uploader as the rules see them and the names of its carriers."""

    row: sa.Row[Any]
    holder: Tenant
    uploader: Tenant


def page(connection: sa.Connection, actor: Actor, wanted: NumberFilter, limit: int) -> list[NumberView]:
    """Up to `limit` numbers, ascending."""
    narrowed = [scope.numbers_of(actor.tenant), *conditions(wanted)]
    rows = connection.execute(_select().where(*narrowed).order_by(phone_numbers.c.e164).limit(limit)).all()
    return _with_tenants(connection, rows)


def one(connection: sa.Connection, actor: Actor, e164: int) -> NumberView | None:
    """A number, or None if it does not exist or is not the actor's to see."""
    query = _select().where(scope.numbers_of(actor.tenant), phone_numbers.c.e164 == e164)
    return next(iter(_with_tenants(connection, connection.execute(query).all())), None)


def history(connection: sa.Connection, actor: Actor, view: NumberView) -> list[sa.Row[Any]]:
    """The jobs that created the number and changed it since, as far as the actor sees them; oldest first."""
    noted = sa.select(number_events.c.job_id).where(number_events.c.e164 == view.row.e164)
    touched = jobs.c.id.in_([view.row.created_job_id, view.row.changed_job_id]) | jobs.c.id.in_(noted)
    query = sa.select(jobs).where(touched, scope.jobs_of(actor.tenant)).order_by(jobs.c.id)
    return list(connection.execute(query))


def _select() -> sa.Select[Any]:
    voice, sms = carriers.alias(), carriers.alias()
    voice_user, sms_user = users.alias(), users.alias()
    return (
        sa.select(
            phone_numbers,
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


def conditions(wanted: NumberFilter) -> list[sa.ColumnElement[bool]]:
    """What a filter asks of numbers; whose they are to be is for `scope` to say."""
    number = phone_numbers.c
    found: list[sa.ColumnElement[bool]] = []
    if wanted.after is not None:
        found.append(number.e164 > wanted.after)
    if wanted.digits is not None:
        found.append(_begins_with(wanted.digits))
    if wanted.status is not None:
        # `permissions.is_assigned`, for the database.
        assigned = sa.or_(
            number.holder_id != number.uploader_id, number.voice_user_id.is_not(None), number.sms_user_id.is_not(None)
        )
        found.append(assigned if wanted.status == "assigned" else sa.not_(assigned))
    if wanted.capability is not None:
        found.append(number[wanted.capability])
    if wanted.country is not None:
        found.append(_in_country(wanted.country))
    if wanted.carrier is not None:
        named = sa.select(carriers.c.id).where(sa.func.lower(carriers.c.name) == wanted.carrier.lower())
        found.append(number.voice_carrier_id.in_(named) | number.sms_carrier_id.in_(named))
    for column, public_id in ((number.holder_id, wanted.tenant_id), (number.uploader_id, wanted.uploaded_by)):
        if public_id is not None:
            found.append(column.in_(sa.select(tenants.c.id).where(scope.has_public_id(tenants, public_id))))
    return found + _by_use(wanted)


def _by_use(wanted: NumberFilter) -> list[sa.ColumnElement[bool]]:
    number = phone_numbers.c
    found: list[sa.ColumnElement[bool]] = []
    if wanted.user_id is not None:
        one = sa.select(users.c.id).where(scope.has_public_id(users, wanted.user_id))
        found.append(number.voice_user_id.in_(one) | number.sms_user_id.in_(one))
    if wanted.free_for is not None:  # R20: a service needs the capability, and a number serves one user for it
        found += [number[wanted.free_for], number[f"{wanted.free_for}_user_id"].is_(None)]
    return found


def _in_country(country: str) -> sa.ColumnElement[bool]:
    """A calling code is the beginning of the number; anything else is a region."""
    digits = country.lstrip("+")
    if digits.isdigit() and digits != "001":
        return _begins_with(digits)
    return phone_numbers.c.country == country.upper()


def _begins_with(digits: str) -> sa.ColumnElement[bool]:
    """Numbers of any length that begin with the digits: ranges of the primary key, so no scan."""
    if not digits or digits.startswith("0") or len(digits) > LONGEST:
        return sa.false()
    spans = (10**rest for rest in range(LONGEST - len(digits) + 1))
    first = int(digits)
    return sa.or_(*(phone_numbers.c.e164.between(first * span, (first + 1) * span - 1) for span in spans))


def _with_tenants(connection: sa.Connection, rows: Sequence[sa.Row[Any]]) -> list[NumberView]:
    ids = {row.holder_id for row in rows} | {row.uploader_id for row in rows}
    known = scope.tenants_by_id(connection, sorted(ids)) if ids else {}
    return [NumberView(row, known[row.holder_id], known[row.uploader_id]) for row in rows]
