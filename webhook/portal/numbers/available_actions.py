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
    selection = Selection((number.e164,), back=back)
    return [
        _action("assign", "Assign", "portal.choose_target", selection, _why_not(number, "assign")),
        _action(
            "take-back",
            "Unassign",
            "portal.ask_to_take_back",
            selection,
            "" if can_unassign(number) else NOTHING_TO_TAKE,
        ),
        _action("change", "Change capabilities", "portal.choose_capabilities", selection, _why_not(number, "change")),
        _action("delete", "Delete", "portal.ask_to_delete", selection, _why_not(number, "delete")),
    ]


def can_unassign(number: resources.Number) -> bool:
    """Return whether a user, or a tenant below, has the number, so that it can be unassigned (R19)."""
    has_user = number.voice_user is not None or number.sms_user is not None
    return has_user or (number.status == "assigned" and number.tenant.id != auth.actor().tenant.public_id)


def _why_not(number: resources.Number, action: str) -> str:
    code = number.can.codes.get(action)
    if code is None:
        return ""
    text = text_of(Code(code))
    return f"{text.message} {text.fix}"


def _action(name: str, label: str, endpoint: str, selection: Selection, why_not: str) -> NumberAction:
    return NumberAction(name, label, "" if why_not else url_for(endpoint, **selection.args()), why_not)
