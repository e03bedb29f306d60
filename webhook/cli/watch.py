"""Waits for a job to end, through restarts of the service. Who stops waiting leaves the job running."""

from __future__ import annotations

import time

from webhook.cli.client import Api, Json, ProblemError, UnreachableError
from webhook.cli.console import emit, note, safe, say
from webhook.cli.exits import Ending, Exit
from webhook.cli.session import Session
from webhook.cli.summary import exit_of, is_over, lines
from webhook.cli.views import View

# How long a silent service is waited for, in seconds.
PATIENCE = 60.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
# Pause when the service answers at once instead of waiting for news (`Prefer: wait` not honoured), in seconds.
_SHORT = 0.5
_BUSY = frozenset({429, 502, 503, 504})


def follow(session: Session, job: Json, view: View) -> Json:
    """Ask until the job has ended and return it.

    A silent service is asked again for `PATIENCE` seconds, then `UnreachableError` or `ProblemError` is raised.
    Ctrl-C prints how to resume and ends the command with `Exit.INTERRUPTED`.
    """
    job_id = str(job["id"])
    resume = session.command("jobs", safe(job_id), "--watch")
    try:
        while not is_over(job):
            view.show(job)
            asked = time.monotonic()
            job = _asked_patiently(session.api, job_id, view)
            if not is_over(job):
                time.sleep(max(0.0, _SHORT - (time.monotonic() - asked)))
    except KeyboardInterrupt:
        view.note(f"The job goes on. Follow it with: {resume}")
        raise Ending(Exit.INTERRUPTED) from None
    except UnreachableError as error:
        raise UnreachableError(f"{error} The job is not lost: {resume}") from error
    view.show(job)
    return job


def _asked_patiently(api: Api, job_id: str, view: View) -> Json:
    give_up, pause = 0.0, _FIRST_PAUSE
    while True:
        try:
            job = api.job(job_id, wait=view.poll_seconds)
        except (UnreachableError, ProblemError) as error:
            now = time.monotonic()
            if isinstance(error, ProblemError) and error.status not in _BUSY:
                raise
            if not give_up:
                give_up = now + PATIENCE
                view.note(f"The service does not answer. Trying for {PATIENCE:.0f} s; the job is safe.")
            if now >= give_up:
                raise
            time.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
        else:
            if give_up:
                view.note("The service answers again.")
            return job


def has_report(job: Json) -> bool:
    """Whether the service has a report to give: not for a file that was refused."""
    return bool((job.get("links") or {}).get("report_csv"))


def conclude(session: Session, job: Json) -> Exit:
    """Write the ended job and where its report is; the exit code that says how it went."""
    if session.as_json:
        emit(job)
        return exit_of(job)
    for line in lines(job):
        say(line)
    if not has_report(job):
        return exit_of(job)
    say()
    say(f"Report: {session.command('report', safe(job.get('id')), '--out', 'report.csv')}")
    if (job.get("counts") or {}).get("failed"):
        note(f"Mend: {session.command('report', safe(job.get('id')), '--rows', 'failed', '--out', 'failed.csv')}")
    return exit_of(job)
