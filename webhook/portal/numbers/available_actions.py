"""The actions available for a number, in menus and on pages: a link, or why not in the catalogue's words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flask import url_for

from schemas import permissions
from schemas.codes import Code, text_of
from schemas.http import resources
from schemas.job_kinds import ACTIONS, ActionSpec, JobKind
from schemas.roles import Operation
from webhook.http import auth
from webhook.portal.numbers.selection import Selection

# The endpoint of each action's form.
PAGES: Mapping[JobKind, str] = {
    JobKind.ASSIGN: "portal.choose_target",
    JobKind.UNASSIGN: "portal.ask_to_take_back",
    JobKind.CHANGE: "portal.choose_capabilities",
    JobKind.DELETE: "portal.ask_to_delete",
}
_NOT_ASSIGNED = "Not assigned."


@dataclass(frozen=True)
class NumberAction:
    """An action: its URL, or if `address` is "", why it is not available."""

    spec: ActionSpec
    address: str
    why_not: str


def available_actions(number: resources.Number, back: str) -> list[NumberAction]:
    """Return all actions in the order of menus; `back` is the URL to return to afterwards. None for viewers (R35)."""
    if permissions.check_operation(auth.actor(), Operation.CHANGE_NUMBERS) is not None:
        return []
    selection = Selection((number.e164,), back=back)
    refusals = {kind: why_not(number, kind) for kind in ACTIONS}
    return [
        NumberAction(ACTIONS[kind], "" if refusal else form_url(kind, selection), refusal)
        for kind, refusal in refusals.items()
    ]


def form_url(kind: JobKind, selection: Selection) -> str:
    """Return the URL of an action's form for the selected numbers."""
    return url_for(PAGES[kind], **selection.args())


def why_not(number: resources.Number, kind: JobKind) -> str:
    """Return why an action is not available for a number; "" if it is."""
    if kind is JobKind.UNASSIGN:
        return "" if _can_unassign(number) else _NOT_ASSIGNED
    code = number.can.codes.get(kind)
    if code is None:
        return ""
    text = text_of(Code(code))
    return f"{text.message} {text.fix}"


def _can_unassign(number: resources.Number) -> bool:
    """Return whether a user, or a tenant below, has the number, so that it can be unassigned (R19)."""
    has_user = number.voice_user is not None or number.sms_user is not None
    return has_user or (number.status == "assigned" and number.tenant.id != auth.actor().tenant.public_id)
