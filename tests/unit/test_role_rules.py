"""R35: roles, scopes and what each operation needs; the limits of tokens."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import get_args

import pytest

from schemas import permissions
from schemas.http import tenants as bodies
from schemas.permissions import ActingToken, Actor, Missing, Tenant, TenantKind, TokenLimits
from schemas.roles import (
    ALL_SCOPES,
    REQUIREMENTS,
    ROLE_TEXTS,
    SCOPE_TEXTS,
    Operation,
    Role,
    Scope,
    operation_on_job,
)

TENANT = Tenant(2, "two", TenantKind.RESELLER, "North", (1, 2))
SOON = datetime(2030, 1, 1, tzinfo=UTC)


def actor(role: Role, scopes: frozenset[Scope] = ALL_SCOPES) -> Actor:
    return Actor(TENANT, "ada@north.example", 7, role=role, scopes=scopes)


def test_r35_each_role_includes_those_below() -> None:
    ranks = ["viewer", "operator", "admin"]
    assert list(Role) == ranks
    for one, other in product(Role, Role):
        assert one.includes(other) == (ranks.index(one) >= ranks.index(other))


def test_r35_every_operation_needs_a_role_and_a_scope() -> None:
    assert list(REQUIREMENTS) == list(Operation)
    assert all(needed.scopes for needed in REQUIREMENTS.values())
    assert {scope for needed in REQUIREMENTS.values() for scope in needed.scopes} == ALL_SCOPES


@pytest.mark.parametrize("operation", Operation)
@pytest.mark.parametrize("role", Role)
def test_r35_role_and_scope_are_needed_both(role: Role, operation: Operation) -> None:
    needed = REQUIREMENTS[operation]
    lacking = None if role.includes(needed.role) else needed.role
    found = permissions.check_operation(actor(role), operation)
    assert found == (None if lacking is None else Missing(lacking, ()))
    for scope in Scope:
        found = permissions.check_operation(actor(role, frozenset({scope})), operation)
        scopes = () if scope in needed.scopes else needed.scopes
        assert found == (Missing(lacking, scopes) if lacking or scopes else None)


def test_r35_an_actor_without_role_and_scopes_may_do_nothing() -> None:
    assert all(permissions.check_operation(Actor(TENANT, "x"), operation) is not None for operation in Operation)


def test_r35_deciding_about_a_job_needs_what_starting_it_needs() -> None:
    assert operation_on_job("upload") is Operation.UPLOAD
    assert operation_on_job("export") is Operation.READ_NUMBERS
    assert operation_on_job("undo") is operation_on_job("delete") is Operation.CHANGE_NUMBERS


def test_bodies_list_all_roles_and_scopes() -> None:
    assert get_args(bodies.RoleName) == tuple(Role)
    assert get_args(bodies.ScopeName) == tuple(Scope)
    assert list(ROLE_TEXTS) == list(Role)
    assert list(SCOPE_TEXTS) == list(Scope)


EXCEEDING: dict[str, tuple[TokenLimits, tuple[str, ...]]] = {
    "the same": (TokenLimits(Role.OPERATOR, frozenset({Scope.JOBS_READ}), ("10.0.0.0/8", "2001:db8::/32"), SOON), ()),
    "less": (TokenLimits(Role.VIEWER, frozenset(), ("10.1.0.0/16",), SOON - timedelta(days=1)), ()),
    "a part of each network": (
        TokenLimits(Role.VIEWER, frozenset(), ("10.1.2.3/32", "2001:db8:1::/48"), SOON),
        (),
    ),
    "a higher role": (TokenLimits(Role.ADMIN, frozenset(), ("10.0.0.0/8",), SOON), ("role",)),
    "another scope": (
        TokenLimits(Role.VIEWER, frozenset({Scope.JOBS_READ, Scope.NUMBERS_READ}), ("10.0.0.0/8",), SOON),
        ("scopes",),
    ),
    "another network": (TokenLimits(Role.VIEWER, frozenset(), ("10.0.0.0/8", "192.0.2.0/24"), SOON), ("networks",)),
    "a larger network": (TokenLimits(Role.VIEWER, frozenset(), ("10.0.0.0/7",), SOON), ("networks",)),
    "every address": (TokenLimits(Role.VIEWER, frozenset(), (), SOON), ("networks",)),
    "a later end": (
        TokenLimits(Role.VIEWER, frozenset(), ("10.0.0.0/8",), SOON + timedelta(microseconds=1)),
        ("expires_at",),
    ),
    "no end": (TokenLimits(Role.VIEWER, frozenset(), ("10.0.0.0/8",), None), ("expires_at",)),
    "all of it": (TokenLimits(), ("role", "scopes", "networks", "expires_at")),
}


@pytest.mark.parametrize(("token", "fields"), EXCEEDING.values(), ids=EXCEEDING)
def test_r35_a_token_never_exceeds_its_maker(token: TokenLimits, fields: tuple[str, ...]) -> None:
    maker, _ = EXCEEDING["the same"]
    assert permissions.check_new_token(maker, token) == fields


def test_r35_a_maker_without_limits_limits_nothing() -> None:
    for token, _ in EXCEEDING.values():
        assert permissions.check_new_token(TokenLimits(), token) == ()


def test_r35_a_token_passes_on_its_present_role_and_its_own_limits() -> None:
    limits = TokenLimits(Role.ADMIN, ALL_SCOPES, ("10.0.0.0/8",), SOON)
    acting = Actor(TENANT, "t", role=Role.VIEWER, scopes=ALL_SCOPES, token=ActingToken(1, 7, limits))
    assert acting.limits == replace(limits, role=Role.VIEWER)
    assert actor(Role.ADMIN).limits == TokenLimits()


@pytest.mark.parametrize(
    ("networks", "address", "is_allowed"),
    [
        ((), "203.0.113.7", True),
        ((), "nonsense", True),
        (("203.0.113.0/24",), "203.0.113.7", True),
        (("203.0.113.0/24",), "::ffff:203.0.113.7", True),
        (("203.0.113.0/24",), "203.0.114.7", False),
        (("203.0.113.0/24",), "2001:db8::1", False),
        (("203.0.113.0/24", "2001:db8::/32"), "2001:db8::1", True),
        (("203.0.113.0/24",), "", False),
        (("203.0.113.0/24",), "203.0.113.7:443", False),
        (("0.0.0.0/0",), "unknown", False),
    ],
)
def test_r35_networks(networks: tuple[str, ...], address: str, is_allowed: bool) -> None:
    found = permissions.check_network(TokenLimits(networks=networks), address)
    assert (found is None) == is_allowed


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("198.51.100.0/24", "198.51.100.0/24"),
        (" 198.51.100.7 ", "198.51.100.7/32"),
        ("2001:DB8:0::/32", "2001:db8::/32"),
        ("2001:db8::1", "2001:db8::1/128"),
        ("198.51.100.0/255.255.255.0", "198.51.100.0/24"),
    ],
)
def test_networks_are_normalised(text: str, stored: str) -> None:
    assert bodies.NewToken(name="x", networks=[text]).networks == [stored]


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("198.51.100.7/24", "198.51.100.0/24"),
        ("office", "like 198.51.100.0/24"),
        ("198.51.100.0/33", "like 198.51.100.0/24"),
        ("::ffff:198.51.100.0/120", "write IPv4 networks as such"),
        ("fe80::1%eth0/64", "write it as fe80::/64"),
        ("", "like 198.51.100.0/24"),
    ],
)
def test_what_is_no_network_is_refused_with_a_fix(text: str, fix: str) -> None:
    with pytest.raises(ValueError, match=fix):
        bodies.NewToken(name="x", networks=[text])


@pytest.mark.parametrize(
    ("admin_id", "code"), [(7, "FORBIDDEN"), (8, None)], ids=["their own account", "another account"]
)
def test_r1_r35_nobody_changes_their_own_account(admin_id: int, code: str | None) -> None:
    assert permissions.check_change_person(actor(Role.ADMIN), admin_id) == code


@pytest.mark.parametrize(
    ("role", "tenant", "code"),
    [(Role.ADMIN, 2, None), (Role.OPERATOR, 2, "INVALID_FIELD"), (Role.ADMIN, 3, "INVALID_FIELD")],
)
def test_r35_tokens_go_to_an_admin_of_the_same_tenant(role: Role, tenant: int, code: str | None) -> None:
    assert permissions.check_heir(role, 2, tenant) == code
