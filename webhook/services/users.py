"""Users of enterprises, and the numbers they are created with (R2, R20..R22)."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from flask import url_for

from schemas import permissions
from schemas.http import users as bodies
from schemas.permissions import UserKind
from schemas.request_problems import RequestCode
from schemas.roles import Operation
from schemas.user_services import Service
from webhook.http import auth, idempotency, serializers
from webhook.http.errors import refuse, stop_if
from webhook.services.job_submission import announce, submitting
from webhook.services.jobs import wait_for
from webhook.services.number_grants import NumberGrant, refuse_bad_numbers, submit_grant
from webhook.services.tenants import find as find_tenant
from worker.accounts import tenants, users
from worker.accounts.users import UserFilter, UserView
from worker.database import tenant_scope
from worker.database.engine import transaction

WAIT = 2.0  # seconds that creating a user waits for its numbers by default
WORDS = {
    RequestCode.NOT_FOUND: "User not found.",
    RequestCode.NAME_TAKEN: "Another user of this enterprise already has this e-mail address.",
    RequestCode.INVALID_FIELD: "Users belong to enterprises: give an enterprise in tenant_id.",
}
_ANOTHER_EMAIL = "Use another address."
_NO_EXTENSION = "New extensions can't be added; only an existing one can be edited."


def page(query: bodies.UsersQuery) -> bodies.UserList:
    """Return the users of the actor's own tenant and of those below it."""
    filters = UserFilter(query.tenant_id, query.kind, query.q)
    with transaction() as connection:
        if query.tenant_id is not None and not _is_visible(connection, query.tenant_id):
            raise refuse(RequestCode.INVALID_FIELD, "tenant_id: enterprise not found.", field="tenant_id")
        rows = users.page(connection, auth.actor(), filters, query.cursor, query.limit)
    cursor = rows[-1].row.public_id if len(rows) == query.limit else None
    return bodies.UserList(data=[serializers.user(view) for view in rows], next_cursor=cursor)


def _is_visible(connection: sa.Connection, tenant_id: str) -> bool:
    return tenant_scope.tenant_below(connection, auth.actor().tenant, tenant_id) is not None


def get(user_id: str) -> bodies.User:
    """Return the user with this id, with its numbers."""
    with transaction() as connection:
        view = find(connection, user_id)
    return serializers.user(view)


def create(body: bodies.NewUser, wait: float = WAIT) -> bodies.User:
    """Create a user, and wait up to `wait` seconds for the job (`job_id`) that assigns its first numbers, if any.

    Numbers that cannot be assigned are refused here, all at once and with nothing created. The job reports later
    failures.
    """
    job = str(uuid.uuid4())
    services = body.services()
    if services:
        auth.require(Operation.CHANGE_NUMBERS)
    with submitting(job), transaction() as connection:
        public_id = _make(connection, body, services, job)
    if services:
        announce(job)
        wait_for(job, wait)
    with transaction() as connection:
        view = find(connection, public_id)
    return serializers.user(view, job if services else None)


def change(user_id: str, body: bodies.UserChange) -> bodies.User:
    """Change the fields that the body sets."""
    with transaction() as connection:
        view = apply(connection, user_id, body)
    return serializers.user(view)


def delete(user_id: str) -> None:
    """Delete a user without numbers."""
    with transaction() as connection:
        view = find(connection, user_id)
        users.hold(connection, view.row.id)
        _stop_if_used(users.used_by(connection, view.row.id))
        users.remove(connection, view.row.id)


def apply(connection: sa.Connection, user_id: str, body: bodies.UserChange) -> UserView:
    """Lock the user, change the fields that the body sets, and return it."""
    changes = body.model_dump(exclude_unset=True)
    view = find(connection, user_id)
    tenants.hold(connection, view.tenant)
    users.hold(connection, view.row.id)
    view = find(connection, user_id)
    _check_changes(connection, view, changes)
    if changes:
        users.change(connection, view.row.id, changes)
    return find(connection, user_id)


def find(connection: sa.Connection, public_id: str) -> UserView:
    """Return a user that the actor sees. Invisible and missing ones give the same 404 (R3)."""
    view = users.get(connection, auth.actor(), public_id)
    if view is None:
        raise refuse(RequestCode.NOT_FOUND, WORDS[RequestCode.NOT_FOUND])
    return view


def _make(connection: sa.Connection, body: bodies.NewUser, services: Mapping[str, Service], job: str) -> str:
    """Create the user, submit the job that assigns its numbers (R18: always a job), and return the user's public id."""
    actor = auth.actor()
    tenant = actor.tenant if body.tenant_id is None else find_tenant(connection, body.tenant_id)
    stop_if(permissions.check_create_user(actor.tenant, tenant), WORDS)
    tenants.hold(connection, tenant)
    if users.has_email(connection, tenant, body.email):
        stop_if(RequestCode.NAME_TAKEN, WORDS, fix=_ANOTHER_EMAIL, field="email")
    columns = body.model_dump(include={"name", "email", "kind", "sms_enabled"})
    row = users.create(connection, tenant, columns)
    if services:
        user = permissions.User(row.id, tenant, UserKind(body.kind), body.sms_enabled)
        grant = NumberGrant(user, services, _fields(body))
        may_create = refuse_bad_numbers(connection, actor.tenant, grant)
        submit_grant(connection, actor, grant, job, may_create=may_create)
    public_id: str = row.public_id
    idempotency.record(connection, url_for("users.show", user_id=public_id))
    return public_id


def _fields(body: bodies.NewUser) -> dict[str, str]:
    """Return the request field of each number."""
    fields = {number: f"sms_dids.{index}" for index, number in enumerate(body.sms_dids)}
    fields |= {number: f"forwarded_dids.{index}" for index, number in enumerate(body.forwarded_dids)}
    for field in ("phone_number", "default_did"):
        number = getattr(body, field)
        fields |= {} if number is None else {number: field}
    return fields


def _check_changes(connection: sa.Connection, view: UserView, changes: Mapping[str, Any]) -> None:
    if "extension" in changes and view.row.extension is None:
        stop_if(RequestCode.INVALID_FIELD, {RequestCode.INVALID_FIELD: _NO_EXTENSION}, field="extension")
    if "email" in changes and users.has_email(connection, view.tenant, changes["email"], but=view.row.id):
        stop_if(RequestCode.NAME_TAKEN, WORDS, fix=_ANOTHER_EMAIL, field="email")
    if changes.get("sms_enabled") is False:
        _stop_if_used(users.used_by(connection, view.row.id, sms_only=True))


def _stop_if_used(uses: list[str]) -> None:
    stop_if(permissions.check_unused(uses), {RequestCode.IN_USE: "The user has numbers."}, in_use_by=uses)
