"""What a list of numbers holds: each filter, two together, and each looker, against plain Python over every number.

R3 (only one's own tree), R5 (what a number has), R24 (what "unassigned" means).
"""

from __future__ import annotations

import functools
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import pytest
import sqlalchemy as sa
from flask import g

from schemas.database import tables
from schemas.http.resources import NumbersQuery
from schemas.permissions import Actor, Tenant, TenantKind
from tests.support import factories
from tests.support.api_client import Door
from tests.support.factories import World
from tests.support.servers import databases
from webhook.services import numbers
from worker.database import tenant_scope
from worker.numbers import facets, occupied_ranges, queries, search, selections
from worker.numbers import filters as number_filters
from worker.numbers.filters import NumberFilter, ResolvedFilter

# Country, and where its numbers begin; two of a shared calling code, one of a region that is not the main one of its.
PLACES = (
    ("US", 12125550000),
    ("US", 13055550000),
    ("CA", 14165550000),
    ("GB", 442070000000),
    ("GG", 441481250000),
    ("DE", 493012340000),
    ("IT", 390698765000),
    ("KZ", 77172550000),
    ("RU", 74952120000),
    ("001", 80012340000),
)
COUNT = 400


@dataclass(frozen=True)
class Known:
    """A number as the test knows it."""

    e164: int
    country: str
    holder: Tenant
    uploader: Tenant
    voice: bool
    sms: bool
    fax: bool
    carriers: frozenset[str]
    users: frozenset[str]
    free_for: frozenset[str]

    @property
    def status(self) -> str:
        return "assigned" if self.users or self.holder.id != self.uploader.id else "unassigned"


@dataclass(frozen=True)
class Stock:
    """All numbers, and who looks at them."""

    numbers: list[Known]
    lookers: dict[str, Tenant]
    users: list[str]


@pytest.fixture
def stock(database: sa.Engine, world: World) -> Stock:
    rng = random.Random(7)
    line = {
        name: [getattr(world, one) for one in names]
        for name, names in {
            "master": ["master"],
            "north": ["master", "north"],
            "south": ["master", "south"],
            "clinic": ["master", "north", "clinic"],
            "hotel": ["master", "north", "hotel"],
            "school": ["master", "south", "school"],
        }.items()
    }
    numbers, rows, people = [], [], {}
    with database.begin() as connection:
        for name in ("clinic", "hotel", "school"):
            ids = [factories.user(connection, getattr(world, name).tenant) for _ in range(2)]
            people[name] = [(one, factories.public_id(connection, tables.users, one)) for one in ids]
        for place in range(COUNT):
            country, first = rng.choice(PLACES)
            holder = rng.choice(list(line))
            uploader = rng.choice(line[holder]).tenant
            voice, sms = (rng.choice([None, *_names(world, service)]) for service in ("voice", "SMS"))
            users = [rng.choice(people[holder]) if holder in people and rng.random() < 0.4 else None for _ in range(2)]
            known = Known(
                first + place,
                country,
                getattr(world, holder).tenant,
                uploader,
                voice is not None or rng.random() < 0.2,
                sms is not None,
                rng.random() < 0.05,
                frozenset(one for one in (voice, sms) if one),
                frozenset(one[1] for one in users if one),
                frozenset(name for name, one in zip(("voice", "sms"), users, strict=True) if one is None),
            )
            ids_of_users = [None if one is None else one[0] for one in users]
            row = factories.number_row(
                known.e164,
                known.holder,
                country=country,
                uploader_id=uploader.id,
                voice=known.voice,
                sms=known.sms,
                fax=known.fax,
                voice_carrier_id=world.carriers.get(voice),
                sms_carrier_id=world.carriers.get(sms),
                voice_user_id=ids_of_users[0],
                sms_user_id=ids_of_users[1],
            )
            rows.append(row)
            numbers.append(known)
        factories.numbers(connection, rows)
    lookers = {name: getattr(world, name).tenant for name in line}
    return Stock(numbers, lookers, [one[1] for found in people.values() for one in found])


def _names(world: World, service: str) -> list[str]:
    return [name for name in world.carriers if name.lower().endswith(service.lower())]


def expected(stock: Stock, looker: Tenant, wanted: NumberFilter) -> list[int]:
    """What a list must hold, number by number."""
    tests: dict[str, Callable[[Known, Any], bool]] = {
        "q": lambda number, q: _is_typed(number.e164, q),
        "status": lambda number, status: number.status == status,
        "capability": getattr,
        "country": _is_in,
        "carrier": lambda number, name: name.lower() in {one.lower() for one in number.carriers},
        "tenant_id": lambda number, public_id: number.holder.public_id == public_id,
        "uploaded_by": lambda number, public_id: number.uploader.public_id == public_id,
        "user_id": lambda number, public_id: public_id in number.users,
        "free_for": lambda number, service: getattr(number, service) and service in number.free_for,
        "ends_with": lambda number, digits: str(number.e164).endswith(digits),
        "user_kind": lambda number, kind: kind == "pbx" and bool(number.users),
    }
    asked = {one.name: getattr(wanted, one.name) for one in fields(wanted) if getattr(wanted, one.name) is not None}
    return sorted(
        number.e164
        for number in stock.numbers
        if number.holder.is_within(looker) and all(tests[name](number, value) for name, value in asked.items())
    )


def _is_in(number: Known, country: str) -> bool:
    digits = country.lstrip("+")
    if digits.isdigit() and digits != "001":
        return str(number.e164).startswith(digits)
    return number.country == country.upper()


def _is_typed(e164: int, q: str) -> bool:
    """As the field's description says it, with the national prefixes of the countries in `PLACES`."""
    text, digits = str(e164), "".join(filter(str.isdigit, q))
    if q.startswith("+"):
        return text.startswith(digits)
    codes = {"1": "1", "44": "0", "49": "0", "39": None, "7": "8", "800": None}
    (code,) = (code for code in sorted(codes, key=len, reverse=True) if text.startswith(code))
    national, trunk = text.removeprefix(code), codes[code]
    without = digits.removeprefix(trunk) if trunk else ""
    return text.startswith(digits) or national.startswith(digits) or bool(without and national.startswith(without))


def filters(stock: Stock) -> dict[str, list[str]]:
    """Values for each filter: that many have, that few have, that nobody has."""
    ids = [tenant.public_id for tenant in stock.lookers.values()]
    return {
        "q": ["+1 (212) 555", "212-555", "0207", "207", "8 495", "30 1234", "2", "0", "06.98", "+999", "1 416"],
        "status": ["assigned", "unassigned"],
        "capability": ["voice", "sms", "fax"],
        "country": ["US", "us", "CA", "GB", "GG", "KZ", "RU", "IT", "001", "+44", "1", "FR", "ZZ"],
        "carrier": ["Master Voice", "north SMS", "South voice", "Nobody's"],
        "tenant_id": [*ids, "no id", "00000000-0000-0000-0000-000000000000"],
        "uploaded_by": [*ids, "no id"],
        "user_id": [*stock.users, "no id"],
        "free_for": ["voice", "sms"],
        "ends_with": ["0042", "00107", "5042", "9999"],
        "user_kind": ["pbx", "trunk"],
    }


def resolved(connection: sa.Connection, looker: Tenant, asked: NumberFilter) -> ResolvedFilter:
    return number_filters.resolve(connection, Actor(looker, "test"), asked)


def listed(
    connection: sa.Connection, looker: Tenant, asked: NumberFilter, limit: int, after: int | None = None
) -> list[int]:
    return page_of(connection, resolved(connection, looker, asked).beyond(after), limit)


def page_of(connection: sa.Connection, wanted: ResolvedFilter, limit: int) -> list[int]:
    return [view.row.e164 for view in queries.page(connection, wanted, limit).views]


# Each in several stretches of the order of all numbers; each a matter of who holds them, or of which kind they are.
SPREAD: list[dict[str, Any]] = [{"q": "2"}, {"q": "3"}]
NARROW: list[dict[str, Any]] = [{"status": "assigned"}, {"capability": "sms"}, {"carrier": "north SMS"}]


def asked_for(stock: Stock, pairs: int) -> list[NumberFilter]:
    """Every value alone, what stands in several places with what few have, and some of all pairs."""
    single: list[dict[str, Any]] = [{name: value} for name, values in filters(stock).items() for value in values]
    both = [one | other for one, other in itertools.combinations(single, 2) if one.keys() != other.keys()]
    apart = [one | other for one, other in itertools.product(SPREAD, NARROW)]
    return [NumberFilter(**one) for one in ({}, *single, *apart, *random.Random(3).sample(both, pairs))]


@pytest.mark.long
def test_each_filter_and_pairs_of_them_for_each_looker(database: sa.Engine, stock: Stock) -> None:
    with database.connect() as connection:
        for wanted, (name, looker) in itertools.product(asked_for(stock, 60), stock.lookers.items()):
            numbers, query = expected(stock, looker, wanted), resolved(connection, looker, wanted)
            assert page_of(connection, query, COUNT) == numbers, (name, wanted)
            assert selections.count(connection, query) == len(numbers), (name, wanted)


@pytest.mark.long
def test_pages_follow_one_another_without_gap_or_repeat(database: sa.Engine, stock: Stock) -> None:
    wanted = [NumberFilter(), NumberFilter(status="assigned"), NumberFilter(q="2"), NumberFilter(carrier="master sms")]
    with database.connect() as connection:
        for one, looker in itertools.product(wanted, stock.lookers.values()):
            found: list[int] = []
            while page := listed(connection, looker, one, 7, next(reversed(found), None)):
                found += page
            assert found == expected(stock, looker, one)


# How a search goes on where there are many places: `_MANY_PLACES`, `_TOO_MANY_PLACES` and `_THIN` that lead to it.
WAYS = {
    "groups": (0, 10**9, 0),
    "kinds": (10**9, 0, 0),
    "neither": (0, 0, 0),
    "both": (10**9, 10**9, 0),
    "some spans one by one": (0, 10**9, 45),
    "all spans one by one": (10**9, 0, 10**9),
}


@pytest.mark.long
@pytest.mark.parametrize("name", ["master", "north", "south", "clinic", "hotel", "school"])
def test_many_places_are_looked_at_by_fewer_groups_in_one_stretch_or_one_by_one(
    database: sa.Engine, stock: Stock, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """What is wanted is worked out once for all ways of looking at it."""
    monkeypatch.setattr(search, "_GLANCES", (1, 2))
    looker = stock.lookers[name]
    with database.connect() as connection:
        for wanted in asked_for(stock, 20):
            numbers, query = expected(stock, looker, wanted), resolved(connection, looker, wanted)
            for way, (many, too_many, thin) in WAYS.items():
                monkeypatch.setattr(search, "_MANY_PLACES", many)
                monkeypatch.setattr(search, "_TOO_MANY_PLACES", too_many)
                monkeypatch.setattr(search, "_THIN", thin)
                assert search.first(connection, query, COUNT) == numbers, (way, wanted)
                assert page_of(connection, query, 3) == numbers[:3], (way, wanted)
                assert selections.all_up_to(connection, query, COUNT) == numbers, (way, wanted)


@pytest.mark.long
@pytest.mark.parametrize("many_users", [False, True], ids=["few users", "many users"])
@pytest.mark.parametrize("scanned", [2, 20_000])
def test_any_that_match_are_as_many_as_wanted_and_each_once(
    database: sa.Engine, stock: Stock, monkeypatch: pytest.MonkeyPatch, scanned: int, *, many_users: bool
) -> None:
    """Whether a short search finds them or not."""
    monkeypatch.setattr(search, "_SCANNED_FIRST", scanned)
    asked = [NumberFilter(user_kind="pbx", **one) for one in ({}, *NARROW, {"status": "unassigned"}, {"q": "1"})]
    if many_users:
        monkeypatch.setattr(number_filters, "MOST_USERS", 0)
    else:
        asked += asked_for(stock, 10)
    with database.connect() as connection:
        for wanted, looker in itertools.product(asked, stock.lookers.values()):
            numbers, query = expected(stock, looker, wanted), resolved(connection, looker, wanted)
            for most in (1, 3, COUNT):
                found = list(connection.execute(search.some(connection, query, most)).scalars())
                assert len(found) == len({*found} & {*numbers}) == min(most, len(numbers)), (most, wanted)


SCANNED = "SELECT seq_scan + idx_scan FROM pg_stat_xact_user_tables WHERE relname = 'phone_numbers'"
MANY_TENANTS = """
    WITH made AS (INSERT INTO tenants (parent_id, path, kind, name)
        SELECT :above, '{}', 'enterprise', 'Enterprise ' || place FROM generate_series(1, 1000) AS place RETURNING id),
    people AS (INSERT INTO users (tenant_id, kind, name, email)
        SELECT id, 'pbx', 'Ann', 'ann' || id || '@example.com' FROM made RETURNING id, tenant_id)
    INSERT INTO phone_numbers (e164, created_job_id, changed_job_id, holder_id, uploader_id, voice, sms, fax, country,
        voice_user_id)
    SELECT 12120000000 + tenant_id * 10 + place, 0, 0, tenant_id, CASE place WHEN 0 THEN tenant_id ELSE :master END,
        true, true, false, 'US', CASE place WHEN 2 THEN id END
    FROM people, generate_series(0, 2) AS place"""
PATHS = "UPDATE tenants SET path = ARRAY[:master, :above, id] WHERE path = '{}'"


@pytest.mark.long
def test_a_short_count_reads_as_much_however_many_tenants_there_are(
    database: sa.Engine, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(number_filters, "MOST_USERS", 50)
    asked: list[dict[str, Any]] = [{}, {"status": "unassigned"}, {"status": "assigned"}, {"user_kind": "pbx"}]
    asked += [{"status": "unassigned", "capability": service} for service in ("voice", "sms")]
    asked += [{"capability": "voice"}, {"uploaded_by": world.master.tenant.public_id}]
    read: list[dict[str, int]] = []
    for above in (world.north.id, world.south.id):
        with database.begin() as connection:
            connection.execute(sa.text(MANY_TENANTS), {"above": above, "master": world.master.id})
            connection.execute(sa.text(PATHS), {"above": above, "master": world.master.id})
            connection.execute(sa.text(databases.NOTE_HOLDINGS))
        with database.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(sa.text("VACUUM ANALYZE"))
        with database.connect() as connection:
            read.append({})
            for name, filters in itertools.product(("master", "north"), asked):
                before = databases.rows_read(connection)
                wanted = resolved(connection, getattr(world, name).tenant, NumberFilter(**filters))
                assert selections.count_up_to(connection, wanted, 20) == 21
                read[-1][f"{name} {filters}"] = databases.rows_read(connection) - before
            for elsewhere in (NumberFilter(country="DE"), NumberFilter(q="+49 30")):
                before = connection.execute(sa.text(SCANNED)).scalar_one()
                assert listed(connection, world.north.tenant, elsewhere, 50) == []
                assert facets.countries(connection, Actor(world.north.tenant, "test")) == ["US"]
                # The tree has no German numbers, so its thousands of pairs of holder and uploader are not looked up.
                assert connection.execute(sa.text(SCANNED)).scalar_one() - before < 1_000, elsewhere
    # Half of the tenants at the second time, however the planner goes about it.
    assert [asking for asking, rows in (*read[0].items(), *read[1].items()) if rows >= 500] == []


@pytest.mark.long
def test_selected_and_counted_alike_however_many(
    database: sa.Engine, stock: Stock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selections, "_MANY", 30)
    with database.connect() as connection:
        for wanted, looker in itertools.product(asked_for(stock, 10), stock.lookers.values()):
            numbers, query = expected(stock, looker, wanted), resolved(connection, looker, wanted)
            assert selections.count(connection, query) == len(numbers), wanted
            assert selections.all_up_to(connection, query, 20) == (numbers if len(numbers) <= 20 else None), wanted
            selected = selections.select(connection, query, len(numbers))
            assert selected.numbers.to_pylist() == [f"+{number}" for number in numbers], wanted
            assert selections.select(connection, query, len(numbers) + 1).numbers is None


@pytest.mark.parametrize("loses", ["DELETE FROM phone_numbers", "UPDATE phone_numbers SET holder_id = uploader_id"])
@pytest.mark.parametrize("counted", [False, True], ids=["plain", "counted"])
def test_a_page_is_of_one_moment(api: Door, database: sa.Engine, world: World, loses: str, *, counted: bool) -> None:
    """R3: what leaves the looker's tree while a page is put together is not shown as another's; nor is the list cut."""
    given = [12125550100, 12125550101, 12125550102]
    with database.begin() as connection:
        for number in given:
            factories.number(connection, number, world.clinic.tenant, uploader_id=world.north.id)
    looked: list[str] = []

    def lost(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if "FROM phone_numbers" in statement and not looked:
            looked.append(statement)
            with database.begin() as connection:
                connection.execute(sa.text(f"{loses} WHERE e164 = :e164"), {"e164": given[1]})
                connection.execute(sa.text(databases.NOTE_HOLDINGS))

    query = NumbersQuery(limit=2)
    with api.client.application.app_context():
        g.actor = Actor(world.clinic.tenant, "test")
        sa.event.listen(sa.Engine, "after_cursor_execute", lost)
        try:
            found = numbers.page_counted_up_to(query, 1) if counted else numbers.page(query)
        finally:
            sa.event.remove(sa.Engine, "after_cursor_execute", lost)
    assert looked
    assert [one.e164 for one in found.data] == [f"+{number}" for number in given[:2]]
    assert {one.tenant.id for one in found.data} == {world.clinic.tenant.public_id}
    assert found.next_cursor == str(given[1])


SKEWED = """
    INSERT INTO phone_numbers (e164, created_job_id, changed_job_id, holder_id, uploader_id, voice, sms, fax, country)
    SELECT 12120000000 + place, 0, 0, CASE WHEN place % 100 = 0 THEN :some ELSE :most END, :most, true,
        place % 2 = 0, false, 'US'
    FROM generate_series(1, 40000) AS place"""


@pytest.mark.long
def test_what_others_have_is_not_read_on_the_way(database: sa.Engine, world: World) -> None:
    """R3. Where nearly all numbers are one tenant's, which is when the planner would go through all of them."""
    holders = {"most": world.north.id, "some": world.clinic.id}
    with database.begin() as connection:
        connection.execute(sa.text(SKEWED), holders)
        connection.execute(sa.text(databases.NOTE_HOLDINGS))
    with database.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("VACUUM ANALYZE phone_numbers"))
    asked: list[dict[str, Any]] = [{}, {"status": "assigned"}, {"country": "US"}, {"country": "DE"}]
    asked += [{"q": "212"}, {"q": "+1 212"}]
    asked += [{"capability": "sms"}, {"capability": "fax"}, {"carrier": "South voice"}, {"capability": "sms", "q": "2"}]
    with database.connect() as connection:
        for name, filters in itertools.product(("master", "north", "south", "clinic", "hotel"), asked):
            looker = getattr(world, name).tenant
            before = databases.rows_read(connection)
            facets.countries(connection, Actor(looker, "test"))
            wanted = resolved(connection, looker, NumberFilter(**filters))
            queries.page(connection, wanted, 50)
            selections.all_up_to(connection, wanted, 100)
            # Of the master's all are its own, and it takes a look at the next ones.
            most = 25_000 if name == "master" else 5_000
            assert databases.rows_read(connection) - before < most, (name, filters)


@pytest.mark.long
def test_where_there_are_few_numbers_is_asked_only_for_who_sees_all(
    database: sa.Engine, stock: Stock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R3: how many others have there must not tell by the way that a search takes."""
    asked: list[str] = []
    counted = occupied_ranges.counted_up_to
    with database.connect() as connection:
        for name, looker in stock.lookers.items():
            seen = functools.partial(asked.append, name)
            monkeypatch.setattr(occupied_ranges, "counted_up_to", lambda *given, seen=seen: seen() or counted(*given))
            for spread, narrow in itertools.product(SPREAD, NARROW):
                selections.count(connection, resolved(connection, looker, NumberFilter(**spread, **narrow)))
    assert set(asked) == {"master"}


FURTHER = "SELECT setval(pg_get_serial_sequence(:name, 'id'), :before)"


def test_kinds_that_look_alike_are_told_apart(database: sa.Engine, world: World) -> None:
    """In the index a kind is a hash, in which an SMS carrier's 4,096 is a voice carrier's 1."""
    holder, first = world.north.tenant, 12125550100
    with database.begin() as connection:
        voice = factories.carrier(connection, holder, "voice", "One for voice")
        connection.execute(sa.text(FURTHER), {"name": "carriers", "before": (voice << 12) - 1})
        sms = factories.carrier(connection, holder, "sms", "Another for SMS")
        assert sms == voice << 12
        factories.number(connection, first, holder, sms=True, voice_carrier_id=voice)
        factories.number(connection, first + 1, holder, sms=True, sms_carrier_id=sms)
        assert_alike(connection)
    with database.connect() as connection:
        assert listed(connection, holder, NumberFilter(carrier="One for voice"), 5) == [first]
        assert listed(connection, holder, NumberFilter(carrier="Another for SMS"), 5) == [first + 1]
        assert listed(connection, holder, NumberFilter(capability="sms"), 5) == [first, first + 1]


def test_uploaders_that_look_alike_are_told_apart(database: sa.Engine, world: World) -> None:
    """In the index only four bits are left of who uploaded it."""
    master, first = world.master.tenant, 12125550100
    with database.begin() as connection:
        connection.execute(sa.text(FURTHER), {"name": "tenants", "before": master.id + 15})
        holder = factories.tenant(connection, master, TenantKind.RESELLER)
        assert holder.id == master.id + 16
        factories.number(connection, first, holder, uploader_id=master.id)
        factories.number(connection, first + 1, holder, voice_user_id=factories.user(connection, holder))
        assert_alike(connection)
    with database.connect() as connection:
        for uploader, number in ((master, first), (holder, first + 1)):
            asked = NumberFilter(capability="voice", uploaded_by=uploader.public_id)
            assert listed(connection, master, asked, 5) == [number]


def assert_alike(connection: sa.Connection) -> None:
    kinds: sa.Select[int] = sa.select(sa.literal_column(tables.KIND)).select_from(tables.phone_numbers)
    assert len({*connection.execute(kinds).scalars()}) == 1


@pytest.mark.long
@pytest.mark.parametrize("zero", [0x0660, 0xFF10], ids=["Arabic-Indic", "full-width"])
def test_digits_of_other_scripts_are_the_same_digits(database: sa.Engine, stock: Stock, zero: int) -> None:
    """And a plus may be a full-width one, or stand behind what was copied with the number.

    What is typed becomes the same query, whose numbers are then looked at once.
    """
    typed = {ord("+"): 0xFF0B} | {ord(str(digit)): zero + digit for digit in range(10)}
    with database.connect() as connection:
        for q, looker in itertools.product([*filters(stock)["q"], "+0", "00", "+"], stock.lookers.values()):
            numbers = [] if q in {"00", "+"} else expected(stock, looker, NumberFilter(q=q))
            wanted = resolved(connection, looker, NumberFilter(q=q.translate(typed)))
            assert page_of(connection, wanted, COUNT) == numbers, q
            assert selections.count(connection, wanted) == len(numbers), q
            # It stands before nothing but a plus.
            for before in ("\u202a", "\ufeff", "tel:", "'", "[") if q.startswith("+") else ():
                written = before + q.translate(typed)
                assert resolved(connection, looker, NumberFilter(q=written)).spans == wanted.spans, written


def test_a_carrier_is_found_by_its_own_name(database: sa.Engine, world: World) -> None:
    """R7: however its letters are lowered. R3: no number is read, for a stranger's name or for nobody's."""
    names = ("İSTANBUL Telekom", "ΣΊΓΜΑΣ", "Große Straße")
    with database.begin() as connection:
        for place, name in enumerate(names):
            known = factories.carrier(connection, world.north.tenant, "voice", name)
            factories.number(connection, 12125550100 + place, world.north.tenant, voice_carrier_id=known)
        factories.number(connection, 12125550110, world.south.tenant)
    with database.connect() as connection:
        for place, name in enumerate(names):
            assert listed(connection, world.north.tenant, NumberFilter(carrier=name), 5) == [12125550100 + place]
        read = []
        for name in (names[0], "Nobody's"):
            before = connection.execute(sa.text(SCANNED)).scalar_one()
            assert listed(connection, world.south.tenant, NumberFilter(carrier=name), 5) == []
            read.append(connection.execute(sa.text(SCANNED)).scalar_one() - before)
        assert read == [0, 0]


def test_facets_offer_what_occurs_in_the_tree(database: sa.Engine, stock: Stock) -> None:
    with database.connect() as connection:
        for looker in stock.lookers.values():
            actor = Actor(looker, "test")
            mine = [number for number in stock.numbers if number.holder.is_within(looker)]
            assert facets.countries(connection, actor) == sorted({number.country for number in mine})
            below = sorted(one.name for one in stock.lookers.values() if one.is_within(looker))
            assert sorted(one.name for one in tenant_scope.tenants_below(connection, looker).values()) == below
            found = facets.users_named(connection, actor)
            assert {one.public_id for one in found} <= set(stock.users)
            assert len(found) == _users_below(stock, looker)


def _users_below(stock: Stock, looker: Tenant) -> int:
    homes = [stock.lookers[name] for name in ("clinic", "hotel", "school")]
    return 2 * sum(home.is_within(looker) for home in homes)


def test_facets_narrow_by_what_is_typed(database: sa.Engine, stock: Stock, world: World) -> None:
    actor = Actor(world.north.tenant, "test")
    with database.begin() as connection:
        factories.user(connection, world.clinic.tenant, name="Zoe %", email="q@x.example")
        factories.user(connection, world.school.tenant, name="Zoe South")
        assert [one.name for one in facets.users_named(connection, actor, " zOE ")] == ["Zoe %"]
        assert [one.name for one in facets.users_named(connection, actor, "zoe %")] == ["Zoe %"]
        assert [one.name for one in facets.users_named(connection, actor, "q@")] == ["Zoe %"]
        assert facets.carrier_names(connection, actor, "voice") == ["Master Voice", "North voice"]
    assert stock.numbers


def test_the_door_takes_what_is_on_paper(api: Door, database: sa.Engine, world: World) -> None:
    with database.begin() as connection:
        factories.number(connection, 12125550142, world.north.tenant)
        factories.number(connection, 442125550142, world.clinic.tenant, country="GB", uploader_id=world.north.id)
    for q, found in (
        ("+1 (212) 555-0142", ["+12125550142"]),
        ("0212 555", ["+442125550142"]),
        ("212.555", ["+12125550142", "+442125550142"]),
        ("0044 212", ["+442125550142"]),
        ("+44 (0)212", ["+442125550142"]),
        (" ", ["+12125550142", "+442125550142"]),
        ("none", []),
    ):
        answer = api.get("/v1/numbers", query_string={"q": q, "count": "true"}).json
        assert ([one["e164"] for one in answer["data"]], answer["total"]) == (found, len(found)), q
    uploaded = api.get("/v1/numbers", query_string={"uploaded_by": world.north.tenant.public_id}).json
    assert len(uploaded["data"]) == 2
