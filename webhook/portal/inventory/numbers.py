"""Phone Numbers: the inventory with its search, its filters and what is chosen of it; and the page of one number."""

from __future__ import annotations

from typing import Any

from flask import redirect, render_template, request, url_for

from schemas import api
from webhook.bodies import validated
from webhook.operations import choices, numbers
from webhook.portal.frame import picking, said
from webhook.portal.frame.blueprint import bp
from webhook.portal.frame.forms import Form
from webhook.portal.frame.reading import local
from webhook.portal.frame.telling import why_no_upload
from webhook.portal.inventory import narrowing
from webhook.portal.inventory.deeds import deeds
from webhook.portal.inventory.selection import Selection

COUNTED = 1_000  # numbers; that more match is told without counting on, which would take longer than the page
FORMS = {
    "assign": "portal.choose_target",
    "take-back": "portal.ask_to_take_back",
    "change": "portal.choose_capabilities",
    "delete": "portal.ask_to_delete",
}
KINDS = {
    "upload": "Uploaded",
    "assign": "Assigned",
    "unassign": "Taken back",
    "change": "Changed",
    "delete": "Deleted",
    "undo": "Put back by undo",
}
_NONE_TICKED = "Tick the numbers first."


@bp.get("/numbers", endpoint="numbers")
def list_numbers() -> Any:  # noqa: ANN401 - a page or the way to one
    form = Form(request.args)
    offered = choices.offered(picking.MOST)
    pickers = narrowing.pickers(form, offered)
    tidy = narrowing.tidy_address(form)
    if tidy is not None and not form.errors:
        return redirect(tidy, 303)
    found = None
    filters = narrowing.given(form)
    if not form.errors:
        with form.faults():
            # For an action on all that match it must be known how many do.
            asked = {"limit": narrowing.PAGE, "count": form.has("all")} | narrowing.query(form)
            query = validated(api.NumbersQuery, asked)
            found = numbers.page(query) if query.count else numbers.page_counted_up_to(query, COUNTED)
    total = None if found is None else found.total
    exact = total if form.has("all") else None
    context = _list_context(form, filters, found, exact)
    return form.page("portal/numbers.html", pickers=pickers, offered=offered, total=total, exact=exact, **context)


def _list_context(
    form: Form, filters: dict[str, Any], found: api.NumberList | None, exact: int | None
) -> dict[str, object]:
    size: dict[str, Any] = {"limit": form.value("limit")} if form.value("limit") else {}
    here = local(request.full_path.rstrip("?"))
    next_url = None
    if found is not None and found.next_cursor is not None:
        next_url = url_for("portal.numbers", **filters, **size, cursor=found.next_cursor)
    everything = None if exact is None else Selection(filter=filters, expected=exact, back=_list(filters))
    return {
        "numbers": [] if found is None else found.data,
        "offers": {} if found is None else {number.e164: deeds(number, here) for number in found.data},
        "filters": filters,
        "chips": narrowing.chips(filters),
        "narrowing": narrowing,
        "here": here,
        "next_url": next_url,
        "first_url": url_for("portal.numbers", **filters, **size) if form.value("cursor") else None,
        "all_url": url_for("portal.numbers", **filters, **size, all="1"),
        "sizes": [(count, url_for("portal.numbers", **filters, limit=count)) for count in narrowing.SIZES],
        "limit": form.value("limit") or str(narrowing.PAGE),
        "counted": COUNTED,
        "forms": {} if everything is None else {name: url_for(it, **everything.args()) for name, it in FORMS.items()},
        "upload_hint": why_no_upload(),
    }


def _list(filters: dict[str, Any]) -> str:
    return url_for("portal.numbers", **filters)


@bp.post("/numbers/selection")
def choose() -> Any:  # noqa: ANN401 - the way to a form
    """The numbers that were ticked, and what is to be done: the way to the form of that, whose address tells both."""
    form = Form.sent()
    back = local(form.value("back"), url_for("portal.numbers"))
    ticked, action = form.values("numbers"), form.value("action")
    if not ticked or action not in FORMS:
        return said.done(back, _NONE_TICKED, said.INFO)
    return redirect(url_for(FORMS[action], **Selection.ticked(ticked, back).args()), 303)


@bp.get("/numbers/<e164>")
def number(e164: str) -> str:
    found = numbers.one(e164)
    here = url_for("portal.number", e164=found.e164)
    offered = deeds(found, here)
    return render_template("portal/number.html", number=found, deeds=offered, kinds=KINDS)
