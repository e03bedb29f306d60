"""References in requests, resolved within the actor's reach or refused: carriers by name, tenants and users by id.

Invisible and missing objects are refused with the same text (R3).
"""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa

from schemas import permissions
from schemas.codes import Code
from schemas.columns import Column, name_of
from schemas.job_kinds import JobKind
from schemas.name_matching import fold, unambiguous
from schemas.permissions import Actor, Tenant, User
from schemas.request_problems import RequestCode
from schemas.user_services import Service
from webhook.http.errors import refuse, refuse_file
from worker.callbacks import http_client
from worker.config.settings import get_settings
from worker.database import tenant_scope
from worker.jobs import import_profiles, queries
from worker.jobs.import_profiles import Profile

_LONGEST_SHOWN = 200  # characters of a value that a response repeats


def find_carrier(connection: sa.Connection, actor: Actor, column: Column, name: str | None) -> int | None:
    """Return the id of the carrier with this name that the actor may use (R7, R11)."""
    if name is None:
        return None
    service = "voice" if column is Column.VOICE_CARRIER else "sms"
    carrier_id = unambiguous(tenant_scope.carriers_of(connection, actor.tenant, service)).get(fold(name))
    if carrier_id is None:
        detail = f"“{name}” isn't a {name_of(column)} available to you."
        raise refuse_file(Code.CARRIER_NOT_FOUND, detail, field=column.name.lower(), value=name)
    return carrier_id


def find_profile(connection: sa.Connection, actor: Actor, name_or_id: str) -> Profile:
    """Return the import profile with this name or id that the actor may use (R32)."""
    profile = import_profiles.find(connection, actor.tenant, name_or_id)
    if profile is None:
        detail = f"“{name_or_id[:_LONGEST_SHOWN]}” isn't an import profile available to you."
        raise refuse(RequestCode.INVALID_FIELD, detail, field="profile", value=name_or_id[:_LONGEST_SHOWN])
    return profile


def find_upload_target(connection: sa.Connection, actor: Actor, public_id: str | None) -> int | None:
    """Return the id of the tenant that uploaded numbers go to: the actor's own or one below (R11)."""
    return _tenant(connection, actor, public_id, "assign_to", permissions.check_target)


def find_assignment_target(connection: sa.Connection, actor: Actor, public_id: str | None) -> int | None:
    """Return the id of the tenant that numbers are assigned to: one below the actor's (R19)."""
    return _tenant(connection, actor, public_id, "tenant_id", permissions.check_below)


def find_expected_holder(connection: sa.Connection, actor: Actor, public_id: str | None) -> int | None:
    """Return the id of the tenant expected to hold the numbers: the actor's own or one below (R3, R19)."""
    return _tenant(connection, actor, public_id, "expected_holder_id", permissions.check_target)


def _tenant(
    connection: sa.Connection,
    actor: Actor,
    public_id: str | None,
    field: str,
    rule: Callable[[Tenant, Tenant | None], Code | None],
) -> int | None:
    if public_id is None:
        return None
    target = tenant_scope.tenant_below(connection, actor.tenant, public_id)
    refused = rule(actor.tenant, target)
    if refused is not None or target is None:
        detail = f"“{public_id}” isn't an enterprise or reseller available to you."
        raise refuse_file(refused or Code.TARGET_NOT_FOUND, detail, field=field, value=public_id)
    return target.id


def find_user(connection: sa.Connection, actor: Actor, public_id: str | None) -> User | None:
    """Return the user with this id (R20)."""
    if public_id is None:
        return None
    user = tenant_scope.user_below(connection, actor.tenant, public_id)
    refused = permissions.check_user(actor.tenant, user)
    if refused is not None:
        detail = f"“{public_id}” isn't a user available to you."
        raise refuse_file(refused, detail, column=Column.USER, field="user_id", value=public_id)
    return user


def find_parent(connection: sa.Connection, actor: Actor, kind: JobKind, public_id: str | None) -> int | None:
    """Return the id of the job whose rows a file corrects: of the same kind and of the actor's own tenant."""
    if public_id is None:
        return None
    view = queries.get(connection, actor, public_id)
    if view is None or view.row.tenant_id != actor.tenant.id or view.row.kind != kind:
        raise refuse(RequestCode.INVALID_FIELD, f"parent_job_id: {kind.value} job not found.")
    job_id: int = view.row.id
    return job_id


def callback_url(url: str | None, field: str = "callback_url") -> str | None:
    """Return the URL of a receiver after checking it, as far as possible without looking up its host's address."""
    if url is None:
        return None
    fault = http_client.fault_of(url, get_settings().networks_for_callbacks)
    if fault is not None:
        value = url[:_LONGEST_SHOWN]
        detail = f"{field}: “{value}” can't be used: {fault}."
        errors = [{"field": field, "message": fault}]
        raise refuse(RequestCode.INVALID_FIELD, detail, field=field, value=value, errors=errors)
    return url


def check_service(user: User, service: Service) -> None:
    """Refuse a service that the user cannot have (R2, R20)."""
    refused = permissions.check_service(user, service)
    if refused is not None:
        column = Column.SERVICE if refused is Code.TARGET_NOT_FOUND else Column.USER
        raise refuse_file(refused, column=column, field="service")
