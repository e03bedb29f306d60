"""R14c: actions without a country change no number that is not meant, in a tree with numbers of several countries.

Every inventory has traps: for each number, also those that its digits mean in the other countries. What a request has
to do follows from the numbering plans alone (`phonenumbers`), and from which number each text was made of.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from dataclasses import dataclass

import phonenumbers
import pytest
import sqlalchemy as sa

from schemas.database.tables import phone_numbers
from schemas.permissions import Tenant
from tests.support import factories
from tests.support.api_client import Door, Json
from tests.support.factories import World
from tests.support.files import sheets
from tests.support.number_cells.numbers import (
    Number,
    calling_code,
    digits_of,
    draw,
    national_readings,
    parsed,
)
from tests.support.property_tests import NIGHTLY
from tests.support.servers import databases

SEED = int(os.environ.get("NUMBERYARD_CELLS_SEED", random.randrange(1 << 31) if NIGHTLY else 14))
ROUNDS = 60 if NIGHTLY else 3
# None whose numbers keep a leading zero: of those R14d has more to say.
REGIONS = ("US", "NO", "SG", "GB", "HU", "DE", "IN", "DK", "FR", "ES", "PT", "BR", "SE")
CELL = "Phone Number"


@dataclass(frozen=True)
class Entry:
    """A number as a request spells it, and the readings of that text in the countries of the tree."""

    meant: int
    text: str
    readings: dict[int, frozenset[str]]  # number -> the countries in which the text means it


@dataclass(frozen=True)
class Request:
    """What one person wants to have changed."""

    entries: list[Entry]
    country_code: str | None = None

    @property
    def undecided(self) -> list[Entry]:
        return [entry for entry in self.entries if len(entry.readings) > 1]

    def country(self) -> str | None:
        """The one country that makes every undecided text valid."""
        able = [set[str]().union(*entry.readings.values()) for entry in self.undecided]
        common = set[str].intersection(*able) if able else set()
        return common.pop() if len(common) == 1 else None

    def decided(self, entry: Entry) -> int | None:
        """The number that the rule takes a text for; None where it has to ask."""
        if len(entry.readings) < 2:
            return next(iter(entry.readings), None)
        country = self.country_code or self.country()
        fitting = [number for number, countries in entry.readings.items() if country in countries]
        return fitting[0] if len(fitting) == 1 else None


class Tree:
    """An inventory of several countries, with traps."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.regions = tuple(chance.sample(REGIONS, chance.randint(2, 5)))
        self.numbers: dict[int, Number] = {}
        for region in self.regions:
            for _ in range(25):
                self._plant(draw(region, chance, ("fixed_line", "mobile")))

    def _plant(self, number: Number) -> None:
        self.numbers[number.e164] = number
        for text in (digits_of(number.in_country), str(number.e164)):
            for region in self.regions:
                for trap in national_readings(region, text):
                    if of_region(trap, region):
                        national = str(trap).removeprefix(str(calling_code(region)))
                        self.numbers.setdefault(trap, Number(region, calling_code(region), national, "trap"))

    def spell(self, number: Number) -> Entry:
        digits = digits_of(number.in_country)
        text = self.chance.choice(
            (number.in_country, number.in_country, digits, str(number.e164), f"+{number.e164}", number.abroad)
        )
        return Entry(number.e164, text, self.readings(text))

    def readings(self, text: str) -> dict[int, frozenset[str]]:
        digits = digits_of(text)
        if text.startswith("+"):
            return {int(digits): frozenset()}
        found = dict[int, set[str]]()
        for region in self.regions:
            for number in national_readings(region, digits):
                if of_region(number, region):
                    found.setdefault(number, set()).add(region)
            if text == digits and digits.startswith(str(calling_code(region))) and of_region(int(digits), region):
                found.setdefault(int(digits), set()).add(region)
        return {number: frozenset(countries) for number, countries in found.items()}

    def request(self, *, mixed: bool, country_code: bool) -> Request:
        """Some numbers of one country, or of all; none of which the rule would take for another by its letter."""
        while True:
            region = self.chance.choice(self.regions)
            some = [one for one in self.numbers.values() if mixed or one.region == region]
            entries = [
                self.spell(number) for number in self.chance.sample(some, min(len(some), self.chance.randint(1, 12)))
            ]
            request = Request(entries, region if country_code and not mixed else None)
            if all(request.decided(entry) in {None, entry.meant} for entry in entries):
                return request


def of_region(e164: int, region: str) -> bool:
    code = str(calling_code(region))
    national = str(e164).removeprefix(code)
    return bool(
        national
        and str(e164).startswith(code)
        and phonenumbers.is_valid_number_for_region(parsed(int(code), national), region)
    )


def planted(connection: sa.Connection, tree: Tree, holder: Tenant) -> None:
    connection.execute(sa.text("TRUNCATE phone_numbers, number_events, holdings, tenant_countries CASCADE"))
    values = [
        {
            "e164": number.e164, "created_job_id": 0, "changed_job_id": 0, "holder_id": holder.id,
            "uploader_id": holder.id, "voice": True, "sms": False, "fax": False, "country": number.region,
        }
        for number in tree.numbers.values()
    ]  # fmt: skip
    connection.execute(phone_numbers.insert(), values)
    connection.execute(sa.text(databases.NOTE_HOLDINGS))


def held(database: sa.Engine, holder: Tenant) -> set[int]:
    with database.connect() as connection:
        column = phone_numbers.c.e164
        return set(connection.execute(sa.select(column).where(phone_numbers.c.holder_id == holder.id)).scalars())


def as_list(api: Door, action: str, request: Request, more: Json) -> Json:
    country = {"country_code": request.country_code} if request.country_code else {}
    return api.act(action, {"numbers": [entry.text for entry in request.entries], **more, **country})


def as_file(api: Door, action: str, request: Request, more: Json) -> Json:
    country = {"country_code": request.country_code} if request.country_code else {}
    content = sheets.csv_bytes([[CELL], *([entry.text] for entry in request.entries)])
    return api.upload(content, to=action, **more, **country)


@pytest.mark.long
@pytest.mark.parametrize("send", [as_list, as_file])
@pytest.mark.parametrize("action", ["deletions", "assignments"])
@pytest.mark.parametrize("kind", ["one country", "one country, named", "several countries"])
def test_only_what_is_meant_is_changed(
    api: Door,
    world: World,
    database: sa.Engine,
    send: Callable[[Door, str, Request, Json], Json],
    action: str,
    kind: str,
) -> None:
    more = {"tenant_id": world.clinic.tenant.public_id} if action == "assignments" else {}
    for place in range(ROUNDS):
        chance = random.Random(f"{SEED} {place} {kind}")
        tree = Tree(chance)
        with database.begin() as connection:
            planted(connection, tree, world.north.tenant)
        request = tree.request(mixed=kind == "several countries", country_code=kind == "one country, named")
        job = send(api, action, request, more)
        gone = set(tree.numbers) - held(database, world.north.tenant)
        expected = {entry.meant for entry in request.entries if request.decided(entry) == entry.meant}
        story = f"NUMBERYARD_CELLS_SEED={SEED}, round {place}, {tree.regions}, {request}, {api.codes(job['id'])}"
        assert gone <= {entry.meant for entry in request.entries}, f"not meant: {gone}; {story}"
        assert gone == expected, f"changed {gone}, due {expected}; {story}"
        codes = {row["cells"][CELL]: row["code"] for row in api.rows(job["id"])}
        for entry in request.entries:
            if request.decided(entry) is None:
                assert codes[entry.text] == "AMBIGUOUS_NUMBER", f"{entry}; {story}"


@pytest.mark.long
def test_the_same_file_twice_changes_nothing_more(api: Door, world: World, database: sa.Engine) -> None:
    """R14c: also where the first time took the last number of a country away, and with it one of the readings."""
    with database.begin() as connection:
        for e164, country in ((4795550100, "NO"), (6595550100, "SG"), (4795550101, "NO")):
            factories.number(connection, e164, world.north.tenant, country=country)
    content = sheets.csv_bytes([[CELL], ["9555 0100"], ["+65 9555 0100"], ["9555 0102"]])
    for _ in range(2):
        api.upload(content, to="deletions")
        assert held(database, world.north.tenant) == {4795550100, 4795550101}


def test_only_digits_alone_may_have_lost_a_plus(api: Door, world: World, database: sa.Engine) -> None:
    """R14c: (361) 555-0100 may be the Hungarian +36 1 555 0100, too: neither is deleted."""
    with database.begin() as connection:
        for e164, country in ((3615550100, "HU"), (13615550100, "US"), (13125550143, "US")):
            factories.number(connection, e164, world.north.tenant, country=country)
    job = api.act("deletions", {"numbers": ["(361) 555-0100", "(312) 555-0143", "3615550100"]})
    assert list(api.codes(job["id"]).values()) == ["AMBIGUOUS_NUMBER", "DELETED", "AMBIGUOUS_NUMBER"]
    assert held(database, world.north.tenant) == {3615550100, 13615550100}
