"""Actions on existing numbers: assign, unassign, change, delete; one number or a million, always as a job.

The numbers come as a list, as a filter that is resolved here, once, or as a file; from then on, all are treated alike.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from flask import Request

from schemas.capabilities import CAPABILITY_NAMES
from schemas.columns import Column
from schemas.http import actions
from schemas.http.file_options import FileOptions
from schemas.job_kinds import JobKind
from schemas.jobs import JobOptions, ListFormat, Mode, NumberFormat, OnError
from schemas.permissions import Actor
from schemas.request_problems import RequestCode
from schemas.user_services import NO_SERVICE, Service
from webhook.http import auth, idempotency
from webhook.http.errors import refuse
from webhook.http.multipart import receive
from webhook.http.request_bodies import validated
from webhook.services import lookup
from webhook.services.job_submission import announce, submitting
from webhook.services.numbers import refusing_broad_searches, resolved
from worker.config.failpoints import Failpoint, hit
from worker.config.settings import get_settings
from worker.database.engine import transaction
from worker.database.time_limit import time_limit
from worker.jobs import submit
from worker.numbers import bounded_search, selections
from worker.numbers.filters import ResolvedFilter
from worker.numbers.selections import Selected
from worker.storage import files, number_lists

_Choose = Callable[[sa.Connection, Actor, Any], dict[str, Any]]


@dataclass(frozen=True)
class ActionRequest:
    """The requests for an action: the form beside a file, the JSON body, and how either becomes options of a job."""

    form: type[actions.Options]
    body: type[actions.Selection]
    choose: _Choose


def _assignment(connection: sa.Connection, actor: Actor, form: actions.AssignOptions) -> dict[str, Any]:
    """Return the options of an assignment: to a tenant below, or to a user who can have the service (R18, R20)."""
    user = lookup.find_user(connection, actor, form.user_id)
    if user is not None:
        lookup.check_service(user, form.services or Service.VOICE)
    return {
        "target_id": lookup.find_assignment_target(connection, actor, form.tenant_id),
        "user_id": None if user is None else user.id,
        "service": form.services or NO_SERVICE,
        "only_unassigned": form.only_unassigned,
        "expected_holder_id": lookup.find_expected_holder(connection, actor, form.expected_holder_id),
    }


def _unassignment(connection: sa.Connection, actor: Actor, form: actions.UnassignOptions) -> dict[str, Any]:
    user = lookup.find_user(connection, actor, form.user_id)
    return {
        "user_id": None if user is None else user.id,
        "service": form.services or NO_SERVICE,
        "expected_holder_id": lookup.find_expected_holder(connection, actor, form.expected_holder_id),
    }


def _change(connection: sa.Connection, actor: Actor, form: actions.ChangeOptions) -> dict[str, Any]:
    return form.model_dump(include=set(CAPABILITY_NAMES)) | {
        "voice_carrier_id": lookup.find_carrier(connection, actor, Column.VOICE_CARRIER, form.voice_carrier),
        "sms_carrier_id": lookup.find_carrier(connection, actor, Column.SMS_CARRIER_PROFILE, form.sms_carrier_profile),
    }


def _nothing(_connection: sa.Connection, _actor: Actor, _form: actions.Options) -> dict[str, Any]:
    return {}


REQUESTS: Mapping[JobKind, ActionRequest] = {
    JobKind.ASSIGN: ActionRequest(actions.AssignForm, actions.Assignment, _assignment),
    JobKind.UNASSIGN: ActionRequest(actions.UnassignForm, actions.Unassignment, _unassignment),
    JobKind.CHANGE: ActionRequest(actions.ChangeForm, actions.CapabilityChange, _change),
    JobKind.DELETE: ActionRequest(actions.DeleteForm, actions.Deletion, _nothing),
}


def enter_selection(kind: JobKind, body: actions.Selection) -> str:
    """Submit the job that applies an action to the numbers of its `ActionRequest.body`; return its public id.

    Returns as soon as the set of numbers is final. The job reports the outcome of each.
    """
    job = str(uuid.uuid4())
    with submitting(job):
        _enter(job, kind, body)
    announce(job)
    return job


def enter_file(kind: JobKind, request: Request) -> str:
    """Submit the job that applies an action to the numbers of the request's file; return its public id.

    The form beside the file is an `ActionRequest.form`.
    """
    job = str(uuid.uuid4())
    with submitting(job):
        received = receive(request, files.upload_key(job), get_settings().max_upload_bytes)
        idempotency.check_fingerprint(asdict(received))
        file = submit.File(received.file_name, received.size, received.sha256)
        _enter(job, kind, validated(REQUESTS[kind].form, received.fields), file)
    announce(job)
    return job


def _enter(job: str, kind: JobKind, form: actions.Options, file: submit.File | None = None) -> None:
    actor = auth.actor()
    callback_url = lookup.callback_url(form.callback_url)
    with transaction() as connection:
        selected = REQUESTS[kind].choose(connection, actor, form)
        hints = form.model_dump(include=set(FileOptions.model_fields)) if file is not None else {}
        options = JobOptions(
            mode=Mode(form.mode),
            on_error=OnError(form.on_error),
            number_format=NumberFormat(form.number_format),
            country_code=form.country_code,
            **selected,
            **hints,
        )
        if isinstance(form, actions.Selection):
            list_format = ListFormat.LIST if form.filter is None else ListFormat.SELECTION
            number_lists.put(job, {Column.PHONE_NUMBER: _numbers(connection, actor, form)}, list_format)
        parent = lookup.find_parent(connection, actor, kind, getattr(form, "parent_job_id", None))
        order = submit.NewJob(
            job,
            actor.tenant.id,
            actor.name,
            kind,
            options,
            file,
            parent_id=parent,
            callback_url=callback_url,
            external_id=form.external_id,
            metadata=form.metadata or {},
            admin_id=actor.admin_id,
        )
        submit.submit(connection, order)
        idempotency.record_job(connection, job)
        hit(Failpoint.ACCEPT_ENTERED)


def _numbers(connection: sa.Connection, actor: Actor, body: actions.Selection) -> list[str] | pa.Array:
    """Return the listed numbers, or those that match. Refuses if their count is not the one that the caller saw."""
    if body.filter is None or body.expected_count is None:
        return body.numbers or []
    expected, most = body.expected_count, get_settings().max_rows
    if expected > most:
        raise refuse(RequestCode.INVALID_FIELD, f"expected_count: one job takes {most} numbers at most.")
    resolved_filter = resolved(connection, actor, body.filter)
    selected = _selected(connection, resolved_filter, expected)
    if selected.numbers is None:
        detail = f"{selected.found:,} numbers match now, not {expected:,}."
        raise refuse(RequestCode.COUNT_CHANGED, detail, expected=expected, found=selected.found)
    if not selected.found:
        raise refuse(RequestCode.INVALID_FIELD, "filter: no number matches.")
    return selected.numbers


def _selected(connection: sa.Connection, resolved_filter: ResolvedFilter, expected: int) -> Selected:
    if not resolved_filter.is_scanned:
        return selections.select(connection, resolved_filter, expected)
    with refusing_broad_searches(), time_limit(connection, bounded_search.COUNT_SECONDS):
        return selections.select(connection, resolved_filter, expected)
