"""Messages about the result of an action (R30), whichever page started it; and why uploads are not allowed."""

from __future__ import annotations

from schemas import permissions
from schemas.codes import Code, in_general, text_of
from schemas.http import resources
from schemas.job_kinds import JOB_KINDS, JobKind
from schemas.jobs import TERMINAL
from schemas.roles import Operation
from webhook.http import auth
from webhook.portal.shared import flash
from webhook.services import jobs

_ROLE_TOO_LOW = "Your role is {role}, so you can't upload phone numbers. Ask an admin of your company for another role."


def address(job_id: str) -> str:
    """Return the URL of a job's page."""
    return f"/jobs/{job_id}"


def message_for(job: resources.Job, job_id: str, subject: str, suffix: str = "") -> tuple[str, str, str]:
    """Return the message about a job on `subject`: the text, its kind, and the label of the link to the job.

    `suffix` follows the verb: " to Ashford Clinics".
    """
    words, counts = JOB_KINDS[JobKind(job.kind)], job.counts
    done, not_done = counts.created + counts.updated + counts.deleted, counts.failed + counts.unprocessed
    was = "was" if done == 1 else "were"
    if job.status not in TERMINAL:
        return f"{words.doing} {subject}{suffix} is in progress.", flash.INFO, "Follow progress"
    if job.problem is not None:
        return (
            f"{subject} could not be {words.done}: {job.problem.detail} {job.problem.fix}",
            flash.ERROR,
            "See the job",
        )
    if not_done:
        why = _first_reason(job, job_id)
        if counts.total == 1:
            return f"{subject} could not be {words.done}{suffix}. {why}", flash.ERROR, "See the job"
        some = f"{done:,} of {counts.total:,} numbers {was} {words.done}{suffix}. "
        tone = flash.WARNING if done else flash.ERROR
        return f"{some}{not_done:,} could not be {words.done}: {why}", tone, f"See all {not_done:,}"
    if not done:
        return (
            f"Nothing to do: {subject} {'was' if counts.total == 1 else 'were'} left unchanged.",
            flash.INFO,
            "See the job",
        )
    subject = subject if done == counts.total else f"{done:,} number{'' if done == 1 else 's'}"
    text = f"{subject} {was} {words.done}{suffix}."
    same = counts.unchanged + counts.skipped
    return f"{text} {same:,} already {'was' if same == 1 else 'were'}." if same else text, flash.SUCCESS, "See the job"


def _first_reason(job: resources.Job, job_id: str) -> str:
    """Return why the first row was refused, in the words of its report."""
    rows = jobs.rows(job_id, resources.RowsQuery(outcome="failed", limit=1)).data
    if rows:
        return f"{rows[0].message} {rows[0].fix or ''}".strip()
    first = next(iter(job.error_summary), None)
    if first is None:
        return "See the job."
    text = in_general(Code(first.code))
    return f"{text.message} {text.fix}"


def why_no_upload() -> str:
    """Return why the admin may not upload numbers, and what to do; "" if it may (R8, R9, R21, R35)."""
    if permissions.check_operation(auth.actor(), Operation.UPLOAD) is not None:
        return _ROLE_TOO_LOW.format(role=auth.actor().role.capitalize())
    code = permissions.check_upload(auth.actor().tenant)
    if code is None:
        return ""
    text = text_of(code)
    return f"{text.message} {text.fix}"
