"""Number filters: as requested, and resolved for the actor (R3).

Names and public ids are resolved here once; `worker.numbers.search` finds the matching numbers fast.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa

from schemas.database.tables import carriers, phone_numbers, tenants, users
from schemas.permissions import Actor, TenantKind
from worker.database import tenant_scope
from worker.numbers import occupied_ranges, times
from worker.numbers.index_groups import Lines, seen_by
from worker.phone import e164_ranges, region
from worker.phone.e164_ranges import EVERY, Span

NOBODYS = -1  # a carrier id that no number has
MOST_USERS = 5_000  # whose numbers are found by the users' ids; the numbers of more users are scanned


@dataclass(frozen=True)
class NumberFilter:
    """A filter as requested; a field that is None does not filter. `q` is the typed text.

    `tenant_id` is the holder, `uploaded_by` the uploader, `user_id` the user of the numbers, all as public ids.
    `ends_with`: the last digits. `user_kind`: the kind ("pbx", "trunk") of a user who has the number. `updated_since`:
    a time with zone (`times.updated_since`).
    """

    q: str | None = None
    status: str | None = None
    capability: str | None = None
    country: str | None = None
    carrier: str | None = None
    tenant_id: str | None = None
    user_id: str | None = None
    uploaded_by: str | None = None
    free_for: str | None = None
    ends_with: str | None = None
    user_kind: str | None = None
    updated_since: datetime | None = None


@dataclass(frozen=True)
class ResolvedFilter:
    """A resolved filter. If `spans` or `users` is empty, no number matches; None does not filter.

    `lines`: the allowed pairs of holder and uploader; None stands for all numbers, for the master only. `uploaders`:
    the allowed uploaders. `region`: the country of the numbers. `ends_with`: their last digits. `users_where`: a
    condition that a user of the number meets, for users who are too many to list; `some_users`: some of them.
    """

    lines: Lines | None
    spans: Sequence[Span]
    is_unassigned: bool | None = None
    capability: str | None = None
    region: str | None = None
    carriers: Sequence[int] | None = None
    users: Sequence[int] | None = None
    uploaders: Sequence[int] | None = None
    free_for: str | None = None
    ends_with: str | None = None
    users_where: sa.ColumnElement[bool] | None = None
    some_users: Sequence[int] = ()
    updated_since: datetime | None = None

    @property
    def is_scanned(self) -> bool:
        """Return whether no index finds the numbers, so that a search has to be bounded (`bounded_search`)."""
        return any(each is not None for each in (self.ends_with, self.users_where, self.updated_since))

    def indexed(self) -> ResolvedFilter:
        """Return the same filter without the conditions that no index serves."""
        return replace(self, ends_with=None, users_where=None, some_users=(), updated_since=None)

    def beyond(self, e164: int | None) -> ResolvedFilter:
        """Return the same filter, limited to numbers above `e164`; None does not limit it."""
        return self if e164 is None else replace(self, spans=e164_ranges.common(self.spans, [(e164 + 1, EVERY[1])]))

    def conditions(self, *, by_kind: bool = False) -> list[sa.ColumnElement[bool]]:
        """Return the SQL conditions on a number, except for those on its holder, its status and its range.

        `by_kind`: for numbers found by their kind; return all conditions that the kind does not guarantee.
        """
        number = phone_numbers.c
        conditions: list[sa.ColumnElement[bool]] = []
        if self.capability is not None and not by_kind:
            conditions.append(number[self.capability])
        if self.uploaders is not None and by_kind:
            conditions.append(number.uploader_id.in_(self.uploaders))
        if self.carriers is not None:
            conditions.append(number.voice_carrier_id.in_(self.carriers) | number.sms_carrier_id.in_(self.carriers))
        if self.free_for is not None:  # R20: a service needs the capability, and a number serves one user for it
            conditions += [number[self.free_for], number[f"{self.free_for}_user_id"].is_(None)]
        if self.ends_with is not None:
            conditions += _ends_with(number.e164, self.ends_with)
        if self.users_where is not None:
            conditions.append(_has_user(self.users_where))
        if self.updated_since is not None:
            conditions.append(times.updated_since(self.updated_since))
        if self.region is not None:
            conditions.append(
                (_country_of(number.e164) if conditions and not by_kind else number.country) == self.region
            )
        return conditions


def _ends_with(e164: sa.ColumnElement[int], digits: str) -> list[sa.ColumnElement[bool]]:
    """Return the conditions that a number ends with these digits. They may begin with zeros: 49142 isn't 0049142."""
    return [e164 % 10 ** len(digits) == int(digits), e164 >= 10 ** (len(digits) - 1)]


def _has_user(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    number = phone_numbers.c
    either = users.c.id.in_([number.voice_user_id, number.sms_user_id])
    return sa.exists().where(either, condition).correlate(phone_numbers)


def _country_of(e164: sa.ColumnElement[int]) -> sa.ColumnElement[str]:
    """Return the country by a subquery, for numbers that an index-only scan has already matched by other conditions."""
    same = phone_numbers.alias()
    return sa.select(same.c.country).where(same.c.e164 == e164).correlate(phone_numbers).scalar_subquery()


def resolve(connection: sa.Connection, actor: Actor, number_filter: NumberFilter) -> ResolvedFilter:
    """Resolve a filter for an actor: the result matches nothing outside the actor's tree (R3)."""
    uploaders = None if number_filter.uploaded_by is None else _tenant_ids(connection, number_filter.uploaded_by)
    lines = _lines(actor, number_filter, uploaders)
    user_ids, users_where, some_users = _users(connection, actor, number_filter)
    status = number_filter.status if users_where is None else number_filter.status or "assigned"
    return ResolvedFilter(
        lines=lines,
        spans=_spans(connection, actor, number_filter, lines),
        is_unassigned=None if status is None else status == "unassigned",
        capability=number_filter.capability,
        region=None
        if number_filter.country is None or not e164_ranges.is_region(number_filter.country)
        else number_filter.country.upper(),
        carriers=None if number_filter.carrier is None else _carriers(connection, number_filter.carrier),
        users=user_ids,
        uploaders=uploaders,
        free_for=number_filter.free_for,
        ends_with=number_filter.ends_with,
        users_where=users_where,
        some_users=some_users,
        updated_since=number_filter.updated_since,
    )


def _lines(actor: Actor, number_filter: NumberFilter, uploaders: Sequence[int] | None) -> Lines | None:
    everybody = actor.tenant.kind is TenantKind.MASTER_RESELLER
    if everybody and number_filter.tenant_id is None and uploaders is None:
        return None
    below = tenant_scope.below(actor.tenant)
    if number_filter.tenant_id is not None:
        below &= tenant_scope.has_public_id(tenants, number_filter.tenant_id)
    return Lines(below, uploaders)


def _tenant_ids(connection: sa.Connection, public_id: str) -> Sequence[int]:
    """Return the id of a tenant, also above the actor's tree: it may have uploaded numbers that are held below it."""
    return (
        connection.execute(sa.select(tenants.c.id).where(tenant_scope.has_public_id(tenants, public_id)))
        .scalars()
        .all()
    )


def _spans(connection: sa.Connection, actor: Actor, number_filter: NumberFilter, lines: Lines | None) -> Sequence[Span]:
    """Return the ranges that may contain matching numbers: ascending and disjoint."""
    spans: Sequence[Span] = [EVERY]
    if number_filter.country is not None:
        spans = e164_ranges.joined(e164_ranges.of_country(number_filter.country))
    typed = number_filter.q if number_filter.q is not None and number_filter.q.strip() else None
    if typed is None and number_filter.country is None:
        return spans
    groups = seen_by(lines)
    if typed is not None and not e164_ranges.is_international(typed):
        # The digits may be the beginning of a national number in each country that has numbers.
        blocks = occupied_ranges.occupied_spans(connection) if lines is None else _blocks(connection, actor, lines)
        codes = {region.calling_code_of(low) for low, _ in blocks} - {0}
        spans = e164_ranges.common(e164_ranges.common(spans, e164_ranges.typed(typed, codes)), blocks)
        return spans if lines is not None else occupied_ranges.spans_with_numbers(connection, groups, spans)
    if typed is not None:
        spans = e164_ranges.common(spans, e164_ranges.typed(typed, ()))
    if lines is None:
        return occupied_ranges.spans_with_numbers(connection, groups, spans)
    spans = e164_ranges.common(spans, _blocks(connection, actor, lines))
    # Not range by range: with many holders, this would take as long as the search itself.
    return e164_ranges.common(
        spans, occupied_ranges.spans_with_numbers(connection, groups, e164_ranges.by_length(spans))
    )


def _blocks(connection: sa.Connection, actor: Actor, lines: Lines) -> list[Span]:
    """Return the blocks in which the pairs have numbers (`occupied_ranges`)."""
    blocks = occupied_ranges.blocks_of_tree(connection, actor.tenant)
    return occupied_ranges.spans_with_numbers(connection, seen_by(lines), blocks)


def _carriers(connection: sa.Connection, name: str) -> list[int]:
    """Return the ids of all carriers of this name, in any tree.

    An assigned number may have a carrier that its holder cannot choose. An unknown name becomes an id that no number
    has, so that the search still runs: otherwise its time would reveal other tenants' carriers (R3).
    """
    # The database folds both sides, because its lower() differs from Python's.
    has_name = sa.func.lower(carriers.c.name) == sa.func.lower(sa.literal(name, sa.Text))
    return list(connection.execute(sa.select(carriers.c.id).where(has_name)).scalars()) or [NOBODYS]


def _users(
    connection: sa.Connection, actor: Actor, number_filter: NumberFilter
) -> tuple[list[int] | None, sa.ColumnElement[bool] | None, list[int]]:
    """Return the ids of the users whose numbers match; or, if they are too many, a condition on users, and some ids."""
    user_id, kind = number_filter.user_id, number_filter.user_kind
    if user_id is None and kind is None:
        return None, None, []
    conditions = [] if user_id is None else [tenant_scope.has_public_id(users, user_id)]
    conditions += [] if kind is None else [users.c.kind == kind]
    visible = sa.select(users.c.id).where(tenant_scope.users_of(actor.tenant), *conditions).limit(MOST_USERS + 1)
    # As an array: there can be thousands, and rows would take longer than the query.
    listed: Sequence[int] | None = connection.execute(
        sa.select(sa.func.array_agg(visible.subquery().c.id))
    ).scalar_one()
    ids = list(listed or ())
    # The numbers are in the actor's tree, and so are their users.
    return (ids, None, []) if len(ids) <= MOST_USERS else (None, users.c.kind == kind, ids)
