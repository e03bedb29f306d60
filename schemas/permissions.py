"""Who may do what: pure checks over plain facts, the same ones at the door and for every row of a job.

Each check answers a code (refused, and why) or None (allowed). No check looks anything up.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from schemas.codes import Code
from schemas.request_problems import RequestCode
from schemas.user_services import ANY_VOICE, Service


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


class UserKind(StrEnum):
    """The kinds of users (R2). Any of them may have SMS service."""

    PBX = "pbx"
    TRUNK = "trunk"


@dataclass(frozen=True)
class User:
    """A user as the checks see it."""

    id: int
    tenant: Tenant
    kind: UserKind
    sms_enabled: bool = False


@dataclass(frozen=True)
class NumberFacts:
    """What the checks need to know of one number: who has it, what it can do, and what users have it for."""

    holder: Tenant
    uploader: Tenant
    voice: bool = True
    sms: bool = False
    voice_user: bool = False
    sms_user: bool = False

    @property
    def in_use(self) -> bool:
        """Whether a user has it (R20)."""
        return self.voice_user or self.sms_user


def check_seen(actor: Tenant, number: NumberFacts | None) -> Code | None:
    """R3: a number outside the admin's tree does not exist for it. The first question of every rule on a number."""
    return None if number is not None and number.holder.is_within(actor) else Code.NOT_FOUND


def check_below(actor: Tenant, target: Tenant | None) -> Code | None:
    """R19: numbers are assigned to a tenant below the admin, not to its own."""
    if target is not None and target.id == actor.id:
        return Code.TARGET_NOT_FOUND
    return check_target(actor, target)


def check_assign(actor: Tenant, number: NumberFacts, target: Tenant) -> Code | None:
    """R19: a number inside the admin's tree that no user has. Whether it may go to `target`: `check_move`."""
    if number.holder.id == target.id:
        return check_seen(actor, number)
    return check_seen(actor, number) or check_free(number)


def check_free(number: NumberFacts) -> Code | None:
    """R19, R24: what a user has stays where it is."""
    return Code.ASSIGNED_IN_USE if number.in_use else None


def check_expected_holder(actor: Tenant, number: NumberFacts, expected_id: int | None) -> Code | None:
    """R19: a number is left alone where its holder is no longer the expected one; None expects nothing."""
    seen = check_seen(actor, number)
    if seen is not None:
        return seen
    return None if expected_id in {None, number.holder.id} else Code.CHANGED_SINCE


def check_unassigned(actor: Tenant, number: NumberFacts) -> Code | None:
    """R19: with `only_unassigned`, a number that a tenant below the admin or a user has is left alone."""
    seen = check_seen(actor, number)
    if seen is not None:
        return seen
    return check_free(number) if number.holder.id == actor.id else Code.ASSIGNED_IN_USE


def check_user(actor: Tenant, user: User | None) -> Code | None:
    """R3: users of the admin's own tenant and of those below it; no other exists for it."""
    return Code.TARGET_NOT_FOUND if user is None or not user.tenant.is_within(actor) else None


def check_holds(number: NumberFacts, user: User) -> Code | None:
    """R20: a user gets numbers of its own enterprise."""
    return None if number.holder.id == user.tenant.id else Code.TARGET_NOT_FOUND


def check_service(user: User, service: Service) -> Code | None:
    """R2, R20: only trunk users have Forwarded DIDs, and SMS wants the user's SMS service enabled."""
    if not service or (service & Service.FORWARDED and user.kind is not UserKind.TRUNK):
        return Code.TARGET_NOT_FOUND
    if service & Service.SMS and not user.sms_enabled:
        return Code.CAPABILITY_REQUIRED
    return None


def check_give(actor: Tenant, number: NumberFacts, service: Service) -> Code | None:
    """R20: a service needs the capability, and one number serves one user for voice and one for SMS."""
    seen = check_seen(actor, number)
    if seen is not None:
        return seen
    wants_voice, wants_sms = bool(service & ANY_VOICE), bool(service & Service.SMS)
    if (wants_voice and not number.voice) or (wants_sms and not number.sms):
        return Code.CAPABILITY_REQUIRED
    if (wants_voice and number.voice_user) or (wants_sms and number.sms_user):
        return Code.ASSIGNED_IN_USE
    return None


def check_slot(*, taken: bool) -> Code | None:
    """R2: a PBX user has one number, a trunk user one Default DID."""
    return Code.ASSIGNED_IN_USE if taken else None


def check_unassign(actor: Tenant, number: NumberFacts) -> Code | None:
    """R19: taking back goes level by level and is refused while a user has the number.

    The admin of the enterprise that holds it takes it from its users: that is its level.
    """
    seen = check_seen(actor, number)
    if seen is not None or number.holder.id == actor.id:
        return seen
    return check_free(number)


def takes_back_to(actor: Tenant, number: NumberFacts) -> int:
    """R19: the tenant that holds the number once it is taken back: the next level up.

    Where it is already, if the admin holds it itself or it never came from above.
    """
    holder = number.holder
    return holder.id if holder.id in {actor.id, number.uploader.id} else holder.path[-2]


def check_change(actor: Tenant, number: NumberFacts) -> Code | None:
    """R23: a number inside the admin's tree may be changed. What a user needs of it: the next two."""
    return check_seen(actor, number)


def check_switch_off(number: NumberFacts, service: Service) -> Code | None:
    """R23: a capability in use by a user cannot be switched off."""
    in_use = number.voice_user if service & ANY_VOICE else number.sms_user
    return Code.ASSIGNED_IN_USE if in_use else None


def check_other_carrier(number: NumberFacts) -> Code | None:
    """R23: a carrier can be changed only while no user has the number."""
    return check_free(number)


def check_delete(actor: Tenant, number: NumberFacts) -> Code | None:
    """R25: only the level that uploaded a number may delete it. R24: and only while nobody was given it."""
    seen = check_seen(actor, number)
    if seen is not None:
        return seen
    if number.uploader.id != actor.id:
        return Code.NOT_UPLOADER
    return Code.ASSIGNED_IN_USE if is_assigned(number) else None


def check_unchanged(*, unchanged: bool) -> Code | None:
    """R27: undo leaves alone what has changed since."""
    return None if unchanged else Code.CHANGED_SINCE


def is_assigned(number: NumberFacts) -> bool:
    """R24: a user has it, or a level below the one that uploaded it."""
    return number.in_use or number.holder.id != number.uploader.id


def check_assignable(actor: Tenant, number: NumberFacts) -> Code | None:
    """R18: whether there is anybody whom the admin could give the number, as lists and pages show it."""
    if actor.kind is not TenantKind.ENTERPRISE:
        return check_seen(actor, number) or check_free(number)
    codes = [check_give(actor, number, service) for service in (Service.VOICE, Service.SMS)]
    return None if None in codes else min((code for code in codes if code), key=_MOST_TELLING.index)


_MOST_TELLING = (Code.NOT_FOUND, Code.ASSIGNED_IN_USE, Code.CAPABILITY_REQUIRED)


def check_create_user(actor: Tenant, tenant: Tenant | None) -> RequestCode | None:
    """R2: users belong to enterprises; an admin makes them in its own tenant and below."""
    if tenant is None or check_tenant(actor, tenant) is not None:
        return RequestCode.NOT_FOUND
    return None if tenant.kind is TenantKind.ENTERPRISE else RequestCode.INVALID_FIELD


def check_control(actor: Tenant, owner: Tenant) -> RequestCode | None:
    """R1, R27: a job is confirmed, cancelled and undone by the tenant that it acts for; those above only see it."""
    if check_tenant(actor, owner) is not None:
        return RequestCode.NOT_FOUND
    return None if owner.id == actor.id else RequestCode.FORBIDDEN


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
