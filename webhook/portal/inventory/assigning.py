"""Modify Assignments for Phone Number (R18, R20), and taking back (R19); the same pages for one number and for many.

Assign shows what is chosen, Save Settings has it done.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import request, url_for

from schemas import api
from schemas.permissions import TenantKind
from webhook import auth
from webhook.errors import Refused
from webhook.operations import actions, choices, numbers, tenants, users
from webhook.portal.frame import picking
from webhook.portal.frame.blueprint import bp
from webhook.portal.frame.forms import Form
from webhook.portal.frame.picking import Picker
from webhook.portal.frame.telling import Words
from webhook.portal.inventory.acting import act, as_it_is, selected
from webhook.portal.inventory.deeds import can_take, deeds
from webhook.portal.inventory.selection import Selection

Options = list[tuple[str, str, str]]  # (value, label, hint)
SERVICES = [
    ("voice", "Voice", "A PBX user’s Phone Number, or a trunk user’s Default DID"),
    ("forwarded", "Forwarded DID", "Trunk users only"),
    ("sms", "SMS", "The user’s SMS service has to be enabled"),
]
FROM_USERS = [
    ("", "Whatever they have it for", ""),
    ("voice", "Voice only", ""),
    ("sms", "SMS only", ""),
]
FROM_ABOVE = [
    ("", "The enterprise or reseller that has it", "It goes back one level up. A number that a user has stays."),
    ("voice", "Its user, for voice", "The enterprise keeps it."),
    ("sms", "Its user, for SMS", "The enterprise keeps it."),
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
    """An assignment that is chosen and not saved: the fields to be sent, and where from and to, in words."""

    fields: dict[str, str]
    origin: str
    target: str
    service: str = ""


@bp.get("/numbers/assign")
def choose_target() -> Any:  # noqa: ANN401 - a page or the way to one
    form, chosen = Form(request.args), selected()
    picker = _picker(form)
    return _page(form, chosen, picker, _pending(form, chosen, picker))


@bp.post("/numbers/assign")
def save_settings() -> Any:  # noqa: ANN401 - the way back, or the form
    form, chosen = Form.sent(), selected()
    picker = _picker(form)
    pending = _pending(form, chosen, picker)
    target = "" if pending is None else f" to {pending.target}"
    with form.faults():
        return act(form, actions.ASSIGN, chosen, Words("Assigning", "assigned", target))
    return _page(form, as_it_is(form, chosen), picker, pending)


def _picker(form: Form) -> Picker:
    """Who the numbers may go to: below a reseller tenants, in an enterprise its users."""
    if auth.actor().tenant.kind is TenantKind.ENTERPRISE:
        return picking.user(form, "user_id", "user")
    return picking.tenant(form, "tenant_id", "tenant", among=choices.tenants(own=False))


def _pending(form: Form, chosen: Selection, picker: Picker) -> Pending | None:
    """What is chosen, once it is known who is meant."""
    user_id, tenant_id = form.value("user_id"), form.value("tenant_id")
    if form.errors or not (user_id or tenant_id):
        return None
    try:
        target = users.one(user_id).name if user_id else tenants.one(tenant_id).name
    except Refused as refused:
        form.wrong(picker.name, f"{refused.body['detail']} Choose one of the list.")
        return None
    if not user_id:
        return Pending({"tenant_id": tenant_id}, _origin(chosen), target)
    service = form.value("service") or "voice"
    words = {value: name for value, name, _ in SERVICES}
    return Pending({"user_id": user_id, "service": service}, _origin(chosen), target, words.get(service, service))


def _origin(chosen: Selection) -> str:
    if chosen.single is None:
        return "whoever has them now"
    return numbers.one(chosen.single).tenant.name


def _page(form: Form, chosen: Selection, picker: Picker, pending: Pending | None) -> Any:  # noqa: ANN401 - a page, its status
    number = None if chosen.single is None else numbers.one(chosen.single)
    return form.page(
        "portal/assign.html",
        chosen=chosen,
        number=number,
        why_not="" if number is None else _why_not(number, "assign"),
        picker=picker,
        pending=pending,
        services=SERVICES,
        labels=LABELS,
        action=url_for("portal.save_settings", **chosen.args()),
        again=url_for("portal.choose_target", **chosen.args()),
    )


@bp.get("/numbers/take-back")
def ask_to_take_back() -> Any:  # noqa: ANN401 - a page or the way to one
    return _take_page(Form(), selected())


@bp.post("/numbers/take-back")
def take_back() -> Any:  # noqa: ANN401 - the way back, or the form
    form, chosen = Form.sent(), selected()
    with form.faults():
        return act(form, actions.UNASSIGN, chosen, Words("Taking back", "taken back"))
    return _take_page(form, as_it_is(form, chosen))


def _take_page(form: Form, chosen: Selection) -> Any:  # noqa: ANN401 - a page, its status
    number = None if chosen.single is None else numbers.one(chosen.single)
    is_enterprise = auth.actor().tenant.kind is TenantKind.ENTERPRISE
    return form.page(
        "portal/take_back.html",
        chosen=chosen,
        number=number,
        why_not="" if number is None or can_take(number) else _why_not(number, "take-back"),
        goes_to="" if number is None else _above(number),
        services=_takeable(number, FROM_USERS if is_enterprise else FROM_ABOVE),
        is_enterprise=is_enterprise,
        labels=LABELS,
        action=url_for("portal.take_back", **chosen.args()),
    )


def _takeable(number: api.Number | None, services: Options) -> Options:
    """From whom numbers may be taken, for the page to ask; of one number only where there is something to choose."""
    if number is None:
        return services
    has = {"voice": number.voice_user, "sms": number.sms_user}
    from_users = [option for option in services if has.get(option[0]) is not None]
    if auth.actor().tenant.kind is not TenantKind.ENTERPRISE:
        return from_users  # while a user has it, it goes up from nobody (R19)
    return services if len(from_users) > 1 else []


def _above(number: api.Number) -> str:
    """Who has the number once it is taken back: the next level up (R19); "" where it stays."""
    actor, holder = auth.actor().tenant.public_id, number.tenant.id
    if holder in {actor, number.uploaded_by.id}:
        return ""
    parent = tenants.one(holder).parent_id
    return "" if parent is None else tenants.one(parent).name


def _why_not(number: api.Number, name: str) -> str:
    return next(deed.why_not for deed in deeds(number, "/numbers") if deed.name == name)
