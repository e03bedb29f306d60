"""The search and the filters of Phone Numbers: the form, its shareable URL, and the chips of active filters."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from flask import request, url_for

from schemas.capabilities import CAPABILITIES
from schemas.http import resources
from schemas.request_problems import RequestCode
from webhook.http.errors import Refused
from webhook.portal.numbers.selection import FIELDS
from webhook.portal.shared import select_fields
from webhook.portal.shared.forms import Form
from webhook.portal.shared.select_fields import SelectField
from webhook.services import tenants, users
from webhook.services.select_options import Offered
from worker.phone.digits import ascii_digits
from worker.phone.formatting import country_name

PAGE = 50  # numbers
SIZES = (50, 100, 200)
TYPED = {"tenant": "tenant_id", "user": "user_id", "uploader": "uploaded_by", "country_name": "country"}
LABELS = {
    "q": "Search",
    "status": "Status",
    "capability": "Capability",
    "country": "Country",
    "carrier": "Carrier",
    "tenant_id": "Assigned to",
    "user_id": "User",
    "uploaded_by": "Uploaded by",
    "free_for": "Available for",
    "ends_with": "Last digits",
    "user_kind": "Kind of user",
    "updated_since": "Changed since",
    "tenant": "Assigned to",
    "user": "User",
    "uploader": "Uploaded by",
    "country_name": "Country",
}
STATUSES = [("unassigned", "Unassigned"), ("assigned", "Assigned")]
CAPABILITY_OPTIONS = [(each.name, each.label) for each in CAPABILITIES]
USER_KINDS = [("pbx", "PBX users"), ("trunk", "Trunk users")]
_UNKNOWN = "unknown"
# "*4567" and "...4567" in the search field, as people write the end of a number.
_ENDING = re.compile(r"\s*(?:\*|\.{2,}|…)([\d\s().-]+)")
_DIGITS = re.compile(r"[0-9]{4,15}")
_SEPARATORS = re.compile(r"[\s().-]+")
_MAY_BE_ENDING = re.compile(r"[0-9]{4,6}")


@dataclass(frozen=True)
class Chip:
    """An active filter, and the URL without it."""

    label: str
    value: str
    without: str


@dataclass(frozen=True)
class Pickers:
    """The filter fields that may be searches."""

    tenant: SelectField
    user: SelectField
    uploader: SelectField
    country: SelectField


def pickers(form: Form, offered: Offered) -> Pickers:
    """Look up typed text, and return the fields with their options."""
    return Pickers(
        select_fields.tenant_field(form, "tenant_id", "tenant", among=offered.tenants),
        select_fields.user_field(form, "user_id", "user", among=offered.users),
        select_fields.tenant_field(form, "uploaded_by", "uploader", among=offered.tenants),
        select_fields.country_field(form, "country", "country_name", offered.countries),
    )


def read_ending(form: Form) -> None:
    """Read the last digits of a number: from their own field, or after an asterisk or dots in the search field."""
    ending = _ENDING.fullmatch(form.value("q"))
    if ending is not None and not form.value("ends_with").strip():
        form.fields["q"], form.fields["ends_with"] = "", ending[1]
    digits = _SEPARATORS.sub("", ascii_digits(form.value("ends_with")))
    if form.has("ends_with"):
        form.fields["ends_with"] = digits
    if digits and not _DIGITS.fullmatch(digits):
        form.wrong("ends_with", "Enter at least the last four digits.")


def as_ending(filters: dict[str, Any]) -> tuple[str, str] | None:
    """Return digits that were searched as a number's start but may be its end, and the URL of that search."""
    digits = _SEPARATORS.sub("", str(filters.get("q", "")))
    if "ends_with" in filters or not _MAY_BE_ENDING.fullmatch(digits):
        return None
    others = {name: value for name, value in filters.items() if name != "q"}
    return digits, url_for("portal.numbers", **others, ends_with=digits)


def active_filters(form: Form) -> dict[str, Any]:
    """Return the active filters, by the API's names."""
    return {name: text for name in FIELDS if (text := form.value(name).strip())}


def canonical_address(form: Form) -> str | None:
    """Return the shareable URL of the same list; None if the request already used it."""
    empty = any(not text.strip() for text in form.fields.values())
    typed_ending = form.value("ends_with") != request.args.get("ends_with", "")
    if not empty and not typed_ending and not any(form.has(name) for name in TYPED):
        return None
    size: dict[str, Any] = {"limit": form.value("limit")} if form.value("limit") else {}
    return url_for("portal.numbers", **active_filters(form), **size)


def query(form: Form) -> dict[str, Any]:
    """Return the members of `resources.NumbersQuery`."""
    names = set(resources.NumbersQuery.model_fields) - {"count"}
    return {name: text for name in names if (text := form.value(name).strip())}


def chips(filters: dict[str, Any]) -> list[Chip]:
    """Return the active filters in words."""
    return [
        Chip(
            LABELS[name],
            _words(name, text),
            url_for("portal.numbers", **{other: value for other, value in filters.items() if other != name}),
        )
        for name, text in filters.items()
    ]


def _words(name: str, text: str) -> str:
    if name == "country":
        return country_name(text)
    if name in {"status", "capability", "free_for", "user_kind"}:
        return dict([*STATUSES, *CAPABILITY_OPTIONS, *USER_KINDS]).get(text, text)
    try:
        if name in {"tenant_id", "uploaded_by"}:
            return tenants.get(text).name
        return users.get(text).name if name == "user_id" else text
    except Refused as refused:
        if refused.body["code"] != RequestCode.NOT_FOUND:
            raise
        return _UNKNOWN
