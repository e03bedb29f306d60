"""Finds tenants and users by ID, name or e-mail address, through the API's lists."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence

from schemas.name_matching import fold
from webhook.cli.client import Json
from webhook.cli.exit_codes import Exit
from webhook.cli.session import Failed, Session
from webhook.cli.terminal import safe

# Longer lists need IDs: every lookup by name reads the list.
_MOST = 20_000
_SHOWN = 5
OWN = "me"  # stands for the caller's own ID in the API


def tenant_id(session: Session, given: str | None) -> str | None:
    """Return the ID of the tenant with that name. `Failed` if there is none, or more than one."""
    return _id(session, "tenants", given, ("name",), {})


def tenant_or_own(session: Session, given: str) -> str:
    """Return the ID as `tenant_id` does; `OWN` for the caller's own tenant."""
    return given if given == OWN else str(tenant_id(session, given))


def user_id(session: Session, given: str | None) -> str | None:
    """Return the ID of the user with that e-mail address or name. `Failed` if there is none, or more than one."""
    return _id(session, "users", given, ("email", "name"), {"q": given and " ".join(given.split())})


def _id(
    session: Session, kind: str, given: str | None, fields: Sequence[str], narrowed: Mapping[str, str | None]
) -> str | None:
    if given is None or _is_id(given):
        return given
    listed = session.api.pages(f"/v1/{kind}", narrowed, _MOST)["data"]
    for field in fields:
        found = [entry for entry in listed if fold(str(entry.get(field) or "")) == fold(given)]
        if found:
            return _only(session, kind, given, found)
    detail = f"None of your {kind} is called “{safe(given)}”."
    document = {"code": "NOT_FOUND", "detail": detail, "fix": f"List them: {session.command(kind, 'list')}"}
    raise Failed(document, Exit.NOT_FOUND, as_json=session.as_json)


def _only(session: Session, kind: str, given: str, found: Sequence[Json]) -> str:
    if len(found) == 1:
        return str(found[0].get("id"))
    ids = ", ".join(safe(entry.get("id")) for entry in found[:_SHOWN])
    detail = f"{len(found)} of your {kind} are called “{safe(given)}”: {ids}"
    document = {"code": "AMBIGUOUS_NAME", "detail": detail, "fix": "Use the ID of the one you mean."}
    raise Failed(document, Exit.USAGE, as_json=session.as_json)


def _is_id(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True
