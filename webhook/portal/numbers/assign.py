"""Modify Assignments for Phone Number (R18, R20); the same pages for one number and for many.

Assign shows the choice, Save Settings submits it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import request, url_for

from schemas.http import resources
from schemas.job_kinds import JobKind
from schemas.permissions import TenantKind
from schemas.roles import Operation
from webhook.http import auth
from webhook.http.access import needs
from webhook.http.errors import Refused
from webhook.portal.numbers.available_actions import why_not
from webhook.portal.numbers.holders import Origin, origin
from webhook.portal.numbers.selection import Selection
from webhook.portal.numbers.submit_action import as_it_is, number_of, selected, submit_action
from webhook.portal.shared import select_fields
from webhook.portal.shared.blueprint import bp
from webhook.portal.shared.forms import Form
from webhook.portal.shared.select_fields import SelectField
from webhook.services import select_options, tenants, users

SERVICES = [
    ("voice", "Voice", "A PBX user’s Phone Number, or a trunk user’s Default DID"),
    ("forwarded", "Forwarded DID", "Trunk users only"),
    ("sms", "SMS", "The user’s SMS service must be enabled"),
]
LABELS = {
    "tenant_id": "Reseller / Enterprise",
    "tenant": "Reseller / Enterprise",
    "user_id": "User",
    "user": "User",
    "service": "Service",
}


@dataclass(frozen=True)
class Pending:
    """An assignment that is chosen but not saved: the fields to send, and the target in words.

    `holder`: the tenant that holds the numbers now, if it is one. `origin`: who holds how many of them, if they may be
    held by several tenants and were not too many to count.
    """

    fields: dict[str, str]
    target: str
    service: str = ""
    holder: str = ""
    origin: Origin | None = None


@bp.get("/numbers/assign")
@needs(Operation.CHANGE_NUMBERS)
def choose_target() -> Any:  # noqa: ANN401 - a page or a redirect
    selection = selected()
    form = Form.fresh(url_for("portal.save_settings", **selection.args()), request.args)
    picker = _picker(form)
    return _page(form, selection, picker, _target(form, picker))


@bp.post("/numbers/assign")
@needs(Operation.CHANGE_NUMBERS)
def save_settings() -> Any:  # noqa: ANN401 - a redirect or the form
    form, selection = Form.sent(), selected()
    picker = _picker(form)
    if selection.single is None and form.value("tenant_id"):
        form.fields.setdefault("only_unassigned", "true")  # the safe choice, if a page offered none
    target = _target(form, picker)
    with form.faults():
        return submit_action(form, JobKind.ASSIGN, selection, f" to {target}" if target else "")
    return _page(form, as_it_is(form, selection), picker, target)


def _picker(form: Form) -> SelectField:
    """Return the field for the target: tenants for a reseller, its users for an enterprise."""
    if auth.actor().tenant.kind is TenantKind.ENTERPRISE:
        return select_fields.user_field(form, "user_id", "user")
    return select_fields.tenant_field(
        form, "tenant_id", "tenant", among=select_options.tenants(select_fields.MOST, own=False)
    )


def _target(form: Form, picker: SelectField) -> str:
    """Return the name of the target once it is known; else ""."""
    user_id, tenant_id = form.value("user_id"), form.value("tenant_id")
    if form.errors or not (user_id or tenant_id):
        return ""
    try:
        return users.get(user_id).name if user_id else tenants.get(tenant_id).name
    except Refused as refused:
        form.wrong(picker.name, f"{refused.body['detail']} Pick one from the list.")
        return ""


def _pending(form: Form, selection: Selection, number: resources.Number | None, target: str) -> Pending:
    """Return the chosen assignment. A single number is moved only from the holder that the page shows."""
    expected = {} if number is None else {"expected_holder_id": number.tenant.id}
    user_id, tenant_id = form.value("user_id"), form.value("tenant_id")
    own = auth.actor().tenant.name
    if user_id:
        service = form.value("service") or "voice"
        words = {value: name for value, name, _ in SERVICES}
        holder = own if number is None else number.tenant.name
        fields = {"user_id": user_id, "service": service} | expected
        return Pending(fields, target, words.get(service, service), holder)
    fields = {"tenant_id": tenant_id} | expected
    if number is not None:
        return Pending(fields, target, holder=number.tenant.name)
    return Pending(fields, target, origin=origin(selection, tenant_id))


def _page(form: Form, selection: Selection, picker: SelectField, target: str) -> Any:  # noqa: ANN401 - a page and its status
    number = number_of(selection)
    return form.page(
        "portal/assign.html",
        selection=selection,
        number=number,
        why_not="" if number is None else why_not(number, JobKind.ASSIGN),
        picker=picker,
        pending=_pending(form, selection, number, target) if target else None,
        services=SERVICES,
        labels=LABELS,
        action=url_for("portal.save_settings", **selection.args()),
        again=url_for("portal.choose_target", **selection.args()),
    )
