"""Upload Phone Numbers, step 1 of 3: the file and its options (R8 to R11). The next steps are on its job's page.

Every upload is checked and shown before anything is written (`mode=review`). Each form has an idempotency key, so a
form sent twice because the first response was lost creates one job.
"""

from __future__ import annotations

import secrets
from typing import Any

from flask import Response, after_this_request, json, redirect, render_template, request, url_for

from schemas.http import resources
from schemas.http.file_options import DELIMITERS
from schemas.jobs import NO_PROFILE, OnExisting
from schemas.request_problems import RequestCode
from schemas.roles import Operation
from webhook.http import idempotency
from webhook.http.access import needs
from webhook.http.body_limits import body_limit
from webhook.http.downloads import sent
from webhook.http.errors import Refused, refuse
from webhook.http.request_bodies import MULTIPART
from webhook.portal.shared import csrf, select_fields
from webhook.portal.shared.blueprint import bp, late
from webhook.portal.shared.content_negotiation import wants_json
from webhook.portal.shared.forms import Form
from webhook.portal.shared.select_fields import SelectField
from webhook.services import import_profiles, job_details, jobs, select_options, templates, uploads

KEY, TARGET = "upload_key", "assign_to_name"
ENDINGS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods", ".csv", ".tsv", ".txt", ".gz", ".zip")

_NAMES = {character: name for name, character in DELIMITERS.items()}


@bp.get("/uploads/new")
@needs(Operation.UPLOAD)
def new_upload() -> str:
    """Show the form. `parent`: the job whose failed rows the file corrects; `like`: a job whose options to copy."""
    uploads.check()
    kept = Form.fresh(url_for("portal.upload"))
    if kept.is_kept:
        return _page(kept)
    parent, like = (request.args.get(name) or "" for name in ("parent", "like"))
    fields = (
        {} if not (parent or like) else job_details.upload_settings_of(parent or like).model_dump(exclude_none=True)
    )
    form = Form({name: str(value) for name, value in fields.items()})
    if "only_unassigned" in fields:
        # If that upload could not move numbers, its options do not mean that numbers may be taken from customers.
        takes = fields["on_existing"] == OnExisting.UPDATE and not fields["only_unassigned"]
        form.fields["only_unassigned"] = "false" if takes else "true"
    if "delimiter" in form.fields:
        form.fields["delimiter"] = _NAMES[form.value("delimiter")]
    if parent:
        form.fields["parent_job_id"] = parent
    return _page(form)


@bp.get("/uploads/ready")
@needs(Operation.UPLOAD)
def upload_ready() -> Response:
    """Return the form's token, for a script before it sends a file and after a failure. Refuses if not signed in."""
    uploads.check()
    return _json({"csrf_token": csrf.token()})


@bp.post("/uploads")
@late
@body_limit(files=True)
@needs(Operation.UPLOAD)
def upload() -> Any:  # noqa: ANN401 - a redirect or the form
    by_script = wants_json(request)
    if not by_script:
        uploads.check()
    fields: dict[str, str] = {}
    form = Form()
    with form.faults():
        if request.mimetype != MULTIPART:
            csrf.check_form()  # no multipart body, so no fields that `_enter` would read
        address = url_for("portal.job", job_id=_enter(fields))
        return _json({"location": address}, 201) if by_script else redirect(address, 303)
    if by_script:
        return _json({"errors": [{"field": name, "message": text} for name, text in form.errors.items()]}, form.status)
    form.fields.update(fields)
    return _page(form), form.status


@bp.get("/uploads/sample.<any(csv, xlsx):ending>")
@needs(Operation.GET_TEMPLATES)
def sample(ending: str) -> Response:
    """Send the sample file to fill in (R10)."""
    return sent(templates.csv() if ending == "csv" else templates.xlsx())


def _enter(fields: dict[str, str]) -> str:
    """Submit the upload, and return its job's public id. The form's fields are added to `fields`."""

    def on_fields(field_texts: dict[str, str]) -> None:
        token = field_texts.pop(csrf.FIELD, None)
        key = field_texts.pop(KEY, None)
        fields.update(field_texts)
        csrf.check_token(request.headers.get(csrf.HEADER) or token)
        _choose_target(field_texts)
        field_texts["mode"] = "review"
        field_texts.setdefault("only_unassigned", "true")  # the safe choice, if a page offered none
        if key is not None:
            idempotency.claim(f"form {key}")
            after_this_request(idempotency.end_request)

    try:
        return uploads.enter(request, on_fields)
    except idempotency.ReplayedError as error:
        return str(error.finished.created.job)


def _choose_target(field_texts: dict[str, str]) -> None:
    """Replace a typed name of a tenant by its id. Raises `Refused` if it means none or several."""
    if TARGET not in field_texts:
        return
    form = Form({TARGET: field_texts.pop(TARGET)})
    _target_field(form)
    for message in form.errors.values():
        raise refuse(RequestCode.INVALID_FIELD, message, fix="", field=TARGET)
    field_texts["assign_to"] = form.value("assign_to")


def _target_field(form: Form) -> SelectField:
    """Return the field for where the numbers go: the tenants below; none of them stands for the own tenant."""
    return select_fields.tenant_field(
        form, "assign_to", TARGET, among=select_options.tenants(select_fields.MOST, own=False)
    )


def _page(form: Form) -> str:
    parent, offers = form.value("parent_job_id"), uploads.offers()
    target = _target_field(form)
    return render_template(
        "portal/upload.html",
        form=form,
        offers=offers,
        target=target if target.options or target.is_search else None,
        profiles=[(NO_PROFILE, "None"), *import_profiles.choices()],
        carriers={service: [(name, name) for name in names] for service, names in offers.carriers.items()},
        parent=_visible_job(parent) if parent else None,
        key=secrets.token_urlsafe(16),
        field=KEY,
        endings=ENDINGS,
    )


def _visible_job(job_id: str) -> resources.Job | None:
    try:
        return jobs.get(job_id)
    except Refused:
        return None


def _json(body: dict[str, Any], status: int = 200) -> Response:
    return Response(json.dumps(body), status, content_type="application/json")
