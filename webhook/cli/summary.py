"""A job as text and as a row of a list: its state, its counts with their sum, its review, its most frequent errors.

Makes untrusted text safe.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from schemas.codes import Code, Outcome, in_general
from schemas.jobs import TERMINAL, JobStatus
from webhook.cli.client import Json
from webhook.cli.exit_codes import Exit, of_job
from webhook.cli.resources import Listing
from webhook.cli.terminal import number, safe, span, when

_TOP = 3
_CHANGES = 10
_COLUMNS, _CELLS = 60, 3  # that are shown of a file
_SOURCES = 10
_WRITTEN = (Outcome.CREATED, Outcome.UPDATED, Outcome.DELETED)
_ENDINGS = frozenset(status.value for status in TERMINAL)


def _row(job: Json) -> tuple[object, ...]:
    counts = job.get("counts") or {}
    file_name = (job.get("file") or {}).get("name")
    figures = (counts.get("total"), counts.get("failed"), job.get("kind"), when(job.get("created_at")))
    return (job.get("id"), job.get("status"), file_name, *figures)


JOBS = Listing(
    "jobs",
    "schemas.http.resources:Job",
    ("Job", "Status", "File", "Rows", "Failed", "Kind", "Created"),
    _row,
    spare=("Kind", "Rows", "Created"),
    empty="No jobs.",
    order="newest",
)


def is_over(job: Json) -> bool:
    """Return whether the job has ended, with any status."""
    return job.get("status") in _ENDINGS


def is_reviewed(job: Json) -> bool:
    """Return whether the job is checked and waits to be confirmed."""
    return job.get("status") == JobStatus.REVIEW


def adds_up(job: Json) -> bool:
    """R28: return whether an ended job's outcomes add up to its total."""
    counts = job.get("counts") or {}
    return not is_over(job) or sum(_outcomes(counts).values()) == counts.get("total", 0)


def exit_of(job: Json) -> Exit:
    """Return the exit code of a command that followed this job. Counts that do not add up are a bug of ours."""
    if is_reviewed(job) and not job.get("can_confirm", True):
        return Exit.JOB_FAILED  # as without a review: nothing can be done before a mapping is given
    return of_job(str(job.get("status"))) if adds_up(job) else Exit.UNEXPECTED


def progress_line(job: Json) -> str:
    """Return one line for a running job: phase, rows, speed and time left, or its position in the queue."""
    progress, status = job.get("progress") or {}, safe(job.get("status"))
    if progress.get("queue_position"):
        return f"Queued, position {number(progress['queue_position'])}"
    parts = [part for part in (_rows_part(progress), _speed_part(progress), _left_part(progress)) if part]
    return f"{status}: {', '.join(parts)}" if parts else status


def _rows_part(progress: Json) -> str:
    done, total = number(progress.get("rows_done")), number(progress.get("rows_total"))
    return f"{done} of {total} rows" if done and total and total != "0" else ""


def _speed_part(progress: Json) -> str:
    speed = progress.get("rows_per_second")
    return f"{speed:,.0f} rows/s" if isinstance(speed, int | float) else ""


def _left_part(progress: Json) -> str:
    left = progress.get("eta_seconds")
    return f"{span(left)} left" if isinstance(left, int | float) else ""


def lines(job: Json) -> Iterator[str]:
    """Yield the whole job as text for people; for an ended job with the sum that shows R28."""
    yield f"Job {safe(job.get('id'))}: {safe(job.get('status'))}"
    yield from _what_and_when(job)
    problem = job.get("problem")
    if problem:
        yield f"{safe(problem.get('code'))}: {safe(problem.get('detail') or problem.get('title'))}"
        if problem.get("sqlstate"):
            yield f"  The database reported {safe(problem['sqlstate'])} (SQLSTATE); the workers' log has the message."
        if problem.get("fix"):
            yield f"  {safe(problem['fix'])}"
    if is_reviewed(job):
        yield from review_lines(job)
    else:
        if not is_over(job):
            yield progress_line(job)
        yield from _counts(job)
    yield from _causes(job)


def _what_and_when(job: Json) -> Iterator[str]:
    name = safe((job.get("file") or {}).get("name"))
    rows, seconds = (job.get("counts") or {}).get("total"), _seconds(job)
    parts = [name] if name else []
    parts += [f"{number(rows)} row{'s' if rows > 1 else ''}"] if rows else []
    parts += [f"{seconds:,.1f} s", f"{rows / seconds:,.0f} rows/s"] if rows and seconds else []
    if parts:
        yield ", ".join(parts)
    yield from notes(job)


def notes(job: Json) -> Iterator[str]:
    """Yield the notes about the job's file."""
    yield from (f"Note: {safe(text)}" for text in (job.get("file") or {}).get("notes") or ())


def _seconds(job: Json) -> float | None:
    """Return the seconds from acceptance to the end, as measured by the service; None if unknown."""
    try:
        return (datetime.fromisoformat(job["finished_at"]) - datetime.fromisoformat(job["created_at"])).total_seconds()
    except (KeyError, TypeError, ValueError):
        return None


def _outcomes(counts: Json) -> dict[str, int]:
    return {outcome.value: counts.get(outcome.value) or 0 for outcome in Outcome}


def _counts(job: Json) -> Iterator[str]:
    counts = job.get("counts") or {}
    if not counts.get("total"):
        return
    outcomes = {name: count for name, count in _outcomes(counts).items() if count}
    yield ""
    yield from (f"{name:>12}  {count:>11,}" for name, count in outcomes.items())
    total = counts["total"]
    if not adds_up(job):
        yield f"{'total':>12}  {total:>11,}  but the lines above add up to {sum(outcomes.values()):,}: contact support"
    elif is_over(job):
        yield f"{'total':>12}  {total:>11,}  = {' + '.join(f'{count:,}' for count in outcomes.values())}"
    if counts.get("warnings"):
        yield f"{'warnings':>12}  {counts['warnings']:>11,}  rows with a warning, also counted above"


def _causes(job: Json) -> Iterator[str]:
    causes = (job.get("error_summary") or [])[:_TOP]
    if causes:
        yield ""
        yield "Most frequent errors"
    for cause in causes:
        code = safe(cause.get("code"))
        rows = "row" if cause.get("count") == 1 else "rows"
        yield f"  {code}: {number(cause.get('count'))} {rows}, first in row {number(cause.get('first_row'))}"
        text = _words(code, preview=is_reviewed(job))
        if text:
            yield f"      {text}"


def _words(code: str, *, preview: bool) -> str:
    """Return the general text and fix of a code; "" for a code that is newer than this program."""
    if code not in frozenset(Code):
        return ""
    words = in_general(Code(code), preview=preview)
    return f"{words.message} {words.fix}".strip()


def review_lines(job: Json) -> Iterator[str]:
    """Yield the lines of a job's review; the columns of its file, if it is not settled which is which."""
    review = job.get("review")
    if not isinstance(review, dict):
        yield from _columns(job)
        return
    yield ""
    yield f"Nothing is changed until you confirm. Expected result (confirm by {when(review.get('expires_at'))}):"
    effect = review.get("effect") or {}
    yield from (f"{outcome.value:>12}  {effect[outcome]:>11,}" for outcome in Outcome if effect.get(outcome))
    yield from _targets(review.get("targets") or [])
    yield from _sources(review.get("taken_from") or [])
    yield from _carriers(review.get("carriers") or [])
    yield from _changes(review.get("changes") or [])


def _columns(job: Json) -> Iterator[str]:
    """Yield the file's columns, the first cells of each, and what we suggest for it."""
    yield from ("", "Columns of the file")
    for column in ((job.get("file") or {}).get("columns") or [])[:_COLUMNS]:
        cells = ", ".join(safe(text) for text in (column.get("samples") or [])[:_CELLS])
        suggested = f" -> {safe(column['column'])}?" if column.get("column") else ""
        yield f"  {number(column.get('index')):>3}  {safe(column.get('header')) or '(no name)'}{suggested}  [{cells}]"


def _targets(targets: list[Json]) -> Iterator[str]:
    if targets:
        yield from ("", "Tenants")
    for entry in targets:
        counts = ", ".join(f"{number(entry[kind])} {kind.value}" for kind in _WRITTEN if entry.get(kind))
        yield f"  {safe((entry.get('tenant') or {}).get('name'))}: {counts}"


def _sources(sources: list[Json]) -> Iterator[str]:
    """Yield the tenants that would lose numbers to others (R19), most numbers first."""
    if sources:
        yield from ("", "Taken from")
    largest, others = sources[:_SOURCES], sources[_SOURCES:]
    for entry in largest:
        yield f"  {safe((entry.get('tenant') or {}).get('name') or 'others')}: {number(entry.get('count'))}"
    if others:
        yield f"  others: {number(sum(int(entry.get('count') or 0) for entry in others))}"


def _carriers(carriers: list[Json]) -> Iterator[str]:
    if carriers:
        yield from ("", "Carriers")
    for entry in carriers:
        yield f"  {safe(entry.get('name'))} ({safe(entry.get('service'))}): {number(entry.get('count'))}"


def _changes(changes: list[Json]) -> Iterator[str]:
    """Yield the changes to existing numbers. New numbers are only counted."""
    updates = [entry for entry in changes if isinstance(entry.get("before"), dict)]
    if updates:
        yield from ("", "Changes" if len(updates) <= _CHANGES else f"Changes, the first {_CHANGES}")
    for entry in updates[:_CHANGES]:
        before, after = entry["before"], entry.get("after")
        parts = ["deleted"] if after is None else [_change(name, before[name], after.get(name)) for name in before]
        yield f"  {safe(entry.get('number'))}  {', '.join(filter(None, parts))}"


def _change(name: str, before: object, after: object) -> str:
    return "" if before == after else f"{safe(name)}: {_word(before)} -> {_word(after)}"


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return safe(value.get("name") if isinstance(value, dict) else value) or "none"
