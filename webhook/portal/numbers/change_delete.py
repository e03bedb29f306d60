"""Change Capabilities (R23) and Delete (R24 to R26), of one number or many."""

from __future__ import annotations

from typing import Any

from flask import url_for

from webhook.portal.numbers.available_actions import available_actions
from webhook.portal.numbers.selection import Selection
from webhook.portal.numbers.submit_action import as_it_is, selected, submit_action
from webhook.portal.shared.blueprint import bp
from webhook.portal.shared.forms import Form
from webhook.portal.shared.job_messages import Words
from webhook.services import actions, numbers, select_options, tenants

CAPABILITIES = [("voice", "Voice"), ("sms", "SMS"), ("fax", "Fax")]
CARRIERS = [("voice_carrier", "Voice Carrier Name", "voice"), ("sms_carrier_profile", "SMS Carrier Profile", "sms")]
LABELS = {name: label for name, label, *_ in (*CAPABILITIES, *CARRIERS)}
_NOTHING = "Choose at least one thing to change."


@bp.get("/numbers/capabilities")
def choose_capabilities() -> Any:  # noqa: ANN401 - a page and its status
    return _change_page(Form(), selected())


@bp.post("/numbers/capabilities")
def change_capabilities() -> Any:  # noqa: ANN401 - a redirect or the form
    form, selection = Form.sent(), selected()
    if all(form.value(name) in {"", "leave"} for name in LABELS):
        form.wrong("", _NOTHING)
    else:
        with form.faults():
            return submit_action(form, actions.CHANGE, selection, Words("Changing", "changed"))
    return _change_page(form, as_it_is(form, selection))


def _change_page(form: Form, selection: Selection) -> Any:  # noqa: ANN401 - a page and its status
    own = tenants.get(tenants.ME)
    defaults = {"voice": own.effective_default_voice_carrier, "sms": own.effective_default_sms_carrier_profile}
    return form.page(
        "portal/capabilities.html",
        chosen=selection,
        number=None if selection.single is None else numbers.get(selection.single),
        capabilities=CAPABILITIES,
        carriers=[(name, label, _options(service, defaults[service])) for name, label, service in CARRIERS],
        labels=LABELS,
        action=url_for("portal.change_capabilities", **selection.args()),
    )


def _options(service: str, default: str | None) -> list[tuple[str, str]]:
    """Return the carriers that may be chosen, the default first."""
    names = select_options.carriers(service)
    first = [(name, f"Default: {name}") for name in names if name == default]
    return first + [(name, name) for name in names if name != default]


@bp.get("/numbers/delete")
def ask_to_delete() -> Any:  # noqa: ANN401 - a page and its status
    return _delete_page(Form(), selected())


@bp.post("/numbers/delete")
def delete() -> Any:  # noqa: ANN401 - a redirect or the form
    form, selection = Form.sent(), selected()
    with form.faults():
        return submit_action(form, actions.DELETE, selection, Words("Deleting", "deleted"))
    return _delete_page(form, as_it_is(form, selection))


def _delete_page(form: Form, selection: Selection) -> Any:  # noqa: ANN401 - a page and its status
    number = None if selection.single is None else numbers.get(selection.single)
    offered = [] if number is None else available_actions(number, selection.back)
    return form.page(
        "portal/delete.html",
        chosen=selection,
        number=number,
        why_not=next((action.why_not for action in offered if action.name == "delete"), ""),
        action=url_for("portal.delete", **selection.args()),
    )
