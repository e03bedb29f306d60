"""Workbook reports: the kinds that a job can have, and the numbers of the work items that build them."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.codes import Outcome
from schemas.jobs import JobStatus

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
OUTCOMES: dict[str, frozenset[Outcome] | None] = {
    "all": None,
    "failed": frozenset({Outcome.FAILED}),
    "unprocessed": frozenset({Outcome.UNPROCESSED}),
}
"""Rows of a report by the value of `rows` -> their outcomes; None for every row."""

_ROWS = tuple(OUTCOMES)


@dataclass(frozen=True)
class WorkbookKind:
    """One of a job's workbooks: which rows it has (`OUTCOMES`), and whether it belongs to the job's review.

    The report of a review says what would happen to the rows, the final one what happened, so they are different files.
    """

    rows: str
    is_review: bool

    @property
    def number(self) -> int:
        """The number of its work item, unique within a job."""
        return _ROWS.index(self.rows) + len(_ROWS) * self.is_review

    @property
    def name(self) -> str:
        """The file name within the job's folder, without extension."""
        return f"{'review' if self.is_review else 'report'}-{self.rows}"

    def is_current(self, status: str) -> bool:
        """Return whether the workbook describes a job with this status."""
        return self.is_review == (status == JobStatus.REVIEW)

    @classmethod
    def of_number(cls, number: int) -> WorkbookKind:
        """Return the kind that a work item builds."""
        return cls(_ROWS[number % len(_ROWS)], number >= len(_ROWS))
