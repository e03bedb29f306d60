"""The calling codes of a tenant's tree, in which numbers without a country are read (R14c), outlive its numbers."""

from __future__ import annotations

import threading
import timeit
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import sqlalchemy as sa
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

from schemas.arrow_schemas import STATE
from schemas.database.tables import tenant_countries
from schemas.permissions import TenantKind
from tests.support import factories
from tests.support.api_client import Door
from tests.support.factories import Account, World
from tests.support.files import sheets
from tests.support.servers import databases
from worker.database.engine import transaction
from worker.numbers import inventory, tree_countries
from worker.stages import write
from worker.stages.resolving.model import Numbers

US, HU, GB, CI = 12125550100, 3615550100, 442079460044, 2250123456789


def noted(database: sa.Engine) -> set[tuple[int, int]]:
    with database.connect() as connection:
        return {(row.tenant_id, row.calling_code) for row in connection.execute(sa.select(tenant_countries))}


def above(account: Account, *codes: int) -> set[tuple[int, int]]:
    """What is noted of numbers that an account holds: for itself and every level above."""
    return {(tenant_id, code) for tenant_id in account.tenant.path for code in codes}


@pytest.fixture
def tree(database: sa.Engine) -> Callable[[Account], list[int]]:
    """What numbers without a country are read in, for an account."""

    def codes(account: Account) -> list[int]:
        with database.connect() as connection:
            return tree_countries.calling_codes_in_tree(connection, account.tenant)

    return codes


@contextmanager
def statements() -> Iterator[list[str]]:
    """The statements that concern the table, while the block runs."""
    found: list[str] = []

    def see(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        found.extend([statement] if "tenant_countries" in statement else [])

    sa.event.listen(sa.Engine, "before_cursor_execute", see)
    try:
        yield found
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", see)


def upload(api: Door, *rows: tuple[str, str]) -> None:
    lines = [sheets.HEADER, *([country, number, "TRUE", "", ""] for country, number in rows)]
    assert api.upload(sheets.csv_bytes(lines))["status"] == "completed"


@pytest.mark.long
def test_r14c_a_code_stays_when_its_numbers_move_and_go(
    api: Door, world: World, database: sa.Engine, tree: Callable[[Account], list[int]]
) -> None:
    assert tree(world.north) == []
    upload(api, ("1", "2125550100"), ("36", "15550100"))
    assert noted(database) == above(world.north, 1, 36)
    api.act("assignments", {"numbers": [f"+{HU}"], "tenant_id": world.clinic.tenant.public_id})
    assert noted(database) == above(world.north, 1, 36) | above(world.clinic, 36)
    api.act("unassignments", {"numbers": [f"+{HU}"]})
    deleted = api.act("deletions", {"numbers": [f"+{HU}", f"+{US}"]})
    assert deleted["counts"]["deleted"] == 2
    assert (tree(world.north), tree(world.clinic), tree(world.hotel)) == ([1, 36], [36], [])


def test_r14c_the_same_file_finds_the_same_countries_the_second_time(
    api: Door, world: World, tree: Callable[[Account], list[int]]
) -> None:
    upload(api, ("1", "2125550100"), ("36", "15550100"))
    before = tree(world.north)
    api.upload(f"Phone Number\r\n+{US}\r\n".encode(), to="deletions")
    assert tree(world.north) == before == [1, 36]


def test_r3_a_tree_has_no_country_of_another(
    world: World, database: sa.Engine, tree: Callable[[Account], list[int]]
) -> None:
    with database.begin() as connection:
        factories.number(connection, US, world.north.tenant)
        factories.number(connection, HU, world.clinic.tenant)
        factories.number(connection, GB, world.school.tenant, uploader_id=world.south.id)
        factories.number(connection, CI, world.master.tenant)
    found = {name: tree(getattr(world, name)) for name in ("master", "north", "south", "clinic", "hotel", "school")}
    assert found == {
        "master": [1, 36, 44, 225],
        "north": [1, 36],
        "south": [44],
        "clinic": [36],
        "hotel": [],
        "school": [44],
    }


@pytest.mark.long
def test_a_number_that_is_added_with_a_user_counts(
    api: Door, world: World, tree: Callable[[Account], list[int]]
) -> None:
    clinic = api.as_(world.clinic.token)
    made = clinic.post("/v1/users", {"name": "Ada", "email": "a@x.example", "kind": "pbx", "phone_number": f"+{GB}"})
    assert made.status_code == 201, made.get_data(as_text=True)
    api.work_off()
    assert (tree(world.clinic), tree(world.north), tree(world.south)) == ([44], [44], [])


@pytest.mark.long
def test_undo_brings_no_country_that_is_not_known(
    api: Door, world: World, database: sa.Engine, tree: Callable[[Account], list[int]]
) -> None:
    """A number that comes back to where it was, when that was before the table, is noted like any other."""
    upload(api, ("1", "2125550100"))
    job = api.act("deletions", {"numbers": [f"+{US}"]})
    with database.begin() as connection:
        connection.execute(tenant_countries.delete())
    api.done(api.post(f"/v1/jobs/{job['id']}/undo"))
    assert tree(world.north) == [1]


def test_r14c_what_a_deleted_tenant_had_stays_with_the_levels_above(
    api: Door, world: World, database: sa.Engine, tree: Callable[[Account], list[int]]
) -> None:
    with database.begin() as connection:
        made = factories.tenant(connection, world.north.tenant, TenantKind.ENTERPRISE, allow_external_numbers=True)
        factories.number(connection, HU, made)
        inventory.delete(connection, np.array([HU]))
    answer = api.client.delete(f"/v1/tenants/{made.public_id}", headers={"Authorization": f"Bearer {api.token}"})
    assert answer.status_code == 204
    assert noted(database) == above(world.north, 36)
    assert (tree(world.north), tree(world.south)) == ([36], [])


def test_two_who_note_many_do_not_wait_for_each_other(database: sa.Engine, world: World) -> None:
    """In ascending order, however they come, and with the same levels above."""
    codes = sorted(COUNTRY_CODE_TO_REGION_CODE)
    pairs = [(account.id, code) for account in (world.clinic, world.hotel, world.school) for code in codes]
    failed: list[BaseException] = []

    def note(order: int) -> None:
        try:
            for begin in range(0, len(pairs), 60):
                with transaction() as connection:
                    tree_countries.note(connection, pairs[begin : begin + 60][::order])
        except sa.exc.DBAPIError as error:
            failed.append(error)

    threads = [threading.Thread(target=note, args=(order,)) for order in (1, -1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not failed
    expected = (above(account, *codes) for account in (world.clinic, world.hotel, world.school))
    assert noted(database) == set().union(*expected)


def test_what_a_chunk_would_forget_is_noticed(database: sa.Engine, world: World) -> None:
    with database.begin() as connection:
        factories.number(connection, US, world.north.tenant)
        assert databases.forgotten_countries(connection) == 0
        connection.execute(tenant_countries.delete())
        assert databases.forgotten_countries(connection) == 2  # north's and the master's
        connection.execute(sa.text(databases.NOTE_HOLDINGS))
        assert databases.forgotten_countries(connection) == 0


@pytest.mark.parametrize("ends", ["commit", "rollback"])
def test_who_notes_the_same_waits_for_how_the_other_ends(database: sa.Engine, world: World, ends: str) -> None:
    """Two chunks with the first numbers of a country: one that is not written must not lose the other's."""
    pairs = [(world.north.id, 1), (world.north.id, 36)]

    def second() -> None:
        with transaction() as connection:
            tree_countries.note(connection, pairs)

    with database.connect() as first, first.begin() as begun:
        tree_countries.note(first, pairs[1:])
        waiting = threading.Thread(target=second)
        waiting.start()
        waiting.join(0.5)
        assert waiting.is_alive(), "the first may yet be undone"
        getattr(begun, ends)()
        waiting.join(20)
    assert noted(database) == above(world.north, 1, 36)


def _many(holders: list[int]) -> Numbers:
    """25,000 numbers of three countries, by turns of these holders."""
    e164 = np.sort(np.concatenate([base + np.arange(9_000) for base in (12125550000, 493012345678, 442079460000)]))
    e164 = e164[:25_000]
    state = {field.name: np.zeros(len(e164), field.type.to_pandas_dtype()) for field in STATE}
    for name in ("holder_id", "uploader_id"):
        state[name] = np.array(holders, np.int32)[np.arange(len(e164)) % len(holders)]
    return Numbers(e164, state)


def test_a_chunk_tells_its_countries_by_one_statement(
    api: Door, world: World, database: sa.Engine, configure: Callable[..., None]
) -> None:
    """However many numbers it has; of a country that is known, nothing is written."""
    configure(rows_per_chunk=400)
    with statements() as seen:
        upload(api, *(("1", f"2125550{place:03}") for place in range(1_000)))
    assert len([text for text in seen if "INSERT" in text]) == 3
    assert noted(database) == above(world.north, 1)
    inserted = sa.text("SELECT n_tup_ins FROM pg_stat_xact_user_tables WHERE relname = 'tenant_countries'")
    with database.begin() as connection:
        tree_countries.note(connection, [(world.north.id, 1)])
        assert connection.execute(inserted).scalar_one() == 0
        tree_countries.note(connection, [(world.north.id, 1), (world.north.id, 36)])
        assert connection.execute(inserted).scalar_one() == len(world.north.tenant.path)


@pytest.mark.parametrize("holders", [[3], list(range(1, 400))])
def test_the_countries_of_a_chunk(holders: list[int]) -> None:
    numbers = _many(holders)
    expected = {
        (int(holder), int(str(e164)[: 1 if str(e164)[0] == "1" else 2]))
        for holder, e164 in zip(numbers.state["holder_id"], numbers.e164, strict=True)
    }
    found = list(write._countries_of(numbers))  # noqa: SLF001 - what a chunk notes
    assert (set(found), len(found)) == (expected, len(expected))


@pytest.mark.parametrize("holders", [[3], list(range(1, 400))])
def test_a_chunk_costs_no_more_to_speak_of(holders: list[int]) -> None:
    """Of 25,000 numbers: a small part of what it takes to write them out for COPY, which is itself the smaller part.

    About an eighth when nothing else runs; the limit leaves room for a busy machine, which slows both by turns.
    """
    numbers = _many(holders)
    columns = write._columns(numbers, 1)  # noqa: SLF001 - as a chunk writes them
    countries, written = [], []
    for _ in range(15):
        countries.append(timeit.timeit(lambda: set(write._countries_of(numbers)), number=1))  # noqa: SLF001 - what a chunk notes
        written.append(timeit.timeit(lambda: write._encoded(numbers, columns, 1), number=1))  # noqa: SLF001
    assert min(countries) < min(written) / 3


def test_a_number_of_no_country_is_not_noted() -> None:
    state = {"holder_id": np.array([3, 3], np.int32)}
    found = write._countries_of(Numbers(np.array([9990000000, US]), state))  # noqa: SLF001 - what a chunk notes
    assert list(found) == [(3, 1)]
