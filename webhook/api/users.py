"""`/v1/users`: users of enterprises, and the numbers they are made with (R2, R20..R22)."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from apiflask import APIBlueprint
from flask import Response, url_for

from schemas import permissions
from schemas import users as bodies
from schemas.columns import Column
from schemas.jobs import JobKind, JobOptions
from schemas.permissions import UserKind
from schemas.problems import RequestCode
from schemas.services import Service, name_of
from webhook import auth, views
from webhook.answers import created, done, shown, stop_if
from webhook.api import jobs as job_pages
from webhook.api.tenants import find as find_tenant
from webhook.entering import announce, entering
from webhook.errors import refuse
from webhook.giving import refuse_bad_numbers
from webhook.pages import next_link
from worker.infra import jobs, listed, tenants, users
from worker.infra.db import transaction
from worker.infra.users import UserFilter, UserView

bp = APIBlueprint("users", __name__, url_prefix="/v1/users", tag="Accounts")
bp.before_request(auth.require_actor)

WAIT = 2.0  # seconds that making a user waits for its numbers, unless the caller says otherwise
WORDS = {
    RequestCode.NOT_FOUND: "There is no such user.",
    RequestCode.NAME_TAKEN: "A user of this enterprise has this e-mail address.",
    RequestCode.INVALID_FIELD: "Users belong to enterprises: name one in tenant_id.",
}
_NO_EXTENSION = "No new extensions: only a user that has one already can have it edited."


@bp.get("")
@bp.input(bodies.UsersQuery, location="query", arg_name="query")
@bp.output(bodies.UserList)
@bp.doc(summary="List the users of your own tenant and of those below it")
def index(query: bodies.UsersQuery) -> Response:
    wanted = UserFilter(query.tenant_id, query.kind, query.q)
    with transaction() as connection:
        found = users.page(connection, auth.actor(), wanted, query.cursor, query.limit)
    cursor = found[-1].row.public_id if len(found) == query.limit else None
    return next_link(bodies.UserList(data=[views.user(view) for view in found], next_cursor=cursor), cursor)


@bp.post("")
@bp.input(bodies.NewUser, arg_name="body")
@bp.output(bodies.User, status_code=201)
@bp.doc(summary="Make a user, and give it its first numbers")
def create(body: bodies.NewUser) -> Response:
    """Numbers that cannot be given are refused here, all at once and with nothing made; the job tells the rest."""
    job = str(uuid.uuid4())
    wanted = body.services()
    with entering(job), transaction() as connection:
        public_id = _make(connection, body, wanted, job)
    if wanted:
        announce(job)
        job_pages.wait_for(job, WAIT)
    with transaction() as connection:
        view = _find(connection, public_id)
    return created(views.user(view, job if wanted else None), url_for("users.show", user_id=public_id))


@bp.get("/<user_id>")
@bp.output(bodies.User)
@bp.doc(summary="One user, with its numbers")
def show(user_id: str) -> Response:
    with transaction() as connection:
        view = _find(connection, user_id)
    return shown(views.user(view))


@bp.patch("/<user_id>")
@bp.input(bodies.UserChange, arg_name="body")
@bp.output(bodies.User)
@bp.doc(summary="Change a user's name, e-mail address, SMS service or (if it has one) extension")
def change(user_id: str, body: bodies.UserChange) -> Response:
    changes = body.model_dump(exclude_unset=True)
    with transaction() as connection:
        view = _find(connection, user_id)
        tenants.hold(connection, view.tenant)
        users.hold(connection, view.row.id)
        view = _find(connection, user_id)
        _check_changes(connection, view, changes)
        if changes:
            users.change(connection, view.row.id, changes)
        view = _find(connection, user_id)
    return shown(views.user(view))


@bp.delete("/<user_id>")
@bp.output({}, status_code=204)
@bp.doc(summary="Delete a user that has no number")
def delete(user_id: str) -> Response:
    with transaction() as connection:
        view = _find(connection, user_id)
        users.hold(connection, view.row.id)
        _stop_if_used(users.used_by(connection, view.row.id))
        users.remove(connection, view.row.id)
    return done()


def _make(connection: sa.Connection, body: bodies.NewUser, wanted: Mapping[str, Service], job: str) -> str:
    """The user, and the job that gives it its numbers (R18: always a job). Answers the user's public id."""
    actor = auth.actor()
    tenant = actor.tenant if body.tenant_id is None else find_tenant(connection, body.tenant_id)
    stop_if(permissions.check_create_user(actor.tenant, tenant), WORDS)
    tenants.hold(connection, tenant)
    if users.has_email(connection, tenant, body.email):
        stop_if(RequestCode.NAME_TAKEN, WORDS)
    columns = body.model_dump(include={"name", "email", "kind", "sms_enabled"})
    made = users.create(connection, tenant, columns)
    if wanted:
        user = permissions.User(made.id, tenant, UserKind(body.kind), body.sms_enabled)
        may_create = refuse_bad_numbers(connection, actor.tenant, user, wanted, _fields(body))
        listed.put(
            job,
            {
                Column.PHONE_NUMBER: list(wanted),
                Column.SERVICE: [name_of(service) for service in wanted.values()],
            },
        )
        options = JobOptions(user_id=made.id, may_create=may_create)
        jobs.accept(connection, jobs.Order(job, actor.tenant.id, actor.name, JobKind.ASSIGN, options))
    public_id: str = made.public_id
    return public_id


def _fields(body: bodies.NewUser) -> dict[str, str]:
    """Where in the body each number stands."""
    found = {number: f"sms_dids.{place}" for place, number in enumerate(body.sms_dids)}
    found |= {number: f"forwarded_dids.{place}" for place, number in enumerate(body.forwarded_dids)}
    for field in ("phone_number", "default_did"):
        number = getattr(body, field)
        found |= {} if number is None else {number: field}
    return found


def _check_changes(connection: sa.Connection, view: UserView, changes: Mapping[str, Any]) -> None:
    if "extension" in changes and view.row.extension is None:
        stop_if(RequestCode.INVALID_FIELD, {RequestCode.INVALID_FIELD: _NO_EXTENSION}, field="extension")
    if "email" in changes and users.has_email(connection, view.tenant, changes["email"], but=view.row.id):
        stop_if(RequestCode.NAME_TAKEN, WORDS)
    if changes.get("sms_enabled") is False:
        _stop_if_used(users.used_by(connection, view.row.id, sms_only=True))


def _stop_if_used(found: list[str]) -> None:
    stop_if(permissions.check_unused(found), {RequestCode.IN_USE: "The user has numbers."}, in_use_by=found)


def _find(connection: sa.Connection, public_id: str) -> UserView:
    """A user that the caller sees; one elsewhere and one that does not exist are the same 404 (R3)."""
    view = users.one(connection, auth.actor(), public_id)
    if view is None:
        raise refuse(RequestCode.NOT_FOUND, WORDS[RequestCode.NOT_FOUND])
    return view
