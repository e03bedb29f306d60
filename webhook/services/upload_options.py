"""The options of an upload, from a request: of a new upload, and changed ones for a file that is checked again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from schemas.column_mapping import ColumnMapping
from schemas.columns import UPLOAD_FORM, Column, name_of
from schemas.http import resources
from schemas.http.file_options import FileOptions
from schemas.jobs import NO_PROFILE, Accept, JobOptions, Mode, NumberFormat, OnError, OnExisting
from schemas.permissions import Actor
from schemas.request_problems import RequestCode
from webhook.http.errors import refuse
from webhook.services import lookup
from worker.jobs import import_profiles

_KINDS: dict[str, Any] = {
    "mode": Mode,
    "on_error": OnError,
    "on_existing": OnExisting,
    "accept": Accept,
    "number_format": NumberFormat,
}
_PLAIN = frozenset({"only_unassigned", "save_profile", *FileOptions.model_fields})
# A row's own text decides about these; one text for every row would be a mistake.
_NOT_CONSTANT = frozenset({Column.PHONE_NUMBER, Column.END_NUMBER, Column.BLOCK_SIZE})


def options_of(connection: sa.Connection, actor: Actor, form: resources.UploadOptions) -> JobOptions:
    """Return the options of a new upload. Raises `Refused` for names and ids that the actor may not use."""
    return changed(connection, actor, JobOptions(), form)


def changed(connection: sa.Connection, actor: Actor, options: JobOptions, form: resources.UploadOptions) -> JobOptions:
    """Return the options with those that the request has; an import profile gives those that it has not (R32)."""
    sent = form.model_fields_set
    changes: dict[str, Any] = {}
    if "profile" in sent:
        changes |= _of_profile(connection, actor, form.profile)
    for name in sent & _KINDS.keys():
        changes[name] = _KINDS[name](getattr(form, name))
    changes |= {name: getattr(form, name) for name in sent & _PLAIN}
    if "mapping" in sent:
        changes["mapping"] = None if form.mapping is None else _checked(form.mapping.parsed()).to_json()
    changes |= _references(connection, actor, form)
    return replace(options, **changes)


def _references(connection: sa.Connection, actor: Actor, form: resources.UploadOptions) -> dict[str, Any]:
    """Return the ids of what the request names."""
    sent = form.model_fields_set
    voice = lookup.find_carrier(connection, actor, Column.VOICE_CARRIER, form.voice_carrier)
    sms = lookup.find_carrier(connection, actor, Column.SMS_CARRIER_PROFILE, form.sms_carrier_profile)
    found = {
        "voice_carrier": ("voice_carrier_id", voice),
        "sms_carrier_profile": ("sms_carrier_id", sms),
        "assign_to": ("target_id", lookup.find_upload_target(connection, actor, form.assign_to)),
        "expected_holder_id": (
            "expected_holder_id",
            lookup.find_expected_holder(connection, actor, form.expected_holder_id),
        ),
    }
    return dict(pair for name, pair in found.items() if name in sent)


def _of_profile(connection: sa.Connection, actor: Actor, name: str | None) -> dict[str, Any]:
    if name is None or name == NO_PROFILE:
        return {"profile": name}
    profile = lookup.find_profile(connection, actor, name)
    import_profiles.mark_used(connection, profile.id)
    options = {key: _KINDS[key](value) if key in _KINDS else value for key, value in profile.options.items()}
    return {"profile": profile.public_id, "mapping": profile.mapping, **options}


def _checked(mapping: ColumnMapping) -> ColumnMapping:
    """Refuse columns that an upload does not have, and constants that would give every row the same number."""
    for column in (*mapping.columns, *mapping.constants, *mapping.values):
        if column not in UPLOAD_FORM.understood:
            raise refuse(RequestCode.INVALID_FIELD, f"An upload has no column “{name_of(column)}”.", field="mapping")
    for column in mapping.constants:
        if column in _NOT_CONSTANT:
            detail = f"“{name_of(column)}” can't be the same for every row."
            raise refuse(RequestCode.INVALID_FIELD, detail, field="mapping")
    return mapping
