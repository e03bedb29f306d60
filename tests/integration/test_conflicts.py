"""Uploads that update what exists, beside others that do: held is only what changes, and nothing is lost (R17, R27)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection

import numpy as np
import pytest
import sqlalchemy as sa

from schemas.arrow_schemas import CHUNK
from schemas.job_kinds import JobKind
from schemas.jobs import JobOptions, OnExisting
from tests.support import factories
from tests.support.factories import World
from tests.unit.small_world import rows_of
from worker.database.engine import transaction
from worker.numbers import inventory
from worker.stages.resolve import Decisions, resolve
from worker.stages.write import write
from worker.steps.chunk_facts import Job, facts_for_chunk

FIRST = 12_125_550_140
NUMBERS = range(FIRST, FIRST + 5)
Decide = Callable[..., Decisions]


@pytest.fixture
def there(database: sa.Engine, world: World) -> None:
    """Five numbers of north's, with voice."""
    with database.begin() as connection:
        for number in NUMBERS:
            factories.number(connection, number, world.north.tenant, voice_carrier_id=world.carriers["North voice"])


@pytest.fixture
def decide(world: World, there: None) -> Decide:  # noqa: ARG001 - what is decided about
    """A chunk of an upload, decided as a worker does: SMS is switched on for some of the numbers."""

    def made(connection: sa.Connection, job_id: int, switched_on: Collection[int], **how: bool) -> Decisions:
        job = Job(job_id, JobKind.UPLOAD, world.north.tenant, JobOptions(on_existing=OnExisting.UPDATE))
        given = [
            {"place": place, "row": place + 2, "e164": number, "voice": -1, "sms": 1 if number in switched_on else -1}
            for place, number in enumerate(NUMBERS)
        ]
        chunk = rows_of(CHUNK, *({"fax": -1} | row for row in given))
        return resolve(chunk, facts_for_chunk(connection, job, chunk, **how))

    return made


def held(engine: sa.Engine) -> list[int]:
    """The numbers that somebody else cannot have now."""
    with engine.begin() as connection:
        free = connection.execute(sa.text("SELECT e164 FROM phone_numbers FOR UPDATE SKIP LOCKED")).scalars().all()
    return [number for number in NUMBERS if number not in free]


def having_sms(engine: sa.Engine) -> dict[int, int]:
    query = sa.text("SELECT e164, changed_job_id FROM phone_numbers WHERE sms ORDER BY e164")
    with engine.begin() as connection:
        return {row.e164: row.changed_job_id for row in connection.execute(query)}


def test_only_what_changes_is_held(database: sa.Engine, decide: Decide) -> None:
    with transaction() as connection:
        decided = decide(connection, 71, NUMBERS[1:3])
        assert decided.update.e164.tolist() == [*NUMBERS[1:3]]
        assert held(database) == []
        write(connection, decided, 71)
        assert held(database) == [*NUMBERS[1:3]]
    assert having_sms(database) == dict.fromkeys(NUMBERS[1:3], 71)


def test_after_a_conflict_all_are_held_before_they_are_decided_about(database: sa.Engine, decide: Decide) -> None:
    with transaction() as connection:
        decide(connection, 71, NUMBERS[1:3], met_conflict=True)
        assert held(database) == [*NUMBERS]


@pytest.mark.parametrize("mine", [NUMBERS[1:3], NUMBERS[2:4]], ids=["the same", "one of them"])
def test_who_comes_second_decides_anew(database: sa.Engine, decide: Decide, mine: range) -> None:
    with transaction() as connection:
        decided = decide(connection, 71, mine)
        with transaction() as other:
            write(other, decide(other, 72, NUMBERS[1:3]), 72)
        with pytest.raises(inventory.ConflictError):
            write(connection, decided, 71)
        connection.rollback()
    with transaction() as connection:
        write(connection, decide(connection, 71, mine), 71)
    assert having_sms(database) == dict.fromkeys(mine, 71) | dict.fromkeys(NUMBERS[1:3], 72)


def test_changes_to_other_numbers_of_the_chunk_are_no_conflict(database: sa.Engine, decide: Decide) -> None:
    with transaction() as connection:
        decided = decide(connection, 71, NUMBERS[1:2])
        with transaction() as other:
            write(other, decide(other, 72, NUMBERS[3:]), 72)
        write(connection, decided, 71)
    assert having_sms(database) == {NUMBERS[1]: 71} | dict.fromkeys(NUMBERS[3:], 72)


def test_who_has_to_wait_sees_the_number_as_it_is_then(database: sa.Engine, decide: Decide) -> None:
    met: list[bool] = []

    def second(decided: Decisions, connection: sa.Connection) -> None:
        try:
            write(connection, decided, 71)
        except inventory.ConflictError:
            met.append(True)
            connection.rollback()

    with transaction() as mine:
        decided = decide(mine, 71, NUMBERS[1:3])
        with transaction() as other:
            write(other, decide(other, 72, NUMBERS[1:3]), 72)
            waiting = threading.Thread(target=second, args=(decided, mine))
            waiting.start()
            waiting.join(0.5)
            assert waiting.is_alive(), "the other has not committed yet"
        waiting.join(20)
    assert met == [True]
    assert having_sms(database) == dict.fromkeys(NUMBERS[1:3], 72)


def test_a_number_that_is_gone_is_a_conflict(database: sa.Engine, decide: Decide) -> None:
    with transaction() as connection:
        decided = decide(connection, 71, NUMBERS[1:3])
        with database.begin() as other:
            inventory.delete(other, np.array([NUMBERS[2]]))
        with pytest.raises(inventory.ConflictError):
            write(connection, decided, 71)
        connection.rollback()
