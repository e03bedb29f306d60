"""The page that corrects rows of an upload under review (R33): by cause, by find and replace, or cell by cell.

All of it are forms, which work without JavaScript; scripts add previews and the keyboard of a spreadsheet. While the
corrected rows are checked again, the page shows the progress, as the page of the job does.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from flask import Response, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from schemas.columns import SPECS, UPLOAD_FORM
from schemas.http import resources
from schemas.http.corrections import CorrectionBody, CorrectionPreviewBody, RulePreview
from schemas.job_kinds import JobKind
from schemas.roles import Operation
from webhook.http.access import needs
from webhook.http.errors import Refused
from webhook.http.request_bodies import validated
from webhook.portal.jobs import correction_grid, correction_rules, correction_words, labels
from webhook.portal.shared import flash
from webhook.portal.shared.blueprint import bp
from webhook.portal.shared.content_negotiation import is_htmx
from webhook.portal.shared.forms import Form
from webhook.portal.shared.login_required import redirect_page, session
from webhook.services import corrections, job_details, jobs
from worker.reports.job_words import plural

COLUMNS = tuple((spec.name, spec.name) for spec in SPECS if spec.column in UPLOAD_FORM.understood)
MOST_LISTED = 50  # corrections that the page lists
_NOTHING = {
    "cells": "Nothing is changed yet. Change a cell, or select rows to leave out.",
    "rules": "Nothing is filled in yet. Enter a value for at least one error, or leave its rows out.",
}
_CHANGED = (
    "The rows have changed since you opened this page (in another tab, or by a colleague). What you entered is kept: "
    "check it against the rows below, then send it again."
)
_RECHECKED = "The rows are being checked again (in another tab, or by a colleague), so nothing was applied. Try again."
_EXPIRED = "This review has expired, so nothing was applied."
_OVER = "This upload has been confirmed or cancelled, so nothing was applied."
_NO_PREVIEW = "The preview isn't available at the moment. Try again."


@bp.get("/jobs/<job_id>/corrections")
@needs(Operation.UPLOAD)
def job_corrections(job_id: str) -> Any:  # noqa: ANN401 - the page, or a redirect
    job = jobs.get(job_id)
    if not _is_mine(job):
        return _to_job(job_id)
    if labels.group(job) == "check":
        return render_template("portal/job_corrections_wait.html", job=job, say=labels)
    if not job.can_correct or labels.has_expired(job):
        return _to_job(job_id)
    if "done" in request.args and job.review is not None and not job.review.effect.failed:
        text = "No rows with errors are left. Nothing has been imported yet."
        return flash.redirect_with_flash(url_for("portal.job", job_id=job_id), text)
    return _page(job, Form.fresh(_address(job_id)))


@bp.post("/jobs/<job_id>/corrections")
@needs(Operation.UPLOAD)
def apply_corrections(job_id: str) -> AnyResponse | tuple[str, int]:
    """Apply what one of the page's forms says (`do`), or preview a replacement."""
    form, job = Form.sent(), jobs.get(job_id)
    if not _is_mine(job):
        return _to_job(job_id)
    if not job.can_correct:
        return _again(job_id)
    shown: dict[str, Any] = {}
    with form.faults():
        raw = _raw(job, form)
        if not form.errors and form.value("do") == "preview":
            shown["found"] = _previewed(job_id, raw, form)
        elif not form.errors:
            state = form.value("state")
            corrections.correct(job_id, validated(CorrectionBody, raw), f'"{state}"' if state else None)
            return _redirect(job_id)
    return _refused(job_id, form, shown)


@bp.post("/jobs/<job_id>/corrections/preview")
@needs(Operation.UPLOAD)
def preview_corrections(job_id: str) -> Response:
    """Answer the page's scripts: what the filled-in rules would do, by field; what changed rows would be, by row."""
    form, job = Form.sent(), jobs.get(job_id)
    rules = correction_rules.rules_of(correction_rules.causes_of(job, form), form)
    raw = correction_grid.changes_of(form) | {"rules": list(rules.values())}
    if not any(raw.values()):
        return jsonify({"rules": {}, "rows": {}})
    answer = corrections.preview(job_id, validated(CorrectionPreviewBody, raw))
    texts = {field: _of_rule(field, each) for field, each in zip(rules, answer.rules, strict=True)}
    return jsonify({"rules": texts, "rows": {row.row: correction_words.of_row(row) for row in answer.rows}})


@bp.post("/jobs/<job_id>/corrections/<int:number>/take-back")
@needs(Operation.UPLOAD)
def take_back_correction(job_id: str, number: int) -> AnyResponse:
    state = request.form.get("state")
    try:
        corrections.take_back(job_id, number, f'"{state}"' if state else None)
    except Refused as refused:
        if refused.body["status"] not in {HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED}:
            raise
        return _again(job_id)
    return redirect(url_for("portal.job_corrections", job_id=job_id), 303)


@bp.post("/jobs/<job_id>/retry")
@needs(Operation.UPLOAD)
def retry_job(job_id: str) -> AnyResponse:
    """Take the failed rows of an ended upload into a new review, and show it."""
    try:
        following = corrections.retry(job_id)
    except Refused as refused:
        if refused.body["status"] not in {HTTPStatus.CONFLICT, HTTPStatus.GONE}:
            raise
        text = f"{refused.body['detail']} {refused.body['fix']}".strip()
        return flash.redirect_with_flash(url_for("portal.job", job_id=job_id), text, flash.ERROR)
    return _to_job(following)


def _is_mine(job: resources.Job) -> bool:
    return job.kind == JobKind.UPLOAD and job.created_by.tenant.id == session().tenant.public_id


def _to_job(job_id: str) -> AnyResponse:
    return redirect(url_for("portal.job", job_id=job_id), 303)


def _address(job_id: str) -> str:
    return url_for("portal.apply_corrections", job_id=job_id, **correction_grid.query_of_request())


def _redirect(job_id: str) -> AnyResponse:
    query = correction_grid.query_of_request() if request.form.get("do") == "cells" else {}
    return redirect(url_for("portal.job_corrections", job_id=job_id, done=1, **query), 303)


def _again(job_id: str) -> AnyResponse:
    """Redirect to the rows as they are now, with a message that nothing was done."""
    flash.flash(_why(jobs.get(job_id)), flash.ERROR)
    return redirect_page(url_for("portal.job_corrections", job_id=job_id))


def _why(job: resources.Job) -> str:
    """Return why nothing was applied to the job."""
    if labels.has_expired(job):
        return _EXPIRED
    return _RECHECKED if labels.group(job) in {"check", "review"} else _OVER


def _refused(job_id: str, form: Form, shown: dict[str, Any]) -> AnyResponse | tuple[str, int]:
    """Return the page with what was entered, and why it was not applied."""
    job = jobs.get(job_id)
    if not job.can_correct or labels.has_expired(job):
        return _again(job_id)
    if form.status == HTTPStatus.PRECONDITION_FAILED:
        form.errors[""] = _CHANGED
    # A script replaces a part of the page, which has the errors, whatever the status; htmx does so only with 200.
    is_page = form.errors and not is_htmx(request)
    return _page(job, form, **shown), int(form.status) if is_page else HTTPStatus.OK


def _page(job: resources.Job, form: Form, **shown: Any) -> str:  # noqa: ANN401 - for the template
    details = job_details.details_of(job.id)
    causes = correction_rules.causes_of(job, form)
    made = list(reversed(corrections.listed(job.id).data))
    return render_template(
        "portal/job_corrections.html",
        job=job,
        form=form,
        say=labels,
        state=jobs.etag_of(job),
        action=_address(job.id),
        causes=causes,
        kinds={cause.control.kind for cause in causes},
        countries=correction_rules.countries(),
        columns=COLUMNS,
        grid=correction_grid.grid_of(details, form),
        made=[(each, correction_words.described(each)) for each in made[:MOST_LISTED]],
        made_before=len(made) - MOST_LISTED,
        **shown,
    )


def _raw(job: resources.Job, form: Form) -> dict[str, Any]:
    """Return the members of the correction that was sent. What is missing is noted in the form."""
    kind = form.value("do")
    if kind == "rules":
        raw: dict[str, Any] = {
            "rules": list(correction_rules.rules_of(correction_rules.causes_of(job, form), form).values())
        }
    elif kind == "cells":
        raw = correction_grid.changes_of(form)
    else:
        raw = {"rules": [_replacement(form)]}
    if not any(raw.values()):
        form.wrong(kind, _NOTHING[kind])
    return raw


def _replacement(form: Form) -> dict[str, Any]:
    """Return the rule of find and replace."""
    find, replacement = form.value("find"), form.value("with")
    if not find:
        form.wrong("find", "Enter the text to find.")
    elif find == replacement:
        form.wrong("with", "This is the text to find. Enter another one, or nothing to remove it.")
    rule: dict[str, Any] = {"column": form.value("in"), "replace": [find, replacement]}
    code, _, column = form.value("only").partition("-")
    if code:
        rule["code"] = code
        if column != correction_rules.column_of(rule["column"]).name:
            form.wrong("only", f"These rows have their error in another column than {rule['column']}.")
    return rule


def _previewed(job_id: str, raw: dict[str, Any], form: Form) -> str:
    """Return what a replacement would do, in words; "" if no worker answers in time, which is noted in the form."""
    try:
        answer = corrections.preview(job_id, validated(CorrectionPreviewBody, raw))
    except Refused as refused:
        if refused.body["status"] != HTTPStatus.SERVICE_UNAVAILABLE:
            raise
        form.wrong("", _NO_PREVIEW)
        form.status = HTTPStatus.SERVICE_UNAVAILABLE
        return ""
    return correction_words.of_replacement(answer.rules[0])


def _of_rule(field: str, preview: RulePreview) -> str:
    if field.startswith("out-"):
        return f"{plural(preview.rows, 'row')} would be left out."
    return correction_words.of_rule(preview)
