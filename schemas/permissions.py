"""Who may do what: pure checks over plain facts, the same ones at the door and for every row of a job.

Each check answers a code (refused, and why) or None (allowed). No check looks anything up.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from schemas.codes import Code
from schemas.problems import RequestCode


class TenantKind(StrEnum):
    """The levels of the tree, from the top (R1)."""

    MASTER_RESELLER = "master_reseller"
    RESELLER = "reseller"
    ENTERPRISE = "enterprise"


@dataclass(frozen=True)
class Tenant:
    """A tenant as the checks see it. `path` holds the ids from the root down to the tenant itself."""

    id: int
    public_id: str
    kind: TenantKind
    name: str
    path: tuple[int, ...]
    allow_external_numbers: bool = False

    def is_within(self, other: Tenant) -> bool:
        """Whether this tenant is `other` itself, or below it."""
        return other.id in self.path


@dataclass(frozen=True)
class Actor:
    """An admin at work: the tenant it acts for (exactly one, R1) and the name of the token or account."""

    tenant: Tenant
    name: str


def check_upload(actor: Tenant) -> Code | None:
    """R8: resellers and the master may always upload. R9: an enterprise only with Allow External Numbers."""
    if actor.kind is TenantKind.ENTERPRISE and not actor.allow_external_numbers:
        return Code.EXTERNAL_NOT_ALLOWED
    return None


def check_target(actor: Tenant, target: Tenant | None) -> Code | None:
    """R11, R19: numbers go to the admin's own tenant or to one below; anything else does not exist for it (R3)."""
    if target is None or not target.is_within(actor):
        return Code.TARGET_NOT_FOUND
    return None


def check_move(uploader: Tenant, target: Tenant) -> Code | None:
    """R3, R19: a number stays at or below the level that uploaded it, whoever above moves it.

    Elsewhere it would tell strangers of its uploader and carrier, and be lost to the uploader.
    """
    return None if target.is_within(uploader) else Code.TARGET_NOT_FOUND


def check_existing(actor: Tenant, holder: Tenant) -> Code | None:
    """R17: a number that exists may be met only inside the admin's tree; elsewhere its place is never told."""
    return None if holder.is_within(actor) else Code.NUMBER_EXISTS_ELSEWHERE


@dataclass(frozen=True)
class NumberFacts:
    """What the checks need to know of one number."""

    holder: Tenant
    uploader: Tenant


def check_assign(actor: Tenant, number: NumberFacts) -> Code | None:
    """R19: a number inside the admin's tree may be given to a level below."""
    return None if number.holder.is_within(actor) else Code.NOT_FOUND


def check_change(actor: Tenant, number: NumberFacts) -> Code | None:
    """R23: a number inside the admin's tree may be changed."""
    return None if number.holder.is_within(actor) else Code.NOT_FOUND


def check_delete(actor: Tenant, number: NumberFacts) -> Code | None:
    """R24: only numbers that nobody was given. R25: only the level that uploaded a number may delete it."""
    if not number.holder.is_within(actor):
        return Code.NOT_FOUND
    if number.uploader.id != actor.id:
        return Code.NOT_UPLOADER
    return None if number.holder.id == number.uploader.id else Code.ASSIGNED_IN_USE


_FROM_ABOVE = frozenset({"name", "allow_external_numbers"})


def check_tenant(actor: Tenant, tenant: Tenant | None) -> RequestCode | None:
    """R3: an admin reaches its own tenant and those below it; anything else does not exist for it."""
    return None if tenant is not None and tenant.is_within(actor) else RequestCode.NOT_FOUND


def check_create_tenant(
    actor: Tenant, parent: Tenant | None, kind: TenantKind, *, allow_external_numbers: bool
) -> RequestCode | None:
    """R1: the master makes resellers, and enterprises under any of them; a reseller makes enterprises under itself."""
    if _level(kind) <= _level(actor.kind):
        return RequestCode.FORBIDDEN
    if parent is None or check_tenant(actor, parent) is not None:
        return RequestCode.NOT_FOUND
    if _level(kind) != _level(parent.kind) + 1:
        return RequestCode.INVALID_FIELD
    if allow_external_numbers and kind is not TenantKind.ENTERPRISE:
        return RequestCode.INVALID_FIELD
    return None


def check_change_tenant(actor: Tenant, tenant: Tenant, fields: Collection[str]) -> RequestCode | None:
    """R7: default carriers are chosen by the tenant itself or above.

    R9, R21: Allow External Numbers, which enterprises have, is given by a level above. R3: so is the name, or "taken"
    would tell a tenant of its siblings; only the root has none.
    """
    if check_tenant(actor, tenant) is not None:
        return RequestCode.NOT_FOUND
    if "allow_external_numbers" in fields and tenant.kind is not TenantKind.ENTERPRISE:
        return RequestCode.INVALID_FIELD
    if tenant.id != actor.id or tenant.kind is TenantKind.MASTER_RESELLER:
        return None
    return RequestCode.FORBIDDEN if _FROM_ABOVE.intersection(fields) else None


def check_delete_tenant(actor: Tenant, tenant: Tenant) -> RequestCode | None:
    """R1: a tenant is deleted by a level above, never by itself. Whether it is in use is for `check_unused`."""
    if check_tenant(actor, tenant) is not None:
        return RequestCode.NOT_FOUND
    return RequestCode.FORBIDDEN if tenant.id == actor.id else None


def check_create_carrier(actor: Tenant) -> RequestCode | None:
    """R7: carriers are defined by the master and by resellers."""
    return RequestCode.FORBIDDEN if actor.kind is TenantKind.ENTERPRISE else None


def check_carrier(actor: Tenant, owner: Tenant | None) -> RequestCode | None:
    """R7: carriers are seen at the level that defined them and below. R3: and above."""
    seen = owner is not None and (actor.is_within(owner) or owner.is_within(actor))
    return None if seen else RequestCode.NOT_FOUND


def check_change_carrier(actor: Tenant, owner: Tenant | None) -> RequestCode | None:
    """R7: a carrier is renamed and deleted by the level that defined it, and by no other."""
    if owner is None or check_carrier(actor, owner) is not None:
        return RequestCode.NOT_FOUND
    return None if owner.id == actor.id else RequestCode.FORBIDDEN


def check_unused(users: Collection[str]) -> RequestCode | None:
    """R6, R7: what something else refers to stays. `users` names what refers to it."""
    return RequestCode.IN_USE if users else None


def _level(kind: TenantKind) -> int:
    return list(TenantKind).index(kind)
