"""The options of the inventory's filters for an actor: countries, carriers, users (R3).

All come from indexes in a time that does not grow with the inventory, and contain nothing outside the actor's tree.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from schemas.database.tables import carriers, users
from schemas.permissions import Actor, TenantKind
from worker.database import tenant_scope
from worker.numbers import occupied_ranges
from worker.numbers.index_groups import NUMBER, Groups, Lines, all_numbers, any_within, rows, seen_by
from worker.phone import e164_ranges, region

MOST = 20  # options returned for a typed text


def countries(connection: sa.Connection, actor: Actor) -> list[str]:
    """Return the regions (`phone_numbers.country`) of the numbers that the actor sees, ascending."""
    # Skip ranges in which no tenant has numbers. No input affects this, so it cannot be used for probing (R3).
    all_groups = [all_numbers()]
    blocks = occupied_ranges.blocks_of_tree(connection, actor.tenant)
    names = {name for low, _ in blocks for name in e164_ranges.regions_of(region.calling_code_of(low))}
    places = {name: e164_ranges.common(e164_ranges.joined(e164_ranges.of_country(name)), blocks) for name in names}
    inhabited = set(
        occupied_ranges.spans_with_numbers(
            connection, all_groups, sorted({span for spans in places.values() for span in spans})
        )
    )
    spans_of_countries = [(name, *span) for name, spans in places.items() for span in spans if span in inhabited]
    if not spans_of_countries:
        return []
    countries_table = rows(
        sa.BigInteger, **dict(zip(("name", "low", "high"), zip(*spans_of_countries, strict=True), strict=True))
    )
    groups = [group.narrowed([NUMBER.country == countries_table.c.name]) for group in _visible_groups(actor)]
    some = any_within(groups, (countries_table.c.low, countries_table.c.high)).lateral()
    query = (
        sa.select(countries_table.c.name)
        .select_from(countries_table.join(some, sa.true()))
        .distinct()
        .order_by(countries_table.c.name)
    )
    return list(connection.execute(query).scalars())


def carrier_names(connection: sa.Connection, actor: Actor, service: str) -> list[str]:
    """Return the distinct names of the carriers of a service ("voice", "sms") that the actor sees, ascending (R7)."""
    query = sa.select(carriers.c.name).where(tenant_scope.carriers_seen(actor.tenant), carriers.c.service == service)
    return list(connection.execute(query.distinct().order_by(carriers.c.name)).scalars())


def users_named(connection: sa.Connection, actor: Actor, typed: str = "", most: int = MOST) -> Sequence[sa.Row[Any]]:
    """Return the actor's users whose name or e-mail address begins with the text: public_id, name, email; by name."""
    shown = (users.c.public_id, users.c.name, users.c.email)
    visible = tenant_scope.users_of(actor.tenant)
    begin = typed.strip().lower()
    # Each order is that of an index, so neither query reads more rows than it returns.
    parts = [
        sa.select(*shown)
        .where(visible, sa.func.lower(column).startswith(begin, autoescape=True))
        .order_by(sa.text(f"lower(users.{column.name}) USING ~<~"))
        .limit(most)
        for column in (users.c.name, users.c.email)
    ]
    matches = sa.union(*(sa.select(part.subquery()) for part in parts)).subquery()
    return connection.execute(
        sa.select(matches).order_by(sa.func.lower(matches.c.name), matches.c.email).limit(most)
    ).all()


def _visible_groups(actor: Actor) -> list[Groups]:
    if actor.tenant.kind is TenantKind.MASTER_RESELLER:
        return seen_by(None)
    return seen_by(Lines(tenant_scope.below(actor.tenant)))
