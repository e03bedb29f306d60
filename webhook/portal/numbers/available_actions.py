"""The actions available for a number, in menus and on pages: a link, or why not in the catalogue's words."""

from __future__ import annotations

from dataclasses import dataclass

from flask import url_for

from schemas.codes import Code, text_of
from schemas.http import resources
from webhook.http import auth
from webhook.portal.numbers.selection import Selection

NOTHING_TO_TAKE = "Not assigned."


@dataclass(frozen=True)
class NumberAction:
    """An action: its URL, or if `address` is "", why it is not available."""

    name: str
    label: str
    address: str
    why_not: str = ""


def available_actions(number: resources.Number, back: str) -> list[NumberAction]:
    """Return all actions in the order of menus; `back` is the URL to return to afterwards."""
    chosen = Selection((number.e164,), back=back)
    return [
        _action(number, chosen, "assign", "Assign", "portal.choose_target"),
        _action(number, chosen, "take-back", "Unassign", "portal.ask_to_take_back"),
        _action(number, chosen, "change", "Change capabilities", "portal.choose_capabilities"),
        _action(number, chosen, "delete", "Delete", "portal.ask_to_delete"),
    ]


def why_not(number: resources.Number, name: str) -> str:
    """Return why an action is not available for a number; "" if it is."""
    if name == "take-back":
        return "" if _can_unassign(number) else NOTHING_TO_TAKE
    code = number.can.codes.get(name)
    if code is None:
        return ""
    text = text_of(Code(code))
    return f"{text.message} {text.fix}"


def _can_unassign(number: resources.Number) -> bool:
    """Return whether a user, or a tenant below, has the number, so that it can be unassigned (R19)."""
    has_user = number.voice_user is not None or number.sms_user is not None
    return has_user or (number.status == "assigned" and number.tenant.id != auth.actor().tenant.public_id)


def _action(number: resources.Number, chosen: Selection, name: str, label: str, endpoint: str) -> NumberAction:
    reason = why_not(number, name)
    return NumberAction(name, label, "" if reason else url_for(endpoint, **chosen.args()), reason)
