"""Admin accounts: add, list and remove admins of the own tenant and of those below (R1, R3)."""

from __future__ import annotations

from typing import Any

from flask import render_template, request, url_for

from schemas.http.admins import NewAdmin
from webhook.http import auth
from webhook.portal.shared import flash, select_fields
from webhook.portal.shared.blueprint import bp
from webhook.portal.shared.durations import duration
from webhook.portal.shared.forms import Form
from webhook.portal.shared.select_fields import SelectField
from webhook.services import admins
from webhook.services.admins import IssuedPassword

_PAGE = 50


@bp.get("/account/admins")
def people() -> str:
    return _page(Form.fresh(url_for("portal.add_person"), _new().fields))


@bp.post("/account/admins")
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
def ask_to_remove(admin_id: str) -> str:
    return render_template("portal/person_remove.html", person=admins.get(admin_id))


@bp.post("/account/admins/<admin_id>/remove")
def remove_person(admin_id: str) -> Any:  # noqa: ANN401 - a redirect
    email = admins.delete(admin_id)
    return flash.redirect_with_flash(url_for("portal.people"), f"{email} was removed and can no longer sign in.")


@bp.post("/account/admins/<admin_id>/password")
def new_password(admin_id: str) -> Any:  # noqa: ANN401 - a page and its status
    """Issue a new one-time password for a lost one, shown in this response only."""
    return _page(_new(), made=admins.new_password(admin_id), is_new=False)


def _new() -> Form:
    """Return an empty form, with the own tenant preselected."""
    return Form({"tenant_id": auth.actor().tenant.public_id})


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
        "next_url": next_url,
        "cursor": cursor,
    }
    issued = {} if made is None else {"made": made, "good_for": duration(made.seconds), "is_new": is_new}
    return render_template("portal/people.html", form=form, **listed, **issued)
