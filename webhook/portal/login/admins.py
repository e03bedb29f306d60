"""Admin accounts: add, list and remove admins of the own tenant and of those below (R1, R3)."""

from __future__ import annotations

from typing import Any

from flask import render_template, request, url_for

from schemas.http.admins import AdminChange, AdminRemoval, NewAdmin
from schemas.roles import ROLE_TEXTS, Operation, Role
from webhook.http import auth
from webhook.http.access import needs
from webhook.portal.shared import flash, select_fields
from webhook.portal.shared.blueprint import bp
from webhook.portal.shared.durations import duration
from webhook.portal.shared.forms import Form
from webhook.portal.shared.layout import role_name
from webhook.portal.shared.select_fields import SelectField
from webhook.services import admins
from webhook.services.admins import IssuedPassword

_PAGE = 50
_THEIRS = "Programs go on working."
ROLE_CHOICES = [(role.value, role_name(role), text) for role, text in ROLE_TEXTS.items()]


@bp.get("/account/admins")
@needs(Operation.MANAGE_PEOPLE)
def people() -> str:
    return _page(Form.fresh(url_for("portal.add_person"), _new().fields))


@bp.post("/account/admins")
@needs(Operation.MANAGE_PEOPLE)
def add_person() -> Any:  # noqa: ANN401 - a page and its status
    """Show the password in this response, not on a page after a redirect: so it is not stored anywhere."""
    form = Form.sent()
    picker = _picker(form)
    if not form.errors:
        with form.faults():
            issued = admins.create(form.body(NewAdmin))
            return _page(_new(), made=issued, is_new=True), 201
    return _page(form, picker), form.status


@bp.get("/account/admins/<admin_id>/remove")
@needs(Operation.MANAGE_PEOPLE)
def ask_to_remove(admin_id: str) -> Any:  # noqa: ANN401 - a page and its status
    return _removal_page(Form(), admin_id)


@bp.post("/account/admins/<admin_id>/remove")
@needs(Operation.MANAGE_PEOPLE)
def remove_person(admin_id: str) -> Any:  # noqa: ANN401 - a redirect or the form
    form = Form.sent()
    with form.faults():
        email = admins.delete(admin_id, form.body(AdminRemoval))
        return flash.redirect_with_flash(url_for("portal.people"), f"{email} was removed and can no longer sign in.")
    return _removal_page(form, admin_id)


def _removal_page(form: Form, admin_id: str) -> Any:  # noqa: ANN401 - a page and its status
    removal = admins.removal_of(admin_id)
    heirs = [(public_id, f"Hand over to {email}", _THEIRS) for public_id, email in removal.heirs]
    return form.page("portal/person_remove.html", removal=removal, heirs=heirs)


@bp.get("/account/admins/<admin_id>/role")
@needs(Operation.MANAGE_PEOPLE)
def edit_role(admin_id: str) -> Any:  # noqa: ANN401 - a page and its status
    return _role_page(Form(), admin_id)


@bp.post("/account/admins/<admin_id>/role")
@needs(Operation.MANAGE_PEOPLE)
def change_role(admin_id: str) -> Any:  # noqa: ANN401 - a redirect or the form
    form = Form.sent()
    with form.faults():
        body = form.body(AdminChange)
        email = admins.change_role(admin_id, body)
        return flash.redirect_with_flash(url_for("portal.people"), f"{email} now has the role {role_name(body.role)}.")
    return _role_page(form, admin_id)


def _role_page(form: Form, admin_id: str) -> Any:  # noqa: ANN401 - a page and its status
    return form.page("portal/person_role.html", person=admins.get(admin_id), roles=ROLE_CHOICES)


@bp.post("/account/admins/<admin_id>/password")
@needs(Operation.MANAGE_PEOPLE)
def new_password(admin_id: str) -> Any:  # noqa: ANN401 - a page and its status
    """Issue a new one-time password for a lost one, shown in this response only."""
    return _page(_new(), made=admins.new_password(admin_id), is_new=False)


def _new() -> Form:
    """Return an empty form, with the own tenant and a role preselected."""
    return Form({"tenant_id": auth.actor().tenant.public_id, "role": Role.OPERATOR.value})


def _picker(form: Form) -> SelectField:
    return select_fields.tenant_field(form, "tenant_id", "tenant")


def _page(
    form: Form, picker: SelectField | None = None, *, made: IssuedPassword | None = None, is_new: bool = False
) -> str:
    cursor = request.args.get("cursor") or None
    listed_admins = admins.page(cursor, _PAGE + 1)
    next_url = (
        url_for("portal.people", cursor=listed_admins[_PAGE - 1].public_id) if len(listed_admins) > _PAGE else None
    )
    listed = {
        "people": listed_admins[:_PAGE],
        "picker": picker or _picker(form),
        "roles": ROLE_CHOICES,
        "next_url": next_url,
        "cursor": cursor,
    }
    issued = {} if made is None else {"made": made, "good_for": duration(made.seconds), "is_new": is_new}
    return render_template("portal/people.html", form=form, **listed, **issued)
