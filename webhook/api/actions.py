"""What is done to numbers that exist: assigning, taking back, changing, deleting; one number or a million, as a job.

The numbers come as a list, as a filter that is frozen here, or as a file; from here on it is all the same.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from apiflask import APIBlueprint
from flask import Response, request

from schemas import actions, api
from schemas.columns import Column
from schemas.hints import Hints
from schemas.jobs import JobKind, JobOptions, Mode, OnError
from schemas.permissions import Actor
from schemas.problems import RequestCode
from schemas.services import NO_SERVICE, Service
from webhook import auth, named, once
from webhook.api.jobs import accepted
from webhook.api.numbers import filter_of
from webhook.bodies import JSON, MULTIPART, form_schema, read_json, validated
from webhook.entering import announce, entering
from webhook.errors import refuse
from webhook.receiving import receive
from worker.infra import jobs, listed, selections, storage
from worker.infra.db import transaction
from worker.infra.faults import Point, pass_by
from worker.infra.settings import get_settings

bp = APIBlueprint("actions", __name__, url_prefix="/v1", tag="Actions")
bp.before_request(auth.require_actor)
bp.before_request(once.begin)
bp.after_request(once.end)

REFUSALS = {401: "No valid token", 409: "Other than as many numbers match", 413: "Too large", 422: "Not valid"}
_Choose = Callable[[sa.Connection, Actor, Any], dict[str, Any]]


@dataclass(frozen=True)
class Action:
    """A kind of action: the form beside a file, the body in JSON, and how a job's options come of either."""

    kind: JobKind
    form: type[actions.Options]
    body: type[actions.Selection]
    choose: _Choose


def _assignment(connection: sa.Connection, actor: Actor, form: actions.AssignOptions) -> dict[str, Any]:
    """R18, R20: a tenant below, or a user that can have the service."""
    user = named.user(connection, actor, form.user_id)
    if user is not None:
        named.service(user, form.services or Service.VOICE)
    return {
        "target_id": named.assignments_target(connection, actor, form.tenant_id),
        "user_id": None if user is None else user.id,
        "service": form.services or NO_SERVICE,
    }


def _unassignment(connection: sa.Connection, actor: Actor, form: actions.UnassignOptions) -> dict[str, Any]:
    user = named.user(connection, actor, form.user_id)
    return {"user_id": None if user is None else user.id, "service": form.services or NO_SERVICE}


def _change(connection: sa.Connection, actor: Actor, form: actions.ChangeOptions) -> dict[str, Any]:
    return form.model_dump(include={"voice", "sms", "fax"}) | {
        "voice_carrier_id": named.carrier(connection, actor, Column.VOICE_CARRIER, form.voice_carrier),
        "sms_carrier_id": named.carrier(connection, actor, Column.SMS_CARRIER_PROFILE, form.sms_carrier_profile),
    }


def _nothing(_connection: sa.Connection, _actor: Actor, _form: actions.Options) -> dict[str, Any]:
    return {}


ASSIGN = Action(JobKind.ASSIGN, actions.AssignForm, actions.Assignment, _assignment)
UNASSIGN = Action(JobKind.UNASSIGN, actions.UnassignForm, actions.Unassignment, _unassignment)
CHANGE = Action(JobKind.CHANGE, actions.ChangeForm, actions.CapabilityChange, _change)
DELETE = Action(JobKind.DELETE, actions.DeleteForm, actions.Deletion, _nothing)
ACTIONS = {"assignments": ASSIGN, "unassignments": UNASSIGN, "capability-changes": CHANGE, "deletions": DELETE}


@bp.post("/assignments")
@bp.output(api.Job, status_code=202)
@bp.doc(summary="Give numbers to an enterprise, a reseller or a user", responses=REFUSALS)
def assign() -> Response:
    """Numbers by list, filter or file; one of `tenant_id` and `user_id`, which rows of a file may name themselves."""
    return _accept(ASSIGN)


@bp.post("/unassignments")
@bp.output(api.Job, status_code=202)
@bp.doc(summary="Take numbers back, from users or one level up", responses=REFUSALS)
def unassign() -> Response:
    """Numbers by list, filter or file; with `user_id` or `service` only what fits these is taken."""
    return _accept(UNASSIGN)


@bp.post("/capability-changes")
@bp.output(api.Job, status_code=202)
@bp.doc(summary="Switch Voice, SMS and Fax, choose carriers", responses=REFUSALS)
def change() -> Response:
    """Numbers by list, filter or file; what is left out stays as it is (R23)."""
    return _accept(CHANGE)


@bp.post("/deletions")
@bp.output(api.Job, status_code=202)
@bp.doc(summary="Delete numbers that you uploaded and that nobody was given", responses=REFUSALS)
def delete() -> Response:
    """Numbers by list, filter or file (R24, R25)."""
    return _accept(DELETE)


def _accept(action: Action) -> Response:
    """202 as soon as it is certain which numbers are meant; what becomes of each is told by the job."""
    job = str(uuid.uuid4())
    with entering(job):
        _enter(job, action)
    announce(job)
    return accepted(job)


def _enter(job: str, action: Action) -> None:
    actor, file, body = auth.actor(), None, None
    if request.mimetype == MULTIPART:
        received = receive(request, storage.upload_key(job), get_settings().max_upload_bytes)
        once.is_request(asdict(received))
        file = jobs.File(received.file_name, received.size, received.sha256)
        form = validated(action.form, received.fields)
    elif request.mimetype == JSON:
        content = read_json(request)
        once.is_request(content)
        form = body = validated(action.body, content)
    else:
        raise refuse(RequestCode.UNSUPPORTED_MEDIA_TYPE, f"Send {JSON}, or {MULTIPART} with a file.")
    callback_url = named.callback_url(form.callback_url)
    with transaction() as connection:
        chosen = action.choose(connection, actor, form)
        hints = form.model_dump(include=set(Hints.model_fields)) if file is not None else {}
        options = JobOptions(mode=Mode(form.mode), on_error=OnError(form.on_error), **chosen, **hints)
        if body is not None:
            listed.put(job, {Column.PHONE_NUMBER: _numbers(connection, actor, body)})
        parent = named.parent(connection, actor, action.kind, getattr(form, "parent_job_id", None))
        order = jobs.Order(
            job,
            actor.tenant.id,
            actor.name,
            action.kind,
            options,
            file,
            parent_id=parent,
            callback_url=callback_url,
        )
        jobs.accept(connection, order)
        once.made(connection, job)
        pass_by(Point.ACCEPT_ENTERED)


def _numbers(connection: sa.Connection, actor: Actor, body: actions.Selection) -> list[str] | pa.Array:
    """The numbers listed, or those that match; refused unless these are as many as the caller has seen."""
    if body.filter is None or body.expected_count is None:
        return body.numbers or []
    expected, most = body.expected_count, get_settings().max_rows
    if expected > most:
        raise refuse(RequestCode.INVALID_FIELD, f"expected_count: one job takes {most} numbers at most.")
    selected = selections.select(connection, actor, filter_of(body.filter), expected)
    if selected.numbers is None:
        detail = f"{selected.found} numbers match, not {expected}."
        raise refuse(RequestCode.COUNT_CHANGED, detail, expected=expected, found=selected.found)
    if not selected.found:
        raise refuse(RequestCode.INVALID_FIELD, "filter: no number matches.")
    return selected.numbers


def describe(spec: dict[str, Any]) -> None:
    """Add to the API's description what each action takes: the framework does not read these bodies."""
    schemas = spec["components"]["schemas"]
    for path, action in ACTIONS.items():
        body = action.body.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= body.pop("$defs", {})
        content = {JSON: {"schema": body}} | form_schema(action.form)
        spec["paths"][f"/v1/{path}"]["post"]["requestBody"] = {"content": content, "required": True}
