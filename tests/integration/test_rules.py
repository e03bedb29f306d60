"""The rules R6 to R17 through the whole pipeline: bytes in at the door, results out at `/rows`."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import sqlalchemy as sa

from schemas.permissions import TenantKind
from tests.support import factories
from tests.support.api_client import Door, Json
from tests.support.factories import World
from tests.support.files import sheets

MORE = ("Voice Carrier Name", "SMS Carrier Profile", "Enterprises and Resellers")
SOUND = ("1", "2125550142", "TRUE", "FALSE", "FALSE")
NUMBER = "+12125550142"
DEFAULT = ["DEFAULT_CARRIER_USED"]


def sheet(*rows: Sequence[str], header: Sequence[str] = sheets.HEADER) -> bytes:
    return sheets.csv_bytes([header, *rows])


def wide(*rows: Sequence[str]) -> bytes:
    """A sheet with the columns of R12 as well."""
    return sheet(*rows, header=(*sheets.HEADER, *MORE))


def shown(api: Door, number: str = NUMBER) -> dict[str, Any]:
    """What `/v1/numbers` says about a number, without what these tests do not ask for."""
    found: Json = api.get(f"/v1/numbers/{number}").json
    names = ("voice", "sms", "fax", "voice_carrier", "sms_carrier_profile")
    return {name: found[name] for name in names} | {"tenant": found["tenant"]["name"]}


# One row: its code, the column that it blames, its number and its warnings

CELLS: dict[str, tuple[tuple[str, ...], str, str | None, str | None, list[str]]] = {
    "sound": (SOUND, "CREATED", None, NUMBER, DEFAULT),
    "country as region": (("us", *SOUND[1:]), "CREATED", None, NUMBER, DEFAULT),
    "country with plus": (("+1", *SOUND[1:]), "CREATED", None, NUMBER, DEFAULT),
    "country with zeros": (("001", *SOUND[1:]), "CREATED", None, NUMBER, DEFAULT),
    "punctuation": (("1", "(212) 555-0142", "yes", "", ""), "CREATED", None, NUMBER, DEFAULT),
    "international": (("1", "+1 212 555 0142", "1", "0", "0"), "CREATED", None, NUMBER, DEFAULT),
    "no country": (("", *SOUND[1:]), "MISSING_VALUE", "Country Code", None, []),
    "no number": (("1", "", "TRUE", "", ""), "MISSING_VALUE", "Phone Number", None, []),
    "unknown country": (("999", *SOUND[1:]), "INVALID_COUNTRY_CODE", "Country Code", None, []),
    "words for a number": (("1", "ask Bob", "TRUE", "", ""), "INVALID_CHARACTER", "Phone Number", None, []),
    "too short": (("1", "21255", "TRUE", "", ""), "TOO_SHORT", "Phone Number", None, []),
    "too long": (("1", "212555014299", "TRUE", "", ""), "TOO_LONG", "Phone Number", None, []),
    "not in use": (("1", "1125550142", "TRUE", "", ""), "INVALID_NUMBER", "Phone Number", None, []),
    "another country": (("44", "+12125550142", "TRUE", "", ""), "COUNTRY_MISMATCH", "Phone Number", None, []),
    "digits lost": (("1", "2.13E+09", "TRUE", "", ""), "SCIENTIFIC_NOTATION_LOSS", "Phone Number", None, []),
    "no boolean": (("1", "2125550142", "maybe", "TRUE", ""), "INVALID_BOOLEAN", "Voice", NUMBER, []),
    "no boolean in fax": (("1", "2125550142", "TRUE", "", "?"), "INVALID_BOOLEAN", "Fax", NUMBER, []),
    "no capability": (("1", "2125550142", "FALSE", "FALSE", ""), "NO_CAPABILITY", "Voice", NUMBER, []),
    "fax only": (("1", "2125550142", "FALSE", "FALSE", "TRUE"), "CREATED", None, NUMBER, []),
    "a cell too many": ((*SOUND, "surplus"), "ROW_TOO_WIDE", None, NUMBER, []),
    "written out": (
        ("1", "2.125550142E+09", "FALSE", "", "TRUE"), "CREATED", None, NUMBER, ["SCIENTIFIC_RESTORED"],
    ),
    "decimals": (("1", "2125550142.0", "", "", "TRUE"), "CREATED", None, NUMBER, ["FLOAT_SUFFIX_REMOVED"]),
    "zero width": (("1", "\u200b2125550142", "", "", "TRUE"), "CREATED", None, NUMBER, ["INVISIBLE_REMOVED"]),
    "trunk prefix": (
        ("44", "+44 (0)20 7946 0958", "", "", "TRUE"), "CREATED", None, "+442079460958", ["TRUNK_PREFIX_REMOVED"],
    ),
    "country repeated": (
        ("49", "4930901820", "", "", "TRUE"), "CREATED", None, "+4930901820", ["COUNTRY_CODE_REPEATED"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("row", "code", "column", "number", "warnings"), CELLS.values(), ids=CELLS)
def test_r10_r14_r15_one_row(
    api: Door, row: tuple[str, ...], code: str, column: str | None, number: str | None, warnings: list[str]
) -> None:
    other = ("1", "2125550199", "TRUE", "TRUE", "TRUE")
    found, beside = api.outcome(sheet(row, other))
    assert (found["code"], found["column"], found["warnings"]) == (code, column, warnings)
    assert found["number"] == number
    assert found["result"] == ("created" if code == "CREATED" else "failed")
    assert found["row"] == 2
    assert beside["code"] == "CREATED"


def test_a_blank_row_is_skipped_and_a_row_keeps_all_its_faults(api: Door) -> None:
    blank, bad = api.outcome(sheet(("", " ", "", "", ""), ("", "ask Bob", "maybe", "perhaps", "")))
    assert (blank["code"], blank["result"]) == ("BLANK_ROW", "skipped")
    assert [(fault["code"], fault["column"]) for fault in bad["faults"]] == [
        ("MISSING_VALUE", "Country Code"),
        ("INVALID_CHARACTER", "Phone Number"),
        ("INVALID_BOOLEAN", "Voice"),
        ("INVALID_BOOLEAN", "SMS"),
    ]


def test_r10_fax_may_be_missing(api: Door) -> None:
    (row,) = api.outcome(sheets.csv_bytes([sheets.HEADER[:4], SOUND[:4]]))
    assert row["code"] == "CREATED"
    assert shown(api)["fax"] is False


@pytest.mark.long
def test_r10_the_sample_file_is_an_upload(api: Door) -> None:
    for ending in ("csv", "xlsx"):
        answer = api.get(f"/v1/templates/numbers.{ending}")
        job = api.upload(answer.data, f"numbers.{ending}", on_existing="update")
        assert (job["status"], job["file"]["format"], job["counts"]["total"]) == ("completed", ending, 3)


@pytest.mark.parametrize(("accept", "code"), [("valid", "INVALID_NUMBER"), ("possible", "CREATED")])
def test_r15_possible_numbers(api: Door, accept: str, code: str) -> None:
    (row,) = api.outcome(sheet(("1", "1125550142", "", "", "TRUE")), accept=accept)
    assert row["code"] == code
    assert row["warnings"] == (["POSSIBLE_NOT_VALID"] if code == "CREATED" else [])


# Carriers (R7, R11, R12, R13)


@pytest.mark.long
def test_r7_r13_the_nearest_default_is_inherited(api: Door, world: World, database: sa.Engine) -> None:
    """The master's default holds for an enterprise two levels below, until the reseller names one."""
    clinic = api.as_(world.clinic.token)
    (row,) = clinic.outcome(sheet(("1", "2125550142", "TRUE", "TRUE", "")))
    assert row["warnings"] == DEFAULT
    assert (shown(clinic)["voice_carrier"], shown(clinic)["sms_carrier_profile"]) == ("Master Voice", "Master SMS")
    with database.begin() as connection:
        factories.set_default(connection, world.north.tenant, "voice", world.carriers["North voice"])
    clinic.outcome(sheet(("1", "2125550143", "TRUE", "TRUE", "")))
    found = shown(clinic, "+12125550143")
    assert (found["voice_carrier"], found["sms_carrier_profile"]) == ("North voice", "Master SMS")


def test_r7_the_default_is_the_holders(api: Door, world: World, database: sa.Engine) -> None:
    with database.begin() as connection:
        own = factories.carrier(connection, world.clinic.tenant, "voice", "Clinic voice")
        factories.set_default(connection, world.clinic.tenant, "voice", own)
    api.outcome(sheet(SOUND), assign_to=world.clinic.tenant.public_id)
    assert shown(api) | {"fax": None} == {
        "voice": True,
        "sms": False,
        "fax": None,
        "voice_carrier": "Clinic voice",
        "sms_carrier_profile": None,
        "tenant": "Clinic Enterprise",
    }


@pytest.mark.parametrize(
    ("voice", "sms", "code", "faults"),
    [
        ("TRUE", "FALSE", "CARRIER_MISSING", ["Voice Carrier Name"]),
        ("FALSE", "TRUE", "CARRIER_MISSING", ["SMS Carrier Profile"]),
        ("TRUE", "TRUE", "CARRIER_MISSING", ["Voice Carrier Name", "SMS Carrier Profile"]),
        ("FALSE", "FALSE", "CREATED", []),
    ],
)
def test_r13_no_carrier_anywhere(
    api: Door, world: World, database: sa.Engine, voice: str, sms: str, code: str, faults: list[str]
) -> None:
    with database.begin() as connection:
        for service in ("voice", "sms"):
            factories.set_default(connection, world.master.tenant, service, None)
    (row,) = api.outcome(sheet(("1", "2125550142", voice, sms, "TRUE")))
    assert (row["code"], [fault["column"] for fault in row["faults"]]) == (code, faults)


def test_r13_a_capability_that_is_off_has_no_carrier(api: Door) -> None:
    api.outcome(sheet(SOUND), voice_carrier="North voice", sms_carrier_profile="North sms")
    assert (shown(api)["voice_carrier"], shown(api)["sms_carrier_profile"]) == ("North voice", None)


CHOICES = {
    "row before form": (("North Voice", "", ""), "CREATED", "North voice"),
    "form": (("", "", ""), "CREATED", "Master Voice"),
    "case and blanks": (("  north   VOICE ", "", ""), "CREATED", "North voice"),
    "unknown": (("Nobody", "", ""), "CARRIER_NOT_FOUND", None),
    "of the sibling": (("South voice", "", ""), "CARRIER_NOT_FOUND", None),
    "of the other service": (("North sms", "", ""), "CARRIER_NOT_FOUND", None),
    "of the other column": (("", "North voice", ""), "CARRIER_NOT_FOUND", None),
    "borne by two": (("Twice", "", ""), "CARRIER_NOT_FOUND", None),
}


@pytest.mark.parametrize(("cells", "code", "carrier"), CHOICES.values(), ids=CHOICES)
def test_r12_carriers_row_by_row(
    api: Door, world: World, database: sa.Engine, cells: tuple[str, ...], code: str, carrier: str | None
) -> None:
    with database.begin() as connection:
        for owner in (world.master, world.north):
            factories.carrier(connection, owner.tenant, "voice", "Twice")
    (row,) = api.outcome(wide((*SOUND, *cells)), voice_carrier="Master Voice")
    assert row["code"] == code
    if carrier:
        assert shown(api)["voice_carrier"] == carrier
    else:
        assert row["column"] in MORE


TARGETS = {
    "own enterprise": ("Clinic Enterprise", "CREATED", "Clinic Enterprise"),
    "by id": ("{clinic}", "CREATED", "Clinic Enterprise"),
    "itself": ("northern reseller", "CREATED", "Northern Reseller"),
    "form": ("", "CREATED", "Hotel Enterprise"),
    "unknown": ("Nobody", "TARGET_NOT_FOUND", None),
    "sibling": ("Southern Reseller", "TARGET_NOT_FOUND", None),
    "sibling by id": ("{south}", "TARGET_NOT_FOUND", None),
    "sibling's enterprise": ("School Enterprise", "TARGET_NOT_FOUND", None),
    "parent": ("Meridian Master", "TARGET_NOT_FOUND", None),
    "borne by two": ("Twice", "TARGET_NOT_FOUND", None),
}


@pytest.mark.parametrize(("name", "code", "holder"), TARGETS.values(), ids=TARGETS)
def test_r11_r12_targets_row_by_row(
    api: Door, world: World, database: sa.Engine, name: str, code: str, holder: str | None
) -> None:
    with database.begin() as connection:
        for parent in (world.master, world.north):
            factories.tenant(connection, parent.tenant, TenantKind.RESELLER, name="Twice")
    given = name.format(clinic=world.clinic.tenant.public_id, south=world.south.tenant.public_id)
    token = world.master.token if name == "Twice" else world.north.token
    (row,) = api.as_(token).outcome(wide((*SOUND, "", "", given)), assign_to=world.hotel.tenant.public_id)
    assert row["code"] == code
    if holder:
        assert shown(api)["tenant"] == holder


# Numbers that exist (R6, R17)

BOTH = ("1", "2125550142", "TRUE", "TRUE", "FALSE")
EXISTING = {
    "skip": ("skip", SOUND, "ALREADY_EXISTS", "skipped", (True, False, False)),
    "skip, even if other": ("skip", BOTH, "ALREADY_EXISTS", "skipped", (True, False, False)),
    "error": ("error", BOTH, "ALREADY_EXISTS", "failed", (True, False, False)),
    "update, the same": ("update", SOUND, "NO_CHANGE", "unchanged", (True, False, False)),
    "update, left empty": ("update", ("1", "2125550142", "", "", ""), "NO_CHANGE", "unchanged", (True, False, False)),
    "update, on": ("update", BOTH, "UPDATED", "updated", (True, True, False)),
    "update, one on": ("update", ("1", "2125550142", "", "TRUE", ""), "UPDATED", "updated", (True, True, False)),
    "update, off": ("update", ("1", "2125550142", "FALSE", "", "TRUE"), "UPDATED", "updated", (False, False, True)),
}


@pytest.mark.long
@pytest.mark.parametrize(("choice", "row", "code", "result", "flags"), EXISTING.values(), ids=EXISTING)
def test_r17_a_number_inside_the_tree(
    api: Door, choice: str, row: tuple[str, ...], code: str, result: str, flags: tuple[bool, ...]
) -> None:
    api.outcome(sheet(SOUND))
    (found,) = api.outcome(sheet(row), on_existing=choice)
    assert (found["code"], found["result"]) == (code, result)
    assert tuple(shown(api)[name] for name in ("voice", "sms", "fax")) == flags
    assert shown(api)["voice_carrier"] == ("Master Voice" if flags[0] else None)
    assert shown(api)["sms_carrier_profile"] == ("Master SMS" if flags[1] else None)


@pytest.mark.long
def test_r17_update_keeps_a_chosen_carrier_and_the_holder(api: Door, world: World) -> None:
    api.outcome(sheet(SOUND), voice_carrier="North voice", assign_to=world.clinic.tenant.public_id)
    (row,) = api.outcome(sheet(BOTH), on_existing="update")
    assert row["code"] == "UPDATED"
    found = shown(api)
    assert (found["voice_carrier"], found["sms_carrier_profile"]) == ("North voice", "Master SMS")
    assert found["tenant"] == "Clinic Enterprise"


@pytest.mark.parametrize("who", ["master", "north", "clinic"])
def test_r17_inside_the_tree_for_every_level_above(api: Door, world: World, who: str) -> None:
    """Held by the enterprise: inside the tree of its reseller and of the master, too."""
    api.as_(world.clinic.token).outcome(sheet(SOUND))
    (row,) = api.as_(getattr(world, who).token).outcome(sheet(SOUND))
    assert row["code"] == "ALREADY_EXISTS"


ELSEWHERE = {
    "sibling": ("south", "north"),
    "the sibling's enterprise": ("school", "north"),
    "parent": ("master", "north"),
    "reseller above": ("north", "clinic"),
    "cousin": ("school", "clinic"),
}


@pytest.mark.parametrize("choice", ["skip", "update", "error"])
@pytest.mark.parametrize(("holder", "uploader"), ELSEWHERE.values(), ids=ELSEWHERE)
def test_r17_elsewhere_names_nobody(
    api: Door, world: World, database: sa.Engine, holder: str, uploader: str, choice: str
) -> None:
    there = getattr(world, holder).tenant
    with database.begin() as connection:
        factories.number(connection, 12125550142, there, voice_carrier_id=world.carriers["South voice"])
    before = _row_of(database)
    door = api.as_(getattr(world, uploader).token)
    job = door.upload(sheet(BOTH), on_existing=choice)
    (row,) = door.rows(job["id"])
    assert (row["code"], row["result"], row["warnings"]) == ("NUMBER_EXISTS_ELSEWHERE", "failed", [])
    assert _row_of(database) == before
    told = (json.dumps([job, row]), door.report(job["id"]).decode(), str(door.report_lines(job["id"])))
    for secret in (there.name, there.public_id, "South", *world.secrets_of_south):
        assert not [text for text in told if secret in text]
    assert door.get("/v1/numbers/+12125550142").status_code == 404


def _row_of(database: sa.Engine) -> tuple[Any, ...]:
    with database.connect() as connection:
        return tuple(connection.execute(sa.text("SELECT * FROM phone_numbers")).one())


@pytest.mark.parametrize("cells", [BOTH, ("1", "2125550142", "", "", ""), ("1", "2125550142", "FALSE", "TRUE", "")])
@pytest.mark.parametrize("choice", ["skip", "update", "error"])
def test_r3_r17_a_number_elsewhere_tells_nothing_of_itself(
    api: Door, world: World, database: sa.Engine, choice: str, cells: tuple[str, ...]
) -> None:
    """Whatever capabilities and carriers a stranger's number has, the row's result is the same."""
    carriers = {"voice_carrier_id": world.carriers["South voice"], "sms_carrier_id": world.carriers["South sms"]}
    with database.begin() as connection:
        for service in ("voice", "sms"):
            factories.set_default(connection, world.master.tenant, service, None)
        factories.number(connection, 12125550142, world.south.tenant, sms=True, **carriers)
        factories.number(connection, 12125550143, world.south.tenant, voice=False, fax=True)
    full, bare = api.outcome(sheet(cells, (cells[0], "2125550143", *cells[2:])), on_existing=choice)
    assert full["code"] == "NUMBER_EXISTS_ELSEWHERE"
    assert full["faults"] == bare["faults"]
    assert full["warnings"] == bare["warnings"]
    assert full["message"].replace("0142", "") == bare["message"].replace("0143", "")


def test_r9_an_enterprise_uploads_for_itself_only(api: Door, world: World) -> None:
    clinic = api.as_(world.clinic.token)
    rows = clinic.outcome(wide((*SOUND, "", "", ""), ("1", "2125550143", "TRUE", "", "", "", "", "Hotel Enterprise")))
    assert [row["code"] for row in rows] == ["CREATED", "TARGET_NOT_FOUND"]
    found = clinic.get(f"/v1/numbers/{NUMBER}").json
    assert (found["tenant"]["name"], found["uploaded_by"]["name"]) == ("Clinic Enterprise",) * 2
    assert found["is_external"] is True


# Twice in one file (R16)

SPELLED = (
    ("1", "+1 (212) 555-0142"),
    ("1", "12125550142"),
    ("1", "2125550142"),
    ("US", "001 212 555 0142"),
    ("001", "212.555.0142"),
    ("1", "2125550142.0"),
)


@pytest.mark.long
@pytest.mark.parametrize("rows_per_chunk", [1, 3, 1000])
@pytest.mark.parametrize("first", range(len(SPELLED)))
def test_r16_duplicates_whatever_the_spelling(
    api: Door, configure: Callable[..., None], first: int, rows_per_chunk: int
) -> None:
    """Pointers name the first row in file order, other numbers lying between the two in other chunks."""
    configure(rows_per_chunk=rows_per_chunk)
    spelled = (*SPELLED[first:], *SPELLED[:first])
    rows: list[tuple[str, ...]] = []
    for place, (country, number) in enumerate(spelled):
        rows += [("1", f"{2125550100 + place}", "TRUE", "", ""), (country, number, "TRUE", "", "")]
        rows += [("1", f"{2125550200 + place}", "TRUE", "", "")]
    found = api.outcome(sheet(*rows))
    wanted = ["CREATED"] * len(rows)
    wanted[4::3] = ["DUPLICATE_IN_FILE"] * (len(spelled) - 1)
    assert [row["code"] for row in found] == wanted
    assert [row["duplicate_of_row"] for row in found if row["code"] == "DUPLICATE_IN_FILE"] == [3] * (len(spelled) - 1)
    assert {row["number"] for row in found[1::3]} == {NUMBER}


def test_r16_conflicting_duplicates(api: Door, world: World) -> None:
    rows = api.outcome(
        wide(
            (*SOUND, "", "", ""),
            ("1", "+12125550142", "TRUE", "TRUE", "", "", "", ""),
            ("1", "12125550142", "TRUE", "", "", "", "", ""),
            (*SOUND, "North voice", "", ""),
            (*SOUND, "", "", "Clinic Enterprise"),
        )
    )
    assert [row["code"] for row in rows] == [
        "CREATED",
        "CONFLICTING_DUPLICATE",
        "DUPLICATE_IN_FILE",
        "CONFLICTING_DUPLICATE",
        "CONFLICTING_DUPLICATE",
    ]
    assert [row["duplicate_of_row"] for row in rows] == [None, 2, 2, 2, 2]
    assert shown(api)["tenant"] == world.north.tenant.name


@pytest.mark.parametrize(("choice", "code"), [("skip", "DUPLICATE_IN_FILE"), ("update", "CONFLICTING_DUPLICATE")])
def test_r16_empty_and_false_differ_only_where_empty_means_leave(api: Door, choice: str, code: str) -> None:
    rows = api.outcome(sheet(SOUND, ("1", "2125550142", "TRUE", "", "")), on_existing=choice)
    assert [row["code"] for row in rows] == ["CREATED", code]


def test_r16_a_row_with_a_fault_is_no_first_row(api: Door) -> None:
    rows = api.outcome(sheet(("1", "2125550142", "maybe", "", ""), SOUND, SOUND))
    assert [(row["code"], row["duplicate_of_row"]) for row in rows] == [
        ("INVALID_BOOLEAN", None),
        ("CREATED", None),
        ("DUPLICATE_IN_FILE", 3),
    ]
