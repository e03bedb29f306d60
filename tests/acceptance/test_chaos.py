"""Every attack of `make chaos` in its small form: whatever is done to the service, no row is lost and none is doubled.

One stand serves all attacks of a test process, and a new one is made after an attack that was not survived.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.chaos import run
from tests.chaos.attacks import ATTACKS, SMALL
from tests.chaos.checker import check_leftovers
from tests.chaos.crashes import PASSED_BY_UPLOADS
from worker.config.failpoints import Failpoint

SEED = 20_261_125
LEFTOVER_SECONDS = 60.0
MARKS = {name: pytest.mark.essential for name in ATTACKS if name.startswith("killed at check.committed")}


@pytest.fixture(scope="module")
def stands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[run.Stands]:
    """The stand is stopped as operators stop the service, which must leave nothing running and nothing behind."""
    found = run.Stands(tmp_path_factory.mktemp("chaos"), SEED)
    try:
        yield found
        if found.is_there:
            assert check_leftovers(found.get(), LEFTOVER_SECONDS).faults == []
    finally:
        found.drop()


@pytest.mark.parametrize("name", [pytest.param(name, marks=MARKS.get(name, ())) for name in ATTACKS])
def test_r28_r29_nothing_lost_nothing_twice(stands: run.Stands, name: str) -> None:
    stand = stands.get()
    result = run.attacked(stand, name, SMALL, SEED)
    if not result.survived:
        stands.drop()
    assert result.findings.faults == []
    assert result.tried > 0
    assert (result.findings.rows_lost, result.findings.rows_doubled) == (0, 0)


# `test_mail_sending` kills the sender between its message and the record of it; an e-mail changes nothing else.
MAIL = (Failpoint.MAIL_CLAIMED, Failpoint.MAIL_SENT, Failpoint.MAIL_COMMITTED)


def test_every_point_is_attacked() -> None:
    """Each named point has an attack of its own, or is one of those that every upload passes."""
    named = " ".join(ATTACKS) + "".join(MAIL)
    passed = {point for points in PASSED_BY_UPLOADS.values() for point in points}
    assert [point for point in Failpoint if point not in passed and point not in named] == []
    assert all(point in named for point in passed)
