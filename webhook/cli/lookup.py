"""Finds tenants, users and import profiles by ID, name or e-mail address, through the API's lists."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from functools import cached_property

from schemas.name_matching import fold
from webhook.cli.client import Json, ProblemError
from webhook.cli.exit_codes import Exit, Failed
from webhook.cli.session import Session
from webhook.cli.terminal import safe

# Longer lists need IDs: every lookup by name reads the list.
_MOST = 20_000
_SHOWN = 5
_ABOVE = "your provider"  # R3: no name
_MOST_NAMES = 1_000  # in five requests
OWN = "me"  # stands for the caller's own ID in the API


def tenant_id(session: Session, reference: str | None) -> str | None:
    """Return the ID of the tenant with that name. `Failed` if there is none, or more than one."""
    return _id(session, "tenants", reference, ("name",), {})


def tenant_or_own(session: Session, reference: str) -> str:
    """Return the ID as `tenant_id` does; `OWN` for the caller's own tenant."""
    return reference if reference == OWN else str(tenant_id(session, reference))


def user_id(session: Session, reference: str | None) -> str | None:
    """Return the ID of the user with that e-mail address or name. `Failed` if there is none, or more than one."""
    return _id(session, "users", reference, ("email", "name"), {"q": reference and " ".join(reference.split())})


def profile_id(session: Session, reference: str) -> str:
    """Return the ID of the import profile with that name. `Failed` if there is none, or more than one."""
    return str(_id(session, "import-profiles", reference, ("name",), {}))


class TenantNames:
    """The names of the tenants that the caller sees, by ID. Requests them when the first one is needed."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def __call__(self, tenant_id: object) -> object:
        """Return the tenant's name; for a tenant above the caller's own `_ABOVE`; beyond `_MOST_NAMES` the ID."""
        names, is_complete = self._names
        return names.get(str(tenant_id), _ABOVE if is_complete else tenant_id)

    @cached_property
    def _names(self) -> tuple[dict[str, str], bool]:
        """Return the names, and whether they are all that the caller sees."""
        try:
            listing = self._session.api.pages("/v1/tenants", {}, _MOST_NAMES)
        except ProblemError:  # a token may list carriers and nothing else
            return {}, False
        names = {str(tenant.get("id")): str(tenant.get("name")) for tenant in listing["data"]}
        return names, not listing["next_cursor"]


def _id(
    session: Session, kind: str, reference: str | None, fields: Sequence[str], narrowed: Mapping[str, str | None]
) -> str | None:
    if reference is None or _is_id(reference):
        return reference
    listed = session.api.pages(f"/v1/{kind}", narrowed, _MOST)["data"]
    for field in fields:
        matches = [entry for entry in listed if fold(str(entry.get(field) or "")) == fold(reference)]
        if matches:
            return _only(kind, reference, matches)
    detail = f"None of your {_words(kind)} is called “{safe(reference)}”."
    fix = f"List them: {session.command(kind.removeprefix('import-'), 'list')}"
    document = {"code": "NOT_FOUND", "detail": detail, "fix": fix}
    raise Failed(document, Exit.NOT_FOUND)


def _only(kind: str, reference: str, matches: Sequence[Json]) -> str:
    if len(matches) == 1:
        return str(matches[0].get("id"))
    ids = ", ".join(safe(entry.get("id")) for entry in matches[:_SHOWN])
    detail = f"{len(matches)} of your {_words(kind)} are called “{safe(reference)}”: {ids}"
    document = {"code": "AMBIGUOUS_NAME", "detail": detail, "fix": "Use the ID of the one you mean."}
    raise Failed(document, Exit.USAGE)


def _words(kind: str) -> str:
    return kind.replace("-", " ")


def _is_id(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True
