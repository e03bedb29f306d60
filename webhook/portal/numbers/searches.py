"""Searches one click away: presets with their counts, and the person's own saved searches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import request, url_for

from schemas.http.resources import NumbersFilter
from schemas.http.saved_searches import LONGEST_NAME, SearchName
from schemas.permissions import TenantKind
from schemas.roles import Operation
from webhook.http import auth
from webhook.http.access import needs
from webhook.http.request_bodies import validated
from webhook.portal.numbers import filters as number_filters
from webhook.portal.numbers.selection import FIELDS
from webhook.portal.shared import flash
from webhook.portal.shared.blueprint import bp
from webhook.portal.shared.content_negotiation import local
from webhook.portal.shared.forms import Form
from webhook.portal.shared.login_required import session
from webhook.services import numbers, saved_searches
from webhook.services.saved_searches import Search

LABELS = {"name": "Name"}
COUNTED = 1_000  # numbers; a preset shows "1,000+" beyond


@dataclass(frozen=True)
class Preset:
    """A search that everyone has. `count`: how many numbers match, in words; "" if that would take too long."""

    name: str
    address: str
    count: str
    is_current: bool


def presets(current: Mapping[str, str], *, counted: bool) -> list[Preset]:
    """Return the presets. `current`: the active filters. Counts are read only if `counted`."""
    searches = _searches()
    totals: list[int | None] = [None] * len(searches)
    if counted:
        totals = numbers.counts([NumbersFilter.model_validate(each) for each in searches.values()], COUNTED)
    return [
        Preset(name, url_for("portal.numbers", **filters), _words(total), dict(current) == filters)
        for (name, filters), total in zip(searches.items(), totals, strict=True)
    ]


def _searches() -> dict[str, dict[str, Any]]:
    tenant = auth.actor().tenant
    # An enterprise's users take numbers from all that it holds; others assign what no customer has.
    is_enterprise = tenant.kind is TenantKind.ENTERPRISE
    available: dict[str, dict[str, Any]] = {
        service: {"free_for": service} if is_enterprise else {"status": "unassigned", "capability": service}
        for service in ("voice", "sms")
    }
    return {
        "All unassigned": {"status": "unassigned"},
        "Available for voice": available["voice"],
        "Available for SMS": available["sms"],
        "Used by PBX users": {"user_kind": "pbx"},
        "Used by trunk users": {"user_kind": "trunk"},
        "Uploaded by us": {"uploaded_by": tenant.public_id},
    }


def _words(total: int | None) -> str:
    if total is None:
        return ""
    return f"{COUNTED:,}+" if total > COUNTED else f"{total:,}"


@bp.get("/numbers/searches")
@needs(Operation.READ_NUMBERS)
def searches() -> Any:  # noqa: ANN401 - a page and its status
    return _list_page(Form())


def _list_page(form: Form) -> Any:  # noqa: ANN401 - a page and its status
    rows = [
        (search, "" if search.problem else _in_words(search)) for search in saved_searches.every(session().admin_id)
    ]
    return form.page("portal/searches.html", rows=rows)


def _in_words(search: Search) -> str:
    chips = number_filters.chips({name: search.filter[name] for name in FIELDS if name in search.filter})
    return ", ".join(f"{chip.label}: {chip.value}" for chip in chips)


@bp.post("/numbers/searches")
@needs(Operation.READ_NUMBERS)
def save_search() -> Any:  # noqa: ANN401 - a redirect or the form
    """Save the filters in the form's URL under the name in the form."""
    form = Form.sent()
    filters: dict[str, Any] = {name: text for name in FIELDS if (text := request.args.get(name, "").strip())}
    form.need("name")
    if not form.errors:
        with form.faults():
            body = form.body(SearchName)
            saved_searches.create(session().admin_id, body, filters)
            return flash.redirect_with_flash(url_for("portal.numbers", **filters), f"“{body.name}” was saved.")
    back = local(url_for("portal.numbers", **filters))
    action = url_for("portal.save_search", **filters)
    return form.page("portal/search.html", search=None, action=action, back=back, labels=LABELS, longest=LONGEST_NAME)


@bp.get("/numbers/searches/<search_id>")
@needs(Operation.READ_NUMBERS)
def edit_search(search_id: str) -> Any:  # noqa: ANN401 - a page and its status
    return _edit_page(Form(), saved_searches.get(session().admin_id, search_id))


@bp.post("/numbers/searches/<search_id>")
@needs(Operation.READ_NUMBERS)
def rename_search(search_id: str) -> Any:  # noqa: ANN401 - a redirect or the form
    form, search = Form.sent(), saved_searches.get(session().admin_id, search_id)
    form.need("name")
    if not form.errors:
        with form.faults():
            body = validated(SearchName, {"name": form.value("name")})
            saved_searches.rename(session().admin_id, search.id, body)
            return flash.redirect_with_flash(url_for("portal.searches"), f"“{body.name}” was saved.")
    return _edit_page(form, search)


@bp.post("/numbers/searches/<search_id>/delete")
@needs(Operation.READ_NUMBERS)
def delete_search(search_id: str) -> Any:  # noqa: ANN401 - a redirect
    search = saved_searches.get(session().admin_id, search_id)
    saved_searches.delete(session().admin_id, search.id)
    return flash.redirect_with_flash(url_for("portal.searches"), f"“{search.name}” was deleted.")


def _edit_page(form: Form, search: Search) -> Any:  # noqa: ANN401 - a page and its status
    action = url_for("portal.rename_search", search_id=search.id)
    back = url_for("portal.searches")
    return form.page("portal/search.html", search=search, action=action, back=back, labels=LABELS, longest=LONGEST_NAME)
