"""What can be chosen from: tenants, users, carriers and countries, as drop-downs and searches show them (R3, R7).

All of the actor's reach and nothing else; what is chosen is judged where it is used.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from schemas.names import fold
from schemas.permissions import TenantKind
from schemas.phone.readable import COUNTRIES
from webhook import auth
from worker.infra import carriers as carrier_views
from worker.infra import scope
from worker.infra import users as user_views
from worker.infra.db import transaction

_MOST_CARRIERS = 1000


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


def tenants(*, own: bool = True, kind: TenantKind | None = None) -> list[Choice]:
    """The actor's own tenant, if wanted, and those below it, of one kind if that is told: by reseller, then by name."""
    actor = auth.actor().tenant
    with transaction() as connection:
        known = scope.tenants_below(connection, actor)
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


def users(q: str | None = None, most: int = 50) -> list[Choice]:
    """The first users by name, of those whose name or address begins with `q`."""
    actor = auth.actor()
    with transaction() as connection:
        found = user_views.names(connection, actor, q or None, most)
    is_one = actor.tenant.kind is TenantKind.ENTERPRISE
    choices = [Choice(row.public_id, row.name, "" if is_one else row.tenant, row.email) for row in found]
    return sorted(choices, key=lambda one: (fold(one.group), fold(one.name)))


def carriers(service: str) -> list[str]:
    """Names of the carriers ("voice" or "sms") that the actor may use (R7)."""
    with transaction() as connection:
        found = scope.carriers_of(connection, auth.actor().tenant, service)
    return _by_name(name for name, _ in found)


def carriers_seen() -> list[str]:
    """Names of the carriers that the numbers which the actor sees may have, of both services."""
    with transaction() as connection:
        found = carrier_views.page(connection, auth.actor(), None, _MOST_CARRIERS)
    return _by_name(view.row.name for view in found)


def countries() -> list[tuple[str, str]]:
    """(region, name) by name."""
    return sorted(COUNTRIES.items(), key=lambda pair: fold(pair[1]))


def matching(choices: Iterable[Choice], text: str) -> list[Choice]:
    """Those that are meant by what somebody typed: the one of that label or name, else all that contain it."""
    wanted, every = fold(text), list(choices)
    exact = [one for one in every if fold(one.label) == wanted] or [one for one in every if fold(one.name) == wanted]
    return exact or [one for one in every if wanted in fold(one.label)]


def _by_name(names: Iterable[str]) -> list[str]:
    return sorted(set(names), key=fold)
