"""The counts of the overview equal the numbers, whoever writes, and whatever becomes of it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import sqlalchemy as sa

from schemas.database.tables import number_counts, phone_numbers
from schemas.permissions import Actor
from tests.support import factories, many_tenants
from tests.support.api_client import Door
from tests.support.factories import World
from tests.support.files import sheets
from tests.support.servers import databases
from worker.arrays.distinct import counted_rows
from worker.database import folded_sums
from worker.maintenance import cleaner
from worker.numbers import counts

FIRST = 12125550000


def miscounted(engine: sa.Engine) -> int:
    with engine.connect() as connection:
        return databases.miscounted(connection)


def total(engine: sa.Engine, account: factories.Account) -> counts.Count:
    with engine.connect() as connection:
        return counts.of_tree(connection, Actor(account.tenant, "test")).total


def test_a_wrong_count_is_noticed(database: sa.Engine, world: World) -> None:
    with database.connect() as connection:
        factories.number(connection, FIRST, world.north.tenant)
        assert databases.miscounted(connection) == 0
        connection.execute(phone_numbers.update().values(holder_id=world.clinic.id))
        assert databases.miscounted(connection) > 0
        connection.rollback()


def test_every_kind_of_job_is_counted(api: Door, database: sa.Engine, world: World) -> None:
    api.upload(sheets.csv_bytes(sheets.rows(40)))
    numbers = [number["e164"] for number in api.get("/v1/numbers?limit=40").json["data"]]
    assert total(database, world.north) == total(database, world.master) == counts.Count(40, 0)
    assert total(database, world.south) == total(database, world.clinic) == counts.Count(0, 0)
    api.act("assignments", {"numbers": numbers[:10], "tenant_id": world.clinic.tenant.public_id})
    assert total(database, world.north) == counts.Count(30, 10)
    assert total(database, world.clinic) == counts.Count(0, 10)
    assert miscounted(database) == 0
    api.act("unassignments", {"numbers": numbers[:4]})
    api.act("capability-changes", {"numbers": numbers[4:8], "fax": "enable"})
    deletion = api.act("deletions", {"numbers": numbers[30:]})
    assert total(database, world.north) == counts.Count(24, 6)
    assert miscounted(database) == 0
    api.post(f"/v1/jobs/{deletion['id']}/undo")
    api.work_off()
    assert total(database, world.north) == counts.Count(34, 6)
    assert miscounted(database) == 0


@pytest.mark.long
def test_folding_changes_no_count(api: Door, database: sa.Engine, world: World, configure: Callable[..., None]) -> None:
    configure(rows_per_chunk=1)
    api.upload(sheets.csv_bytes(sheets.rows(60)))
    rows = sa.select(sa.func.count()).select_from(number_counts)
    with database.connect() as connection:
        before = connection.execute(rows).scalar_one()
    assert cleaner.fold_counts() > 0
    with database.connect() as connection:
        assert connection.execute(rows).scalar_one() < before / 10
    assert miscounted(database) == 0
    assert total(database, world.north) == counts.Count(60, 0)


# Three rows of each tenant, then thirty of one.
ROWS = """
    INSERT INTO number_counts (tenant_id, dimension, key, is_unassigned, count)
    SELECT id, 'held', 0, true, 1 FROM tenants, generate_series(1, 3)
    UNION ALL SELECT :often, 'code', 1, true, 1 FROM generate_series(1, 30)"""


@pytest.mark.long
def test_folding_reads_a_part_of_the_rows_and_in_the_end_all(
    database: sa.Engine, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sum that is written often is folded at once, one that was written long ago in one of the next rounds."""
    monkeypatch.setattr(folded_sums, "MOST_EXAMINED", 100)
    with database.begin() as connection:
        connection.execute(sa.text(ROWS), {"often": world.clinic.id})
    many_tenants.add(database, world, 100)
    with database.begin() as connection:
        connection.execute(sa.text(ROWS), {"often": world.north.id})
    many_tenants.add(database, world, 1)
    with database.begin() as connection:
        before = databases.rows_read(connection)
        assert counts.fold(connection) >= 29  # of 30 rows
        assert databases.rows_read(connection) - before < 1_000  # of 6,000
    monkeypatch.setattr(folded_sums, "MOST_EXAMINED", 3_000)
    query = sa.select(sa.func.count()).where(number_counts.c.tenant_id == world.clinic.id, number_counts.c.key == 1)
    for _ in range(200):
        with database.begin() as connection:
            counts.fold(connection)
            if connection.execute(query).scalar_one() == 1:
                return
    pytest.fail("the old sum was not folded")


def test_counts_of_rows() -> None:
    rng = np.random.default_rng(3)
    columns = [rng.integers(0, most, 500) for most in (3, 70_000, 2)]
    columns[1] %= 7
    indices, found = counted_rows(columns)
    expected = np.unique(np.stack(columns, axis=1), axis=0, return_counts=True)
    rows = [tuple(int(column[index]) for column in columns) for index in indices]
    assert dict(zip(rows, found.tolist(), strict=True)) == {
        tuple(map(int, row)): int(count) for row, count in zip(*expected, strict=True)
    }


@pytest.mark.long
@pytest.mark.parametrize("looker", ["master", "north", "clinic", "south"])
def test_r3_who_sees_which_counts(database: sa.Engine, world: World, looker: str) -> None:
    with database.begin() as connection:
        rows = [
            factories.number_row(FIRST, world.north.tenant, voice_carrier_id=world.carriers["North voice"]),
            factories.number_row(FIRST + 1, world.clinic.tenant, uploader_id=world.north.id, voice_carrier_id=None),
            factories.number_row(442079460000, world.clinic.tenant, country="GB", voice_carrier_id=None),
        ]
        factories.numbers(connection, rows)
        actor = Actor(getattr(world, looker).tenant, "test")
        tree = counts.of_tree(connection, actor)
        holders = [(holder.name, holder.count.all) for holder in counts.of_holders(connection, actor, 10)]
    all_of_north = [("Clinic Enterprise", 2), ("Northern Reseller", 1)]
    expected = {
        "master": (counts.Count(2, 1), {1: 2, 44: 1}, all_of_north),
        "north": (counts.Count(2, 1), {1: 2, 44: 1}, all_of_north),
        "clinic": (counts.Count(1, 1), {1: 1, 44: 1}, all_of_north[:1]),
        "south": (counts.Count(0, 0), {}, []),
    }[looker]
    assert (tree.total, {code: count.all for code, count in tree.codes.items()}, holders) == expected


def test_holders_of_as_many_numbers_are_in_the_order_of_their_names(database: sa.Engine, world: World) -> None:
    """And as many as are asked for, although more have as many."""
    with database.begin() as connection:
        holders = (world.north, world.hotel, world.clinic, world.south)
        rows = [factories.number_row(FIRST + place, account.tenant) for place, account in enumerate(holders)]
        factories.numbers(connection, [*rows, factories.number_row(FIRST + 9, world.south.tenant)])
        largest = counts.of_holders(connection, Actor(world.master.tenant, "test"), 3)
        assert [holder.name for holder in largest] == ["Southern Reseller", "Clinic Enterprise", "Hotel Enterprise"]
        assert [holder.count.all for holder in largest] == [2, 1, 1]


@pytest.mark.long
def test_tenants_that_hold_nothing_cost_nothing(database: sa.Engine, world: World) -> None:
    with database.begin() as connection:
        holders = (world.north, world.clinic, world.school)
        factories.numbers(
            connection, [factories.number_row(FIRST + place, holders[place % 3].tenant) for place in range(30)]
        )
    figures = []
    for resellers in (1, 100):
        many_tenants.add(database, world, resellers)
        for account in (world.master, world.north):
            with database.connect() as connection:
                before = databases.rows_read(connection)
                assert len(counts.of_holders(connection, Actor(account.tenant, "test"), 50)) >= 2
                figures.append(databases.rows_read(connection) - before)
    assert max(figures[2:]) <= max(figures[:2]) + 100, figures
