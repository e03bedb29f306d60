"""`POST /v1/uploads`: a file of numbers becomes a job (R8, R9, R11)."""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from apiflask import APIBlueprint
from flask import Response, request
from pydantic import ValidationError

from schemas import api, permissions
from schemas.codes import Code
from schemas.columns import Column, name_of
from schemas.jobs import Accept, OnExisting, Phase, UploadOptions
from schemas.names import fold, unambiguous
from schemas.permissions import Actor
from schemas.problems import RequestCode
from webhook import auth
from webhook.api.jobs import accepted
from webhook.errors import refuse, refuse_file
from webhook.receiving import Received, receive
from worker.infra import broker, jobs, scope, storage
from worker.infra.db import transaction
from worker.infra.settings import get_settings

bp = APIBlueprint("uploads", __name__, url_prefix="/v1", tag="Uploads")
bp.before_request(auth.require_actor)


@bp.post("/uploads")
@bp.output(api.Job, status_code=202)
@bp.doc(summary="Upload a spreadsheet of numbers", responses={401: "No valid token", 413: "File too large"})
def upload() -> Response:
    """Answers as soon as the file has arrived; what becomes of its rows is told by the job."""
    actor = auth.actor()
    refused = permissions.check_upload(actor.tenant)
    if refused is not None:
        raise refuse_file(refused)
    job = str(uuid.uuid4())
    received = receive(request, storage.upload_key(job), get_settings().max_upload_bytes)
    try:
        _enter(job, actor, received)
    except Exception:
        storage.remove_job(job)
        raise
    broker.wake(Phase.CHECK, job)
    return accepted(job)


def _enter(job: str, actor: Actor, received: Received) -> None:
    form = _form(received.fields)
    with transaction() as connection:
        options = UploadOptions(
            voice_carrier_id=_carrier(connection, actor, Column.VOICE_CARRIER, form.voice_carrier),
            sms_carrier_id=_carrier(connection, actor, Column.SMS_CARRIER_PROFILE, form.sms_carrier_profile),
            target_id=_target(connection, actor, form.assign_to),
            on_existing=OnExisting(form.on_existing),
            accept=Accept(form.accept),
        )
        jobs.accept(
            connection,
            jobs.Upload(
                job=job,
                tenant_id=actor.tenant.id,
                created_by=actor.name,
                options=options.to_json(),
                file_name=received.file_name,
                file_size=received.size,
                file_sha256=received.sha256,
            ),
        )


def _form(fields: dict[str, str]) -> api.UploadForm:
    try:
        return api.UploadForm.model_validate(fields)
    except ValidationError as error:
        errors = [{"field": ".".join(map(str, entry["loc"])), "message": entry["msg"]} for entry in error.errors()]
        detail = "; ".join(f"{entry['field']}: {entry['message']}" for entry in errors)
        raise refuse(RequestCode.INVALID_FIELD, detail, errors=errors) from error


def _carrier(connection: sa.Connection, actor: Actor, column: Column, name: str | None) -> int | None:
    """The carrier that the form names (R11)."""
    if name is None:
        return None
    service = "voice" if column is Column.VOICE_CARRIER else "sms"
    found = unambiguous(scope.carriers_of(connection, actor.tenant, service)).get(fold(name))
    if found is None:
        detail = f"“{name}” is no {name_of(column)} you can use."
        raise refuse_file(Code.CARRIER_NOT_FOUND, detail, field=column.name.lower(), value=name)
    return found


def _target(connection: sa.Connection, actor: Actor, public_id: str | None) -> int | None:
    """The tenant that the form names (R11)."""
    if public_id is None:
        return None
    target = scope.tenant_below(connection, actor.tenant, public_id)
    refused = permissions.check_target(actor.tenant, target)
    if refused is not None or target is None:
        detail = f"“{public_id}” is no enterprise or reseller you can use."
        raise refuse_file(refused or Code.TARGET_NOT_FOUND, detail, field="assign_to", value=public_id)
    return target.id
