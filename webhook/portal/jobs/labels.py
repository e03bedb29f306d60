"""Labels of jobs: their names, states and progress, and counts that add up (R28)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from schemas.codes import Code, Outcome, Text, in_general
from schemas.http import resources
from schemas.jobs import TERMINAL, JobKind, JobStatus
from webhook.portal.shared.durations import duration
from webhook.services.job_details import Beside

_PERCENT = 100
SOURCES = 10  # tenants that would lose numbers and are listed by name


@dataclass(frozen=True)
class Words:
    """Labels of a job kind: in the list, on its button, while it runs, and for its numbers afterwards."""

    name: str
    act: str
    doing: str
    done: str


KINDS = {
    JobKind.UPLOAD: Words("Upload", "Import", "Importing", "imported"),
    JobKind.ASSIGN: Words("Assign", "Assign", "Assigning", "assigned"),
    JobKind.UNASSIGN: Words("Take back", "Take back", "Taking back", "taken back"),
    JobKind.CHANGE: Words("Change capabilities", "Change", "Changing", "changed"),
    JobKind.DELETE: Words("Delete", "Delete", "Deleting", "deleted"),
    JobKind.UNDO: Words("Undo", "Put back", "Putting back", "put back"),
}
STATES = {
    JobStatus.ACCEPTED: ("Waiting", "calm"),
    JobStatus.CHECKING: ("Checking", "busy"),
    JobStatus.REVIEW: ("Waiting for you", "warn"),
    JobStatus.PUBLISHING: ("Writing the report", "busy"),
    JobStatus.COMPLETED: ("Completed", "good"),
    JobStatus.COMPLETED_WITH_ERRORS: ("Completed with errors", "warn"),
    JobStatus.FAILED: ("Failed", "bad"),
    JobStatus.CANCELLING: ("Stopping", "busy"),
    JobStatus.CANCELLED: ("Stopped", "calm"),
}
# Jobs in states of one group have the same kind of page, which differs from those of the other groups.
GROUPS = {
    JobStatus.ACCEPTED: "check",
    JobStatus.CHECKING: "check",
    JobStatus.REVIEW: "review",
    JobStatus.RUNNING: "work",
    JobStatus.PUBLISHING: "report",
    JobStatus.CANCELLING: "stopping",
}
# The catalogue's texts for these codes address people who send rows.
OF_UNDO = {
    Code.NO_CHANGE: Text(
        "Nothing to put back: the row changed nothing, or its number is already as it was before.", ""
    ),
    Code.CANCELLED: Text("The undo was stopped before this row.", "Undo again what is left."),
    Code.INTERNAL_ERROR: Text(
        "Something went wrong on our side with this row.",
        "Undo again what is left; if it fails again, tell support the job's id.",
    ),
}
NOTHING = Beside()
OUTCOMES = tuple(outcome.value for outcome in Outcome)
TONES = {
    Outcome.CREATED: "good",
    Outcome.UPDATED: "good",
    Outcome.DELETED: "good",
    Outcome.FAILED: "bad",
    Outcome.UNPROCESSED: "warn",
}
LEFT_AS = {
    "skip": "Numbers that you have already are left as they are.",
    "update": "Numbers that you have already are changed to what the file says.",
    "error": "Numbers that you have already count as errors.",
}


def words(job: resources.Job) -> Words:
    """Return the labels of the job's kind."""
    return KINDS[JobKind(job.kind)]


def name(job: resources.Job, beside: Beside = NOTHING) -> str:
    """Return a job's name in lists and headings: by its file, its number of rows, or the job that it undoes."""
    file_name = None if job.file is None else job.file.name
    own = _name(JobKind(job.kind), file_name, job.counts.total)
    return f"{own} of {undoes(beside)}" if beside.undoes else own


def undoes(beside: Beside) -> str:
    """Return the name of what an undo undoes."""
    return " of ".join(_name(each.kind, each.file_name, each.rows) for each in beside.undoes)


def _name(kind: JobKind, file_name: str | None, rows: int) -> str:
    title = KINDS[kind].name
    if file_name is not None:
        return f"{title}: {file_name}"
    return title if not rows or kind is JobKind.UNDO else f"{title}: {plural(rows, 'number')}"


def undone(beside: Beside) -> tuple[str, str] | None:
    """Return how far a job is undone, in a word beside its state, and the tone (`parts.badge`); None if not at all."""
    found = beside.undone
    if found is None:
        return None
    if found.state == "under way":
        return "Being undone", "busy"
    if found.state == "whole":
        return "Undone", "calm"
    return ("Partly undone", "warn") if found.put_back else None


def in_words(job: resources.Job) -> Callable[[Code], Text]:
    """Return the function that gives the text of a code for many rows: undos have some of their own, and reviews."""
    if job.kind == JobKind.UNDO:
        return _of_undo
    return partial(in_general, preview=job.status == JobStatus.REVIEW)


def _of_undo(code: Code) -> Text:
    return OF_UNDO.get(code) or in_general(code)


def state(job: resources.Job) -> tuple[str, str]:
    """Return the label of a job's state, and its tone (`parts.badge`)."""
    if job.status == JobStatus.RUNNING:
        return words(job).doing, "busy"
    return STATES[JobStatus(job.status)]


def group(job: resources.Job) -> str:
    """Return which page the job has: check, review, work, report (nothing is left to stop), stopping or ended."""
    return GROUPS.get(JobStatus(job.status), "ended")


def is_open(job: resources.Job) -> bool:
    """Return whether the job continues by itself."""
    return job.status not in TERMINAL and job.status != JobStatus.REVIEW


def plural(count: int, thing: str) -> str:
    """Return a count with its noun: "1 row", "1,517 rows"."""
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"


def total(counts: resources.Counts | resources.ReviewEffect) -> str:
    """Return the sum of outcomes: "97,816 created + 667 skipped + 1,517 failed = 100,000 rows"."""
    found = [(name, getattr(counts, name)) for name in OUTCOMES]
    parts = [f"{count:,} {name}" for name, count in found if count]
    return f"{' + '.join(parts) or '0'} = {plural(sum(count for _, count in found), 'row')}"


def shares(counts: resources.Counts | resources.ReviewEffect) -> list[tuple[str, int, str, float]]:
    """Return each outcome that occurs: its name, its rows, its tone, and its share of all rows in percent."""
    found = [(name, getattr(counts, name)) for name in OUTCOMES]
    rows = sum(count for _, count in found)
    return [
        (name.capitalize(), count, TONES.get(Outcome(name), "calm"), round(_PERCENT * count / rows, 1))
        for name, count in found
        if count
    ]


def written(counts: resources.Counts) -> int:
    """Return how many rows changed the inventory."""
    return counts.created + counts.updated + counts.deleted


def to_write(review: resources.Review) -> int:
    """Return how many numbers confirming would create, change or delete; a row may stand for several (R12)."""
    return sum(target.created + target.updated + target.deleted for target in review.targets)


def taken_from(review: resources.Review) -> list[str]:
    """Return who would lose how many numbers (R19), the most first: "Ashford Clinics: 5 numbers".

    Beyond `SOURCES` tenants, the rest are one entry.
    """
    named = [source for source in review.taken_from if source.tenant is not None][:SOURCES]
    words = [f"{source.tenant.name}: {plural(source.count, 'number')}" for source in named if source.tenant is not None]
    others = sum(source.count for source in review.taken_from) - sum(source.count for source in named)
    return [*words, f"Others: {plural(others, 'number')}"] if others else words


def progress(job: resources.Job) -> str:
    """Return the progress in words; "" if there is nothing to show."""
    told = job.progress
    parts = _so_far(job)
    if job.status == JobStatus.RUNNING and told.rows_total and told.rows_per_second:
        parts.append(f"{told.rows_per_second:,.0f} rows a second")
    if told.eta_seconds is not None:
        parts.append(f"about {duration(told.eta_seconds)} left")
    return " · ".join(parts)


def aloud(job: resources.Job) -> str:
    """Return the progress for screen readers: announced now and then, so without the time left, which changes."""
    return " · ".join(_so_far(job))


def _so_far(job: resources.Job) -> list[str]:
    told, parts = job.progress, []
    if told.queue_position is not None:
        parts.append(f"Place {told.queue_position:,} in the queue")
    if job.status == JobStatus.RUNNING and told.rows_total:
        share = int(_PERCENT * told.rows_done / told.rows_total)
        parts.append(f"{share} % · {told.rows_done:,} of {plural(told.rows_total, 'row')}")
    return parts
