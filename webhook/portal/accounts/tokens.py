"""API tokens: create, list and revoke (R4, R35). Only the response that creates a token shows its secret."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

from flask import render_template, request, url_for
from werkzeug.datastructures import MultiDict

from schemas.http import tenants
from schemas.roles import ROLE_TEXTS, SCOPE_TEXTS, Operation, Role, Scope
from webhook.http import auth
from webhook.http.access import needs
from webhook.portal.shared import flash, select_fields
from webhook.portal.shared.blueprint import bp
from webhook.portal.shared.forms import Form
from webhook.portal.shared.layout import role_name
from webhook.portal.shared.pagination import listed
from webhook.services import tokens

LABELS = {
    "name": "Name",
    "tenant_id": "Company",
    "tenant": "Company",
    "role": "Role",
    "scopes": "Scopes",
    "networks": "Networks",
    "expires_at": "Expires",
}
ROLE_CHOICES = [(role.value, role_name(role), text) for role, text in ROLE_TEXTS.items()]
SCOPE_CHOICES = [(scope.value, text) for scope, text in SCOPE_TEXTS.items()]
_OF_OPERATORS = (Scope.NUMBERS_READ, Scope.NUMBERS_WRITE, Scope.JOBS_READ, Scope.UPLOADS_WRITE, Scope.ACCOUNTS_READ)
_SEPARATORS = re.compile(r"[\s,;]+")
_LAST_MOMENT = dt.time(23, 59, 59, tzinfo=dt.UTC)


@bp.get("/tokens", endpoint="tokens")
@needs(Operation.READ_TOKENS)
def list_tokens() -> Any:  # noqa: ANN401 - a page and its status
    return _page(Form.fresh(url_for("portal.make_token"), _new().fields))


@bp.post("/tokens")
@needs(Operation.CHANGE_TOKENS)
def make_token() -> Any:  # noqa: ANN401 - a page and its status
    """Show the secret in this response, not on a page after a redirect: so it is not stored anywhere."""
    form = Form.sent()
    picker = _picker(form)
    day = form.value("expires_at").strip()
    ends = _end_of(day) if day else None
    if day and ends is None:
        form.wrong("expires_at", "This isn't a date. Write it as 2027-12-31.")
    if not form.errors:
        with form.faults():
            networks = _SEPARATORS.split(form.value("networks").strip(" ,;\r\n\t"))
            entered = [text for text in networks if text]
            body = form.body(tenants.NewToken, lists=("scopes",), expires_at=ends, networks=entered)
            issued_token = tokens.create(body)
            return _page(_new(), issued_token=issued_token)[0], 201
    _join_errors(form)
    return _page(form, picker)


def _join_errors(form: Form) -> None:
    """Show the errors of single networks or scopes beside the field that they are entered in."""
    for name in ("networks", "scopes"):
        texts = [form.errors.pop(field) for field in list(form.errors) if field.partition(".")[0] == name]
        if texts:
            form.errors[name] = " ".join(dict.fromkeys(texts))
    if "scopes" in form.errors and not form.values("scopes"):
        form.errors["scopes"] = "Choose at least one."


def _end_of(day: str) -> dt.datetime | None:
    """Return the last second (UTC) of a date from a form; None if the text is not a date."""
    try:
        return dt.datetime.combine(dt.date.fromisoformat(day), _LAST_MOMENT)
    except ValueError:
        return None


@bp.get("/tokens/<token_id>/revoke")
@needs(Operation.CHANGE_TOKENS)
def ask_to_revoke(token_id: str) -> str:
    return render_template("portal/token_revoke.html", token=tokens.get(token_id))


@bp.post("/tokens/<token_id>/revoke")
@needs(Operation.CHANGE_TOKENS)
def revoke_token(token_id: str) -> Any:  # noqa: ANN401 - a redirect
    token = tokens.get(token_id)
    tokens.delete(token.id)
    return flash.redirect_with_flash(url_for("portal.tokens"), f"{token.name} was revoked and no longer works.")


def _new() -> Form:
    """Return an empty form, with the own tenant, a role and all scopes that it uses preselected."""
    chosen: list[tuple[str, str]] = [("tenant_id", auth.actor().tenant.public_id), ("role", Role.OPERATOR.value)]
    return Form(MultiDict(chosen + [("scopes", scope.value) for scope in _OF_OPERATORS]))


def _picker(form: Form) -> select_fields.SelectField:
    return select_fields.tenant_field(form, "tenant_id", "tenant")


def _page(
    form: Form, picker: select_fields.SelectField | None = None, issued_token: tenants.IssuedToken | None = None
) -> Any:  # noqa: ANN401 - a page and its status
    query = Form(request.args)
    page = listed(query, tenants.PageQuery, tokens.page, "portal.tokens")
    shown = render_template(
        "portal/tokens.html",
        form=form,
        page=page,
        issued_token=issued_token,
        picker=picker or _picker(form),
        own=auth.actor().tenant.public_id,
        now=dt.datetime.now(dt.UTC),
        roles=ROLE_CHOICES,
        scopes=SCOPE_CHOICES,
        labels=LABELS,
    )
    return shown, int(form.status) if form.errors else page.status
