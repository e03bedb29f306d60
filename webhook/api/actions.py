"""`/v1/assignments`, `/v1/unassignments`, `/v1/capability-changes`, `/v1/deletions`: actions on existing numbers.

Each takes one number or a million, as a job.
"""

from __future__ import annotations

from collections.abc import Callable

from apiflask import APIBlueprint
from flask import Response, request

from schemas.capabilities import ALL_LABELS
from schemas.http import resources
from schemas.job_kinds import JobKind
from schemas.request_problems import RequestCode
from schemas.roles import Operation
from webhook.api.jobs import accepted
from webhook.http import auth, idempotency
from webhook.http.access import needs
from webhook.http.body_limits import LIST, body_limit
from webhook.http.errors import refuse
from webhook.http.openapi.declarations import Header, View, declares
from webhook.http.request_bodies import JSON, MULTIPART, read_json, validated
from webhook.services import actions

bp = APIBlueprint("actions", __name__, url_prefix="/v1", tag="Actions")
bp.before_request(auth.require_actor)

REFUSALS = {409: "The number of matches differs from `expected_count`"}


def _declares(kind: JobKind) -> Callable[[View], View]:
    accepts = actions.REQUESTS[kind]
    return declares(Header.PREFER, json=accepts.body, form=accepts.form)


@bp.post("/assignments")
@bp.output(resources.Job, status_code=202)
@bp.doc(
    operation_id="create_assignment",
    summary="Assign numbers to an enterprise, a reseller or a user",
    responses=REFUSALS,
)
@_declares(JobKind.ASSIGN)
@body_limit(LIST, files=True)
@needs(Operation.CHANGE_NUMBERS)
def assign() -> Response:
    """Numbers by list, filter or file; to one of `tenant_id` and `user_id`, which rows of a file may name instead."""
    return _accept(JobKind.ASSIGN)


@bp.post("/unassignments")
@bp.output(resources.Job, status_code=202)
@bp.doc(
    operation_id="create_unassignment",
    summary="Unassign numbers from users, or from a tenant to the level above it",
    responses=REFUSALS,
)
@_declares(JobKind.UNASSIGN)
@body_limit(LIST, files=True)
@needs(Operation.CHANGE_NUMBERS)
def unassign() -> Response:
    """Numbers by list, filter or file; `user_id` and `service` limit which assignments are removed."""
    return _accept(JobKind.UNASSIGN)


@bp.post("/capability-changes")
@bp.output(resources.Job, status_code=202)
@bp.doc(
    operation_id="create_capability_change", summary=f"Turn {ALL_LABELS} on or off, set carriers", responses=REFUSALS
)
@_declares(JobKind.CHANGE)
@body_limit(LIST, files=True)
@needs(Operation.CHANGE_NUMBERS)
def change() -> Response:
    """Numbers by list, filter or file. Omitted fields stay unchanged (R23)."""
    return _accept(JobKind.CHANGE)


@bp.post("/deletions")
@bp.output(resources.Job, status_code=202)
@bp.doc(operation_id="create_deletion", summary="Delete unassigned numbers that you uploaded", responses=REFUSALS)
@_declares(JobKind.DELETE)
@body_limit(LIST, files=True)
@needs(Operation.CHANGE_NUMBERS)
def delete() -> Response:
    """Numbers by list, filter or file (R24, R25)."""
    return _accept(JobKind.DELETE)


def _accept(kind: JobKind) -> Response:
    """Return 202 as soon as the set of numbers is final; the job reports the outcome of each."""
    if request.mimetype == MULTIPART:
        return accepted(actions.enter_file(kind, request))
    if request.mimetype == JSON:
        content = read_json(request)
        idempotency.check_fingerprint(content)
        return accepted(actions.enter_selection(kind, validated(actions.REQUESTS[kind].body, content)))
    raise refuse(RequestCode.UNSUPPORTED_MEDIA_TYPE, f"Send {JSON}, or {MULTIPART} with a file.")
