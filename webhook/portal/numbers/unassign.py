"""Unassigning numbers, from their users or one level up (R19, R20); the same page for one number and for many.

The page offers only what can be done with the numbers, and says of each choice how many numbers it is about.
"""

from __future__ import annotations

from typing import Any

from flask import url_for

from schemas.http import resources
from schemas.job_kinds import JobKind
from schemas.permissions import TenantKind
from schemas.roles import Operation
from webhook.http import auth
from webhook.http.access import needs
from webhook.portal.numbers.available_actions import why_not
from webhook.portal.numbers.holders import Origin, origin
from webhook.portal.numbers.selection import Selection
from webhook.portal.numbers.submit_action import as_it_is, number_of, selected, submit_action
from webhook.portal.shared.blueprint import bp
from webhook.portal.shared.forms import Form
from webhook.services import tenants

Options = list[tuple[str, str, str]]  # (value, label, help text)
LABELS = {"service": "Unassign from"}
BY_SERVICE = [("", "All services", ""), ("voice", "Voice only", ""), ("sms", "SMS only", "")]


@bp.get("/numbers/take-back")
@needs(Operation.CHANGE_NUMBERS)
def ask_to_take_back() -> Any:  # noqa: ANN401 - a page or a redirect
    selection = selected()
    return _page(Form.fresh(url_for("portal.take_back", **selection.args())), selection)


@bp.post("/numbers/take-back")
@needs(Operation.CHANGE_NUMBERS)
def take_back() -> Any:  # noqa: ANN401 - a redirect or the form
    form, selection = Form.sent(), selected()
    with form.faults():
        return submit_action(form, JobKind.UNASSIGN, selection)
    return _page(form, as_it_is(form, selection))


def _page(form: Form, selection: Selection) -> Any:  # noqa: ANN401 - a page and its status
    number = number_of(selection)
    held = None if number is not None else origin(selection, target_id="")
    return form.page(
        "portal/take_back.html",
        selection=selection,
        number=number,
        held=held,
        why_not=_why_nothing(held) if number is None else why_not(number, JobKind.UNASSIGN),
        goes_to="" if number is None else _above(number),
        expected={} if number is None else _expected(number),
        services=_of_many(held) if number is None else _of_one(number),
        is_enterprise=_is_enterprise(),
        labels=LABELS,
        action=url_for("portal.take_back", **selection.args()),
    )


def _is_enterprise() -> bool:
    return auth.actor().tenant.kind is TenantKind.ENTERPRISE


def _why_nothing(held: Origin | None) -> str:
    """Return why none of several numbers can be unassigned; "" if some can, or that is not known."""
    if held is None or held.in_use or held.lost:
        return ""
    return "None of these numbers is assigned to a user." if _is_enterprise() else "None of these numbers is assigned."


def _of_many(held: Origin | None) -> Options:
    """Return from whom several numbers can be unassigned, each with what becomes of how many numbers."""
    if _is_enterprise():
        return BY_SERVICE
    free = "Those not in use" if held is None else _numbers(held.lost)
    used = "Those in use" if held is None else f"At most {_numbers(held.in_use)} in use"
    upward = (
        f"{free}, back to the company one level above. Numbers in use by a user, and those that a company uploaded "
        "itself, are left unchanged."
    )
    from_users = f"{used}. Their enterprises keep them. All others are left unchanged."
    options = [
        ("", "The enterprises or resellers that have them", upward),
        ("voice", "Their users, for voice", from_users),
        ("sms", "Their users, for SMS", from_users),
    ]
    if held is None:
        return options
    return [option for option in options if (held.in_use if option[0] else held.lost)]


def _numbers(count: int) -> str:
    return f"{count:,} number{'' if count == 1 else 's'}"


def _of_one(number: resources.Number) -> Options:
    """Return from whom a number can be unassigned, if there is a choice, or if a user has it."""
    user_of = {"voice": number.voice_user, "sms": number.sms_user}
    users = {service: user.name for service, user in user_of.items() if user is not None}
    if _is_enterprise():
        return BY_SERVICE if len(users) > 1 else []
    # While a user has it, it does not go up a level (R19).
    names = {"voice": "for voice", "sms": "for SMS"}
    return [(service, f"{name}, {names[service]}", "") for service, name in users.items()]


def _expected(number: resources.Number) -> dict[str, str]:
    """Return whom a number is taken from: the holder that the page shows, and the user if one has it (R19, R20)."""
    user_ids = {user.id for user in (number.voice_user, number.sms_user) if user is not None}
    expected_user = {"user_id": user_ids.pop()} if len(user_ids) == 1 else {}
    return {"expected_holder_id": number.tenant.id} | expected_user


def _above(number: resources.Number) -> str:
    """Return who holds the number after unassigning: the next level up (R19); "" if the holder stays the same."""
    actor, holder = auth.actor().tenant.public_id, number.tenant.id
    if holder in {actor, number.uploaded_by.id}:
        return ""
    parent = tenants.get(holder).parent_id
    return "" if parent is None else tenants.get(parent).name
