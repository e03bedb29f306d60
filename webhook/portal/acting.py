"""Has a form's action done, and tells how it went (R30): at once if it is small, else where it can be followed."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Response, request

from schemas import actions, api
from schemas.codes import Code, in_general
from schemas.jobs import TERMINAL
from schemas.problems import RequestCode
from webhook.errors import refuse
from webhook.operations import actions as operations
from webhook.operations import jobs
from webhook.operations.actions import Action
from webhook.portal import said
from webhook.portal.auth import lead
from webhook.portal.forms import Form
from webhook.portal.selection import Selection

WAIT = 2.0  # seconds that a form waits for its job
CHECK_FIRST = "review"


@dataclass(frozen=True)
class Words:
    """What is done, in words: ("Assigning", "assigned", " to Ashford Clinics")."""

    doing: str
    done: str
    whither: str = ""


def selected() -> Selection:
    """The numbers that the page's address tells of; `Refused` where it tells of none."""
    chosen = Selection.of(request)
    if chosen is None:
        detail = "No numbers are chosen."
        raise refuse(RequestCode.BAD_REQUEST, detail, fix="Choose them in the list of Phone Numbers.")
    return chosen


def as_it_is(form: Form, chosen: Selection) -> Selection:
    """The selection for a form that was refused: if other numbers match by now, those, and the form says so."""
    problem = form.problem or {}
    if problem.get("code") != RequestCode.COUNT_CHANGED:
        return chosen
    now = chosen.with_count(problem["found"])
    form.status = problem["status"]
    form.errors = {
        "": f"{chosen.count:,} numbers matched when you chose them; {now.count:,} do now. Nothing was changed. "
        "Send the form again to go on with these, or go back and look at them."
    }
    return now


def act(form: Form, action: Action, chosen: Selection, words: Words) -> Response:
    """Enter the job, wait a little, and lead back to where the admin came from; or to the job, if it is to be checked.

    `Refused` as `operations.enter_selection`.
    """
    body = form.body(action.body, **chosen.body())
    assert isinstance(body, actions.Selection)  # noqa: S101 - what actions have for a body
    job_id = operations.enter_selection(action, body)
    if body.mode == CHECK_FIRST:
        return lead(address(job_id))
    text, kind, label = told(jobs.one(job_id, WAIT), job_id, chosen.words, words)
    return said.done(chosen.back, text, kind, link=address(job_id), label=label)


def address(job_id: str) -> str:
    """The page of a job."""
    return f"/jobs/{job_id}"


def told(job: api.Job, job_id: str, what: str, words: Words) -> tuple[str, str, str]:
    """What is said of a job about `what`: the text, its kind, and what the link to the job is called."""
    counts = job.counts
    done, not_done = counts.created + counts.updated + counts.deleted, counts.failed + counts.unprocessed
    if job.status not in TERMINAL:
        return f"{words.doing} {what}{words.whither} is under way.", said.INFO, "Follow it"
    if job.problem is not None:
        return f"{what} could not be {words.done}: {job.problem.detail} {job.problem.fix}", said.ERROR, "See the job"
    if not_done:
        why = _first_reason(job, job_id)
        if counts.total == 1:
            return f"{what} could not be {words.done}{words.whither}. {why}", said.ERROR, "See the job"
        some = f"{done:,} of {counts.total:,} numbers {words.done}{words.whither}. "
        return f"{some}{not_done:,} could not be: {why}", said.ERROR, f"See all {not_done:,}"
    if not done:
        return f"Nothing to do: {what} stay{'s' if counts.total == 1 else ''} as before.", said.INFO, "See the job"
    text = f"{what if done == counts.total else f'{done:,} numbers'} {words.done}{words.whither}."
    same = counts.unchanged + counts.skipped
    return f"{text} {same:,} were so already." if same else text, said.SUCCESS, "See the job"


def _first_reason(job: api.Job, job_id: str) -> str:
    """Why the first row was refused, in the words of its report."""
    rows = jobs.rows(job_id, api.RowsQuery(outcome="failed", limit=1)).data
    if rows:
        return f"{rows[0].message} {rows[0].fix or ''}".strip()
    first = next(iter(job.error_summary), None)
    if first is None:
        return "See the job."
    text = in_general(Code(first.code))
    return f"{text.message} {text.fix}"
