"""Import profiles: column mappings with options, saved by name (R32)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from flask import url_for

from schemas import permissions
from schemas.http import import_profiles as bodies
from schemas.http.tenants import PageQuery
from schemas.request_problems import RequestCode
from webhook.http import auth, idempotency, serializers
from webhook.http.errors import refuse, stop_if
from worker.database.engine import transaction
from worker.jobs import import_profiles
from worker.jobs.import_profiles import NameTakenError, ProfileView, TooLargeError, TooManyError

WORDS = {
    RequestCode.NOT_FOUND: "Import profile not found.",
    RequestCode.NAME_TAKEN: "You already have an import profile with this name.",
}
_TOO_MANY = f"You have {import_profiles.MOST_PER_TENANT} import profiles, the most possible."
_TOO_LARGE = f"Mapping and column names together are larger than {import_profiles.LARGEST // 1024} KB."


def page(query: PageQuery) -> bodies.ImportProfileList:
    """Return the profiles that the actor may use: its own tenant's and those of the tenants above."""
    with transaction() as connection:
        views = import_profiles.page(connection, auth.actor(), query.cursor, query.limit)
    cursor = views[-1].row.public_id if len(views) == query.limit else None
    return bodies.ImportProfileList(data=[_shown(view) for view in views], next_cursor=cursor)


def choices() -> list[tuple[str, str]]:
    """Return the ids and names of the profiles that the actor may use, the nearest tenant's first.

    Where a tenant above has a profile with the same name, only the nearest one is meant by it and returned.
    """
    with transaction() as connection:
        return import_profiles.choices(connection, auth.actor().tenant)


def get(profile_id: str) -> bodies.ImportProfile:
    """Return the profile with this id."""
    with transaction() as connection:
        view = _find(connection, profile_id)
    return _shown(view)


def create(body: bodies.NewImportProfile) -> bodies.ImportProfile:
    """Create a profile of the actor's own tenant."""
    actor = auth.actor()
    stop_if(permissions.check_create_profile(actor.tenant), WORDS)
    with transaction() as connection, refusing():
        parts = _columns(body)
        public_id = import_profiles.save(connection, actor.tenant.id, created_by=actor.name, **parts)
        idempotency.record(connection, url_for("import_profiles.show", profile_id=public_id))
        view = _find(connection, public_id)
    return _shown(view)


def change(profile_id: str, body: bodies.ImportProfileChange) -> bodies.ImportProfile:
    """Change the fields that the body sets."""
    with transaction() as connection, refusing():
        view = _find_own(connection, profile_id)
        if body.model_fields_set:
            import_profiles.change(connection, view.row.id, _columns(body))
        view = _find(connection, profile_id)
    return _shown(view)


def delete(profile_id: str) -> None:
    """Delete a profile."""
    with transaction() as connection:
        import_profiles.delete(connection, _find_own(connection, profile_id).row.id)


@contextmanager
def refusing() -> Iterator[None]:
    """Refuse the request if a profile cannot be saved: its name is taken, or it exceeds a limit."""
    try:
        yield
    except NameTakenError as error:
        raise refuse(RequestCode.NAME_TAKEN, WORDS[RequestCode.NAME_TAKEN], field="name") from error
    except TooManyError as error:
        raise refuse(RequestCode.LIMIT_REACHED, _TOO_MANY, limit=import_profiles.MOST_PER_TENANT) from error
    except TooLargeError as error:
        raise refuse(RequestCode.INVALID_FIELD, _TOO_LARGE, limit=import_profiles.LARGEST) from error


def _columns(body: bodies.NewImportProfile | bodies.ImportProfileChange) -> dict[str, Any]:
    """Return what a body states, as it is stored."""
    columns: dict[str, Any] = {"name": body.name, "headers": body.headers}
    if body.mapping is not None:
        columns["mapping"] = body.mapping.parsed().to_json()
    if body.options is not None:
        columns["options"] = body.options.model_dump(exclude_none=True)
    return {name: value for name, value in columns.items() if value is not None}


def _shown(view: ProfileView) -> bodies.ImportProfile:
    return serializers.import_profile(auth.actor(), view)


def _find(connection: sa.Connection, public_id: str) -> ProfileView:
    """Return a profile that the actor may use. Others and missing ones give the same 404 (R3)."""
    view = import_profiles.get(connection, auth.actor(), public_id)
    if view is None:
        raise refuse(RequestCode.NOT_FOUND, WORDS[RequestCode.NOT_FOUND])
    return view


def _find_own(connection: sa.Connection, public_id: str) -> ProfileView:
    """Return a profile that the actor may change and delete."""
    view = _find(connection, public_id)
    stop_if(permissions.check_change_profile(auth.actor().tenant, view.owner), WORDS)
    return view
