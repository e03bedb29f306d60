"""Import profiles: those available, and those of the own tenant to rename and delete (R32)."""

from __future__ import annotations

from typing import Any

from flask import request, url_for

from schemas.column_mapping import MOST_VALUES
from schemas.http import import_profiles as bodies
from schemas.http.file_options import DELIMITERS
from schemas.http.tenants import PageQuery
from schemas.mapping_texts import phrases
from schemas.request_problems import RequestCode
from schemas.roles import Operation
from webhook.http import auth
from webhook.http.access import needs
from webhook.http.errors import refuse
from webhook.portal.shared import flash
from webhook.portal.shared.blueprint import bp
from webhook.portal.shared.forms import Form
from webhook.portal.shared.pagination import listed
from webhook.services import import_profiles

LABELS = {"name": "Name"}
_WORDS = {
    "national": "as dialled in the country",
    "international": "international, without +",
    "auto": "detected",
    "valid": "valid numbers only",
    "possible": "possible numbers too",
    **{character: name for name, character in DELIMITERS.items()},
}
_OPTIONS = {
    "number_format": "Numbers",
    "accept": "Accepted",
    "sheet": "Sheet",
    "header_row": "Header row",
    "delimiter": "Separator",
    "encoding": "Encoding",
}


@bp.get("/import-profiles", endpoint="import_profiles")
@needs(Operation.READ_PROFILES)
def list_profiles() -> Any:  # noqa: ANN401 - a page and its status
    form = Form(request.args)
    page = listed(form, PageQuery, import_profiles.page, "portal.import_profiles")
    return form.page("portal/import_profiles.html", page=page, phrases=_phrases, owner=_owner)


@bp.get("/import-profiles/<profile_id>")
@needs(Operation.READ_PROFILES)
def import_profile(profile_id: str) -> Any:  # noqa: ANN401 - a page and its status
    return _page(import_profiles.get(profile_id), Form())


@bp.post("/import-profiles/<profile_id>")
@needs(Operation.UPLOAD)
def rename_profile(profile_id: str) -> Any:  # noqa: ANN401 - a redirect or the form
    form, profile = Form.sent(), _own(profile_id)
    form.need("name")
    if not form.errors:
        with form.faults():
            changed = import_profiles.change(profile.id, form.body(bodies.ImportProfileChange))
            address = url_for("portal.import_profiles")
            return flash.redirect_with_flash(address, f"{profile.name} is now called {changed.name}.")
    return _page(profile, form)


@bp.get("/import-profiles/<profile_id>/delete")
@needs(Operation.UPLOAD)
def ask_to_delete_profile(profile_id: str) -> Any:  # noqa: ANN401 - a page and its status
    return Form().page("portal/import_profile_delete.html", profile=_own(profile_id))


@bp.post("/import-profiles/<profile_id>/delete")
@needs(Operation.UPLOAD)
def delete_profile(profile_id: str) -> Any:  # noqa: ANN401 - a redirect
    profile = _own(profile_id)
    import_profiles.delete(profile.id)
    return flash.redirect_with_flash(url_for("portal.import_profiles"), f"{profile.name} was deleted.")


def _own(profile_id: str) -> bodies.ImportProfile:
    """Return a profile that the admin may change. Others are refused."""
    profile = import_profiles.get(profile_id)
    if not profile.can_change:
        raise refuse(RequestCode.FORBIDDEN, "You can't change this import profile.", fix="Only its company can.")
    return profile


def _page(profile: bodies.ImportProfile, form: Form) -> Any:  # noqa: ANN401 - a page and its status
    stated = profile.options.model_dump(exclude_none=True)
    options = [(label, _option(name, stated[name])) for name, label in _OPTIONS.items() if name in stated]
    columns = [tuple(phrase.split(": ", 1)) for phrase in _phrases(profile, MOST_VALUES)]
    return form.page(
        "portal/import_profile.html",
        profile=profile,
        columns=columns,
        options=options,
        owner=_owner(profile),
        labels=LABELS,
    )


def _option(name: str, value: object) -> str:
    if name == "header_row":
        return f"Row {value}" if value else "None: the file has no column names"
    text = _WORDS.get(str(value), str(value)) if name not in {"sheet", "encoding"} else str(value)
    return text[:1].upper() + text[1:] if name not in {"sheet", "encoding"} else text


def _phrases(profile: bodies.ImportProfile, most_values: int = 3) -> list[str]:
    return phrases(profile.mapping.model_dump(), most_values)


def _owner(profile: bodies.ImportProfile) -> str:
    return "You" if profile.tenant.id == auth.actor().tenant.public_id else "Your provider"
