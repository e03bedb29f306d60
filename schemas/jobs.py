"""Jobs: their kinds, states and legal moves, their options, and the arithmetic of their counts (R28).

Pure: where a job is stored and who works on it is told in `worker.queue.completion`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any

from schemas import columns
from schemas.codes import CATALOGUE, Code, Outcome
from schemas.columns import Form
from schemas.user_services import NO_SERVICE, Service


class JobKind(StrEnum):
    """What a job does to its numbers."""

    UPLOAD = "upload"
    ASSIGN = "assign"
    UNASSIGN = "unassign"
    CHANGE = "change"
    DELETE = "delete"
    UNDO = "undo"


FORMS: Mapping[JobKind, Form] = {
    JobKind.UPLOAD: columns.UPLOAD_FORM,
    JobKind.ASSIGN: columns.ASSIGN_FORM,
    JobKind.UNASSIGN: columns.UNASSIGN_FORM,
    JobKind.CHANGE: columns.CHANGE_FORM,
    JobKind.DELETE: columns.DELETE_FORM,
}


# Kinds of jobs that act on numbers in the inventory, which they have to find.
ACTIONS: frozenset[JobKind] = frozenset({JobKind.ASSIGN, JobKind.UNASSIGN, JobKind.CHANGE, JobKind.DELETE})


class ListFormat(StrEnum):
    """Where rows without a file come from: from a request, or from the inventory, where each number is known."""

    LIST = "list"
    SELECTION = "selection"


LIST_FORMAT_KEY = b"format"  # among the metadata of the stored rows


class JobStatus(StrEnum):
    """Where a job stands; the last four are terminal."""

    ACCEPTED = "accepted"
    CHECKING = "checking"
    REVIEW = "review"
    RUNNING = "running"
    PUBLISHING = "publishing"
    CANCELLING = "cancelling"
    COMPLETED = "completed"
    COMPLETED_WITH_ERRORS = "completed_with_errors"
    FAILED = "failed"
    CANCELLED = "cancelled"


TERMINAL: frozenset[JobStatus] = frozenset(
    {JobStatus.COMPLETED, JobStatus.COMPLETED_WITH_ERRORS, JobStatus.FAILED, JobStatus.CANCELLED}
)
_ENDS = frozenset({JobStatus.FAILED, JobStatus.CANCELLING})
MOVES: Mapping[JobStatus, frozenset[JobStatus]] = {
    JobStatus.ACCEPTED: frozenset({JobStatus.CHECKING}) | _ENDS,
    JobStatus.CHECKING: frozenset({JobStatus.RUNNING, JobStatus.REVIEW}) | _ENDS,
    JobStatus.REVIEW: frozenset({JobStatus.RUNNING}) | _ENDS,
    JobStatus.RUNNING: frozenset({JobStatus.PUBLISHING}) | _ENDS,
    JobStatus.PUBLISHING: frozenset({JobStatus.COMPLETED, JobStatus.COMPLETED_WITH_ERRORS}) | _ENDS,
    JobStatus.CANCELLING: frozenset({JobStatus.CANCELLED, JobStatus.FAILED}),
    **{status: frozenset() for status in TERMINAL},
}


def may_move_from(target: JobStatus) -> list[JobStatus]:
    """The states from which a job may move to `target`."""
    return [status for status, targets in MOVES.items() if target in targets]


class Phase(StrEnum):
    """The kinds of work in the ledger, in the order of a job's life. One claim and one lease serve them all.

    A file of one batch is checked and reported by one piece each. Of a larger one CHECK only reads it, the batches are
    validated and at last rendered one by one, by whoever is free, and CUT looks at all rows together in between.
    WORKBOOK builds a report as a workbook when it is first requested, after the job's end or while it is reviewed.
    """

    CHECK = "check"
    VALIDATE = "validate"
    CUT = "cut"
    WRITE = "write"
    REPORT = "report"
    RENDER = "render"
    CALLBACK = "callback"
    WORKBOOK = "workbook"


class Stage(StrEnum):
    """What pieces of work spend their time on. LOOK_UP and WRITE wait for the database, the others compute."""

    READ = "read"
    VALIDATE = "validate"
    CUT = "cut"
    LOOK_UP = "look_up"
    RESOLVE = "resolve"
    WRITE = "write"
    MERGE = "merge"
    RENDER = "render"


# In which states of a job its pieces of work are given out. Chunks of a job under review wait to be confirmed; of one
# that is being cancelled only the report is still made. Who asked for it is told of the job once it has ended.
# Workbooks are built from a report that is complete: the one of a review, or that of a job that has ended. A job that
# has failed has none: the worker drops what was requested during its review.
WORKED_IN: Mapping[Phase, frozenset[JobStatus]] = {
    Phase.CHECK: frozenset({JobStatus.ACCEPTED, JobStatus.CHECKING}),
    Phase.VALIDATE: frozenset({JobStatus.CHECKING}),
    Phase.CUT: frozenset({JobStatus.CHECKING}),
    Phase.WRITE: frozenset({JobStatus.RUNNING}),
    Phase.REPORT: frozenset({JobStatus.PUBLISHING, JobStatus.CANCELLING}),
    Phase.RENDER: frozenset({JobStatus.PUBLISHING, JobStatus.CANCELLING}),
    Phase.CALLBACK: TERMINAL,
    Phase.WORKBOOK: TERMINAL | {JobStatus.REVIEW},
}


class ChunkState(StrEnum):
    """Where a piece of work stands: `pending -> leased -> done | pending | dead`."""

    PENDING = "pending"
    LEASED = "leased"
    DONE = "done"
    DEAD = "dead"


class OnExisting(StrEnum):
    """What to do with a number that is already in the uploader's tree (R17)."""

    SKIP = "skip"
    UPDATE = "update"
    ERROR = "error"


class Accept(StrEnum):
    """How sure a number must be (R15)."""

    VALID = "valid"
    POSSIBLE = "possible"


class NumberFormat(StrEnum):
    """How digits without a plus are written: as evidence in the column says, or as the uploader says (R14b)."""

    AUTO = "auto"
    NATIONAL = "national"
    INTERNATIONAL = "international"


class Mode(StrEnum):
    """Whether a job that has been checked is carried out at once, or shown and confirmed first."""

    APPLY = "apply"
    REVIEW = "review"


class OnError(StrEnum):
    """What rows that fail mean for the others: nothing, or that none of them is written."""

    SKIP = "skip"
    ABORT = "abort"


@dataclass(frozen=True)
class JobOptions:
    """What was chosen beside the rows (R11, R18, R23); a row may say otherwise (R12). Ids were checked at the door.

    `voice`, `sms` and `fax` are what a change makes of a capability: None leaves it. `may_create`: numbers that are not
    on the platform are added while a user is given them (R21). `delimiter` to `header_row` are what the uploader says
    of the file (`schemas.http.file_options`). `number_format` (R14b) and `country_code` (R14c: the country of numbers
    that name none, as a Country Code cell would) say how numbers are read. `only_unassigned` and `expected_holder_id`
    limit which numbers move (R19): those that no tenant below the admin and no user has, those that this tenant (inner
    id) still holds.
    """

    mode: Mode = Mode.APPLY
    on_error: OnError = OnError.SKIP
    voice_carrier_id: int | None = None
    sms_carrier_id: int | None = None
    target_id: int | None = None
    on_existing: OnExisting = OnExisting.SKIP
    accept: Accept = Accept.VALID
    user_id: int | None = None
    service: Service = NO_SERVICE
    voice: bool | None = None
    sms: bool | None = None
    fax: bool | None = None
    may_create: bool = False
    delimiter: str | None = None
    encoding: str | None = None
    sheet: str | None = None
    header_row: int | None = None
    number_format: NumberFormat = NumberFormat.AUTO
    country_code: str | None = None
    only_unassigned: bool = False
    expected_holder_id: int | None = None

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> JobOptions:
        kinds = {
            "mode": Mode,
            "on_error": OnError,
            "on_existing": OnExisting,
            "accept": Accept,
            "service": Service,
            "number_format": NumberFormat,
        }
        known = {field.name for field in fields(cls)}
        return cls(**{name: kinds.get(name, _same)(value) for name, value in raw.items() if name in known})

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def _same(value: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
    return value


@dataclass(frozen=True)
class Seen:
    """How many rows ended a certain way, and the first of them by the spreadsheet's own row number."""

    count: int
    first_row: int

    def __add__(self, other: Seen) -> Seen:
        return Seen(self.count + other.count, min(self.first_row, other.first_row))


@dataclass(frozen=True)
class Tally:
    """Rows counted by outcome and code, and the rows with warnings beside them.

    Tallies of parts of a file add up to the tally of the file, in any order (R29).
    """

    results: Mapping[tuple[Outcome, Code], Seen] = field(default_factory=dict)
    rows_with_warnings: int = 0

    def __add__(self, other: Tally) -> Tally:
        results = dict(self.results)
        for key, seen in other.results.items():
            results[key] = results[key] + seen if key in results else seen
        return Tally(results, self.rows_with_warnings + other.rows_with_warnings)

    def count(self, outcome: Outcome) -> int:
        """Rows with this outcome."""
        return sum(seen.count for (found, _), seen in self.results.items() if found is outcome)

    def to_json(self) -> dict[str, Any]:
        return {
            "results": [[outcome, code, seen.count, seen.first_row] for (outcome, code), seen in self.results.items()],
            "rows_with_warnings": self.rows_with_warnings,
        }

    @classmethod
    def from_json(cls, raw: Mapping[str, Any] | None) -> Tally:
        if raw is None:
            return cls()
        results = {(Outcome(outcome), Code(code)): Seen(n, first) for outcome, code, n, first in raw["results"]}
        return cls(results, raw["rows_with_warnings"])


def total_of(tallies: Iterable[Tally]) -> Tally:
    """The tally of all parts together."""
    return sum(tallies, Tally())


def counts_of(tally: Tally, rows_total: int) -> dict[str, int]:
    """The counts a job shows. They add up to the total at any moment: what is not done yet is unprocessed (R28)."""
    counts = {outcome.value: tally.count(outcome) for outcome in Outcome if outcome is not Outcome.UNPROCESSED}
    unprocessed = rows_total - sum(counts.values())
    return {
        "total": rows_total,
        **counts,
        Outcome.UNPROCESSED.value: unprocessed,
        "warnings": tally.rows_with_warnings,
    }


def error_summary(tally: Tally) -> list[dict[str, Any]]:
    """Codes of failed and unprocessed rows, most frequent first, then in catalogue order."""
    faults = [(code, seen) for (outcome, code), seen in tally.results.items() if outcome in NEEDS_ATTENTION]
    faults.sort(key=lambda pair: (-pair[1].count, CATALOGUE[pair[0]].number))
    return [{"code": code.value, "count": seen.count, "first_row": seen.first_row} for code, seen in faults]


NEEDS_ATTENTION = (Outcome.FAILED, Outcome.UNPROCESSED)
