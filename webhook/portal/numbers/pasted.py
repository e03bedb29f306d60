"""Find a pasted list of numbers, and act on those that were found (R14c)."""

from __future__ import annotations

from typing import Any

from flask import redirect, request, url_for

from schemas.http import actions
from schemas.job_kinds import ACTIONS
from schemas.request_problems import RequestCode
from schemas.roles import Operation
from webhook.http.access import needs
from webhook.http.body_limits import MIB, body_limit
from webhook.http.errors import Refused
from webhook.http.request_bodies import validated
from webhook.portal.numbers.available_actions import available_actions, form_url
from webhook.portal.numbers.selection import Selection
from webhook.portal.shared.blueprint import bp
from webhook.portal.shared.content_negotiation import local
from webhook.portal.shared.forms import Form
from webhook.portal.shared.login_required import session
from webhook.services import pasted_lists, select_options
from webhook.services.pasted_lists import MOST_NUMBERS, ListPage

PAGE = 200  # numbers; a form takes as many checkboxes (`Selection.ticked`)
MOST_FAILURES = 200  # failures that a page explains; a text field has all of them
LABELS = {"text": "Numbers", "country_code": "Country"}
_LONGEST_CURSOR = 15  # digits


@bp.get("/numbers/paste")
@needs(Operation.READ_NUMBERS)
def paste_numbers() -> Any:  # noqa: ANN401 - a page and its status
    return _form(Form.fresh(url_for("portal.read_pasted")))


@bp.post("/numbers/paste")
@body_limit(MIB)
@needs(Operation.READ_NUMBERS)
def read_pasted() -> Any:  # noqa: ANN401 - a redirect or the form
    form = Form.sent()
    if not form.value("text").strip():
        form.wrong("text", "Paste at least one number.")
    if not form.errors:
        with form.faults():
            country_code = validated(actions.Options, {"country_code": form.value("country_code").strip() or None})
            list_id = pasted_lists.create(
                session().id, form.value("text"), country_code.country_code, form.value("add_to") or None
            )
            return redirect(url_for("portal.pasted", list_id=list_id), 303)
    return _form(form)


@bp.get("/numbers/paste/<list_id>")
@needs(Operation.READ_NUMBERS)
def pasted(list_id: str) -> Any:  # noqa: ANN401 - a page and its status
    form = Form(request.args)
    cursor = form.value("cursor")
    after = int(cursor) if cursor.isascii() and cursor.isdigit() and len(cursor) <= _LONGEST_CURSOR else 0
    try:
        page = pasted_lists.page(session().id, list_id, after, PAGE)
    except Refused as refused:
        if refused.body["code"] != RequestCode.NOT_FOUND:
            raise
        form.wrong("", f"{pasted_lists.GONE} Paste the numbers again.")
        return _form(form)
    return form.page("portal/pasted.html", **_context(page, list_id), **_fields())


def _form(form: Form) -> Any:  # noqa: ANN401 - a page and its status
    return form.page("portal/paste.html", labels=LABELS, most=MOST_NUMBERS, **_fields())


def _fields() -> dict[str, object]:
    countries = select_options.countries()
    return {"countries": [(country.id, country.label) for country in countries]}


def _context(page: ListPage, list_id: str) -> dict[str, object]:
    here = local(request.full_path.rstrip("?"))
    first = url_for("portal.pasted", list_id=list_id)
    numbers = page.whole.numbers
    everything = Selection(tuple(f"+{number}" for number in numbers), back=first, list_id=list_id)
    failures = page.whole.failures
    return {
        "numbers": page.data,
        "offers": {number.e164: available_actions(number, here) for number in page.data},
        "found": len(numbers),
        "failures": failures[:MOST_FAILURES],
        "failed": len(failures),
        "failed_texts": "\n".join(failure.text for failure in failures),
        "is_ambiguous": any(failure.is_ambiguous for failure in failures),
        "list_id": list_id,
        "here": here,
        "actions": ACTIONS,
        "forms": {kind: form_url(kind, everything) for kind in ACTIONS} if numbers else {},
        "is_all": "all" in request.args,
        "all_url": url_for("portal.pasted", list_id=list_id, all="1"),
        "next_url": page.next_cursor and url_for("portal.pasted", list_id=list_id, cursor=page.next_cursor),
        "first_url": first if request.args.get("cursor") else None,
    }
