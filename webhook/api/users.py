"""`/v1/users`: users of enterprises, and the numbers they are created with (R2, R20..R22)."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import Response, url_for

from schemas.http import users as bodies
from schemas.roles import Operation
from webhook.http import auth
from webhook.http.access import needs
from webhook.http.openapi.declarations import Header, declares
from webhook.http.preferences import wait_seconds
from webhook.http.responses import created, done, next_link, shown
from webhook.services import users

bp = APIBlueprint("users", __name__, url_prefix="/v1/users", tag="Accounts")
bp.before_request(auth.require_actor)


@bp.get("")
@bp.input(bodies.UsersQuery, location="query", arg_name="query")
@bp.output(bodies.UserList)
@bp.doc(operation_id="list_users", summary="List the users of your own tenant and of those below it")
@needs(Operation.READ_ACCOUNTS)
def index(query: bodies.UsersQuery) -> Response:
    """Oldest first."""
    return next_link(users.page(query))


@bp.post("")
@bp.input(bodies.NewUser, arg_name="body")
@bp.output(bodies.User, status_code=201)
@bp.doc(
    operation_id="create_user",
    summary="Add a user and assign its first numbers",
    responses={
        403: "Your company cannot add users there",
        404: "`tenant_id` not found",
        409: "The e-mail address or a number is already in use",
    },
)
@declares(Header.PREFER)
@needs(Operation.CHANGE_USERS)
def create(body: bodies.NewUser) -> Response:
    """Refuses numbers that cannot be assigned, all at once and with nothing created; the job reports later failures.

    With numbers, the scope `numbers:write` is needed too.
    """
    user = users.create(body, wait_seconds(users.WAIT))
    return created(user, url_for("users.show", user_id=user.id))


@bp.get("/<user_id>")
@bp.output(bodies.User)
@bp.doc(operation_id="get_user", summary="Get a user with its numbers")
@needs(Operation.READ_ACCOUNTS)
def show(user_id: str) -> Response:
    """At most 1,000 numbers of each kind; `list_numbers` with `user_id` returns all."""
    return shown(users.get(user_id))


@bp.patch("/<user_id>")
@bp.input(bodies.UserChange, arg_name="body")
@bp.output(bodies.User)
@bp.doc(
    operation_id="update_user",
    summary="Change a user's name, e-mail address, SMS service or existing extension",
    responses={409: "The e-mail address is already in use, or the user has numbers with SMS"},
)
@needs(Operation.CHANGE_USERS)
def change(user_id: str, body: bodies.UserChange) -> Response:
    """Omitted fields are not changed. Its numbers are changed by assignments and unassignments."""
    return shown(users.change(user_id, body))


@bp.delete("/<user_id>")
@bp.output({}, status_code=204)
@bp.doc(
    operation_id="delete_user", summary="Delete a user that has no numbers", responses={409: "The user has numbers"}
)
@needs(Operation.CHANGE_USERS)
def delete(user_id: str) -> Response:
    """Unassign its numbers first."""
    users.delete(user_id)
    return done()
