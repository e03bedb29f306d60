"""Progress of a job as a share of its total time, and an estimate of the time left. No I/O."""

from __future__ import annotations

from collections.abc import Mapping

from schemas.jobs import JobStatus

# Shares of checking, writing and reporting in a large file's time (`make bench`, the table of stages).
WEIGHTS: Mapping[JobStatus, float] = {
    JobStatus.CHECKING: 0.32,
    JobStatus.RUNNING: 0.50,
    JobStatus.PUBLISHING: 0.18,
}
LEAST_SHARE = 0.02  # an earlier estimate would be meaningless


def share_done(status: str, part: float) -> float:
    """Return the share of a job's work that is done (0 to 1), given the share `part` (0 to 1) of its present status."""
    share = 0.0
    for passed, weight in WEIGHTS.items():
        if passed == status:
            return share + weight * min(max(part, 0.0), 1.0)
        share += weight
    return 0.0


def seconds_left(elapsed: float, share: float) -> float | None:
    """Return the seconds left of a job that took `elapsed` seconds for a `share` of its work; None if it is too early.

    The estimate follows the job's own pace, which reflects the load by other jobs.
    """
    if share < LEAST_SHARE:
        return None
    return elapsed * (1 - share) / share
