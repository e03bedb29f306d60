"""Phone Numbers: the inventory with search, filters and selection; and the page of one number."""

from __future__ import annotations

from typing import Any

from flask import Response, redirect, render_template, request, url_for

from schemas.exports import FORMAT_NAMES, ExportFormat
from schemas.http import resources
from schemas.http.exports import ExportBody
from schemas.http.saved_searches import LONGEST_NAME
from schemas.job_kinds import ACTIONS, JOB_KINDS, JobKind
from schemas.roles import Operation
from webhook.http.access import needs
from webhook.http.concurrency_limits import DOWNLOADS
from webhook.http.downloads import sent_compressed
from webhook.http.request_bodies import validated
from webhook.portal.numbers import filters as number_filters
from webhook.portal.numbers import searches
from webhook.portal.numbers.available_actions import available_actions, form_url
from webhook.portal.numbers.selection import Selection
from webhook.portal.shared import flash, select_fields
from webhook.portal.shared.blueprint import bp
from webhook.portal.shared.content_negotiation import local
from webhook.portal.shared.forms import Form
from webhook.portal.shared.job_messages import address, why_no_upload
from webhook.portal.shared.login_required import redirect_page, session
from webhook.services import export_jobs, exports, numbers, saved_searches, select_options

COUNTED = 1_000  # numbers; beyond that, the page says only that there are more: an exact count would take too long
# CSV is sent at once. The others take longer, or are for programs: jobs.
_EXPORT_FORMATS = [(choice.value, f"As {FORMAT_NAMES[choice]}") for choice in (ExportFormat.XLSX, ExportFormat.JSONL)]
_NONE_TICKED = "Select the numbers first."


@bp.get("/numbers", endpoint="numbers")
@needs(Operation.READ_NUMBERS)
def list_numbers() -> Any:  # noqa: ANN401 - a page or a redirect
    form = Form(request.args)
    offered = select_options.offered(select_fields.MOST)
    pickers = number_filters.pickers(form, offered)
    number_filters.read_ending(form)
    tidy = number_filters.canonical_address(form)
    if tidy is not None and not form.errors:
        return redirect(tidy, 303)
    page = None
    filters = number_filters.active_filters(form)
    if not form.errors:
        with form.faults():
            # An action on all matching numbers needs their exact count.
            parameters = {"limit": number_filters.PAGE, "count": form.has("all")} | number_filters.query(form)
            query = validated(resources.NumbersQuery, parameters)
            page = numbers.page(query) if query.count else numbers.page_counted_up_to(query, COUNTED)
    total = None if page is None else page.total
    exact = total if form.has("all") else None
    context = _list_context(form, filters, page, exact)
    return form.page("portal/numbers.html", pickers=pickers, offered=offered, total=total, exact=exact, **context)


def _list_context(
    form: Form, filters: dict[str, Any], page: resources.NumberList | None, exact: int | None
) -> dict[str, object]:
    size: dict[str, Any] = {"limit": form.value("limit")} if form.value("limit") else {}
    current_url = local(request.full_path.rstrip("?"))
    next_url = None
    if page is not None and page.next_cursor is not None:
        next_url = url_for("portal.numbers", **filters, **size, cursor=page.next_cursor)
    everything = None if exact is None else Selection(filter=filters, expected=exact, back=_list(filters))
    return {
        "numbers": [] if page is None else page.data,
        "offers": {} if page is None else {number.e164: available_actions(number, current_url) for number in page.data},
        "filters": filters,
        "chips": number_filters.chips(filters),
        "narrowing": number_filters,
        "as_ending": number_filters.as_ending(filters),
        "here": current_url,
        "next_url": next_url,
        "first_url": url_for("portal.numbers", **filters, **size) if form.value("cursor") else None,
        "all_url": url_for("portal.numbers", **filters, **size, all="1"),
        "sizes": [(count, url_for("portal.numbers", **filters, limit=count)) for count in number_filters.SIZES],
        "selected": Form.fresh(url_for("portal.choose")),
        "limit": form.value("limit") or str(number_filters.PAGE),
        "counted": COUNTED,
        "actions": ACTIONS,
        "forms": {} if everything is None else {kind: form_url(kind, everything) for kind in ACTIONS},
        "upload_hint": why_no_upload(),
        "export_formats": _EXPORT_FORMATS,
        # Counted on the page that begins a search only: they are of use there, and filtered pages stay as fast.
        "presets": searches.presets(filters, counted=not filters and not form.has("cursor")),
        "saved": saved_searches.every(session().admin_id),
        "save_url": url_for("portal.save_search", **filters),
        "longest_name": LONGEST_NAME,
    }


def _list(filters: dict[str, Any]) -> str:
    return url_for("portal.numbers", **filters)


@bp.get("/numbers.csv")
@DOWNLOADS.streamed
@needs(Operation.READ_NUMBERS)
def download_numbers() -> Response:
    """Send the numbers of the list as CSV."""
    filters = number_filters.active_filters(Form(request.args))
    return sent_compressed(exports.csv(validated(resources.NumbersFilter, filters)))


@bp.post("/numbers/exports")
@needs(Operation.READ_NUMBERS)
def export_numbers() -> Any:  # noqa: ANN401 - a redirect
    """Start a job that exports the numbers of the list, and show it."""
    filters = number_filters.active_filters(Form(request.args))
    body = validated(ExportBody, {"format": Form.sent().value("format"), "filter": filters})
    return redirect_page(address(export_jobs.create(body)))


@bp.post("/numbers/selection")
@needs(Operation.CHANGE_NUMBERS)
def choose() -> Any:  # noqa: ANN401 - a redirect
    """Redirect to the form of the chosen action; its URL contains the selected numbers."""
    form = Form.sent()
    back = local(form.value("back"), url_for("portal.numbers"))
    ticked, action = form.values("numbers"), form.value("action")
    if not ticked or action not in ACTIONS:
        return flash.redirect_with_flash(back, _NONE_TICKED, flash.INFO)
    return redirect(form_url(JobKind(action), Selection.ticked(ticked, back)), 303)


@bp.get("/numbers/<e164>")
@needs(Operation.READ_NUMBERS)
def number(e164: str) -> str:
    view = numbers.get(e164)
    current_url = url_for("portal.number", e164=view.e164)
    offered = available_actions(view, current_url)
    return render_template("portal/number.html", number=view, actions=offered, kinds=JOB_KINDS)
