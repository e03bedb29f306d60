"""The choice of a tenant's default carriers: its own, the inherited one, and the carriers available (R7)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from schemas.name_matching import fold
from schemas.permissions import Tenant
from webhook.services.tenants import find
from worker.database import tenant_scope
from worker.database.engine import transaction

SERVICES = ("voice", "sms")


@dataclass(frozen=True)
class Choice:
    """The possible defaults of a tenant for a service: carrier names that it can use, and the inherited default.

    A name that carriers of two levels share is left out: choosing it would be a guess (see `schemas.name_matching`).
    """

    names: tuple[str, ...]
    inherited: str | None

    def pairs(self, own: str | None) -> list[tuple[str, str]]:
        """Return the names as drop-down options, always including the current default."""
        names = self.names if own is None or own in self.names else (own, *self.names)
        return [(name, name) for name in names]


def choices(tenant_id: str) -> Mapping[str, Choice]:
    """Return what a tenant (`tenants.ME`: the actor's own) can choose, by service, "voice" and "sms"."""
    with transaction() as connection:
        tenant = find(connection, tenant_id)
        above = _inherited(tenant, tenant_scope.default_carriers(connection, [tenant.id]))
        inherited = tenant_scope.carrier_names(connection, above)
        carriers_by_service = {service: tenant_scope.carriers_of(connection, tenant, service) for service in SERVICES}
    return {
        service: Choice(_clear([name for name, _ in carriers_by_service[service]]), inherited.get(carrier))
        for service, carrier in zip(SERVICES, above, strict=True)
    }


def _inherited(tenant: Tenant, holds: Mapping[int, tuple[int, int]]) -> tuple[int, int]:
    return holds.get(tenant.path[-2], (0, 0)) if len(tenant.path) > 1 else (0, 0)


def _clear(names: list[str]) -> tuple[str, ...]:
    times = Counter(map(fold, names))
    return tuple(sorted((name for name in names if times[fold(name)] == 1), key=fold))
