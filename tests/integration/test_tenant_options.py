"""Fields and lists that name tenants cost the same on a platform with thousands of them (R3)."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from schemas.permissions import Tenant, TenantKind
from tests.support import factories, many_tenants
from tests.support.factories import World
from tests.support.html_forms import form_of
from tests.support.portal_client import Portal, signed_in
from tests.support.servers import databases
from worker.accounts import tenant_options
from worker.accounts.tenant_options import TenantOptions
from worker.database import tenant_scope

MOST = 51
NAMESAKE = "5f0c8a52-7c3e-4a57-9d5e-0d6a4d6b6f11"


def look_up(connection: sa.Connection, actor: Tenant, shown: list[str]) -> int:
    """Return how many rows the options, one that is chosen, and the names of a list's tenants are read from."""
    before = databases.rows_read(connection)
    for kind in (None, TenantKind.ENTERPRISE):
        options = TenantOptions(actor, own=False, kind=kind)
        assert len(options.first(connection, MOST)) == MOST
        assert options.find(connection, shown[0]) is not None
    assert len(tenant_options.names(connection, actor, shown)) == len(shown)
    return databases.rows_read(connection) - before


@pytest.mark.long
def test_options_read_as_many_rows_however_many_tenants_there_are(database: sa.Engine, world: World) -> None:
    """Of 60 enterprises of a reseller, and of 2,000 tenants of others besides."""
    with database.begin() as connection:
        shown = [factories.tenant(connection, world.north.tenant, TenantKind.ENTERPRISE).public_id for _ in range(60)]
    counts = []
    for resellers in (1, 100):
        many_tenants.add(database, world, resellers)
        with database.connect() as connection:
            counts.append([look_up(connection, account.tenant, shown) for account in (world.master, world.north)])
    for few, many in zip(*counts, strict=True):
        assert many <= few + 200, counts  # the resellers, before whose enterprises there are


@pytest.mark.parametrize("looker", ["master", "north", "clinic"])
@pytest.mark.parametrize("kind", [None, TenantKind.RESELLER, TenantKind.ENTERPRISE])
@pytest.mark.parametrize("own", [True, False])
def test_r3_options_are_those_below_and_no_others(
    database: sa.Engine, world: World, looker: str, kind: TenantKind | None, own: bool
) -> None:
    actor = getattr(world, looker).tenant
    with database.connect() as connection:
        everybody = tenant_scope.tenants_below(connection, world.master.tenant)
        expected = {
            tenant.public_id: tenant.name
            for tenant in tenant_scope.tenants_below(connection, actor).values()
            if kind in {None, tenant.kind} and (own or tenant.id != actor.id)
        }
        options = TenantOptions(actor, own, kind)
        first, every = options.first(connection, MOST), options.every(connection)
        assert {option.public_id: option.name for option in first} == expected
        assert sorted(first) == sorted(every)
        for option in every:
            assert option.parent == (None if option.parent_id is None else everybody[option.parent_id].name)
        ids = [tenant.public_id for tenant in everybody.values()]
        chosen = {public_id: options.find(connection, public_id) for public_id in ids}
        assert {public_id for public_id, option in chosen.items() if option is not None} == set(expected)
        below = {tenant.public_id for tenant in tenant_scope.tenants_below(connection, actor).values()}
        assert set(tenant_options.names(connection, actor, ids)) == below


@pytest.fixture
def hundreds(database: sa.Engine, world: World) -> World:
    """Two resellers with an enterprise of the same name, and others of 60."""
    with database.begin() as connection:
        for step in range(60):
            factories.tenant(connection, world.north.tenant, TenantKind.ENTERPRISE, name=f"Branch {step:02}")
        factories.tenant(connection, world.south.tenant, TenantKind.ENTERPRISE, name="Branch 07", public_id=NAMESAKE)
    return world


def test_an_enterprise_is_found_among_hundreds_as_among_few(hundreds: World, database: sa.Engine) -> None:
    """By its name, by a part of it, and by its suggestion where others have the same name; with its case folded."""
    master, north = (signed_in(database, account.tenant) for account in (hundreds.master, hundreds.north))
    both = form_of(master.get("/users?tenant=bRANCH+07"), "/users", "get")
    assert len(both.options("tenant_id")) == 3
    south = "Branch 07 (Southern Reseller)"
    assert f'value="{south}"' in master.get("/choices/tenants?tenant=branch+07").get_data(as_text=True)
    assert f"tenant_id={NAMESAKE}" in master.get("/users?tenant=branch+07+(southern+reseller)").get_data(as_text=True)
    assert text_field(master, f"/users?tenant_id={NAMESAKE}") == south
    in_north = north.get("/users?tenant=branch+07")
    assert in_north.status_code == 200
    assert NAMESAKE not in in_north.get_data(as_text=True)
    assert text_field(north, f"/users?tenant_id={NAMESAKE}") == ""
    assert text_field(master, f"/users?tenant_id={hundreds.school.tenant.public_id}") != ""
    assert text_field(north, f"/users?tenant_id={hundreds.school.tenant.public_id}") == ""
    assert text_field(master, f"/users?tenant_id={hundreds.north.tenant.public_id}") == ""  # no enterprise


def text_field(browser: Portal, path: str) -> str:
    fields = dict(form_of(browser.get(path), "/users", "get").pairs("", {}))
    return fields["tenant"]
