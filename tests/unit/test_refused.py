"""R28: what is left of a chunk's decisions where the database refuses some of its numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from schemas.arrow_schemas import CHUNK
from schemas.codes import BY_NUMBER, Code, faults_of, warnings_of
from schemas.job_kinds import JobKind
from schemas.jobs import OnExisting
from tests.unit.small_world import NUMBER, SIBLING, WORLD, existing, rows_of, with_options
from worker.stages.resolve import ChunkFacts, Decisions, resolve, without

# A block of three numbers, a single number, and a block of two.
PLACES = (0, 0, 0, 1, 2, 2)
HELD = existing(holder_id=2)
EMPTY = replace(WORLD, existing=existing())


def chunk_of(**columns: int) -> pa.Table:
    lines = ({"place": place, "row": place + 2, "e164": NUMBER + line} for line, place in enumerate(PLACES))
    return rows_of(CHUNK, *({"voice": 1} | line | columns for line in lines))


def codes(decided: Decisions) -> list[Code]:
    return [BY_NUMBER[number] for number in decided.results.column("code").to_pylist()]


def refused(world: ChunkFacts, chunk: pa.Table, *lines: int) -> Decisions:
    return without(resolve(chunk, world), chunk, np.array([NUMBER + line for line in lines], np.int64))


@pytest.mark.parametrize(
    ("lines", "failed", "written"),
    [
        ((), (), [3, 1, 2]),
        ((1,), (0,), [2, 1, 2]),
        ((3,), (1,), [3, 0, 2]),
        ((0, 1, 2, 5), (0, 2), [0, 1, 1]),
        (tuple(range(6)), (0, 1, 2), [0, 0, 0]),
    ],
)
def test_rows_of_refused_numbers_fail(lines: tuple[int, ...], failed: tuple[int, ...], written: list[int]) -> None:
    """The other numbers of a block are written still."""
    found = refused(EMPTY, chunk_of(), *lines)
    assert codes(found) == [Code.INTERNAL_ERROR if row in failed else Code.CREATED for row in range(3)]
    assert found.results.column("written").to_pylist() == written
    left = [NUMBER + line for line in range(6) if line not in lines]
    assert found.create.e164.tolist() == left
    assert all(len(values) == len(left) for values in found.create.state.values())
    of_blocks = [number for number in left if number != NUMBER + 3]
    assert found.images.column("e164").to_pylist() == of_blocks


def test_a_row_that_is_not_written_used_no_default_carrier() -> None:
    found = refused(EMPTY, chunk_of(), 1, 3)
    warned = [Code.DEFAULT_CARRIER_USED in warnings_of(bits) for bits in found.results.column("warnings").to_pylist()]
    assert warned == [True, False, True]


def test_a_fault_of_the_row_comes_first() -> None:
    """A block of which one number exists elsewhere and another is refused: both are told, the first is the code."""
    chunk = chunk_of()
    found = refused(replace(WORLD, existing=existing(holder_id=SIBLING.id, uploader_id=SIBLING.id)), chunk, 1)
    assert codes(found)[0] is Code.NUMBER_EXISTS_ELSEWHERE
    told = [fault.code for fault in faults_of(found.results.column("faults")[0].as_py())]
    assert told == [Code.NUMBER_EXISTS_ELSEWHERE, Code.INTERNAL_ERROR]
    assert found.results.column("written").to_pylist() == [1, 1, 2]


def test_refused_updates_and_deletions_leave_no_image() -> None:
    """Undo must not put back what was not changed (R27)."""
    update = replace(with_options(on_existing=OnExisting.UPDATE), existing=HELD)
    chunk = rows_of(CHUNK, {"row": 2, "e164": NUMBER, "voice": 1, "fax": 1})
    changed = without(resolve(chunk, update), chunk, np.array([NUMBER], np.int64))
    assert (len(changed.update), changed.images.num_rows, codes(changed)) == (0, 0, [Code.INTERNAL_ERROR])
    deleted = without(
        resolve(chunk, replace(WORLD, existing=HELD, kind=JobKind.DELETE)), chunk, np.array([NUMBER], np.int64)
    )
    assert (len(deleted.delete), deleted.images.num_rows, codes(deleted)) == (0, 0, [Code.INTERNAL_ERROR])
