"""Uploads: a file of numbers becomes a job (R8, R9, R11)."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from flask import Request

from schemas import permissions
from schemas.http import resources
from schemas.http import tenants as tenant_bodies
from schemas.job_kinds import JobKind
from schemas.name_matching import fold, unambiguous
from schemas.permissions import Actor
from webhook.http import auth, idempotency, serializers
from webhook.http.body_limits import RAW_FILES
from webhook.http.errors import refuse_file
from webhook.http.multipart import OnFields, receive
from webhook.http.raw_files import receive_raw
from webhook.http.received_files import Received, with_query
from webhook.http.request_bodies import validated
from webhook.services import lookup, upload_options
from webhook.services.job_submission import announce, submitting
from worker.accounts import tenants
from worker.config.failpoints import Failpoint, hit
from worker.config.settings import get_settings
from worker.database import tenant_scope
from worker.database.engine import transaction
from worker.jobs import submit
from worker.storage import files

MOST_TENANTS = 1000  # in a list of options


@dataclass(frozen=True)
class Offers:
    """The options that an upload form offers (R11).

    By service, "voice" and "sms": the `carriers` that the actor may use, and the effective `defaults` of its own
    numbers. `tenants`: its own first, then those below, at most `MOST_TENANTS`. `largest`: file size limit, in bytes.
    """

    carriers: Mapping[str, tuple[str, ...]]
    defaults: Mapping[str, str | None]
    tenants: tuple[tenant_bodies.Tenant, ...]
    largest: int


def enter(request: Request, on_fields: OnFields | None = None) -> str:
    """Submit the job of the request's file and fields (`resources.UploadForm`); return its public id.

    Returns once the file has arrived. The job reports the outcomes of its rows. `on_fields`: for forms only, see
    `webhook.http.multipart.receive`.
    """
    check()
    actor = auth.actor()
    job = str(uuid.uuid4())
    key, limit = files.upload_key(job), get_settings().max_upload_bytes
    if on_fields is not None:
        received = receive(request, key, limit, on_fields)
    elif request.mimetype in RAW_FILES:
        received = with_query(receive_raw(request, key, limit), request)
    else:
        received = with_query(receive(request, key, limit), request)
    with submitting(job):
        _enter(job, actor, received)
    announce(job)
    return job


def check() -> None:
    """Refuse an actor that may not upload (R8, R9)."""
    refused = permissions.check_upload(auth.actor().tenant)
    if refused is not None:
        raise refuse_file(refused)


def offers() -> Offers:
    """Return the options that an upload form offers."""
    actor = auth.actor()
    with transaction() as connection:
        own = tenants.get(connection, actor.tenant)
        below = tenants.page(connection, actor, None, MOST_TENANTS)
        carriers = {
            service: _names(tenant_scope.carriers_of(connection, actor.tenant, service)) for service in own.effective
        }
    return Offers(
        carriers, own.effective, tuple(serializers.tenant(view) for view in below), get_settings().max_upload_bytes
    )


def _names(carriers: list[tuple[str, int]]) -> tuple[str, ...]:
    """Return the names that identify one carrier: not those that two share."""
    usable = unambiguous(carriers)
    return tuple(sorted(name for name, _ in carriers if fold(name) in usable))


def _enter(job: str, actor: Actor, received: Received) -> None:
    idempotency.check_fingerprint(asdict(received))
    form = validated(resources.UploadForm, received.fields)
    with transaction() as connection:
        options = upload_options.options_of(connection, actor, form)
        file = submit.File(received.file_name, received.size, received.sha256)
        parent = lookup.find_parent(connection, actor, JobKind.UPLOAD, form.parent_job_id)
        order = submit.NewJob(
            job,
            actor.tenant.id,
            actor.name,
            JobKind.UPLOAD,
            options,
            file,
            parent_id=parent,
            callback_url=lookup.callback_url(form.callback_url),
            external_id=form.external_id,
            metadata=form.metadata or {},
            admin_id=actor.admin_id,
        )
        submit.submit(connection, order)
        idempotency.record_job(connection, job)
        hit(Failpoint.ACCEPT_ENTERED)
