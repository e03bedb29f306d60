"""People who can sign in: an admin adds, lists and removes admins of the own tenant and of those below (R1, R3)."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from flask import render_template, request, url_for
from pydantic import BaseModel, ConfigDict

from schemas import permissions
from schemas.permissions import Tenant
from schemas.problems import RequestCode
from schemas.users import Email
from webhook import auth
from webhook.errors import refuse, stop_if
from webhook.portal import said
from webhook.portal.auth import session
from webhook.portal.blueprint import bp
from webhook.portal.forms import Form
from worker.infra import admins, passwords, scope, sign_ins, tenants
from worker.infra.db import transaction

_PAGE = 50
_MOST_TENANTS = 1000  # in the list to choose from
_TAKEN = "This e-mail address cannot be used."
_NOBODY = "There is no such person."


class NewAdmin(BaseModel):
    """An admin to be made, for the caller's own tenant unless `tenant_id` tells one below."""

    model_config = ConfigDict(extra="forbid")
    email: Email
    tenant_id: str | None = None


@bp.get("/account/admins")
def people() -> str:
    return _page("portal/people.html", Form())


@bp.post("/account/admins")
def add_person() -> Any:  # noqa: ANN401 - a page, with its status
    """The password is shown by the answer itself, not by a page that follows: so it is kept nowhere."""
    form = Form.sent()
    with form.faults():
        body = form.body(NewAdmin)
        email, password = admins.folded(body.email), passwords.made_up()
        hashed = _hash(password)
        with transaction() as connection:
            tenant = _tenant(connection, body.tenant_id)
            tenants.hold(connection, tenant)
            if not admins.add(connection, tenant.id, email, hashed, must_change=True):
                # Whether the account is here or elsewhere is not told (R3).
                raise refuse(RequestCode.NAME_TAKEN, _TAKEN, fix="Use another one.", field="email")
        return _page("portal/people.html", Form(), made={"email": email, "password": password, "tenant": tenant}), 201
    return _page("portal/people.html", form), form.status


@bp.get("/account/admins/<admin_id>/remove")
def ask_to_remove(admin_id: str) -> str:
    with transaction() as connection:
        person = _find(connection, admin_id)
    return render_template("portal/person_remove.html", person=person)


@bp.post("/account/admins/<admin_id>/remove")
def remove_person(admin_id: str) -> Any:  # noqa: ANN401 - the way to the list
    with transaction() as connection:
        person = _find(connection, admin_id)
        if person.id == session().admin_id:
            raise refuse(RequestCode.FORBIDDEN, "You cannot remove yourself.", fix="Have another admin do it.")
        admins.remove(connection, person.id)
    return said.done(url_for("portal.people"), f"{person.email} was removed and can no longer sign in.")


@bp.post("/account/admins/<admin_id>/password")
def new_password(admin_id: str) -> Any:  # noqa: ANN401 - a page, with its status
    """For who has lost it: another one-time password, shown by the answer itself."""
    password = passwords.made_up()
    hashed = _hash(password)
    with transaction() as connection:
        person = _find(connection, admin_id)
        if person.id == session().admin_id:
            raise refuse(RequestCode.FORBIDDEN, "Your own password is changed under Account.", fix="Go there.")
        tenant = scope.tenant_by_id(connection, person.tenant_id)
        admins.set_password(connection, person.id, hashed, must_change=True)
        sign_ins.succeeded(connection, person.email)  # whoever was locked out may try again
    made = {"email": person.email, "password": password, "tenant": tenant, "is_new": False}
    return _page("portal/people.html", Form(), made=made)


def _page(template: str, form: Form, **more: object) -> str:
    actor = auth.actor()
    cursor = request.args.get("cursor") or None
    with transaction() as connection:
        found = admins.page(connection, actor, cursor, _PAGE + 1)
        below = tenants.page(connection, actor, None, _MOST_TENANTS)
    next_url = url_for("portal.people", cursor=found[_PAGE - 1].public_id) if len(found) > _PAGE else None
    choices = [(view.tenant.public_id, view.tenant.name) for view in below]
    return render_template(
        template, form=form, people=found[:_PAGE], choices=choices, next_url=next_url, cursor=cursor, **more
    )


def _hash(password: str) -> str:
    try:
        return passwords.hashed(password)
    except passwords.BusyError as error:
        raise refuse(RequestCode.UNAVAILABLE) from error


def _tenant(connection: sa.Connection, public_id: str | None) -> Tenant:
    actor = auth.actor().tenant
    found = actor if public_id is None else scope.tenant_below(connection, actor, public_id)
    if found is None or permissions.check_tenant(actor, found) is not None:
        raise refuse(RequestCode.INVALID_FIELD, "Choose one of the list.", fix="", field="tenant_id")
    return found


def _find(connection: sa.Connection, public_id: str) -> sa.Row[Any]:
    """An admin that the caller sees; one elsewhere and one that does not exist are the same 404 (R3)."""
    found = admins.one(connection, auth.actor(), public_id)
    stop_if(RequestCode.NOT_FOUND if found is None else None, {RequestCode.NOT_FOUND: _NOBODY})
    assert found is not None  # noqa: S101
    return found
