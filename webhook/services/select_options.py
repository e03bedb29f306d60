"""What can be chosen from: tenants, users, carriers and countries, as drop-downs and searches show them (R3, R7).

All of the actor's reach and nothing else; what is chosen is judged where it is used.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from schemas.names import fold
from schemas.permissions import TenantKind
from webhook.http import auth
from worker.accounts import users as users_seen
from worker.database import tenant_scope
from worker.database.engine import transaction
from worker.numbers import facets
from worker.phone.formatting import country_name


@dataclass(frozen=True)
class Choice:
    """One of several: what is sent, what is read, and under which heading it stands ("" for none).

    `more` tells those apart that have one name: a tenant's reseller, a user's e-mail address.
    """

    id: str
    name: str
    group: str = ""
    more: str = ""

    @property
    def label(self) -> str:
        """The name, with what tells it apart."""
        return f"{self.name} ({self.more})" if self.more else self.name


@dataclass(frozen=True)
class Offered:
    """What the filters over the inventory offer: as drop-downs take them."""

    tenants: Sequence[Choice]
    users: Sequence[Choice]
    carriers: Sequence[tuple[str, str]]
    countries: Sequence[tuple[str, str]]


def offered(most_users: int) -> Offered:
    """All of it at once; of the users the first so many.

    Carriers are those that numbers which the actor sees may have, countries those that it has numbers of.
    """
    actor = auth.actor()
    with transaction() as connection:
        named = [facets.carrier_names(connection, actor, service) for service in ("voice", "sms")]
        regions = facets.countries(connection, actor)
        return Offered(
            _tenants(connection, own=True, kind=None),
            _users(connection, "", most_users),
            [(name, name) for name in _by_name(name for names in named for name in names)],
            sorted(((region, country_name(region)) for region in regions), key=lambda pair: fold(pair[1])),
        )


def tenants(*, own: bool = True, kind: TenantKind | None = None) -> list[Choice]:
    """The actor's own tenant, if wanted, and those below it, of one kind if that is told: by reseller, then by name."""
    with transaction() as connection:
        return _tenants(connection, own=own, kind=kind)


def users(q: str = "", most: int = 50) -> list[Choice]:
    """The first users by name, of those whose name or address begins with `q`."""
    with transaction() as connection:
        return _users(connection, q, most)


def user(public_id: str) -> Choice | None:
    """The user of this id, if the actor sees one."""
    with transaction() as connection:
        view = users_seen.one(connection, auth.actor(), public_id)
    return None if view is None else Choice(view.row.public_id, view.row.name, more=view.row.email)


def carriers(service: str) -> list[str]:
    """Names of the carriers ("voice" or "sms") that the actor may use (R7)."""
    with transaction() as connection:
        found = tenant_scope.carriers_of(connection, auth.actor().tenant, service)
    return _by_name(name for name, _ in found)


def matching(choices: Iterable[Choice], text: str) -> list[Choice]:
    """Those that are meant by what somebody typed: the one of that label or name, else all that contain it."""
    wanted, every = fold(text), list(choices)
    exact = [one for one in every if fold(one.label) == wanted] or [one for one in every if fold(one.name) == wanted]
    return exact or [one for one in every if wanted in fold(one.label)]


def _by_name(names: Iterable[str]) -> list[str]:
    return sorted(set(names), key=fold)


def _tenants(connection: sa.Connection, *, own: bool, kind: TenantKind | None) -> list[Choice]:
    actor = auth.actor().tenant
    known = tenant_scope.tenants_below(connection, actor)
    found = []
    for tenant in known.values():
        if kind is not None and tenant.kind is not kind:
            continue
        above = known.get(tenant.path[-2]) if len(tenant.path) > 1 else None
        if tenant.id == actor.id:
            found += [Choice(tenant.public_id, tenant.name)] if own else []
        elif tenant.kind is TenantKind.RESELLER:
            found.append(Choice(tenant.public_id, tenant.name, "Resellers"))
        elif above is None or above.id == actor.id:
            found.append(Choice(tenant.public_id, tenant.name))
        else:
            found.append(Choice(tenant.public_id, tenant.name, f"Enterprises of {above.name}", above.name))
    return sorted(found, key=lambda one: (one.group != "", one.group != "Resellers", fold(one.group), fold(one.name)))


def _users(connection: sa.Connection, q: str, most: int) -> list[Choice]:
    found = facets.users_named(connection, auth.actor(), q, most)
    return [Choice(row.public_id, row.name, more=row.email) for row in found]
