"""`/v1/assignments`, `/v1/unassignments`, `/v1/capability-changes`, `/v1/deletions`: actions on existing numbers.

Each takes one number or a million, as a job.
"""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import Response, request

from schemas.capabilities import ALL_LABELS
from schemas.http import resources
from schemas.job_kinds import ACTIONS, JobKind
from schemas.request_problems import RequestCode
from webhook.api.jobs import accepted
from webhook.http import auth, idempotency
from webhook.http.body_limits import LIST, body_limit
from webhook.http.errors import refuse
from webhook.http.request_bodies import JSON, MULTIPART, form_schema, read_json, validated
from webhook.services import actions

bp = APIBlueprint("actions", __name__, url_prefix="/v1", tag="Actions")
bp.before_request(auth.require_actor)
bp.before_request(idempotency.begin_request)
bp.after_request(idempotency.end_request)

REFUSALS = {
    401: "No valid token",
    409: "The number of matches differs from `expected_count`",
    413: "The request body is too large",
    422: "The request is not valid",
}


@bp.post("/assignments")
@bp.output(resources.Job, status_code=202)
@bp.doc(summary="Assign numbers to an enterprise, a reseller or a user", responses=REFUSALS)
@body_limit(LIST, files=True)
def assign() -> Response:
    """Numbers by list, filter or file; to one of `tenant_id` and `user_id`, which rows of a file may name instead."""
    return _accept(JobKind.ASSIGN)


@bp.post("/unassignments")
@bp.output(resources.Job, status_code=202)
@bp.doc(summary="Unassign numbers from users, or from a tenant to the level above it", responses=REFUSALS)
@body_limit(LIST, files=True)
def unassign() -> Response:
    """Numbers by list, filter or file; `user_id` and `service` limit which assignments are removed."""
    return _accept(JobKind.UNASSIGN)


@bp.post("/capability-changes")
@bp.output(resources.Job, status_code=202)
@bp.doc(summary=f"Turn {ALL_LABELS} on or off, set carriers", responses=REFUSALS)
@body_limit(LIST, files=True)
def change() -> Response:
    """Numbers by list, filter or file. Omitted fields stay unchanged (R23)."""
    return _accept(JobKind.CHANGE)


@bp.post("/deletions")
@bp.output(resources.Job, status_code=202)
@bp.doc(summary="Delete unassigned numbers that you uploaded", responses=REFUSALS)
@body_limit(LIST, files=True)
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


def describe(spec: dict[str, Any]) -> None:
    """Add the bodies of the actions to the OpenAPI document: the framework does not read them."""
    schemas = spec["components"]["schemas"]
    for kind, action in ACTIONS.items():
        accepts = actions.REQUESTS[kind]
        body = accepts.body.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= body.pop("$defs", {})
        content = {JSON: {"schema": body}} | form_schema(accepts.form)
        spec["paths"][f"/v1/{action.path}"]["post"]["requestBody"] = {"content": content, "required": True}
