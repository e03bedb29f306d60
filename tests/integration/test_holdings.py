"""Lists find numbers by the kinds that tenants hold: none may be missing, whoever writes, and whatever becomes of it.

After each test, `tests.support.servers.databases` checks that no number of an unknown kind is left.
"""

from __future__ import annotations

import threading
from typing import NamedTuple

import numpy as np
import psycopg
import pytest
import sqlalchemy as sa

from schemas.database.tables import holdings
from schemas.permissions import TenantKind
from tests.support import factories
from tests.support.api_client import Door
from tests.support.factories import World
from tests.support.files import sheets
from tests.support.servers import databases
from worker.database.engine import transaction
from worker.numbers import inventory

FIRST = 12125550000


class Holding(NamedTuple):
    """A row of `holdings`."""

    holder_id: int
    uploader_id: int
    voice_carrier_id: int
    sms_carrier_id: int
    voice: bool
    sms: bool
    fax: bool
    is_unassigned: bool


def held(engine: sa.Engine) -> set[Holding]:
    with engine.connect() as connection:
        return {Holding(*row) for row in connection.execute(sa.select(holdings))}


def kind(world: World, *, sms: bool = False) -> Holding:
    return Holding(world.north.id, world.north.id, 0, 0, voice=True, sms=sms, fax=False, is_unassigned=True)


def test_what_lists_would_lack_is_noticed(database: sa.Engine, world: World) -> None:
    with database.begin() as connection:
        factories.number(connection, FIRST, world.north.tenant)
        assert databases.forgotten(connection) == 0
        connection.execute(sa.text("UPDATE phone_numbers SET fax = true"))
        assert databases.forgotten(connection) == 1
        connection.execute(sa.text("UPDATE phone_numbers SET holder_id = :id"), {"id": world.clinic.id})
        assert databases.forgotten(connection) == 1
        connection.execute(sa.text(databases.NOTE_HOLDINGS))
        assert databases.forgotten(connection) == 0


@pytest.mark.long
def test_every_kind_that_a_number_was_of_is_known(api: Door, world: World, database: sa.Engine) -> None:
    """Also the one from before, which a number may come back to; each once."""
    api.upload(sheets.csv_bytes(sheets.rows(2)))
    voice, sms = world.carriers["Master Voice"], world.carriers["Master SMS"]
    uploaded = kind(world)._replace(voice_carrier_id=voice)
    assert held(database) == {uploaded}
    api.act("capability-changes", {"numbers": [f"+{FIRST}"], "sms": True})
    with_sms = uploaded._replace(sms=True, sms_carrier_id=sms)
    assert held(database) == {uploaded, with_sms}
    api.act("assignments", {"numbers": [f"+{FIRST}"], "tenant_id": world.clinic.tenant.public_id})
    assigned = with_sms._replace(holder_id=world.clinic.id, is_unassigned=False)
    assert held(database) == {uploaded, with_sms, assigned}
    api.act("deletions", {"numbers": [f"+{FIRST + 1}"]})
    assert held(database) == {uploaded, with_sms, assigned}


@pytest.mark.parametrize("ends", ["commit", "rollback"])
def test_who_notes_the_same_waits_for_how_the_other_ends(database: sa.Engine, world: World, ends: str) -> None:
    """Two chunks with the first numbers of a kind: that one is not written after all must not lose the other's."""

    def second() -> None:
        with transaction() as connection:
            inventory.note_holdings(connection, {kind(world), kind(world, sms=True)})

    with database.connect() as first, first.begin() as begun:
        inventory.note_holdings(first, {kind(world, sms=True)})
        waiting = threading.Thread(target=second)
        waiting.start()
        waiting.join(0.5)
        assert waiting.is_alive(), "the first may yet be undone"
        getattr(begun, ends)()
        waiting.join(20)
    assert held(database) == {kind(world), kind(world, sms=True)}


def test_two_who_note_many_do_not_wait_for_each_other(database: sa.Engine, world: World) -> None:
    """In ascending order, however they come."""
    kinds = [kind(world)._replace(voice_carrier_id=place) for place in range(3_000)]
    failed: list[BaseException] = []

    def note(order: int) -> None:
        try:
            for begin in range(0, 3_000, 300):
                with transaction() as connection:
                    inventory.note_holdings(connection, kinds[begin : begin + 300][::order])
        except psycopg.Error as error:
            failed.append(error)

    threads = [threading.Thread(target=note, args=(order,)) for order in (1, -1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not failed
    assert held(database) == set(kinds)


def test_a_tenant_that_once_held_numbers_can_be_deleted(api: Door, world: World, database: sa.Engine) -> None:
    with database.begin() as connection:
        made = factories.tenant(connection, world.north.tenant, TenantKind.ENTERPRISE)
        factories.number(connection, FIRST, made, uploader_id=world.north.id)
        inventory.delete(connection, np.array([FIRST]))
    assert {one.holder_id for one in held(database)} == {made.id}
    path, headers = f"/v1/tenants/{made.public_id}", {"Authorization": f"Bearer {api.token}"}
    assert api.client.delete(path, headers=headers).status_code == 204
    assert held(database) == set()
