"""Users: list, add, edit and delete, with their voice numbers (R2, R20..R22)."""

from __future__ import annotations

from typing import Any

from flask import render_template, request, url_for

from schemas.http import tenants as tenant_bodies
from schemas.http import users as bodies
from schemas.permissions import TenantKind
from schemas.request_problems import RequestCode
from schemas.roles import Operation
from webhook.http import auth
from webhook.http.access import needs
from webhook.http.errors import refuse
from webhook.portal.accounts import user_numbers
from webhook.portal.accounts.user_numbers import BOX_SEARCH, MAIN, MAIN_SEARCH, list_of
from webhook.portal.shared import flash, select_fields
from webhook.portal.shared.blueprint import bp
from webhook.portal.shared.forms import Form
from webhook.portal.shared.job_messages import why_no_upload
from webhook.portal.shared.pagination import listed
from webhook.services import jobs, tenants, users
from webhook.services import user_numbers as user_number_service
from webhook.services.user_numbers import Exchanged

KINDS = [("pbx", "PBX"), ("trunk", "Trunk")]
LABELS = {
    "name": "Name",
    "email": "E-mail",
    "phone_number": "Phone Number",
    "default_did": "Default DID",
    "new_number": "New number",
    "forwarded_dids": "Forwarded DIDs",
    "extension": "Extension",
    "sms_enabled": "Enable SMS Service",
    "tenant_id": "Enterprise",
    "tenant": "Enterprise",
    "kind": "Kind",
    "q": "Search",
}


@bp.get("/users", endpoint="users")
@needs(Operation.READ_ACCOUNTS)
def list_users() -> Any:  # noqa: ANN401 - a page and its status
    form = Form(request.args)
    picker = _enterprises(form)
    page = listed(form, bodies.UsersQuery, users.page, "portal.users", ("q", "tenant_id", "kind"))
    shown = render_template(
        "portal/users.html",
        form=form,
        page=page,
        picker=picker,
        kinds=KINDS,
        tenant_id=form.value("tenant_id"),
        labels=LABELS,
    )
    return shown, page.status


def _enterprises(form: Form) -> select_fields.SelectField | None:
    """Return the field for the enterprises whose users the admin sees; None for an enterprise itself."""
    if auth.actor().tenant.kind is TenantKind.ENTERPRISE:
        return None
    return select_fields.tenant_field(form, "tenant_id", "tenant", kind=TenantKind.ENTERPRISE)


@bp.get("/users/new")
@needs(Operation.CHANGE_USERS)
def new_user() -> Any:  # noqa: ANN401 - a page and its status
    """Ask resellers for the enterprise first, then show the form for the user's kind."""
    form = Form(request.args)
    picker = _enterprises(form)
    kind = _kind(form)
    if picker is not None and (form.errors or not form.value("tenant_id")):
        return form.page("portal/user_where.html", picker=picker, kind=kind, kinds=KINDS, labels=LABELS)
    tenant = _tenant(form)
    return _add_page(Form.fresh(url_for("portal.add_user", **_where(tenant, kind))), tenant, kind)


@bp.post("/users/new")
@needs(Operation.CHANGE_USERS)
def add_user() -> Any:  # noqa: ANN401 - a redirect or the form
    form = Form.sent()
    where = Form(request.args)
    tenant, kind = _tenant(where), _kind(where)
    if user_numbers.is_search(form):
        return _add_page(form, tenant, kind)
    with form.faults():
        requested = user_numbers.requested_numbers(form, kind)
        if not form.errors:
            number_fields = requested.model_dump() | {"tenant_id": tenant.id, "kind": kind}
            body = form.body(bodies.NewUser, flags=("sms_enabled",), **number_fields)
            user = users.create(body, user_number_service.WAIT)
            return _added(user, list(body.services()))
    user_numbers.blame_typed(form, kind)
    return _add_page(form, tenant, kind)


def _added(user: bodies.User, to_assign: list[str]) -> Any:  # noqa: ANN401 - a redirect
    job = None if user.job_id is None else jobs.get(user.job_id)
    message = user_numbers.exchange_message(
        user.name, Exchanged(to_assign=to_assign, assign_job=job), f"{user.name} was added."
    )
    if user.sms_enabled and message.kind == flash.SUCCESS:
        sms = url_for("portal.sms", user_id=user.id)
        return flash.redirect_with_flash(list_of(user), message.text, link=sms, label="Choose the numbers for SMS")
    return message.at(list_of(user))


def _kind(form: Form) -> str:
    return "trunk" if form.value("kind") == "trunk" else "pbx"


def _tenant(form: Form) -> tenant_bodies.Tenant:
    """Return the enterprise that a user belongs to, or is to belong to."""
    tenant = tenants.get(form.value("tenant_id") or tenants.ME)
    if tenant.kind != TenantKind.ENTERPRISE.value:
        raise refuse(RequestCode.NOT_FOUND, users.WORDS[RequestCode.INVALID_FIELD], fix="Choose an enterprise.")
    return tenant


def _where(tenant: tenant_bodies.Tenant, kind: str) -> dict[str, Any]:
    """Return the parameters of the page for a new user of an enterprise."""
    return {"kind": kind} | ({} if auth.actor().tenant.public_id == tenant.id else {"tenant_id": tenant.id})


def _add_page(form: Form, tenant: tenant_bodies.Tenant, kind: str) -> Any:  # noqa: ANN401 - a page and its status
    where = _where(tenant, kind)
    return _form_page(form, tenant, kind, url_for("portal.add_user", **where), None, where)


@bp.get("/users/<user_id>")
@needs(Operation.CHANGE_USERS)
def edit_user(user_id: str) -> Any:  # noqa: ANN401 - a page and its status
    return _edit_page(Form.fresh(url_for("portal.change_user", user_id=user_id)), users.get(user_id))


@bp.post("/users/<user_id>")
@needs(Operation.CHANGE_USERS)
def change_user(user_id: str) -> Any:  # noqa: ANN401 - a redirect or the form
    form, user = Form.sent(), users.get(user_id)
    if user_numbers.is_search(form):
        return _edit_page(form, user)
    form.need("name", "email", *(("extension",) if user.extension else ()))
    with form.faults():
        change = form.body(bodies.UserChange)
        exchange = user_numbers.voice_exchange(form, user)
        if not form.errors:
            done = user_number_service.exchange(user_id, exchange, change)
            name = change.name or user.name
            return user_numbers.exchange_message(name, done, f"{name} was saved.").at(list_of(user))
    user_numbers.blame_typed(form, user.kind)
    return _edit_page(form, user)


def _edit_page(form: Form, user: bodies.User) -> Any:  # noqa: ANN401 - a page and its status
    return _form_page(
        form, tenants.get(user.tenant.id), user.kind, url_for("portal.change_user", user_id=user.id), user
    )


def _form_page(  # noqa: PLR0913, PLR0917 - the two forms differ in these
    form: Form,
    tenant: tenant_bodies.Tenant,
    kind: str,
    action: str,
    user: bodies.User | None,
    where: dict[str, Any] | None = None,
) -> Any:  # noqa: ANN401 - a page and its status
    free = {name: user_numbers.free(tenant.id, "voice", name, form.value(name)) for name in (MAIN_SEARCH, BOX_SEARCH)}
    return form.page(
        "portal/user.html",
        tenant=tenant,
        kind=kind,
        kind_words=dict(KINDS)[kind],
        action=action,
        user=user,
        where=where or {},
        free=free[MAIN_SEARCH],
        free_forwarded=free[BOX_SEARCH],
        counted=user_numbers.counted,
        main=MAIN[kind],
        hint=why_no_upload(),
        kinds=KINDS,
        back=list_of(user) if user else url_for("portal.users"),
        labels=LABELS,
    )


@bp.get("/users/<user_id>/delete")
@needs(Operation.CHANGE_USERS)
def ask_to_delete_user(user_id: str) -> Any:  # noqa: ANN401 - a page and its status
    return _delete_page(Form(), users.get(user_id))


@bp.post("/users/<user_id>/delete")
@needs(Operation.CHANGE_USERS)
def delete_user(user_id: str) -> Any:  # noqa: ANN401 - a redirect or the form
    form, user = Form.sent(), users.get(user_id)
    with form.faults():
        users.delete(user_id)
        return flash.redirect_with_flash(list_of(user), f"{user.name} was deleted.")
    return _delete_page(form, user)


def _delete_page(form: Form, user: bodies.User) -> Any:  # noqa: ANN401 - a page and its status
    voice = [number for number in (user.phone_number, user.default_did, *user.forwarded_dids) if number]
    return form.page("portal/user_delete.html", user=user, voice=voice, back=list_of(user))
