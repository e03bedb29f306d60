"""A file of numbers becomes a job (R8, R9, R11)."""

from __future__ import annotations

import uuid
from dataclasses import asdict

from flask import Request

from schemas import api, permissions
from schemas.columns import Column
from schemas.hints import Hints
from schemas.jobs import Accept, JobKind, JobOptions, Mode, OnError, OnExisting
from schemas.permissions import Actor
from webhook import auth, once
from webhook.bodies import validated
from webhook.errors import refuse_file
from webhook.operations import named
from webhook.operations.entering import announce, entering
from webhook.receiving import OnFields, Received, receive
from worker.infra import jobs, storage
from worker.infra.db import transaction
from worker.infra.faults import Point, pass_by
from worker.infra.settings import get_settings


def enter(request: Request, on_fields: OnFields | None = None) -> str:
    """The id of the job that the request's file and form (`api.UploadForm`) make. Returns once the file has arrived.

    What becomes of its rows is told by the job. `on_fields`: see `receiving.receive`.
    """
    actor = auth.actor()
    refused = permissions.check_upload(actor.tenant)
    if refused is not None:
        raise refuse_file(refused)
    job = str(uuid.uuid4())
    received = receive(request, storage.upload_key(job), get_settings().max_upload_bytes, on_fields)
    with entering(job):
        _enter(job, actor, received)
    announce(job)
    return job


def _enter(job: str, actor: Actor, received: Received) -> None:
    once.is_request(asdict(received))
    form = validated(api.UploadForm, received.fields)
    with transaction() as connection:
        options = JobOptions(
            mode=Mode(form.mode),
            on_error=OnError(form.on_error),
            voice_carrier_id=named.carrier(connection, actor, Column.VOICE_CARRIER, form.voice_carrier),
            sms_carrier_id=named.carrier(connection, actor, Column.SMS_CARRIER_PROFILE, form.sms_carrier_profile),
            target_id=named.uploads_target(connection, actor, form.assign_to),
            on_existing=OnExisting(form.on_existing),
            accept=Accept(form.accept),
            **form.model_dump(include=set(Hints.model_fields)),
        )
        file = jobs.File(received.file_name, received.size, received.sha256)
        parent = named.parent(connection, actor, JobKind.UPLOAD, form.parent_job_id)
        order = jobs.Order(
            job,
            actor.tenant.id,
            actor.name,
            JobKind.UPLOAD,
            options,
            file,
            parent_id=parent,
            callback_url=named.callback_url(form.callback_url),
        )
        jobs.accept(connection, order)
        once.made(connection, job)
        pass_by(Point.ACCEPT_ENTERED)
