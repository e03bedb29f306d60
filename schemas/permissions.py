"""Who may do what: pure checks over plain facts, the same ones at the door and for every row of a job.

Each check answers a code (refused, and why) or None (allowed). No check looks anything up.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from schemas.codes import Code


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
        """Is this tenant `other` itself, or below it?"""
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
