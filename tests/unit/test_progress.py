"""How far a job is, and how long it will go on."""

from __future__ import annotations

import itertools

import pytest

from schemas.job_progress import WEIGHTS, seconds_left, share_done
from schemas.jobs import JobStatus


def test_shares_grow_from_nothing_to_all_without_a_jump() -> None:
    assert sum(WEIGHTS.values()) == pytest.approx(1)
    ends = [(share_done(status, 0), share_done(status, 1)) for status in WEIGHTS]
    assert ends[0][0] == 0
    assert ends[-1][1] == pytest.approx(1)
    for (_, end), (begin, _) in itertools.pairwise(ends):
        assert begin == pytest.approx(end)


@pytest.mark.parametrize("part", [-0.5, 0.0, 1.0, 7.0])
def test_a_part_is_never_more_than_all_or_less_than_nothing(part: float) -> None:
    assert 0 <= share_done(JobStatus.PUBLISHING, part) <= 1 + 1e-9


def test_what_is_left_goes_on_at_the_job_s_own_pace() -> None:
    assert seconds_left(10, 0.25) == pytest.approx(30)
    assert seconds_left(10, 1) == 0
    assert seconds_left(10, 0.001) is None
    assert seconds_left(10, share_done(JobStatus.ACCEPTED, 1)) is None
