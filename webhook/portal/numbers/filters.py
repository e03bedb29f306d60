"""The search and the filters of Phone Numbers: one form, an address that can be passed on, and chips of what is set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import url_for

from schemas.http import resources
from schemas.request_problems import RequestCode
from webhook.http.errors import Refused
from webhook.portal.numbers.selection import FIELDS
from webhook.portal.shared import select_fields
from webhook.portal.shared.forms import Form
from webhook.portal.shared.select_fields import Picker
from webhook.services import tenants, users
from webhook.services.select_options import Offered
from worker.phone.formatting import country_name

PAGE = 50  # numbers
SIZES = (50, 100, 200)
TYPED = {"tenant": "tenant_id", "user": "user_id", "uploader": "uploaded_by"}
LABELS = {
    "q": "Search",
    "status": "Status",
    "capability": "Capability",
    "country": "Country",
    "carrier": "Carrier",
    "tenant_id": "Assigned to",
    "user_id": "User",
    "uploaded_by": "Uploaded by",
    "free_for": "Free for",
    "tenant": "Assigned to",
    "user": "User",
    "uploader": "Uploaded by",
}
STATUSES = [("unassigned", "Unassigned"), ("assigned", "Assigned")]
CAPABILITIES = [("voice", "Voice"), ("sms", "SMS"), ("fax", "Fax")]
_UNKNOWN = "none of yours"


@dataclass(frozen=True)
class Chip:
    """A filter that is set, and the address without it."""

    label: str
    value: str
    without: str


@dataclass(frozen=True)
class Pickers:
    """The fields that may be searches."""

    tenant: Picker
    user: Picker
    uploader: Picker


def pickers(form: Form, offered: Offered) -> Pickers:
    """Look up what was typed, and list what can be chosen."""
    return Pickers(
        select_fields.tenant(form, "tenant_id", "tenant", among=offered.tenants),
        select_fields.user(form, "user_id", "user", among=offered.users),
        select_fields.tenant(form, "uploaded_by", "uploader", among=offered.tenants),
    )


def given(form: Form) -> dict[str, Any]:
    """The filters that are set, by the API's names."""
    return {name: text for name in FIELDS if (text := form.value(name).strip())}


def tidy_address(form: Form) -> str | None:
    """The address of the same list as it should be passed on; None if that is how it was asked for."""
    empty = any(not text.strip() for text in form.fields.values())
    if not empty and not any(form.has(name) for name in TYPED):
        return None
    size: dict[str, Any] = {"limit": form.value("limit")} if form.value("limit") else {}
    return url_for("portal.numbers", **given(form), **size)


def query(form: Form) -> dict[str, Any]:
    """The members of `api.NumbersQuery`."""
    known = set(resources.NumbersQuery.model_fields) - {"count"}
    return {name: text for name in known if (text := form.value(name).strip())}


def chips(filters: dict[str, Any]) -> list[Chip]:
    """What is set, in words."""
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
    if name in {"status", "capability", "free_for"}:
        return dict(STATUSES + CAPABILITIES).get(text, text)
    try:
        if name in {"tenant_id", "uploaded_by"}:
            return tenants.one(text).name
        return users.one(text).name if name == "user_id" else text
    except Refused as refused:
        if refused.body["code"] != RequestCode.NOT_FOUND:
            raise
        return _UNKNOWN
