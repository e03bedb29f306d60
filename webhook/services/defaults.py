"""Default carriers of a tenant as they can be chosen: its own, what would hold without one, and what there is (R7)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from schemas.names import fold
from schemas.permissions import Tenant
from webhook.services.tenants import find
from worker.database import tenant_scope
from worker.database.engine import transaction

SERVICES = ("voice", "sms")


@dataclass(frozen=True)
class Choice:
    """What may be a tenant's default for a service: names it can use, and the one that its parent's level gives it.

    A name that two levels bear is not among them: choosing it would be a guess (`schemas.names.unambiguous`).
    """

    names: tuple[str, ...]
    inherited: str | None

    def pairs(self, own: str | None) -> list[tuple[str, str]]:
        """The names as a drop-down takes them, with the one that is chosen now, clear or not."""
        names = self.names if own is None or own in self.names else (own, *self.names)
        return [(name, name) for name in names]


def choices(tenant_id: str) -> Mapping[str, Choice]:
    """By service, "voice" and "sms": what the tenant of this id (or the actor's own, `tenants.ME`) can choose from."""
    with transaction() as connection:
        tenant = find(connection, tenant_id)
        above = _inherited(tenant, tenant_scope.default_carriers(connection, [tenant.id]))
        inherited = tenant_scope.carrier_names(connection, above)
        found = {service: tenant_scope.carriers_of(connection, tenant, service) for service in SERVICES}
    return {
        service: Choice(_clear([name for name, _ in found[service]]), inherited.get(carrier))
        for service, carrier in zip(SERVICES, above, strict=True)
    }


def _inherited(tenant: Tenant, holds: Mapping[int, tuple[int, int]]) -> tuple[int, int]:
    return holds.get(tenant.path[-2], (0, 0)) if len(tenant.path) > 1 else (0, 0)


def _clear(names: list[str]) -> tuple[str, ...]:
    times = Counter(map(fold, names))
    return tuple(sorted((name for name in names if times[fold(name)] == 1), key=fold))
