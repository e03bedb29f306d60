"""Carriers: those available, those defined by the own tenant, and its default carriers (R7)."""

from __future__ import annotations

from typing import Any

from flask import render_template, request, url_for

from schemas import permissions
from schemas.http import tenants as tenant_bodies
from schemas.request_problems import RequestCode
from schemas.roles import Operation
from webhook.http import auth
from webhook.http.access import needs
from webhook.http.errors import refuse
from webhook.portal.accounts.tenants import default_fields
from webhook.portal.shared import flash
from webhook.portal.shared.blueprint import bp
from webhook.portal.shared.forms import Form
from webhook.portal.shared.layout import may
from webhook.portal.shared.pagination import listed
from webhook.services import carriers, defaults, select_options, tenants

SERVICES = [("voice", "Voice Carrier"), ("sms", "SMS Carrier Profile")]
LABELS = {
    "name": "Name",
    "service": "For",
    "default_voice_carrier": "Voice Carrier",
    "default_sms_carrier_profile": "SMS Carrier Profile",
}


@bp.get("/carriers", endpoint="carriers")
@needs(Operation.READ_ACCOUNTS)
def list_carriers() -> Any:  # noqa: ANN401 - a page and its status
    return _page(Form.fresh(url_for("portal.define_carrier")), Form.fresh(url_for("portal.choose_defaults")))


@bp.post("/carriers")
@needs(Operation.CHANGE_ACCOUNTS)
def define_carrier() -> Any:  # noqa: ANN401 - a redirect or the form
    form = Form.sent()
    with form.faults():
        carrier = carriers.create(form.body(tenant_bodies.NewCarrier))
        return flash.redirect_with_flash(url_for("portal.carriers"), f"{carrier.name} was added.")
    return _page(form, Form())


@bp.post("/carriers/defaults")
@needs(Operation.CHANGE_ACCOUNTS)
def choose_defaults() -> Any:  # noqa: ANN401 - a redirect or the form
    form = Form.sent()
    with form.faults():
        before = tenants.get(tenants.ME)
        tenants.change(tenants.ME, tenant_bodies.TenantChange(**default_fields(form, before)))
        return flash.redirect_with_flash(url_for("portal.carriers"), "The default carriers were saved.")
    return _page(Form(), form)


@bp.get("/carriers/<carrier_id>")
@needs(Operation.CHANGE_ACCOUNTS)
def edit_carrier(carrier_id: str) -> Any:  # noqa: ANN401 - a page and its status
    return _edit_page(_own(carrier_id), Form.fresh(url_for("portal.rename_carrier", carrier_id=carrier_id)))


@bp.post("/carriers/<carrier_id>")
@needs(Operation.CHANGE_ACCOUNTS)
def rename_carrier(carrier_id: str) -> Any:  # noqa: ANN401 - a redirect or the form
    form, carrier = Form.sent(), _own(carrier_id)
    with form.faults():
        changed = carriers.change(carrier.id, form.body(tenant_bodies.CarrierChange))
        return flash.redirect_with_flash(url_for("portal.carriers"), f"{carrier.name} is now called {changed.name}.")
    return _edit_page(carrier, form)


@bp.get("/carriers/<carrier_id>/delete")
@needs(Operation.CHANGE_ACCOUNTS)
def ask_to_delete_carrier(carrier_id: str) -> Any:  # noqa: ANN401 - a page and its status
    return _delete_page(_own(carrier_id), Form())


@bp.post("/carriers/<carrier_id>/delete")
@needs(Operation.CHANGE_ACCOUNTS)
def delete_carrier(carrier_id: str) -> Any:  # noqa: ANN401 - a redirect or the form
    form, carrier = Form.sent(), _own(carrier_id)
    with form.faults():
        carriers.delete(carrier.id)
        return flash.redirect_with_flash(url_for("portal.carriers"), f"{carrier.name} was deleted.")
    return _delete_page(carrier, form)


def _own(carrier_id: str) -> tenant_bodies.Carrier:
    """Return a carrier that the admin's own tenant has defined. Others cannot be edited, so they are refused."""
    carrier = carriers.get(carrier_id)
    if carrier.tenant_id != auth.actor().tenant.public_id:
        raise refuse(
            RequestCode.FORBIDDEN, "This carrier was added by another company.", fix="Only that company can change it."
        )
    return carrier


def _page(form: Form, defaults_form: Form) -> Any:  # noqa: ANN401 - a page and its status
    actor = auth.actor().tenant
    query = Form(request.args)
    page = listed(query, tenant_bodies.PageQuery, carriers.page, "portal.carriers")
    names = select_options.tenant_names(carrier.tenant_id for carrier in page.data)
    shown = render_template(
        "portal/carriers.html",
        form=form,
        defaults_form=defaults_form,
        page=page,
        own=tenants.get(tenants.ME),
        owners=names | {actor.public_id: "You"},
        carriers=defaults.choices(tenants.ME),
        may_define=permissions.check_create_carrier(actor) is None and may(Operation.CHANGE_ACCOUNTS),
        services=SERVICES,
        labels=LABELS,
    )
    wrong = next((each for each in (form, defaults_form) if each.errors), None)
    return shown, page.status if wrong is None else int(wrong.status)


def _edit_page(carrier: tenant_bodies.Carrier, form: Form) -> Any:  # noqa: ANN401 - a page and its status
    return form.page("portal/carrier.html", carrier=carrier, services=dict(SERVICES), labels=LABELS)


def _delete_page(carrier: tenant_bodies.Carrier, form: Form) -> Any:  # noqa: ANN401 - a page and its status
    return form.page("portal/carrier_delete.html", carrier=carrier, services=dict(SERVICES))
