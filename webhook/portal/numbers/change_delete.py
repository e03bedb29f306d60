"""Change Capabilities (R23) and Delete (R24 to R26), of one number or many."""

from __future__ import annotations

from typing import Any

from flask import url_for

from schemas.capabilities import CAPABILITIES, CARRIER_FIELDS
from schemas.job_kinds import JobKind
from schemas.roles import Operation
from webhook.http.access import needs
from webhook.portal.numbers.available_actions import why_not
from webhook.portal.numbers.selection import Selection
from webhook.portal.numbers.submit_action import as_it_is, number_of, selected, submit_action
from webhook.portal.shared.blueprint import bp
from webhook.portal.shared.forms import Form
from webhook.services import select_options, tenants

LABELS = {each.name: each.label for each in CAPABILITIES} | {each.name: each.label for each in CARRIER_FIELDS}
_NOTHING = "Choose at least one thing to change."


@bp.get("/numbers/capabilities")
@needs(Operation.CHANGE_NUMBERS)
def choose_capabilities() -> Any:  # noqa: ANN401 - a page and its status
    selection = selected()
    return _change_page(Form.fresh(url_for("portal.change_capabilities", **selection.args())), selection)


@bp.post("/numbers/capabilities")
@needs(Operation.CHANGE_NUMBERS)
def change_capabilities() -> Any:  # noqa: ANN401 - a redirect or the form
    form, selection = Form.sent(), selected()
    if all(form.value(name) in {"", "leave"} for name in LABELS):
        form.wrong("", _NOTHING)
    else:
        with form.faults():
            return submit_action(form, JobKind.CHANGE, selection)
    return _change_page(form, as_it_is(form, selection))


def _change_page(form: Form, selection: Selection) -> Any:  # noqa: ANN401 - a page and its status
    own = tenants.get(tenants.ME)
    defaults = {"voice": own.effective_default_voice_carrier, "sms": own.effective_default_sms_carrier_profile}
    return form.page(
        "portal/capabilities.html",
        selection=selection,
        number=number_of(selection),
        carriers=[
            (each.name, each.label, _options(each.capability, defaults[each.capability]), each.capability)
            for each in CARRIER_FIELDS
        ],
        labels=LABELS,
        action=url_for("portal.change_capabilities", **selection.args()),
    )


def _options(service: str, default: str | None) -> list[tuple[str, str]]:
    """Return the carriers that may be chosen, the default first."""
    names = select_options.carriers(service)
    first = [(name, f"Default: {name}") for name in names if name == default]
    return first + [(name, name) for name in names if name != default]


@bp.get("/numbers/delete")
@needs(Operation.CHANGE_NUMBERS)
def ask_to_delete() -> Any:  # noqa: ANN401 - a page and its status
    return _delete_page(Form(), selected())


@bp.post("/numbers/delete")
@needs(Operation.CHANGE_NUMBERS)
def delete() -> Any:  # noqa: ANN401 - a redirect or the form
    form, selection = Form.sent(), selected()
    with form.faults():
        return submit_action(form, JobKind.DELETE, selection)
    return _delete_page(form, as_it_is(form, selection))


def _delete_page(form: Form, selection: Selection) -> Any:  # noqa: ANN401 - a page and its status
    number = number_of(selection)
    return form.page(
        "portal/delete.html",
        selection=selection,
        number=number,
        why_not="" if number is None else why_not(number, JobKind.DELETE),
        action=url_for("portal.delete", **selection.args()),
    )
