"""Labels of jobs: their names, states and progress, and counts that add up (R28)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from functools import partial

from flask import url_for

from schemas.codes import Code, Outcome, Text, in_general, text_of
from schemas.columns import Column, name_of
from schemas.exports import FORMAT_NAMES
from schemas.http import resources
from schemas.job_kinds import JOB_KINDS, JobKind, JobKindSpec
from schemas.jobs import TERMINAL, JobStatus
from schemas.mails import MailResult
from schemas.request_problems import RequestCode
from webhook.portal.shared.durations import duration, file_size
from webhook.services.job_details import Cause, JobDetails, UndoRelations
from worker.reports import job_words
from worker.reports.job_words import OF_UNDO, OUTCOMES, noun, plural

_PERCENT = 100
SOURCES = 10  # tenants that would lose numbers and are listed by name
STATES = {
    JobStatus.ACCEPTED: ("Waiting", "calm"),
    JobStatus.CHECKING: ("Checking", "busy"),
    JobStatus.REVIEW: ("Waiting for you", "warn"),
    JobStatus.PUBLISHING: ("Writing the report", "busy"),
    JobStatus.COMPLETED: ("Completed", "good"),
    JobStatus.COMPLETED_WITH_ERRORS: ("Completed with errors", "warn"),
    JobStatus.FAILED: ("Failed", "bad"),
    JobStatus.CANCELLING: ("Stopping", "busy"),
    JobStatus.CANCELLED: ("Cancelled, stopped or expired", "calm"),
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
OF_EXPIRED = {Code.CANCELLED: Text("Nothing was done with this row: the review expired.", "Check the file again.")}
NOTHING = UndoRelations()
TONES = {
    Outcome.CREATED: "good",
    Outcome.UPDATED: "good",
    Outcome.FAILED: "bad",
    Outcome.UNPROCESSED: "warn",
}
MAIL_RESULTS = {
    "waiting": "Being sent",
    MailResult.SENT: "Sent",
    MailResult.REFUSED: "Not delivered: the mail server refused your address or the message",
    MailResult.GIVEN_UP: "Not sent: the mail server didn't accept it for a day",
    MailResult.OVER_LIMIT: "Not sent: your company's limit of e-mails in an hour was reached",
}
LEFT_AS = {
    "skip": "Numbers you already have are left as they are.",
    "update": "Numbers you already have are updated with the values in the file.",
    "error": "Numbers you already have are treated as errors.",
}


def words(job: resources.Job) -> JobKindSpec:
    """Return the words of the job's kind."""
    return JOB_KINDS[JobKind(job.kind)]


def name(job: resources.Job, relations: UndoRelations = NOTHING) -> str:
    """Return a job's name in lists and headings: by its file, its number of rows, or the job that it undoes."""
    file_name = None if job.file is None else job.file.name
    if relations.undoes:
        return f"{_verb(len(relations.undoes))}: {described(job, relations)}"
    return _name(JobKind(job.kind), file_name, job.counts.total)


def described(job: resources.Job, relations: UndoRelations = NOTHING) -> str:
    """Return what a job is called within a sentence; for an undo, what the first job of its chain is called."""
    if relations.undoes:
        return _undone_noun(relations)
    return noun(JobKind(job.kind), None if job.file is None else job.file.name, job.counts.total)


def undoes(relations: UndoRelations) -> str:
    """Return what the job that this undo reverses is called within a sentence: "undo of the upload of numbers.csv"."""
    undos = len(relations.undoes) - 1
    return (f"{_verb(undos).lower()} of the " if undos else "") + _undone_noun(relations)


def undo_verb(details: JobDetails) -> str:
    """Return the verb for undoing a job: "Redo" if that repeats what an undo has reversed."""
    return _verb(len(details.undo_relations.undoes) + 1)


def _verb(undos: int) -> str:
    """Return "Undo" for an odd number of undos in the chain, "Redo" for an even one."""
    return "Undo" if undos % 2 else "Redo"


def _undone_noun(relations: UndoRelations) -> str:
    first = relations.undoes[-1]
    return noun(first.kind, first.file_name, first.rows)


def _name(kind: JobKind, file_name: str | None, rows: int) -> str:
    title = JOB_KINDS[kind].name
    if file_name is not None:
        return f"{title}: {file_name}"
    return title if not rows or kind is JobKind.UNDO else f"{title}: {plural(rows, 'number')}"


def undone(relations: UndoRelations) -> tuple[str, str] | None:
    """Return how far a job is undone, as a label and its tone (`parts.badge`); None if not at all."""
    undone_state = relations.undone
    if undone_state is None:
        return None
    if undone_state.state == "under way":
        return "Being undone", "busy"
    if undone_state.state == "whole":
        return "Undone", "calm"
    return ("Partly undone", "warn") if undone_state.put_back else None


def in_words(job: resources.Job) -> Callable[[Code], Text]:
    """Return the function that gives the text of a code for many rows: undos have some of their own, and reviews."""
    own, general = own_texts(job), partial(in_general, preview=job.status == JobStatus.REVIEW)
    return lambda code: own.get(code) or general(code)


def own_texts(job: resources.Job) -> Mapping[Code, Text]:
    """Return the texts of codes for rows of a kind of job, where the catalogue's are of other jobs."""
    if job.kind == JobKind.UNDO:
        return OF_UNDO
    return OF_EXPIRED if has_expired(job) else {}


def of_cause(job: resources.Job, cause: Cause) -> Text:
    """Return the text of a cause, with the name of its column if it is known."""
    is_preview = job.status == JobStatus.REVIEW
    if job.kind == JobKind.UNDO or cause.column is Column.NONE:
        return in_words(job)(cause.code)
    if not cause.header:  # chosen for all rows, not in a cell
        return text_of(cause.code, cause.column, preview=is_preview).with_value("")
    return in_general(cause.code, cause.column, preview=is_preview)


def column_of(cause: Cause) -> str:
    """Return the name of a cause's column in the file, and what it means if that differs; "" if it is in none."""
    name = name_of(cause.column)
    return f"“{cause.header}” ({name})" if cause.header not in {"", name} else cause.header and name


def state(job: resources.Job) -> tuple[str, str]:
    """Return the label of a job's state, and its tone (`parts.badge`)."""
    if job.status == JobStatus.RUNNING:
        return words(job).doing, "busy"
    if has_expired(job):
        return "Expired", "calm"
    if job.status == JobStatus.CANCELLED:
        return ("Stopped" if written(job.counts) else "Cancelled"), "calm"
    return STATES[JobStatus(job.status)]


def has_expired(job: resources.Job) -> bool:
    """Return whether a review was not confirmed in time, whether or not the job has been cancelled for it since."""
    if job.status == JobStatus.REVIEW and job.review is not None:
        return job.review.expires_at <= dt.datetime.now(dt.UTC)
    return job.problem is not None and job.problem.code == RequestCode.REVIEW_EXPIRED


def group(job: resources.Job) -> str:
    """Return which page the job has: check, review, work, report (nothing is left to stop), stopping or ended."""
    return GROUPS.get(JobStatus(job.status), "ended")


def is_open(job: resources.Job) -> bool:
    """Return whether the job continues by itself."""
    return job.status not in TERMINAL and job.status != JobStatus.REVIEW


def total(counts: resources.Counts | resources.ReviewEffect) -> str:
    """Return the outcomes and, where there are several, their sum: "1,600 created · 400 failed (2,000 rows)"."""
    return job_words.total(counts.model_dump())


def counted(job: resources.Job) -> str:
    """Return what a job has done in words: `total`, or how many numbers it exported."""
    return job_words.counted(JobKind(job.kind), job.counts.model_dump())


def is_export(job: resources.Job) -> bool:
    """Return whether the job has a file instead of rows."""
    return job.export is not None


def format_name(job: resources.Job) -> str:
    """Return the format of an export's file in words."""
    return "" if job.export is None else FORMAT_NAMES[job.export.format]


def size_of(job: resources.Job) -> str:
    """Return the size of an export's file in words."""
    return "" if job.export is None else file_size(job.export.size or 0)


def unit(job: resources.Job) -> str:
    """Return what the job counts."""
    return "number" if is_export(job) else "row"


def shares(counts: resources.Counts | resources.ReviewEffect) -> list[tuple[str, int, str, float]]:
    """Return each outcome that occurs: its name, its rows, its tone, and its share of all rows in percent.

    Under review, deleting is not done yet and cannot be overlooked.
    """
    tones = TONES | ({Outcome.DELETED: "warn"} if isinstance(counts, resources.ReviewEffect) else {})
    counted = [(name, getattr(counts, name)) for name in OUTCOMES]
    rows = sum(count for _, count in counted)
    return [
        (name.capitalize(), count, tones.get(Outcome(name), "calm"), round(_PERCENT * count / rows, 1))
        for name, count in counted
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
    sources = [source for source in review.taken_from if source.tenant is not None][:SOURCES]
    words = [
        f"{source.tenant.name}: {plural(source.count, 'number')}" for source in sources if source.tenant is not None
    ]
    others = sum(source.count for source in review.taken_from) - sum(source.count for source in sources)
    return [*words, f"Others: {plural(others, 'number')}"] if others else words


def progress(job: resources.Job) -> str:
    """Return the progress in words; "" if there is nothing to show."""
    progress_facts = job.progress
    parts = _so_far(job)
    if job.status == JobStatus.RUNNING and progress_facts.rows_total and progress_facts.rows_per_second:
        parts.append(f"{progress_facts.rows_per_second:,.0f} {unit(job)}s a second")
    if progress_facts.eta_seconds is not None:
        parts.append(f"about {duration(progress_facts.eta_seconds)} left")
    return " · ".join(parts)


def aloud(job: resources.Job) -> str:
    """Return the progress for screen readers: announced now and then, so without the time left, which changes."""
    return " · ".join(_so_far(job))


def tab(job: resources.Job, relations: UndoRelations = NOTHING) -> str:
    """Return the title of the browser's tab, with the progress first, as tabs are narrow: "42% - numbers.csv"."""
    return f"{_share(job) or state(job)[0]} - {job.file.name if job.file else name(job, relations)}"


def notice(job: resources.Job) -> str:
    """Return the text of a browser notification about a job that has ended or waits for confirmation."""
    if job.status == JobStatus.REVIEW:
        return f"Nothing has been {words(job).done} yet."
    return counted(job) if job.counts.total else ""


def _share(job: resources.Job) -> str:
    """Return the share of the rows that are done: "42%"; "" before and after the rows are worked on."""
    progress_facts = job.progress
    if job.status != JobStatus.RUNNING or not progress_facts.rows_total:
        return ""
    return f"{int(_PERCENT * progress_facts.rows_done / progress_facts.rows_total)}%"


def _so_far(job: resources.Job) -> list[str]:
    progress_facts, parts = job.progress, []
    if progress_facts.queue_position is not None:
        parts.append(f"Position {progress_facts.queue_position:,} in the queue")
    if share := _share(job):
        parts.append(f"{share} · {progress_facts.rows_done:,} of {plural(progress_facts.rows_total, unit(job))}")
    return parts


def check_again_url(job: resources.Job) -> str:
    """Return the URL of the page to check an upload's file again; once the file is gone, of the page to upload it."""
    if job.can_recheck:
        return url_for("portal.job_columns", job_id=job.id)
    return url_for("portal.new_upload", like=job.id)
