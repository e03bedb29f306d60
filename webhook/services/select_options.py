"""Options of drop-downs and searches: tenants, users, carriers and countries (R3, R7).

They have everything within the actor's reach and nothing else. Where a choice is used, it is checked again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from schemas.name_matching import fold
from schemas.permissions import TenantKind
from webhook.http import auth
from worker.accounts import users as users_seen
from worker.database import tenant_scope
from worker.database.engine import transaction
from worker.numbers import facets
from worker.phone.formatting import country_name


@dataclass(frozen=True)
class Choice:
    """An option: the id that is sent, the name that is shown, and the heading that it is under ("" for none).

    `more` distinguishes options of the same name: a tenant's reseller, a user's e-mail address.
    """

    id: str
    name: str
    group: str = ""
    more: str = ""

    @property
    def label(self) -> str:
        """Return the name, with `more` if there is any."""
        return f"{self.name} ({self.more})" if self.more else self.name


@dataclass(frozen=True)
class Offered:
    """The options of the inventory's filters."""

    tenants: Sequence[Choice]
    users: Sequence[Choice]
    carriers: Sequence[tuple[str, str]]
    countries: Sequence[Choice]


def offered(most_users: int) -> Offered:
    """Return the options of all filters, with at most `most_users` users.

    Carriers are those that numbers visible to the actor may have; countries are those of the numbers visible to it.
    """
    with transaction() as connection:
        return Offered(
            _tenants(connection, own=True, kind=None),
            _users(connection, "", most_users),
            [(name, name) for name in _carriers_seen(connection)],
            _countries(connection),
        )


def tenants(*, own: bool = True, kind: TenantKind | None = None) -> list[Choice]:
    """Return the tenants below the actor's, and its own if `own`; of one `kind` if set. By reseller, then by name."""
    with transaction() as connection:
        return _tenants(connection, own=own, kind=kind)


def users(q: str = "", most: int = 50) -> list[Choice]:
    """Return the first users by name whose name or e-mail address begins with `q`."""
    with transaction() as connection:
        return _users(connection, q, most)


def user(public_id: str) -> Choice | None:
    """Return the user with this id, if the actor sees it."""
    with transaction() as connection:
        view = users_seen.get(connection, auth.actor(), public_id)
    return None if view is None else Choice(view.row.public_id, view.row.name, more=view.row.email)


def carriers(service: str) -> list[str]:
    """Return the names of the carriers ("voice" or "sms") that the actor may use (R7)."""
    with transaction() as connection:
        rows = tenant_scope.carriers_of(connection, auth.actor().tenant, service)
    return _by_name(name for name, _ in rows)


def carrier_choices(service: str) -> list[Choice]:
    """Return the carriers ("voice" or "sms") that the actor may use, by name."""
    return [Choice(name, name) for name in carriers(service)]


def carriers_seen() -> list[Choice]:
    """Return the carriers that numbers visible to the actor may have, by name."""
    with transaction() as connection:
        return [Choice(name, name) for name in _carriers_seen(connection)]


def countries() -> list[Choice]:
    """Return the countries of the numbers visible to the actor, by name; the ids are regions ("US")."""
    with transaction() as connection:
        return _countries(connection)


def matching(choices: Iterable[Choice], text: str) -> list[Choice]:
    """Return the choices that typed text means: the one with that label or name, else all that contain it."""
    folded, every = fold(text), list(choices)
    exact = [choice for choice in every if fold(choice.label) == folded] or [
        choice for choice in every if fold(choice.name) == folded
    ]
    return exact or [choice for choice in every if folded in fold(choice.label)]


def _by_name(names: Iterable[str]) -> list[str]:
    return sorted(set(names), key=fold)


def _carriers_seen(connection: sa.Connection) -> list[str]:
    services = ("voice", "sms")
    return _by_name(name for service in services for name in facets.carrier_names(connection, auth.actor(), service))


def _countries(connection: sa.Connection) -> list[Choice]:
    regions = facets.countries(connection, auth.actor())
    return sorted((Choice(region, country_name(region)) for region in regions), key=lambda choice: fold(choice.name))


def _tenants(connection: sa.Connection, *, own: bool, kind: TenantKind | None) -> list[Choice]:
    actor = auth.actor().tenant
    tenants_by_id = tenant_scope.tenants_below(connection, actor)
    choices = []
    for tenant in tenants_by_id.values():
        if kind is not None and tenant.kind is not kind:
            continue
        above = tenants_by_id.get(tenant.path[-2]) if len(tenant.path) > 1 else None
        if tenant.id == actor.id:
            choices += [Choice(tenant.public_id, tenant.name)] if own else []
        elif tenant.kind is TenantKind.RESELLER:
            choices.append(Choice(tenant.public_id, tenant.name, "Resellers"))
        elif above is None or above.id == actor.id:
            choices.append(Choice(tenant.public_id, tenant.name))
        else:
            choices.append(Choice(tenant.public_id, tenant.name, f"Enterprises of {above.name}", above.name))
    return sorted(
        choices,
        key=lambda choice: (choice.group != "", choice.group != "Resellers", fold(choice.group), fold(choice.name)),
    )


def _users(connection: sa.Connection, q: str, most: int) -> list[Choice]:
    rows = facets.users_named(connection, auth.actor(), q, most)
    return [Choice(row.public_id, row.name, more=row.email) for row in rows]
