"""The rules about tenants and carriers, asked without a database: R1, R3, R7, R9, R21."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from schemas import permissions
from schemas.name_matching import LONGEST, collapse_spaces
from schemas.permissions import Tenant, TenantKind
from schemas.request_problems import RequestCode

MASTER, RESELLER, ENTERPRISE = TenantKind


def tenant(number: int, kind: TenantKind, *above: int) -> Tenant:
    return Tenant(number, f"id-{number}", kind, f"Tenant {number}", (*above, number))


TREE = {
    "master": tenant(1, MASTER),
    "north": tenant(2, RESELLER, 1),
    "south": tenant(3, RESELLER, 1),
    "clinic": tenant(4, ENTERPRISE, 1, 2),
    "hotel": tenant(5, ENTERPRISE, 1, 2),
    "school": tenant(6, ENTERPRISE, 1, 3),
}
BELOW = {
    "master": set(TREE),
    "north": {"north", "clinic", "hotel"},
    "south": {"south", "school"},
    "clinic": {"clinic"},
    "hotel": {"hotel"},
    "school": {"school"},
}
PAIRS = list(itertools.product(TREE, TREE))
OK, HIDDEN, FORBIDDEN, INVALID = None, RequestCode.NOT_FOUND, RequestCode.FORBIDDEN, RequestCode.INVALID_FIELD


@pytest.mark.parametrize(("actor", "other"), PAIRS)
def test_r3_a_tenant_outside_the_tree_does_not_exist(actor: str, other: str) -> None:
    expected = OK if other in BELOW[actor] else HIDDEN
    assert permissions.check_tenant(TREE[actor], TREE[other]) is expected
    assert permissions.check_tenant(TREE[actor], None) is HIDDEN


@pytest.mark.parametrize(("actor", "parent"), PAIRS)
@pytest.mark.parametrize("kind", TenantKind)
def test_r1_who_makes_what_where(actor: str, parent: str, kind: TenantKind) -> None:
    """The seven ways to make a tenant; everything else is refused."""
    allowed = {
        ("master", "master", RESELLER),
        *(("master", reseller, ENTERPRISE) for reseller in ("north", "south")),
        *((reseller, reseller, ENTERPRISE) for reseller in ("north", "south")),
    }
    code = permissions.check_create_tenant(TREE[actor], TREE[parent], kind, allow_external_numbers=False)
    assert (code is OK) == ((actor, parent, kind) in allowed)
    if TREE[actor].kind is ENTERPRISE or kind in {MASTER, TREE[actor].kind}:
        assert code is FORBIDDEN
    elif parent not in BELOW[actor]:
        assert code is HIDDEN


def test_r21_only_enterprises_have_allow_external_numbers() -> None:
    master, north = TREE["master"], TREE["north"]
    assert permissions.check_create_tenant(master, master, RESELLER, allow_external_numbers=True) is INVALID
    assert permissions.check_create_tenant(north, north, ENTERPRISE, allow_external_numbers=True) is OK


@pytest.mark.parametrize(
    ("actor", "target", "field", "expected"),
    [
        ("master", "hotel", "allow_external_numbers", OK),
        ("north", "hotel", "allow_external_numbers", OK),
        ("hotel", "hotel", "allow_external_numbers", FORBIDDEN),
        ("north", "north", "allow_external_numbers", INVALID),
        ("master", "master", "allow_external_numbers", INVALID),
        ("clinic", "hotel", "allow_external_numbers", HIDDEN),
        ("south", "hotel", "allow_external_numbers", HIDDEN),
        ("master", "master", "name", OK),
        ("master", "north", "name", OK),
        ("north", "hotel", "name", OK),
        ("north", "north", "name", FORBIDDEN),
        ("hotel", "hotel", "name", FORBIDDEN),
        ("hotel", "north", "name", HIDDEN),
        ("hotel", "hotel", "default_voice_carrier", OK),
        ("north", "north", "default_sms_carrier_profile", OK),
        ("north", "hotel", "default_voice_carrier", OK),
        ("hotel", "clinic", "default_voice_carrier", HIDDEN),
    ],
)
def test_r7_r9_r21_what_may_be_changed(actor: str, target: str, field: str, expected: RequestCode | None) -> None:
    assert permissions.check_change_tenant(TREE[actor], TREE[target], {field}) is expected


@pytest.mark.parametrize(("actor", "target"), PAIRS)
def test_r1_a_tenant_is_deleted_from_above(actor: str, target: str) -> None:
    inside = FORBIDDEN if actor == target else OK
    expected = inside if target in BELOW[actor] else HIDDEN
    assert permissions.check_delete_tenant(TREE[actor], TREE[target]) is expected


@pytest.mark.parametrize(("actor", "owner"), PAIRS)
def test_r7_carriers_are_seen_below_and_above_and_changed_by_their_own_level(actor: str, owner: str) -> None:
    seen = owner in BELOW[actor] or actor in BELOW[owner]
    assert permissions.check_carrier(TREE[actor], TREE[owner]) is (OK if seen else HIDDEN)
    changed = permissions.check_change_carrier(TREE[actor], TREE[owner])
    assert changed is (OK if actor == owner else FORBIDDEN if seen else HIDDEN)
    assert permissions.check_change_carrier(TREE[actor], None) is HIDDEN


@pytest.mark.parametrize("actor", TREE)
def test_r7_carriers_are_defined_by_master_and_resellers(actor: str) -> None:
    expected = FORBIDDEN if TREE[actor].kind is ENTERPRISE else OK
    assert permissions.check_create_carrier(TREE[actor]) is expected


@pytest.mark.parametrize(("actor", "owner"), PAIRS)
@pytest.mark.parametrize("may_upload", [True, False])
def test_r32_profiles_are_seen_below_and_changed_by_their_own_tenant(
    actor: str, owner: str, *, may_upload: bool
) -> None:
    """R8, R9: an enterprise creates and changes profiles only while it may upload."""
    tenant = replace(TREE[actor], allow_external_numbers=may_upload)
    expected = OK if may_upload or tenant.kind is not ENTERPRISE else FORBIDDEN
    assert permissions.check_create_profile(tenant) is expected
    seen = actor in BELOW[owner]
    assert permissions.check_profile(tenant, TREE[owner]) is (OK if seen else HIDDEN)
    changed = permissions.check_change_profile(tenant, TREE[owner])
    assert changed is (expected if actor == owner else FORBIDDEN if seen else HIDDEN)
    assert permissions.check_change_profile(tenant, None) is permissions.check_profile(tenant, None) is HIDDEN


def test_what_is_used_stays() -> None:
    assert permissions.check_unused([]) is None
    assert permissions.check_unused(["numbers"]) is RequestCode.IN_USE


@pytest.mark.parametrize(
    ("given", "kept"), [("Acme", "Acme"), ("  Acme \n", "Acme"), ("Acme   Ltd", "Acme Ltd"), ("n" * LONGEST,) * 2]
)
def test_names_are_tidied(given: str, kept: str) -> None:
    assert collapse_spaces(given) == kept


@pytest.mark.parametrize("given", ["", "  ", "a\nb", "a\x00b", "a\u202eb", "a\ud800", "n" * (LONGEST + 1)])
def test_names_that_are_none(given: str) -> None:
    with pytest.raises(ValueError, match="printable"):
        collapse_spaces(given)
