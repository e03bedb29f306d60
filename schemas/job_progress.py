"""How far a job is, as a share of the time it will take in all, and so how long it will go on. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from schemas.jobs import JobStatus

# What checking, writing and reporting take of a large file's time (`make bench`, the table of stages).
WEIGHTS: Mapping[JobStatus, float] = {
    JobStatus.CHECKING: 0.32,
    JobStatus.RUNNING: 0.50,
    JobStatus.PUBLISHING: 0.18,
}
LEAST_SHARE = 0.02  # of what is hardly begun nobody can tell how it goes on


def share_done(status: str, part: float) -> float:
    """The share of a job's work that is done (0 to 1), of whose present status a `part` (0 to 1) is."""
    share = 0.0
    for passed, weight in WEIGHTS.items():
        if passed == status:
            return share + weight * min(max(part, 0.0), 1.0)
        share += weight
    return 0.0


def seconds_left(elapsed: float, share: float) -> float | None:
    """How long a job will go on that took `elapsed` seconds for a `share` of its work; None if it is too early to say.

    At the job's own pace, which tells of everything that goes on beside it.
    """
    if share < LEAST_SHARE:
        return None
    return elapsed * (1 - share) / share
