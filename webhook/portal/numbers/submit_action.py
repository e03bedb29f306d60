"""Submission of a form's action, and the message about its result (R30): at once if it is small, else with a link."""

from __future__ import annotations

from flask import Response, request

from schemas.http import actions, resources
from schemas.job_kinds import JOB_KINDS, JobKind
from schemas.request_problems import RequestCode
from webhook.http import auth
from webhook.http.errors import Refused, refuse
from webhook.portal.numbers.selection import Selection
from webhook.portal.shared import flash
from webhook.portal.shared.forms import Form
from webhook.portal.shared.job_messages import address, message_for
from webhook.portal.shared.login_required import redirect_page
from webhook.services import actions as operations
from webhook.services import jobs, numbers

WAIT = 2.0  # seconds that a form waits for its job
CHECK_FIRST = "review"


def selected() -> Selection:
    """Return the selection in the page's URL. Raises `Refused` if there is none."""
    selection = Selection.of(request)
    if selection is None:
        detail = "No numbers are selected."
        raise refuse(RequestCode.BAD_REQUEST, detail, fix="Select them in Phone Numbers.")
    return selection


def number_of(selection: Selection) -> resources.Number | None:
    """Return the number, if the selection is a single one."""
    return None if selection.single is None else numbers.get(selection.single)


def as_it_is(form: Form, selection: Selection) -> Selection:
    """Return the selection for a refused form. If other numbers match by now, select those and say so in the form."""
    problem = form.problem or {}
    if problem.get("code") != RequestCode.COUNT_CHANGED:
        return selection
    now = selection.with_count(problem["found"])
    form.errors = {
        "": f"{selection.count:,} numbers matched when you selected them; {now.count:,} match now. "
        "Nothing was changed. Submit the form again to continue with these, or go back and check them."
    }
    return now


def submit_action(form: Form, kind: JobKind, selection: Selection, suffix: str = "") -> Response:
    """Submit the job, wait briefly, and redirect to where the admin came from; or to the job, if it has a review.

    `suffix`: see `message_for`. Raises `Refused` like `webhook.services.actions.enter_selection`.
    """
    body = form.body(operations.REQUESTS[kind].body, **selection.body())
    assert isinstance(body, actions.Selection)  # noqa: S101 - the bodies of actions are selections
    job_id = operations.enter_selection(kind, body)
    if body.mode == CHECK_FIRST:
        return redirect_page(address(job_id))
    job = jobs.get(job_id, WAIT)
    text, tone, label = message_for(job, job_id, selection.words, suffix)
    since = _moved_since(selection, getattr(body, "expected_holder_id", None)) if job.counts.failed else ""
    if since:
        text = f"{selection.words} could not be {JOB_KINDS[kind].done}{suffix}: {since} Nothing was changed."
    return flash.redirect_with_flash(selection.back, text, tone, link=address(job_id), label=label)


def _moved_since(selection: Selection, expected_id: str | None) -> str:
    """Return who has the single number by now, if it is not the holder that the page showed (R19); else ""."""
    if selection.single is None or expected_id is None:
        return ""
    try:
        holder = numbers.get(selection.single).tenant
    except Refused:
        return ""
    if holder.id == expected_id:
        return ""
    if holder.id == auth.actor().tenant.public_id:
        return "it was unassigned since this page was shown."
    return f"it was assigned to {holder.name} since this page was shown."
