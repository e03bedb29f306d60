"""Waits for a job to end, through restarts of the service. Ctrl-C stops only the waiting, not the job."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from webhook.cli.client import Json, ProblemError
from webhook.cli.connection_errors import UnreachableError
from webhook.cli.exit_codes import Ending, Exit
from webhook.cli.progress_views import View
from webhook.cli.resources import show_resource
from webhook.cli.session import Session
from webhook.cli.summary import JOBS, exit_of, is_over, is_reviewed, lines
from webhook.cli.terminal import note, number, print_line, safe

# How long to retry while the service does not respond, in seconds.
PATIENCE = 60.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
# Pause between requests when the service responds at once (`Prefer: wait` not honoured), in seconds.
_SHORT = 0.5
_BUSY = frozenset({429, 502, 503, 504})

T = TypeVar("T")


def follow(session: Session, job: Json, view: View) -> Json:
    """Poll until the job has ended or waits to be confirmed, and return it.

    Retries for `PATIENCE` seconds while the service does not respond, then raises `UnreachableError` or
    `ProblemError`. Ctrl-C prints how to follow and how to stop the job, and ends the command with `Exit.INTERRUPTED`.
    """
    job_id = str(job["id"])
    resume = session.command("jobs", safe(job_id), "--watch")
    try:
        while not _rests(job):
            view.show(job)
            asked_at = time.monotonic()
            wait = view.poll_seconds
            job = patiently(partial(session.api.job, job_id, wait=wait), view.note, "the job is safe")
            if not _rests(job):
                time.sleep(max(0.0, _SHORT - (time.monotonic() - asked_at)))
    except KeyboardInterrupt:
        view.note("The job continues in the background.")
        view.note(f"Follow it: {resume}")
        view.note(f"Stop it:   {session.command('cancel', safe(job_id))}")
        document = {
            "code": "INTERRUPTED",
            "detail": "The job continues in the background.",
            "fix": f"Follow it: {resume}",
        }
        raise Ending(Exit.INTERRUPTED, document) from None
    except UnreachableError as error:
        raise UnreachableError(str(error), f"The job is not lost. Follow it: {resume}") from error
    except ProblemError as error:
        if error.status in _BUSY:
            view.note(f"The job is not lost. Follow it: {resume}")
        raise
    view.show(job)
    return job


def _rests(job: Json) -> bool:
    return is_over(job) or is_reviewed(job)


def patiently(ask: Callable[[], T], note: Callable[[str], None], what: str) -> T:
    """Return what `ask` returns; retry for `PATIENCE` seconds while the service does not respond or is busy.

    `what`: what the user need not fear for, for the notes.
    """
    give_up, pause = 0.0, _FIRST_PAUSE
    while True:
        try:
            answer = ask()
        except (UnreachableError, ProblemError) as error:
            now = time.monotonic()
            if isinstance(error, ProblemError) and error.status not in _BUSY:
                raise
            if not give_up:
                give_up = now + PATIENCE
                trouble = "is busy" if isinstance(error, ProblemError) else "does not respond"
                note(f"The service {trouble}. Retrying for {PATIENCE:.0f} s; {what}.")
            if now >= give_up:
                raise
            time.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
        else:
            if give_up:
                note("The service responds again.")
            return answer


def has_report(job: Json) -> bool:
    """Return whether the job has a report. A refused file has none."""
    return bool((job.get("links") or {}).get("report_csv"))


def conclude(session: Session, job: Json, *, saves_report: bool = False) -> Exit:
    """Print the ended or reviewed job and the next steps. Returns the exit code for the job.

    `saves_report`: the caller downloads the report itself and prints its path.
    """
    if not session.output.is_text:
        show_resource(session, job, JOBS)
        return exit_of(job)
    for line in lines(job):
        print_line(line)
    lineage = job.get("lineage") or {}
    if len(lineage.get("jobs") or []) > 1:
        open_rows = lineage.get("rows_open")
        print_line()
        rows = "No rows" if not open_rows else f"{number(open_rows)} row{'' if open_rows == 1 else 's'}"
        print_line(f"{rows} of the first file left to correct.")
    if is_reviewed(job):
        _say_how_to_decide(session, job)
    if file := (job.get("links") or {}).get("file"):
        print_line(f"File: {session.api.url}{safe(file)}")
    if not has_report(job):
        return exit_of(job)
    print_line()
    if not saves_report:
        print_line(f"Report: {session.command('report', safe(job.get('id')), '--out', 'report.csv')}")
    if (job.get("counts") or {}).get("failed"):
        note(f"Fix:    {session.command('report', safe(job.get('id')), '--rows', 'failed', '--out', 'failed.xlsx')}")
        if job.get("kind") == "upload":
            note(f"Then:   {session.command('upload', 'failed.xlsx', '--parent', safe(job.get('id')))}")
    return exit_of(job)


def _say_how_to_decide(session: Session, job: Json) -> None:
    print_line()
    if not job.get("can_confirm", True):
        recheck = session.command("recheck", safe(job.get("id")), "--mapping", "columns.json")
        print_line(f"Say which column is which: {recheck}")
        print_line(f"Cancel:  {session.command('cancel', safe(job.get('id')))}")
        return
    print_line(f"Confirm: {session.command('confirm', safe(job.get('id')))}")
    if job.get("can_correct") and ((job.get("review") or {}).get("effect") or {}).get("failed"):
        print_line(f"Correct: {session.command('correct', safe(job.get('id')), 'correction.json')}")
    print_line(f"Cancel:  {session.command('cancel', safe(job.get('id')))}")
