"""Decisions of a job's tenant on its page: import, stop or cancel, undo (R27).

A decision that comes too late, such as from another tab, is explained above the current state of the job.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from flask import Response, render_template, url_for

from schemas.jobs import JobStatus
from schemas.request_problems import RequestCode
from webhook.http.errors import Refused
from webhook.portal.jobs import labels
from webhook.portal.shared import flash
from webhook.portal.shared.blueprint import bp
from webhook.services import job_details, jobs

_TOO_LATE = {
    JobStatus.RUNNING: "Already confirmed (in another tab); it is running now.",
    JobStatus.PUBLISHING: "Already confirmed (in another tab); the report is being prepared.",
    JobStatus.COMPLETED: "Already confirmed (in another tab) and finished.",
    JobStatus.COMPLETED_WITH_ERRORS: "Already confirmed (in another tab) and finished.",
    JobStatus.CANCELLING: "It expired or was cancelled. Nothing more will be changed.",
    JobStatus.CANCELLED: "It expired or was cancelled.",
    JobStatus.FAILED: "It failed.",
}
_ENDED = {
    JobStatus.COMPLETED: "It had already finished; nothing was stopped.",
    JobStatus.COMPLETED_WITH_ERRORS: "It had already finished; nothing was stopped.",
}
_NOTHING_LEFT = "Too late to stop: all rows are done, and the report is being prepared."


@bp.post("/jobs/<job_id>/confirm")
def confirm_job(job_id: str) -> Response:
    return _decide(job_id, jobs.confirm, "")


@bp.post("/jobs/<job_id>/cancel")
def cancel_job(job_id: str) -> Response:
    # A page may be older than its job. A job that lacks only its report must not become a stopped one.
    if jobs.get(job_id).status == JobStatus.PUBLISHING:
        return flash.redirect_with_flash(url_for("portal.job", job_id=job_id), _NOTHING_LEFT, flash.INFO)
    return _decide(job_id, jobs.cancel, "Stopping after the current batch.")


@bp.get("/jobs/<job_id>/undo")
def ask_to_undo(job_id: str) -> str:
    details = job_details.details_of(job_id)
    return render_template("portal/job_undo.html", details=details, job=details.job, say=labels)


@bp.post("/jobs/<job_id>/undo")
def undo_job(job_id: str) -> Response:
    return _decide(job_id, jobs.undo, "The undo has started. Follow it on this page.")


def _decide(job_id: str, decide: Callable[[str], str], text: str) -> Response:
    """Apply the decision, and redirect to the job to show next."""
    try:
        following = decide(job_id)
    except Refused as refused:
        if refused.body["status"] != HTTPStatus.CONFLICT:
            raise
        return flash.redirect_with_flash(url_for("portal.job", job_id=job_id), _why(refused), flash.ERROR)
    if text:
        flash.flash(text)
    return Response(status=303, headers={"Location": url_for("portal.job", job_id=following)})


def _why(refused: Refused) -> str:
    body = refused.body
    if body["code"] in {RequestCode.NOT_IN_REVIEW, RequestCode.JOB_HAS_ENDED}:
        texts = _TOO_LATE | (_ENDED if body["code"] == RequestCode.JOB_HAS_ENDED else {})
        return str(texts.get(body["job_status"], body["detail"]))
    return f"{body['detail']} {body['fix']}".strip()
