"""A number in every state of `tests.support.permission_matrix`, and what the actions of the API are sent as."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from schemas.database import tables
from tests.support import factories
from tests.support.factories import World
from tests.support.permission_matrix import STATES

NUMBERS = {state: 12125550100 + place for place, state in enumerate(STATES)}
# Who uploaded, who holds, and for what a user of the clinic has it.
STANDS: dict[str, tuple[str, str, str]] = {
    "free at master": ("master", "master", ""),
    "master's at reseller": ("master", "north", ""),
    "master's at enterprise": ("master", "clinic", ""),
    "free at reseller": ("north", "north", ""),
    "at enterprise": ("north", "clinic", ""),
    "user: voice": ("north", "clinic", "voice"),
    "user: SMS": ("north", "clinic", "sms"),
    "user: both": ("north", "clinic", "voice sms"),
    "external": ("clinic", "clinic", ""),
    "external, user": ("clinic", "clinic", "voice"),
}
LISTED = [f"+{number}" for number in NUMBERS.values()]
ACTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "assign to reseller": ("assignments", {"tenant_id": "north"}),
    "assign to enterprise": ("assignments", {"tenant_id": "hotel"}),
    "give voice": ("assignments", {"user_id": "other", "service": "forwarded"}),
    "give SMS": ("assignments", {"user_id": "other", "service": "sms"}),
    "unassign": ("unassignments", {}),
    "unassign voice": ("unassignments", {"service": "voice"}),
    "unassign SMS": ("unassignments", {"service": "sms"}),
    "fax on": ("capability-changes", {"fax": True}),
    "voice off": ("capability-changes", {"voice": False}),
    "SMS off": ("capability-changes", {"sms": False}),
    "carrier": ("capability-changes", {"voice_carrier": "Spare Voice"}),
    "delete": ("deletions", {}),
}


def stand(world: World, database: sa.Engine) -> str:
    """Has a number stand in every state; answers the public id of a user of the clinic who has none."""
    with database.begin() as connection:
        factories.carrier(connection, world.master.tenant, "voice", "Spare Voice")
        has, free = (
            factories.user(connection, world.clinic.tenant, "trunk", sms_enabled=True, name=name)
            for name in ("has", "free")
        )
        for state, (uploader, holder, services) in STANDS.items():
            factories.number(
                connection,
                NUMBERS[state],
                getattr(world, holder).tenant,
                uploader_id=getattr(world, uploader).id,
                sms=True,
                voice_carrier_id=world.carriers["Master Voice"],
                sms_carrier_id=world.carriers["Master SMS"],
                voice_user_id=has if "voice" in services else None,
                voice_forwarded="voice" in services,
                sms_user_id=has if "sms" in services else None,
            )
        return factories.public_id(connection, tables.users, free)


def stock_of(database: sa.Engine) -> Callable[[], dict[int, Any]]:
    """Looks at the whole inventory, number by number."""

    def read_numbers() -> dict[int, Any]:
        with database.begin() as connection:
            return {row.e164: row for row in connection.execute(sa.select(tables.phone_numbers))}

    return read_numbers
