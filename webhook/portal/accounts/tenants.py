"""Enterprises and Resellers: the tenants below, Allow External Numbers, their default carriers (R1, R7, R9)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import Response, render_template, request, url_for

from schemas import permissions
from schemas.http import tenants as tenant_bodies
from schemas.permissions import TenantKind
from schemas.request_problems import RequestCode
from schemas.roles import Operation
from webhook.http import auth
from webhook.http.access import needs
from webhook.http.downloads import sent
from webhook.http.errors import refuse
from webhook.http.request_bodies import validated
from webhook.portal.shared import flash, select_fields
from webhook.portal.shared.blueprint import bp
from webhook.portal.shared.forms import Form
from webhook.portal.shared.layout import kind_name
from webhook.portal.shared.pagination import listed
from webhook.services import defaults, holdings_report, select_options, tenants

LABELS = {
    "name": "Name",
    "parent_id": "Reseller",
    "parent": "Reseller",
    "allow_external_numbers": "Allow External Numbers",
    "billing_reference": "Billing Reference",
    "default_voice_carrier": "Default Voice Carrier",
    "default_sms_carrier_profile": "Default SMS Carrier Profile",
    "q": "Search",
}
DEFAULTS = ("default_voice_carrier", "default_sms_carrier_profile")
USES = {
    "tenants": "enterprises",
    "numbers": "phone numbers",
    "users": "users",
    "carriers": "its own carriers",
    "jobs": "jobs in Activity",
}


@dataclass(frozen=True)
class TenantPages:
    """Labels and URL segment of a tenant kind."""

    path: str
    kind: TenantKind
    singular: str

    @property
    def plural(self) -> str:
        return f"{self.singular}s"


_LEVELS = {
    "enterprises": TenantPages("enterprises", TenantKind.ENTERPRISE, "Enterprise"),
    "resellers": TenantPages("resellers", TenantKind.RESELLER, "Reseller"),
}
_ANY = "/<any(enterprises, resellers):level>"


def _level(path: str) -> TenantPages:
    """Return the tenant kind of a URL segment. Refuses kinds that the admin cannot create at all (R1)."""
    level, actor = _LEVELS[path], auth.actor().tenant
    code = permissions.check_create_tenant(actor, actor, level.kind, allow_external_numbers=False)
    if code is RequestCode.FORBIDDEN:
        raise refuse(RequestCode.FORBIDDEN, f"{kind_name(actor.kind)}s don't have {level.plural.lower()}.", fix="")
    return level


def _tenant(level: TenantPages, tenant_id: str) -> tenant_bodies.Tenant:
    tenant = tenants.get(tenant_id)
    if tenant.kind != level.kind or tenant.id == auth.actor().tenant.public_id:
        raise refuse(RequestCode.NOT_FOUND, f"{level.singular} not found.")
    return tenant


@bp.get("/resellers", defaults={"level": "resellers"})
@bp.get("/enterprises", defaults={"level": "enterprises"})
@needs(Operation.READ_ACCOUNTS)
def levels(level: str) -> Any:  # noqa: ANN401 - a page and its status
    shown, form = _level(level), Form(request.args)
    page = listed(
        form, tenant_bodies.TenantsQuery, tenants.page, "portal.levels", ("q",), {"kind": shown.kind.value}, level=level
    )
    return render_template(
        "portal/levels.html",
        form=form,
        level=shown,
        page=page,
        above=_names_above(shown, page.data),
        labels=LABELS,
    ), page.status


def _names_above(level: TenantPages, shown: Sequence[tenant_bodies.Tenant]) -> dict[str, str]:
    """Return the names of the resellers of the tenants shown, by id, for a list of several resellers' enterprises."""
    if level.kind is not TenantKind.ENTERPRISE or auth.actor().tenant.kind is not TenantKind.MASTER_RESELLER:
        return {}
    return select_options.tenant_names(tenant.parent_id for tenant in shown if tenant.parent_id is not None)


@bp.get("/reports/holdings.csv")
@needs(Operation.READ_NUMBERS)
def holdings_csv() -> Response:
    """Send the numbers held now; with `date`, those at the end of that day."""
    asked = {name: text for name, text in request.args.to_dict().items() if name == "date"}
    return sent(holdings_report.csv(validated(tenant_bodies.HoldingsQuery, asked)))


@bp.get(f"{_ANY}/new")
@needs(Operation.CHANGE_ACCOUNTS)
def new_level(level: str) -> Any:  # noqa: ANN401 - a page and its status
    return _form(_level(level), Form.fresh(url_for("portal.add_level", level=level)))


@bp.post(f"{_ANY}/new")
@needs(Operation.CHANGE_ACCOUNTS)
def add_level(level: str) -> Any:  # noqa: ANN401 - a redirect or the form
    shown, form = _level(level), Form.sent()
    parent = _parent(shown, form)
    if parent is not None and not form.value("parent_id") and not form.errors:
        form.wrong(select_fields.field_of(parent), "Choose the reseller it belongs to.")
    if not form.errors:
        with form.faults():
            flags = ("allow_external_numbers",) if shown.kind is TenantKind.ENTERPRISE else ()
            tenant = tenants.create(form.body(tenant_bodies.NewTenant, flags=flags, kind=shown.kind.value))
            edit = url_for("portal.edit_level", level=level, tenant_id=tenant.id)
            return flash.redirect_with_flash(
                url_for("portal.levels", level=level),
                f"{tenant.name} was added.",
                link=edit,
                label="Choose its carriers",
            )
    return _form(shown, form)


@bp.get(f"{_ANY}/<tenant_id>")
@needs(Operation.CHANGE_ACCOUNTS)
def edit_level(level: str, tenant_id: str) -> Any:  # noqa: ANN401 - a page and its status
    shown = _level(level)
    form = Form.fresh(url_for("portal.change_level", level=level, tenant_id=tenant_id))
    return _form(shown, form, _tenant(shown, tenant_id))


@bp.post(f"{_ANY}/<tenant_id>")
@needs(Operation.CHANGE_ACCOUNTS)
def change_level(level: str, tenant_id: str) -> Any:  # noqa: ANN401 - a redirect or the form
    shown, form = _level(level), Form.sent()
    tenant = _tenant(shown, tenant_id)
    form.need("name")
    if not form.errors:
        with form.faults():
            flags = ("allow_external_numbers",) if shown.kind is TenantKind.ENTERPRISE else ()
            billing = {"billing_reference": form.value("billing_reference")} if form.has("billing_reference") else {}
            changes = billing | default_fields(form, tenant)
            body = _without_defaults(form).body(tenant_bodies.TenantChange, flags=flags, **changes)
            changed = tenants.change(tenant.id, body)
            return flash.redirect_with_flash(url_for("portal.levels", level=level), f"{changed.name} was saved.")
    return _form(shown, form, tenant)


def default_fields(form: Form, tenant: tenant_bodies.Tenant) -> dict[str, Any]:
    """Return the default carriers that a form has changed. None means the parent's default."""
    carriers = {name: form.value(name) or None for name in DEFAULTS}
    return {name: text for name, text in carriers.items() if text != getattr(tenant, name)}


def _without_defaults(form: Form) -> Form:
    return Form({name: text for name, text in form.fields.items() if name not in DEFAULTS})


def _parent(level: TenantPages, form: Form) -> select_fields.SelectField | None:
    """Return the field for the reseller of a new enterprise; None if there is nothing to choose."""
    if level.kind is not TenantKind.ENTERPRISE or auth.actor().tenant.kind is not TenantKind.MASTER_RESELLER:
        return None
    return select_fields.tenant_field(form, "parent_id", "parent", kind=TenantKind.RESELLER)


def _form(level: TenantPages, form: Form, tenant: tenant_bodies.Tenant | None = None) -> Any:  # noqa: ANN401 - a page and its status
    return form.page(
        "portal/level.html",
        level=level,
        tenant=tenant,
        parent=_parent(level, form) if tenant is None else None,
        carriers=None if tenant is None else defaults.choices(tenant.id),
        labels=LABELS,
    )


@bp.get(f"{_ANY}/<tenant_id>/delete")
@needs(Operation.CHANGE_ACCOUNTS)
def ask_to_delete_level(level: str, tenant_id: str) -> Any:  # noqa: ANN401 - a page and its status
    shown = _level(level)
    return _delete_page(shown, _tenant(shown, tenant_id), Form())


@bp.post(f"{_ANY}/<tenant_id>/delete")
@needs(Operation.CHANGE_ACCOUNTS)
def delete_level(level: str, tenant_id: str) -> Any:  # noqa: ANN401 - a redirect or the form
    shown, form = _level(level), Form.sent()
    tenant = _tenant(shown, tenant_id)
    with form.faults():
        tenants.delete(tenant.id)
        return flash.redirect_with_flash(url_for("portal.levels", level=level), f"{tenant.name} was deleted.")
    return _delete_page(shown, tenant, form)


def _delete_page(level: TenantPages, tenant: tenant_bodies.Tenant, form: Form) -> Any:  # noqa: ANN401 - a page and its status
    uses = [USES[use] for use in tenants.in_use_by(tenant.id)]
    return form.page("portal/level_delete.html", level=level, tenant=tenant, uses=uses)
