"""Options of drop-downs and searches: tenants, users, carriers and countries (R3, R7).

They have everything within the actor's reach and nothing else. Where a choice is used, it is checked again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import sqlalchemy as sa

from schemas.name_matching import fold
from schemas.permissions import Tenant, TenantKind
from webhook.http import auth
from worker.accounts import tenant_options
from worker.accounts import users as users_seen
from worker.accounts.tenant_options import TenantOption, TenantOptions
from worker.database import tenant_scope
from worker.database.engine import transaction
from worker.numbers import facets
from worker.phone.formatting import country_name

Option = TypeVar("Option")


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
class TenantChoices:
    """The tenants that a field offers: all of them in `choices`, by reseller, then by name, unless `is_many`.

    If there are many, they are looked up when one or some are asked for.
    """

    options: TenantOptions
    choices: Sequence[Choice]
    is_many: bool

    def get(self, public_id: str) -> Choice | None:
        """Return the one with this id, if it is among them."""
        if not self.is_many or not public_id:
            return next((choice for choice in self.choices if choice.id == public_id), None)
        with transaction() as connection:
            found = self.options.find(connection, public_id)
        return None if found is None else _tenant_choice(self.options.actor, found)

    def matching(self, text: str) -> list[Choice]:
        """Return those that typed text means, as the function `matching` does."""
        if not self.is_many:
            return matching(self.choices, text)
        with transaction() as connection:
            return _tenants_matching(connection, self.options, text)


@dataclass(frozen=True)
class Offered:
    """The options of the inventory's filters."""

    tenants: TenantChoices
    users: Sequence[Choice]
    carriers: Sequence[tuple[str, str]]
    countries: Sequence[Choice]


def offered(most: int) -> Offered:
    """Return the options of all filters, with at most `most` users, and tenants if there are no more than that.

    Carriers are those that numbers visible to the actor may have; countries are those of the numbers visible to it.
    """
    with transaction() as connection:
        return Offered(
            _tenants(connection, TenantOptions(auth.actor().tenant), most),
            _users(connection, "", most),
            [(name, name) for name in _carriers_seen(connection)],
            _countries(connection),
        )


def tenants(most: int, *, own: bool = True, kind: TenantKind | None = None) -> TenantChoices:
    """Return the tenants below the actor's, and its own if `own`; of one `kind` if set. Many if more than `most`."""
    with transaction() as connection:
        return _tenants(connection, TenantOptions(auth.actor().tenant, own, kind), most)


def tenants_matching(text: str) -> list[Choice]:
    """Return the tenants, the actor's own included, that typed text means, as `matching` does."""
    with transaction() as connection:
        return _tenants_matching(connection, TenantOptions(auth.actor().tenant), text)


def tenant_names(public_ids: Iterable[str]) -> dict[str, str]:
    """Return the names of those of these tenants that the actor sees, by id."""
    with transaction() as connection:
        return tenant_options.names(connection, auth.actor().tenant, public_ids)


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
    return _matching([(choice.label, choice.name, choice) for choice in choices], text)


def _matching(labelled: Sequence[tuple[str, str, Option]], text: str) -> list[Option]:
    """Return the options that typed text means. Each comes with its label and its name."""
    folded = fold(text)
    labels = [fold(label) for label, _, _ in labelled]
    exact = [option for label, (_, _, option) in zip(labels, labelled, strict=True) if label == folded] or [
        option for _, name, option in labelled if fold(name) == folded
    ]
    return exact or [option for label, (_, _, option) in zip(labels, labelled, strict=True) if folded in label]


def _by_name(names: Iterable[str]) -> list[str]:
    return sorted(set(names), key=fold)


def _carriers_seen(connection: sa.Connection) -> list[str]:
    services = ("voice", "sms")
    return _by_name(name for service in services for name in facets.carrier_names(connection, auth.actor(), service))


def _countries(connection: sa.Connection) -> list[Choice]:
    regions = facets.countries(connection, auth.actor())
    return sorted((Choice(region, country_name(region)) for region in regions), key=lambda choice: fold(choice.name))


def _tenants(connection: sa.Connection, options: TenantOptions, most: int) -> TenantChoices:
    few = options.first(connection, most + 1)
    is_many = len(few) > most
    return TenantChoices(options, [] if is_many else _tenant_choices(options.actor, few), is_many)


def _tenants_matching(connection: sa.Connection, options: TenantOptions, text: str) -> list[Choice]:
    """Compare all names here, because the database folds case differently. Only those that match become choices."""
    labelled = [
        (f"{option.name} ({more})" if (more := _more(options.actor, option)) else option.name, option.name, option)
        for option in options.every(connection)
    ]
    return _tenant_choices(options.actor, _matching(labelled, text))


def _tenant_choices(actor: Tenant, options: Iterable[TenantOption]) -> list[Choice]:
    return sorted(
        (_tenant_choice(actor, option) for option in options),
        key=lambda choice: (choice.group != "", choice.group != "Resellers", fold(choice.group), fold(choice.name)),
    )


def _tenant_choice(actor: Tenant, option: TenantOption) -> Choice:
    more = _more(actor, option)
    if option.kind == TenantKind.RESELLER and option.id != actor.id:
        group = "Resellers"
    else:
        group = f"Enterprises of {more}" if more else ""
    return Choice(option.public_id, option.name, group, more)


def _more(actor: Tenant, option: TenantOption) -> str:
    """Return the name of the reseller of an enterprise that is another reseller's; else ""."""
    is_shown_alone = option.kind == TenantKind.RESELLER or actor.id in {option.id, option.parent_id}
    return "" if is_shown_alone else option.parent or ""


def _users(connection: sa.Connection, q: str, most: int) -> list[Choice]:
    rows = facets.users_named(connection, auth.actor(), q, most)
    return [Choice(row.public_id, row.name, more=row.email) for row in rows]
