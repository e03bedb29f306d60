"""Import profiles in the database: for whom they are, which one is taken, and their bounds (R32)."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import sqlalchemy as sa

from schemas.column_mapping import ColumnMapping
from schemas.columns import Column
from schemas.database import tables
from tests.support.factories import Account, World
from worker.accounts import tenants
from worker.accounts.tenants import GoneError
from worker.jobs import import_profiles
from worker.jobs.import_profiles import NameTakenError, Profile, TooLargeError, TooManyError, signature

HEADERS = ("TN", "Type", "Provider")
MAPPING = ColumnMapping({Column.PHONE_NUMBER: "TN"}, {Column.VOICE: "TRUE"}).to_json()


def save(connection: sa.Connection, owner: Account, name: str = "Carrier X", **parts: Any) -> Profile:  # noqa: ANN401 - parts
    values = {"mapping": MAPPING, "options": {"number_format": "national"}, "headers": HEADERS, **parts}
    public_id = import_profiles.save(connection, owner.id, name, created_by="test", **values)
    found = import_profiles.find(connection, owner.tenant, public_id)
    assert found is not None
    return found


@pytest.mark.parametrize(
    "headers",
    [
        ("Provider", "TN", "Type"),
        (" tn ", "TYPE", "pro-vider", "", "  "),
        ("tn", "type", "Provider", "_result", " _code"),
    ],
)
def test_r32_files_with_the_same_column_names_have_the_same_signature(headers: tuple[str, ...]) -> None:
    assert signature(headers) == signature(HEADERS)
    assert len(signature(headers)) == 32


@pytest.mark.parametrize(
    "headers",
    [("TN", "Type"), ("TN", "Type", "Provider", "Provider"), ("TN", "TypeProvider"), ("TN", "Type", "Provider", "#")],
)
def test_r32_files_with_other_column_names_have_another_signature(headers: tuple[str, ...]) -> None:
    assert signature(headers) not in {signature(HEADERS), b""}


@pytest.mark.parametrize("headers", [(), ("",), ("  ", "_row", "_result")])
def test_r32_a_file_without_column_names_has_no_signature(headers: tuple[str, ...]) -> None:
    assert signature(headers) == b""


def test_a_profile_is_found_as_it_was_saved(database: sa.Engine, world: World) -> None:
    with database.begin() as connection:
        profile = save(connection, world.north)
        assert ColumnMapping.from_json(profile.mapping).to_json() == MAPPING
        assert (profile.name, profile.options, profile.headers) == (
            "Carrier X",
            {"number_format": "national"},
            HEADERS,
        )
        assert (profile.tenant_id, profile.signature) == (world.north.id, signature(HEADERS))
        assert import_profiles.find(connection, world.north.tenant, " carrier  x") == profile


@pytest.mark.parametrize(
    ("owner", "users"),
    [
        ("master", {"master", "north", "south", "clinic", "hotel", "school"}),
        ("north", {"north", "clinic", "hotel"}),
        ("clinic", {"clinic"}),
    ],
)
def test_r32_a_profile_is_for_its_tenant_and_those_below(
    database: sa.Engine, world: World, owner: str, users: set[str]
) -> None:
    with database.begin() as connection:
        profile = save(connection, getattr(world, owner))
        for name in ("master", "north", "south", "clinic", "hotel", "school"):
            tenant = getattr(world, name).tenant
            expected = profile if name in users else None
            assert import_profiles.find(connection, tenant, profile.public_id) == expected
            assert import_profiles.find(connection, tenant, profile.name) == expected
            assert import_profiles.applicable(connection, tenant) == ([profile] if expected else [])


def test_r32_the_nearest_tenants_profile_is_taken(database: sa.Engine, world: World) -> None:
    with database.begin() as connection:
        far, near = save(connection, world.master), save(connection, world.north)
        save(connection, world.hotel)
        for tenant, expected in ((world.clinic, near), (world.north, near), (world.south, far)):
            profiles = import_profiles.applicable(connection, tenant.tenant)
            assert import_profiles.taken(profiles, signature(HEADERS)) == expected
            assert import_profiles.find(connection, tenant.tenant, "Carrier X") == expected
            assert import_profiles.taken(profiles, signature(["Nummer", "Typ"])) is None


def test_r32_two_alike_are_asked_about(database: sa.Engine, world: World) -> None:
    with database.begin() as connection:
        save(connection, world.master)
        both = (save(connection, world.north, "A"), save(connection, world.north, "B", headers=HEADERS[::-1]))
        save(connection, world.north, "0", headers=("Nummer",))
        profiles = import_profiles.applicable(connection, world.clinic.tenant)
        assert [profile.name for profile in profiles] == ["0", "A", "B", "Carrier X"]
        assert import_profiles.taken(profiles, signature(HEADERS)) == both


def test_r32_no_profile_is_taken_for_a_file_without_column_names(database: sa.Engine, world: World) -> None:
    with database.begin() as connection:
        save(connection, world.north, headers=())
        profiles = import_profiles.applicable(connection, world.north.tenant)
        assert len(profiles) == 1
        assert import_profiles.taken(profiles, b"") is None


def test_names_are_unique_within_a_tenant(database: sa.Engine, world: World) -> None:
    with database.begin() as connection:
        profile, other = save(connection, world.north), save(connection, world.north, "Other")
        save(connection, world.south)
        with pytest.raises(NameTakenError):
            save(connection, world.north, " CARRIER  x ")
        with pytest.raises(NameTakenError):
            import_profiles.change(connection, other.id, {"name": "carrier X"})
        import_profiles.change(connection, profile.id, {"name": "CARRIER X"})
        changed = import_profiles.find(connection, world.north.tenant, profile.public_id)
        assert changed is not None
        assert (changed.name, changed.mapping) == ("CARRIER X", MAPPING)


def test_other_column_names_give_another_signature(database: sa.Engine, world: World) -> None:
    with database.begin() as connection:
        profile = save(connection, world.north)
        import_profiles.change(connection, profile.id, {"headers": ["Nummer"], "mapping": {}})
        changed = import_profiles.find(connection, world.north.tenant, profile.public_id)
        assert changed is not None
        assert (changed.headers, changed.signature) == (("Nummer",), signature(["Nummer"]))
        assert (changed.mapping, changed.options) == ({}, profile.options)


def test_a_tenant_has_a_bounded_number_of_profiles(
    database: sa.Engine, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_profiles, "MOST_PER_TENANT", 2)
    monkeypatch.setattr(import_profiles, "MOST_APPLICABLE", 3)
    with database.begin() as connection:
        for owner in (world.master, world.north):
            for name in ("A", "B"):
                save(connection, owner, name)
            with pytest.raises(TooManyError):
                save(connection, owner, "C")
        profiles = import_profiles.applicable(connection, world.clinic.tenant)
        assert [(profile.tenant_id, profile.name) for profile in profiles] == [
            (world.north.id, "A"),
            (world.north.id, "B"),
            (world.master.id, "A"),
        ]
        import_profiles.delete(connection, profiles[0].id)
        save(connection, world.north, "C")


def test_a_profile_has_a_bounded_size(database: sa.Engine, world: World) -> None:
    half = ["é" * (import_profiles.LARGEST // 4)]
    with database.begin() as connection:
        profile = save(connection, world.north, headers=half)
        with pytest.raises(TooLargeError):
            save(connection, world.north, "B", headers=half * 2)
        with pytest.raises(TooLargeError):
            import_profiles.change(connection, profile.id, {"mapping": {"constants": {"Voice": half[0]}}})


def test_profiles_go_with_their_tenant(database: sa.Engine, world: World) -> None:
    with database.begin() as connection:
        profile = save(connection, world.hotel)
        tenants.hold(connection, world.hotel.tenant, to_delete=True)
        assert tenants.used_by(connection, world.hotel.tenant) == []
        tenants.remove(connection, world.hotel.tenant)
        assert connection.execute(sa.select(tables.import_profiles)).all() == []
        with pytest.raises(GoneError):
            save(connection, world.hotel)
        with pytest.raises(GoneError):
            import_profiles.change(connection, profile.id, {"name": "B"})


def test_two_at_once_do_not_get_the_same_name(database: sa.Engine, world: World) -> None:
    """The second waits for the first, and then sees its name: also where only `fold` finds the two alike."""
    results: list[str] = []

    def second() -> None:
        with database.begin() as connection:
            try:
                import_profiles.save(connection, world.north.id, "strasse", {}, {}, (), "second")
            except NameTakenError:
                results.append("taken")

    thread = threading.Thread(target=second)
    with database.begin() as connection:
        import_profiles.save(connection, world.north.id, "Straße", {}, {}, (), "first")
        thread.start()
        thread.join(0.2)
        assert results == []
    thread.join(20)
    assert results == ["taken"]


def test_noting_the_use_of_a_profile_never_waits(database: sa.Engine, world: World) -> None:
    last_used = sa.select(tables.import_profiles.c.last_used_at)
    with database.begin() as connection:
        profile = save(connection, world.north)
    with database.begin() as first, database.begin() as second:
        second.execute(sa.text("SET LOCAL lock_timeout = '1s'"))
        import_profiles.mark_used(first, profile.id)
        import_profiles.mark_used(second, profile.id)
    with database.begin() as connection:
        assert connection.execute(last_used).scalar_one() is not None
