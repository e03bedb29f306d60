"""Jobs: statuses and their transitions, options, and the arithmetic of row counts (R28).

No I/O: `worker.queue.completion` stores jobs and completes their phases.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any

from schemas.codes import CATALOGUE, Code, Outcome
from schemas.user_services import NO_SERVICE, Service


class ListFormat(StrEnum):
    """The source of rows that come without a file: a list in a request, or a selection of existing numbers."""

    LIST = "list"
    SELECTION = "selection"


LIST_FORMAT_KEY = b"format"  # in the metadata of the stored rows


class JobStatus(StrEnum):
    """The status of a job; the last four are terminal."""

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
    JobStatus.REVIEW: frozenset({JobStatus.RUNNING, JobStatus.CHECKING}) | _ENDS,
    JobStatus.RUNNING: frozenset({JobStatus.PUBLISHING}) | _ENDS,
    JobStatus.PUBLISHING: frozenset({JobStatus.COMPLETED, JobStatus.COMPLETED_WITH_ERRORS}) | _ENDS,
    JobStatus.CANCELLING: frozenset({JobStatus.CANCELLED, JobStatus.FAILED}),
    **{status: frozenset() for status in TERMINAL},
}


# Uploads whose stored file can be checked again: nothing of them was written, or they can be continued as another job.
RECHECKED_IN: frozenset[JobStatus] = frozenset({JobStatus.REVIEW, JobStatus.FAILED, JobStatus.CANCELLED})


def may_move_from(target: JobStatus) -> list[JobStatus]:
    """Return the statuses from which a job may move to `target`."""
    return [status for status, targets in MOVES.items() if target in targets]


class Phase(StrEnum):
    """The kinds of work items, in the order of a job's life. All use the same claim and lease.

    One CHECK item and one REPORT item process a file of one batch. For a larger file, CHECK only reads it. Any free
    workers then validate the batches (VALIDATE) and in the end render them (RENDER) one by one; in between, CUT
    processes all rows together. WORKBOOK builds a report as a workbook when it is first requested, after the job's end
    or during its review. MAIL notifies the person who started the job of its end or of its review.

    EXPORT writes the file of an export (R34), and is all that such a job consists of.

    CORRECT applies a correction to an upload under review (R33); VALIDATE and CUT follow, as after CHECK. PREVIEW
    answers what a correction would do.
    """

    CHECK = "check"
    CORRECT = "correct"
    VALIDATE = "validate"
    CUT = "cut"
    WRITE = "write"
    REPORT = "report"
    RENDER = "render"
    CALLBACK = "callback"
    WORKBOOK = "workbook"
    MAIL = "mail"
    PREVIEW = "preview"
    EXPORT = "export"


class Stage(StrEnum):
    """Stages whose time is measured per work item. LOOK_UP and WRITE wait for the database, the others compute."""

    READ = "read"
    VALIDATE = "validate"
    CUT = "cut"
    LOOK_UP = "look_up"
    RESOLVE = "resolve"
    WRITE = "write"
    MERGE = "merge"
    RENDER = "render"


# The job statuses in which work items of a phase are handed out. Chunks of a job under review wait for its
# confirmation; for a job that is being cancelled, only the report is still made. Callbacks are sent after the job has
# ended. Workbooks need a complete report: that of a review, or that of a job that has ended. A failed job has none: the
# worker drops workbooks that were requested during its review. E-mails are sent at the same times; that of a review is
# dropped if the review is over.
WORKED_IN: Mapping[Phase, frozenset[JobStatus]] = {
    Phase.CHECK: frozenset({JobStatus.ACCEPTED, JobStatus.CHECKING}),
    Phase.CORRECT: frozenset({JobStatus.CHECKING}),
    Phase.VALIDATE: frozenset({JobStatus.CHECKING}),
    Phase.CUT: frozenset({JobStatus.CHECKING}),
    Phase.WRITE: frozenset({JobStatus.RUNNING}),
    Phase.REPORT: frozenset({JobStatus.PUBLISHING, JobStatus.CANCELLING}),
    Phase.RENDER: frozenset({JobStatus.PUBLISHING, JobStatus.CANCELLING}),
    Phase.CALLBACK: TERMINAL,
    Phase.WORKBOOK: TERMINAL | {JobStatus.REVIEW},
    Phase.MAIL: TERMINAL | {JobStatus.REVIEW},
    Phase.PREVIEW: frozenset({JobStatus.REVIEW}),
    Phase.EXPORT: frozenset({JobStatus.ACCEPTED, JobStatus.RUNNING}),
}

APART = frozenset({Phase.CALLBACK, Phase.WORKBOOK, Phase.MAIL, Phase.PREVIEW})
"""Phases whose work items are claimed, and counted against their tenant, apart from those that a job consists of.

The job does not wait for them, and they do not change it.
"""

CLAIMED_APART = APART | {Phase.EXPORT}
"""Phases that have their own workers: their work items take no turn from those of imports."""


class ChunkState(StrEnum):
    """The state of a work item: `pending -> leased -> done | pending | dead`."""

    PENDING = "pending"
    LEASED = "leased"
    DONE = "done"
    DEAD = "dead"


class OnExisting(StrEnum):
    """What to do with a number that already exists in the uploader's tree (R17)."""

    SKIP = "skip"
    UPDATE = "update"
    ERROR = "error"


class Accept(StrEnum):
    """How certain it must be that a number exists (R15)."""

    VALID = "valid"
    POSSIBLE = "possible"


class NumberFormat(StrEnum):
    """How digits without a plus are written: detected from the column, or stated by the uploader (R14b)."""

    AUTO = "auto"
    NATIONAL = "national"
    INTERNATIONAL = "international"


class Mode(StrEnum):
    """Whether a checked job is carried out at once, or shown for confirmation first."""

    APPLY = "apply"
    REVIEW = "review"


class OnError(StrEnum):
    """What failed rows mean for the others: nothing, or that no row is written."""

    SKIP = "skip"
    ABORT = "abort"


NO_PROFILE = "none"  # forbids that an import profile is taken without being asked for (R32)


@dataclass(frozen=True)
class JobOptions:
    """Settings for all rows of a job (R11, R18, R23); a row may override them (R12). Ids are validated beforehand.

    The fields named like capabilities are the new values of a change: None leaves one unchanged. `may_create`: numbers
    that are not on the platform are added when they are assigned to a user (R21). `delimiter` to `header_row` are what
    the uploader states about the file (`schemas.http.file_options`). `number_format` (R14b) and `country_code` (R14c:
    the country of numbers that name none, written as in a Country Code cell) control how numbers are read.
    `only_unassigned` and `expected_holder_id` limit which numbers move (R19): those that neither a user nor a tenant
    below the admin has, and those that this tenant (internal id) still holds. `mapping`: what the uploader states about
    the columns (R31), as `schemas.column_mapping.ColumnMapping.to_json` writes it. `profile`: the public id of the
    import profile that it is from; `NO_PROFILE`: none may be taken (R32). `save_profile`: the name under which the
    mapping is saved as one, once the file has been read by it. `only_failed`: the rows are those of the job's parent
    that failed (R33), or that were not written because others failed. `export`: the format and the filter of an export
    (`schemas.exports.ExportOptions`).
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
    mapping: Mapping[str, Any] | None = None
    profile: str | None = None
    save_profile: str | None = None
    only_failed: bool = False
    export: Mapping[str, Any] | None = None

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
        field_names = {field.name for field in fields(cls)}
        return cls(**{name: kinds.get(name, _same)(value) for name, value in raw.items() if name in field_names})

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def _same(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    return value


@dataclass(frozen=True)
class Seen:
    """The number of rows with one result, and the spreadsheet's row number of the first one."""

    count: int
    first_row: int

    def __add__(self, other: Seen) -> Seen:
        return Seen(self.count + other.count, min(self.first_row, other.first_row))


@dataclass(frozen=True)
class Tally:
    """Row counts by outcome and code, the number of rows with warnings, and of those with each warning.

    The tallies of a file's parts add up to the tally of the file, in any order (R29). Tallies that an earlier version
    has stored do not count the warnings one by one, so that these are not compared.
    """

    results: Mapping[tuple[Outcome, Code], Seen] = field(default_factory=dict)
    rows_with_warnings: int = 0
    warnings: Mapping[Code, int] = field(default_factory=dict, compare=False)

    def __add__(self, other: Tally) -> Tally:
        results = dict(self.results)
        for key, seen in other.results.items():
            results[key] = results[key] + seen if key in results else seen
        warnings = dict(Counter(self.warnings) + Counter(other.warnings))
        return Tally(results, self.rows_with_warnings + other.rows_with_warnings, warnings)

    def count(self, outcome: Outcome) -> int:
        """Return the number of rows with this outcome."""
        return sum(seen.count for (result_outcome, _), seen in self.results.items() if result_outcome is outcome)

    def to_json(self) -> dict[str, Any]:
        return {
            "results": [[outcome, code, seen.count, seen.first_row] for (outcome, code), seen in self.results.items()],
            "rows_with_warnings": self.rows_with_warnings,
            "warnings": dict(self.warnings),
        }

    @classmethod
    def from_json(cls, raw: Mapping[str, Any] | None) -> Tally:
        if raw is None:
            return cls()
        results = {(Outcome(outcome), Code(code)): Seen(n, first) for outcome, code, n, first in raw["results"]}
        warnings = {Code(code): count for code, count in raw.get("warnings", {}).items()}
        return cls(results, raw["rows_with_warnings"], warnings)


def total_of(tallies: Iterable[Tally]) -> Tally:
    """Return the sum of the tallies."""
    return sum(tallies, Tally())


def counts_of(tally: Tally, rows_total: int) -> dict[str, int]:
    """Return the counts that a job shows. They always add up to the total: rows not done yet are unprocessed (R28)."""
    counts = {outcome.value: tally.count(outcome) for outcome in Outcome if outcome is not Outcome.UNPROCESSED}
    unprocessed = rows_total - sum(counts.values())
    return {
        "total": rows_total,
        **counts,
        Outcome.UNPROCESSED.value: unprocessed,
        "warnings": tally.rows_with_warnings,
    }


def error_summary(tally: Tally) -> list[dict[str, Any]]:
    """Return the codes of failed and unprocessed rows, most frequent first, then in catalogue order."""
    faults = [(code, seen) for (outcome, code), seen in tally.results.items() if outcome in NEEDS_ATTENTION]
    faults.sort(key=lambda pair: (-pair[1].count, CATALOGUE[pair[0]].number))
    return [{"code": code.value, "count": seen.count, "first_row": seen.first_row} for code, seen in faults]


def warning_summary(tally: Tally) -> list[dict[str, Any]]:
    """Return how many rows have each warning, the most frequent first, then in catalogue order."""
    order = sorted(tally.warnings.items(), key=lambda pair: (-pair[1], CATALOGUE[pair[0]].number))
    return [{"code": code.value, "count": count} for code, count in order]


NEEDS_ATTENTION = (Outcome.FAILED, Outcome.UNPROCESSED)
