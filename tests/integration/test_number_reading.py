"""What a request says about how its numbers are read: `country_code` (R14c) and `number_format` (R14b)."""

from __future__ import annotations

import itertools

import pytest
import sqlalchemy as sa

from schemas.database.tables import jobs
from schemas.jobs import JobOptions, NumberFormat
from tests.support import factories
from tests.support.api_client import Door, Json
from tests.support.factories import World

LIST: Json = {"numbers": ["+12125550100", "(212) 555-0101"]}
FILE = b"Phone Number\r\n+12125550100\r\n(212) 555-0101\r\n"
ACTIONS: list[tuple[str, Json]] = [
    ("assignments", {"tenant_id": "{clinic}"}),
    ("unassignments", {}),
    ("capability-changes", {"fax": "enable"}),
    ("deletions", {}),
]
FORMATS = [choice.value for choice in NumberFormat]


def stored(database: sa.Engine, job: str, column: str = "options") -> Json:
    with database.connect() as connection:
        query = sa.select(jobs.c[column]).where(jobs.c.public_id == job)
        found: Json = connection.execute(query).scalar_one()
    return found


def body(world: World, more: Json) -> Json:
    return {name: value.format(clinic=world.clinic.tenant.public_id) for name, value in more.items()}


@pytest.mark.parametrize("as_file", [False, True])
@pytest.mark.parametrize(("action", "more"), ACTIONS)
def test_r14c_every_action_takes_the_country_and_the_format(
    api: Door, world: World, database: sa.Engine, action: str, more: Json, as_file: bool
) -> None:
    given = body(world, more) | {"country_code": " us ", "number_format": "national"}
    answer = api.send(FILE, to=action, **given) if as_file else api.post(f"/v1/{action}", LIST | given)
    assert answer.status_code == 202, answer.get_data(as_text=True)
    assert (answer.json["country_code"], answer.json["number_format"]) == ("us", "national")
    options = JobOptions.from_json(stored(database, answer.json["id"]))
    assert (options.country_code, options.number_format) == ("us", NumberFormat.NATIONAL)


def test_without_them_nothing_is_said(api: Door, database: sa.Engine) -> None:
    answer = api.post("/v1/deletions", LIST)
    assert (answer.json["country_code"], answer.json["number_format"]) == (None, "auto")
    options = JobOptions.from_json(stored(database, answer.json["id"]))
    assert (options.country_code, options.number_format) == (None, NumberFormat.AUTO)


@pytest.mark.parametrize("country", ["1", "+1", "001", "44", "US", "gb", " (49) "])
def test_r14_a_country_is_what_a_country_code_cell_may_hold(api: Door, country: str) -> None:
    answer = api.post("/v1/deletions", LIST | {"country_code": country})
    assert (answer.status_code, answer.json["country_code"]) == (202, country.strip())


@pytest.mark.parametrize(
    ("country", "as_file"),
    [
        ("", False),  # a field of a form that is left empty is as if it were not sent
        *itertools.product(
            (" ", "XX", "999", "+1 999", "Neverland {value}", "U\x00S", "\N{SNOWMAN}"),
            (False, True),
        ),
    ],
)
def test_what_is_not_a_country_is_refused_with_the_value(
    api: Door, database: sa.Engine, country: str, as_file: bool
) -> None:
    given = {"country_code": country}
    answer = api.send(FILE, to="deletions", **given) if as_file else api.post("/v1/deletions", LIST | given)
    assert (answer.status_code, answer.json["code"]) == (422, "INVALID_FIELD")
    (error,) = answer.json["errors"]
    assert error["field"] == "country_code"
    assert f"“{country.strip()}” isn't a country" in error["message"]
    with database.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(jobs)).scalar_one() == 0


def test_a_country_has_at_most_60_characters(api: Door) -> None:
    answer = api.post("/v1/deletions", LIST | {"country_code": "US" + " " * 58})
    assert answer.status_code == 202
    for longer in ("US" + " " * 59, "x" * 100_000):
        answer = api.post("/v1/deletions", LIST | {"country_code": longer})
        assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, "country_code")
        assert len(answer.data) < 2_000


@pytest.mark.parametrize("wrong", ["National", "e164", "1"])
def test_an_unknown_format_is_refused(api: Door, wrong: str) -> None:
    answers = [
        api.post("/v1/deletions", LIST | {"number_format": wrong}),
        api.send(FILE, to="deletions", number_format=wrong),
        api.send(FILE, number_format=wrong),
    ]
    for answer in answers:
        assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, "number_format")


@pytest.mark.parametrize("number_format", FORMATS)
def test_r14b_an_upload_takes_the_format(api: Door, database: sa.Engine, number_format: str) -> None:
    answer = api.send(FILE, number_format=number_format)
    assert (answer.status_code, answer.json["number_format"]) == (202, number_format)
    assert JobOptions.from_json(stored(database, answer.json["id"])).number_format == NumberFormat(number_format)


def test_an_upload_has_no_country_of_its_own(api: Door) -> None:
    assert api.send(FILE, country_code="US").status_code == 422


def test_a_filter_takes_the_country_and_does_not_need_it(api: Door, world: World, database: sa.Engine) -> None:
    with database.begin() as connection:
        factories.number(connection, 12125550100, world.north.tenant)
    chosen = {"filter": {}, "expected_count": 1, "country_code": "DE", "number_format": "national"}
    job = api.act("capability-changes", chosen | {"fax": True})
    assert api.codes(job["id"]) == {"+12125550100": "UPDATED"}
    assert stored(database, job["id"], "file_facts")["calling_codes"] == []


@pytest.mark.parametrize("other", [{"country_code": "US"}, {"number_format": "national"}])
def test_another_country_or_format_is_another_request(api: Door, other: Json) -> None:
    key = {"Idempotency-Key": "k"}
    assert api.post("/v1/deletions", LIST, headers=key).status_code == 202
    assert api.post("/v1/deletions", LIST | other, headers=key).json["code"] == "IDEMPOTENCY_KEY_REUSED"


@pytest.mark.long
def test_what_was_read_in_is_kept_and_not_shown(api: Door, world: World, database: sa.Engine) -> None:
    """The codes are those of the whole tree: of an action alone, and never part of `file`."""
    with database.begin() as connection:
        factories.number(connection, 12125550100, world.north.tenant)
        factories.number(connection, 36155501000, world.clinic.tenant, uploader_id=world.north.id)
        factories.number(connection, 442079460044, world.south.tenant)
    listed = api.act("deletions", LIST | {"country_code": "US"})
    sent = api.upload(FILE, to="deletions")
    facts = [stored(database, job["id"], "file_facts") for job in (listed, sent)]
    assert [(found["calling_codes"], found["country_code"]) for found in facts] == [([1, 36], "US"), ([1, 36], None)]
    assert not {"calling_codes", "country_code"} & set(sent["file"])
    uploaded = api.upload(b"Country Code,Phone Number,Voice,SMS\r\n1,2125550142,TRUE,\r\n")
    assert "calling_codes" not in stored(database, uploaded["id"], "file_facts")


@pytest.mark.parametrize(
    "text", ["(361) 555-0100", "0361 5550100", "361 555 0100", "+3615550100 x5", "-3615550100", "x3615550100"]
)
def test_r14c_a_number_to_be_shown_is_not_guessed(api: Door, world: World, database: sa.Engine, text: str) -> None:
    with database.begin() as connection:
        factories.number(connection, 3615550100, world.north.tenant)
    answer = api.get(f"/v1/numbers/{text}")
    assert (answer.status_code, answer.json["fix"]) == (404, "Enter the number with + and its country code.")


@pytest.mark.parametrize("text", ["+3615550100", "003615550100", "+36 1 555-0100", "3615550100", "tel:+3615550100"])
def test_an_international_number_is_shown_as_it_may_be_written(
    api: Door, world: World, database: sa.Engine, text: str
) -> None:
    with database.begin() as connection:
        factories.number(connection, 3615550100, world.north.tenant)
    assert api.get(f"/v1/numbers/{text}").json["e164"] == "+3615550100"
