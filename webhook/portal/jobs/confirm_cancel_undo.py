"""Decisions of a job's tenant on its page: import, stop or cancel, undo (R27).

A decision that comes too late, such as from another tab, is explained above the current state of the job.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from flask import Response, render_template, request, url_for

from schemas.http import resources
from schemas.job_kinds import JobKind
from schemas.jobs import JobStatus
from schemas.request_problems import RequestCode
from schemas.roles import Operation
from webhook.http.access import needs
from webhook.http.errors import Refused
from webhook.portal.jobs import labels
from webhook.portal.shared import flash
from webhook.portal.shared.blueprint import bp
from webhook.services import job_details, jobs

_TOO_LATE = {
    JobStatus.RUNNING: "Already confirmed (in another tab); it is running now.",
    JobStatus.PUBLISHING: "Already confirmed (in another tab); the report is being prepared.",
    JobStatus.COMPLETED: "Already confirmed (in another tab) and finished.",
    JobStatus.COMPLETED_WITH_ERRORS: "Already confirmed (in another tab) and finished, with errors.",
    JobStatus.CANCELLING: "It was cancelled. Nothing more will be changed.",
    JobStatus.CANCELLED: "It was cancelled.",
    JobStatus.FAILED: "It failed.",
}
_ENDED = {
    JobStatus.COMPLETED: "It had already finished; nothing was stopped.",
    JobStatus.COMPLETED_WITH_ERRORS: "It had already finished; nothing was stopped.",
}
_OF_EXPIRED = frozenset(
    {
        RequestCode.REVIEW_EXPIRED,
        RequestCode.NOT_IN_REVIEW,
        RequestCode.JOB_HAS_ENDED,
        RequestCode.PRECONDITION_FAILED,
    }
)
_CHECKED_AGAIN = (
    "The file was checked again meanwhile (in another tab, or by a colleague). This is what would happen now."
)
_NOTHING_LEFT = "Too late to stop: all rows are done, and the report is being prepared."


@bp.post("/jobs/<job_id>/confirm")
@needs(Operation.DECIDE_JOBS)
def confirm_job(job_id: str) -> Response:
    state = request.form.get("state")
    return _decide(job_id, lambda job: jobs.confirm(job, f'"{state}"' if state else None), "")


@bp.post("/jobs/<job_id>/cancel")
@needs(Operation.CANCEL_JOBS)
def cancel_job(job_id: str) -> Response:
    # A page may be older than its job. A job that lacks only its report must not become a stopped one.
    if jobs.get(job_id).status == JobStatus.PUBLISHING:
        return flash.redirect_with_flash(url_for("portal.job", job_id=job_id), _NOTHING_LEFT, flash.INFO)
    return _decide(job_id, jobs.cancel, "Stopping after the current batch.")


@bp.get("/jobs/<job_id>/undo")
@needs(Operation.CHANGE_NUMBERS)
def ask_to_undo(job_id: str) -> str:
    details = job_details.details_of(job_id)
    return render_template("portal/job_undo.html", details=details, job=details.job, say=labels)


@bp.post("/jobs/<job_id>/undo")
@needs(Operation.CHANGE_NUMBERS)
def undo_job(job_id: str) -> Response:
    return _decide(job_id, jobs.undo, "The undo has started. Follow it on this page.")


def _decide(job_id: str, decide: Callable[[str], str], text: str) -> Response:
    """Apply the decision, and redirect to the job to show next."""
    try:
        following = decide(job_id)
    except Refused as refused:
        if refused.body["status"] not in {HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED}:
            raise
        here, shown = url_for("portal.job", job_id=job_id), jobs.get(job_id)
        if labels.has_expired(shown) and refused.body["code"] in _OF_EXPIRED:
            return _expired(shown).at(here)
        return flash.redirect_with_flash(here, _why(refused, shown), flash.ERROR)
    if text:
        flash.flash(text)
    return Response(status=303, headers={"Location": url_for("portal.job", job_id=following)})


def _expired(job: resources.Job) -> flash.FlashMessage:
    """Return the message about a review that was not confirmed in time, with the way to check again."""
    text = f"This review has expired. Nothing was {labels.words(job).done}."
    if job.kind == JobKind.UPLOAD:
        again = labels.check_again_url(job)
        return flash.FlashMessage(
            f"{text} To import the file, check it again.", flash.ERROR, again, "Check the file again"
        )
    text = f"{text} Select the numbers again to continue."
    return flash.FlashMessage(text, flash.ERROR, url_for("portal.numbers"), "Go to Phone Numbers")


def _why(refused: Refused, job: resources.Job) -> str:
    body = refused.body
    if body["code"] == RequestCode.PRECONDITION_FAILED:
        return _TOO_LATE.get(JobStatus(job.status), _CHECKED_AGAIN)
    if body["code"] in {RequestCode.NOT_IN_REVIEW, RequestCode.JOB_HAS_ENDED}:
        texts = _TOO_LATE | (_ENDED if body["code"] == RequestCode.JOB_HAS_ENDED else {})
        return str(texts.get(body["job_status"], body["detail"]))
    return f"{body['detail']} {body['fix']}".strip()
