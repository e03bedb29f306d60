"""Permission rules: pure checks over plain facts, the same for requests and for every row of a job.

Each check returns a code (refused, and why) or None (allowed). No check queries anything.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from ipaddress import IPv6Address, ip_address, ip_network

from schemas.codes import Code
from schemas.request_problems import RequestCode
from schemas.roles import ALL_SCOPES, REQUIREMENTS, Operation, Role, Scope
from schemas.user_services import ANY_VOICE, Service


class TenantKind(StrEnum):
    """The levels of the tree, from the top (R1)."""

    MASTER_RESELLER = "master_reseller"
    RESELLER = "reseller"
    ENTERPRISE = "enterprise"


@dataclass(frozen=True)
class Tenant:
    """A tenant as the checks need it. `path` holds the ids from the root down to the tenant itself."""

    id: int
    public_id: str
    kind: TenantKind
    name: str
    path: tuple[int, ...]
    allow_external_numbers: bool = False

    def is_within(self, other: Tenant) -> bool:
        """Return whether this tenant is `other` or below it."""
        return other.id in self.path


@dataclass(frozen=True)
class TokenLimits:
    """What a token may do, and until when and from where it works (R35). No networks: from any address.

    The default is without limits.
    """

    role: Role = Role.ADMIN
    scopes: frozenset[Scope] = ALL_SCOPES
    networks: tuple[str, ...] = ()
    expires_at: datetime | None = None


@dataclass(frozen=True)
class ActingToken:
    """The token of a request: its internal id, that of the account behind it, if any, and its limits."""

    id: int
    admin_id: int | None
    limits: TokenLimits


@dataclass(frozen=True)
class Actor:
    """The person or program that acts: the tenant it acts for (exactly one, R1), its name, its role and scopes (R35).

    `admin_id`: the internal id of a person's account; None for a token. `token`: None for a person. The role of a token
    is already limited by the present role of the person behind it. Without a role and scopes, an actor may do nothing.
    """

    tenant: Tenant
    name: str
    admin_id: int | None = None
    role: Role = Role.VIEWER
    scopes: frozenset[Scope] = frozenset()
    token: ActingToken | None = None

    @property
    def limits(self) -> TokenLimits:
        """The limits of the tokens that this actor creates."""
        limits = TokenLimits() if self.token is None else self.token.limits
        return TokenLimits(self.role, self.scopes, limits.networks, limits.expires_at)


@dataclass(frozen=True)
class Missing:
    """What an actor lacks for an operation: a role, or any one of some scopes. Both may be lacking."""

    role: Role | None
    scopes: tuple[Scope, ...]


def check_operation(actor: Actor, operation: Operation) -> Missing | None:
    """R35: the role must be at least that of the operation, and the scopes include one of those that it needs."""
    needed = REQUIREMENTS[operation]
    role = None if actor.role.includes(needed.role) else needed.role
    scopes = () if actor.scopes.intersection(needed.scopes) else needed.scopes
    return Missing(role, scopes) if role or scopes else None


def check_new_token(maker: TokenLimits, token: TokenLimits) -> tuple[str, ...]:
    """R35: return the limits, by the names of `TokenLimits`, in which a token would exceed who creates it."""
    is_late = maker.expires_at is not None and (token.expires_at is None or token.expires_at > maker.expires_at)
    exceeds = {
        "role": not maker.role.includes(token.role),
        "scopes": not token.scopes <= maker.scopes,
        "networks": not _are_within(token.networks, maker.networks),
        "expires_at": is_late,
    }
    return tuple(name for name, is_exceeded in exceeds.items() if is_exceeded)


def _are_within(networks: Sequence[str], allowed: Sequence[str]) -> bool:
    """Return whether the networks are parts of the allowed ones. No networks: every address."""
    if not allowed:
        return True
    outer = [ip_network(text) for text in allowed]
    inner = [ip_network(text) for text in networks]
    return bool(inner) and all(
        any(one.version == each.version and one.subnet_of(each) for each in outer)  # type: ignore[arg-type]
        for one in inner
    )


def check_network(limits: TokenLimits, address: str) -> RequestCode | None:
    """R35: a token with networks works only from addresses in them. A text that is not an address is in none."""
    if not limits.networks:
        return None
    try:
        client = ip_address(address)
    except ValueError:
        return RequestCode.FORBIDDEN
    inner = client.ipv4_mapped if isinstance(client, IPv6Address) else None
    is_inside = any((inner or client) in ip_network(text) for text in limits.networks)
    return None if is_inside else RequestCode.FORBIDDEN


def check_change_person(actor: Actor, admin_id: int) -> RequestCode | None:
    """R1, R35: people neither remove their own account nor change its role, so that one admin is left who can."""
    return RequestCode.FORBIDDEN if actor.admin_id == admin_id else None


def check_heir(role: Role, tenant_id: int, heir_tenant_id: int) -> RequestCode | None:
    """R35: tokens are handed over to an admin of the same tenant."""
    is_heir = role is Role.ADMIN and tenant_id == heir_tenant_id
    return None if is_heir else RequestCode.INVALID_FIELD


def check_upload(actor: Tenant) -> Code | None:
    """R8: resellers and the master may always upload. R9: an enterprise only with Allow External Numbers."""
    if actor.kind is TenantKind.ENTERPRISE and not actor.allow_external_numbers:
        return Code.EXTERNAL_NOT_ALLOWED
    return None


def check_target(actor: Tenant, target: Tenant | None) -> Code | None:
    """R11, R19: numbers go to the admin's own tenant or to one below; any other does not exist for the admin (R3)."""
    if target is None or not target.is_within(actor):
        return Code.TARGET_NOT_FOUND
    return None


def check_move(uploader: Tenant, target: Tenant) -> Code | None:
    """R3, R19: a number stays at or below the level that uploaded it, even if a level above moves it.

    Elsewhere it would reveal its uploader and carrier to unrelated tenants and be lost to the uploader.
    """
    return None if target.is_within(uploader) else Code.TARGET_NOT_FOUND


def check_existing(actor: Tenant, holder: Tenant) -> Code | None:
    """R17: an existing number can only be matched inside the admin's tree; its holder elsewhere is never revealed."""
    return None if holder.is_within(actor) else Code.NUMBER_EXISTS_ELSEWHERE


class UserKind(StrEnum):
    """The kinds of users (R2). Any of them may have SMS service."""

    PBX = "pbx"
    TRUNK = "trunk"


@dataclass(frozen=True)
class User:
    """A user as the checks need it."""

    id: int
    tenant: Tenant
    kind: UserKind
    sms_enabled: bool = False


@dataclass(frozen=True)
class NumberFacts:
    """The facts about a number that the checks need: holder, uploader, capabilities, and whether it has users."""

    holder: Tenant
    uploader: Tenant
    voice: bool = True
    sms: bool = False
    voice_user: bool = False
    sms_user: bool = False

    @property
    def in_use(self) -> bool:
        """Whether a user has the number (R20)."""
        return self.voice_user or self.sms_user


def check_seen(actor: Tenant, number: NumberFacts | None) -> Code | None:
    """R3: a number outside the admin's tree does not exist for the admin. Every rule on a number checks this first."""
    return None if number is not None and number.holder.is_within(actor) else Code.NOT_FOUND


def check_below(actor: Tenant, target: Tenant | None) -> Code | None:
    """R19: numbers are assigned to a tenant below the admin's, not to its own."""
    if target is not None and target.id == actor.id:
        return Code.TARGET_NOT_FOUND
    return check_target(actor, target)


def check_assign(actor: Tenant, number: NumberFacts, target: Tenant) -> Code | None:
    """R19: the number is inside the admin's tree and no user has it. Whether it may go to `target`: `check_move`."""
    if number.holder.id == target.id:
        return check_seen(actor, number)
    return check_seen(actor, number) or check_free(number)


def check_free(number: NumberFacts) -> Code | None:
    """R19, R24: a number that a user has is not moved."""
    return Code.ASSIGNED_IN_USE if number.in_use else None


def check_expected_holder(actor: Tenant, number: NumberFacts, expected_id: int | None) -> Code | None:
    """R19: a number is refused if its holder is no longer the expected one; None allows any holder."""
    seen = check_seen(actor, number)
    if seen is not None:
        return seen
    return None if expected_id in {None, number.holder.id} else Code.CHANGED_SINCE


def check_unassigned(actor: Tenant, number: NumberFacts) -> Code | None:
    """R19: with `only_unassigned`, a number that a user or a tenant below the admin has is refused."""
    seen = check_seen(actor, number)
    if seen is not None:
        return seen
    return check_free(number) if number.holder.id == actor.id else Code.ASSIGNED_IN_USE


def check_user(actor: Tenant, user: User | None) -> Code | None:
    """R3: users of the admin's own tenant and of those below it; no other user exists for the admin."""
    return Code.TARGET_NOT_FOUND if user is None or not user.tenant.is_within(actor) else None


def check_holds(number: NumberFacts, user: User) -> Code | None:
    """R20: a user gets numbers of its own enterprise."""
    return None if number.holder.id == user.tenant.id else Code.TARGET_NOT_FOUND


def check_service(user: User, service: Service) -> Code | None:
    """R2, R20: only trunk users have Forwarded DIDs, and SMS requires the user's SMS service."""
    if not service or (service & Service.FORWARDED and user.kind is not UserKind.TRUNK):
        return Code.TARGET_NOT_FOUND
    if service & Service.SMS and not user.sms_enabled:
        return Code.CAPABILITY_REQUIRED
    return None


def check_give(actor: Tenant, number: NumberFacts, service: Service) -> Code | None:
    """R20: a service needs the capability, and a number serves one user for voice and one for SMS."""
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
    """R19: unassigning goes up level by level and is refused while a user has the number.

    The admin of the enterprise that holds it unassigns it from the enterprise's users: that is its level.
    """
    seen = check_seen(actor, number)
    if seen is not None or number.holder.id == actor.id:
        return seen
    return check_free(number)


def takes_back_to(actor: Tenant, number: NumberFacts) -> int:
    """Return the id of the tenant that holds the number once it is unassigned: the next level up (R19).

    The holder does not change if it is the admin's own tenant or the uploader.
    """
    holder = number.holder
    return holder.id if holder.id in {actor.id, number.uploader.id} else holder.path[-2]


def check_change(actor: Tenant, number: NumberFacts) -> Code | None:
    """R23: a number inside the admin's tree may be changed. The next two checks protect what its users need."""
    return check_seen(actor, number)


def check_switch_off(number: NumberFacts, service: Service) -> Code | None:
    """R23: a capability in use by a user cannot be switched off."""
    in_use = number.voice_user if service & ANY_VOICE else number.sms_user
    return Code.ASSIGNED_IN_USE if in_use else None


def check_other_carrier(number: NumberFacts) -> Code | None:
    """R23: a carrier can be changed only while no user has the number."""
    return check_free(number)


def check_delete(actor: Tenant, number: NumberFacts) -> Code | None:
    """R25: only the level that uploaded a number may delete it. R24: and only while it is unassigned."""
    seen = check_seen(actor, number)
    if seen is not None:
        return seen
    if number.uploader.id != actor.id:
        return Code.NOT_UPLOADER
    return Code.ASSIGNED_IN_USE if is_assigned(number) else None


def check_unchanged(*, unchanged: bool) -> Code | None:
    """R27: undo does not touch numbers that have changed since."""
    return None if unchanged else Code.CHANGED_SINCE


def is_assigned(number: NumberFacts) -> bool:
    """Return whether a user or a level below the uploader has the number (R24)."""
    return number.in_use or number.holder.id != number.uploader.id


def check_assignable(actor: Tenant, number: NumberFacts) -> Code | None:
    """R18: whether the admin could assign the number to anyone, for lists and pages."""
    if actor.kind is not TenantKind.ENTERPRISE:
        return check_seen(actor, number) or check_free(number)
    codes = [check_give(actor, number, service) for service in (Service.VOICE, Service.SMS)]
    return None if None in codes else min((code for code in codes if code), key=_MOST_TELLING.index)


_MOST_TELLING = (Code.NOT_FOUND, Code.ASSIGNED_IN_USE, Code.CAPABILITY_REQUIRED)


def check_create_user(actor: Tenant, tenant: Tenant | None) -> RequestCode | None:
    """R2: users belong to enterprises; an admin creates them in its own tenant and below."""
    if tenant is None or check_tenant(actor, tenant) is not None:
        return RequestCode.NOT_FOUND
    return None if tenant.kind is TenantKind.ENTERPRISE else RequestCode.INVALID_FIELD


def check_control(actor: Tenant, owner: Tenant) -> RequestCode | None:
    """R1, R27: the tenant that a job acts for confirms, cancels and undoes it; tenants above only see it."""
    if check_tenant(actor, owner) is not None:
        return RequestCode.NOT_FOUND
    return None if may_control(actor, owner.id) else RequestCode.FORBIDDEN


def may_control(actor: Tenant, owner_id: int) -> bool:
    """R1, R27: `check_control`, of a job that the actor sees."""
    return owner_id == actor.id


_FROM_ABOVE = frozenset({"name", "allow_external_numbers", "billing_reference"})


def check_tenant(actor: Tenant, tenant: Tenant | None) -> RequestCode | None:
    """R3: an admin reaches its own tenant and those below it; any other does not exist for the admin."""
    return None if tenant is not None and tenant.is_within(actor) else RequestCode.NOT_FOUND


def check_create_tenant(
    actor: Tenant, parent: Tenant | None, kind: TenantKind, *, allow_external_numbers: bool
) -> RequestCode | None:
    """R1: the master creates resellers, and enterprises under any reseller; a reseller, its own enterprises."""
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
    """R7: default carriers are chosen by the tenant itself or a level above.

    R9, R21: Allow External Numbers, a setting of enterprises, is set by a level above. R3: so is the name, because a
    conflict would reveal a tenant's siblings to it; only the root has none. The billing reference is the level above's;
    the root has none.
    """
    if check_tenant(actor, tenant) is not None:
        return RequestCode.NOT_FOUND
    if "allow_external_numbers" in fields and tenant.kind is not TenantKind.ENTERPRISE:
        return RequestCode.INVALID_FIELD
    if "billing_reference" in fields and tenant.kind is TenantKind.MASTER_RESELLER:
        return RequestCode.INVALID_FIELD
    if tenant.id != actor.id or tenant.kind is TenantKind.MASTER_RESELLER:
        return None
    return RequestCode.FORBIDDEN if _FROM_ABOVE.intersection(fields) else None


def check_delete_tenant(actor: Tenant, tenant: Tenant) -> RequestCode | None:
    """R1: a tenant is deleted by a level above, never by itself. `check_unused` checks whether it is in use."""
    if check_tenant(actor, tenant) is not None:
        return RequestCode.NOT_FOUND
    return RequestCode.FORBIDDEN if tenant.id == actor.id else None


def check_create_carrier(actor: Tenant) -> RequestCode | None:
    """R7: carriers are created by the master and by resellers."""
    return RequestCode.FORBIDDEN if actor.kind is TenantKind.ENTERPRISE else None


def check_carrier(actor: Tenant, owner: Tenant | None) -> RequestCode | None:
    """R7: a carrier is visible at the level that created it and below. R3: and above."""
    seen = owner is not None and (actor.is_within(owner) or owner.is_within(actor))
    return None if seen else RequestCode.NOT_FOUND


def check_change_carrier(actor: Tenant, owner: Tenant | None) -> RequestCode | None:
    """R7: a carrier is renamed and deleted only by the level that created it."""
    if owner is None or check_carrier(actor, owner) is not None:
        return RequestCode.NOT_FOUND
    return None if owner.id == actor.id else RequestCode.FORBIDDEN


def check_create_profile(actor: Tenant) -> RequestCode | None:
    """R32: a tenant that may upload (R8, R9) creates import profiles of its own."""
    return None if check_upload(actor) is None else RequestCode.FORBIDDEN


def check_profile(actor: Tenant, owner: Tenant | None) -> RequestCode | None:
    """R32: an import profile is for the tenant that created it and for those below it; for others it does not exist."""
    return None if owner is not None and actor.is_within(owner) else RequestCode.NOT_FOUND


def check_change_profile(actor: Tenant, owner: Tenant | None) -> RequestCode | None:
    """R32: an import profile is changed and deleted only by the tenant that created it, while it may upload."""
    if owner is None or check_profile(actor, owner) is not None:
        return RequestCode.NOT_FOUND
    return check_create_profile(actor) if owner.id == actor.id else RequestCode.FORBIDDEN


def check_unused(users: Collection[str]) -> RequestCode | None:
    """R6, R7: a resource that others refer to cannot be deleted. `users`: what refers to it, by kind."""
    return RequestCode.IN_USE if users else None


def _level(kind: TenantKind) -> int:
    return list(TenantKind).index(kind)
