"""A job in words, for pages and e-mails: what it is called, its counts, the causes of its failed rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from schemas.codes import Code, Outcome, Text, in_general
from schemas.job_kinds import JOB_KINDS, WITHOUT_ROWS, JobKind
from schemas.jobs import JobStatus

OUTCOMES = tuple(outcome.value for outcome in Outcome)
# The catalogue's texts for these codes address people who send rows.
OF_UNDO = {
    Code.NO_CHANGE: Text("Nothing to undo: the row changed nothing, or its number is already as it was before.", ""),
    Code.CANCELLED: Text("The undo was stopped before this row.", "Undo the rest."),
    Code.INTERNAL_ERROR: Text(
        "Something went wrong on our side with this row.",
        "Undo the rest; if it fails again, contact support with the job ID.",
    ),
}


def noun(kind: JobKind, file_name: str | None, rows: int) -> str:
    """Return what a job is called within a sentence: "upload of numbers.csv", "deletion of 3 numbers"."""
    text = JOB_KINDS[kind].noun
    if file_name is not None:
        return f"{text} of {file_name}"
    return text if not rows or kind is JobKind.UNDO else f"{text} of {plural(rows, 'number')}"


def plural(count: int, thing: str) -> str:
    """Return a count with its noun: "1 row", "1,517 rows"."""
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"


def total(counts: Mapping[str, int]) -> str:
    """Return the outcomes and, where there are several, their sum: "1,600 created · 400 failed (2,000 rows)"."""
    parts = [f"{counts[name]:,} {name}" for name in OUTCOMES if counts[name]]
    if not parts:
        return plural(0, "row")
    rows = plural(sum(counts[name] for name in OUTCOMES), "row")
    return parts[0] if len(parts) == 1 else f"{' · '.join(parts)} ({rows})"


def counted(kind: JobKind, counts: Mapping[str, int]) -> str:
    """Return what a job has done in words: `total`; of an export, which changes nothing, how many numbers it has."""
    return f"{plural(counts['total'], 'number')} {JOB_KINDS[kind].done}" if kind in WITHOUT_ROWS else total(counts)


def in_words(kind: JobKind, status: str) -> Callable[[Code], Text]:
    """Return the function that gives the text of a code for many rows: undos have some of their own, and reviews."""
    if kind is JobKind.UNDO:
        return _of_undo
    return partial(in_general, preview=status == JobStatus.REVIEW)


def _of_undo(code: Code) -> Text:
    return OF_UNDO.get(code) or in_general(code)
