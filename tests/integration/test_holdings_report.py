"""Billing references of tenants, and the report of numbers held, against a count of its own."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from schemas.database import tables
from tests.support import factories
from tests.support.api_client import Door
from tests.support.cli_runner import Cli
from tests.support.factories import World
from tests.support.html_forms import follow, form_of, send
from tests.support.portal_client import Portal, signed_in, text_of
from worker.maintenance import cleaner
from worker.numbers import holdings_report

FIRST = 12125550100


@pytest.fixture
def stock(world: World, database: sa.Engine) -> None:
    """Sixty numbers of six tenants in three countries, with and without a carrier."""
    holders = [world.master, world.north, world.clinic, world.hotel, world.south, world.school]
    with database.begin() as connection:
        rows = [
            factories.number_row(
                FIRST + step,
                holders[step % 6].tenant,
                uploader_id=world.master.id,
                country=("US", "CA", "DE")[step % 7 % 3],
                voice=step % 4 != 0,
                sms=step % 3 == 0,
                fax=step % 4 == 0,
                voice_carrier_id=world.carriers["North voice"] if step % 4 else None,
            )
            for step in range(60)
        ]
        factories.numbers(connection, rows)


def lines_of(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))


def written(value: object) -> str:
    return str(value).upper() if isinstance(value, bool) else str(value)


def test_the_report_adds_up_to_an_independent_count(api: Door, world: World, database: sa.Engine, stock: None) -> None:
    del stock
    trees = {
        "master": (world.master, [world.master, world.north, world.clinic, world.hotel, world.south, world.school]),
        "north": (world.north, [world.north, world.clinic, world.hotel]),
        "clinic": (world.clinic, [world.clinic]),
    }
    statement = """SELECT t.public_id::text, n.country, coalesce(c.name, ''), n.voice, n.sms, n.fax, count(*)
        FROM phone_numbers n JOIN tenants t ON t.id = n.holder_id LEFT JOIN carriers c ON c.id = n.voice_carrier_id
        WHERE n.holder_id = ANY(:holders) GROUP BY 1, 2, 3, 4, 5, 6"""
    for account, holders in trees.values():
        answer = api.as_(account.token).get("/v1/reports/holdings.csv")
        lines = lines_of(answer.get_data())
        with database.begin() as connection:
            counted = connection.execute(sa.text(statement), {"holders": [each.id for each in holders]}).all()
        keys = ("tenant_id", "country", "voice_carrier", "voice", "sms", "fax", "numbers")
        expected = {tuple(map(written, row)) for row in counted}
        assert {tuple(line[key] for key in keys) for line in lines} == expected
        assert len(lines) == len(expected)
        assert sum(int(line["numbers"]) for line in lines) == 10 * len(holders)
        assert {line["date"] for line in lines} == {datetime.now(UTC).date().isoformat()}
        assert answer.headers["Content-Disposition"].startswith("attachment")


@pytest.mark.long
def test_r3_the_report_of_a_tree_says_nothing_of_others(api: Door, world: World, stock: None) -> None:
    del stock
    text = api.get("/v1/reports/holdings.csv").get_data(as_text=True)
    assert not any(secret in text for secret in (*world.secrets_of_south, world.master.tenant.name))
    lines = lines_of(text.encode())
    assert {line["parent"] for line in lines if line["tenant"] != "Northern Reseller"} == {"Northern Reseller"}
    clinic = api.get(f"/v1/reports/holdings.csv?tenant_id={world.clinic.tenant.public_id}").get_data()
    assert {line["tenant"] for line in lines_of(clinic)} == {"Clinic Enterprise"}
    for tenant_id in (world.school.tenant.public_id, "nonsense"):
        refused = api.get(f"/v1/reports/holdings.csv?tenant_id={tenant_id}")
        assert (refused.status_code, refused.json["code"]) == (404, "NOT_FOUND")
    assert api.get("/v1/reports/holdings.csv?day=2020-01-01").status_code == 422
    assert api.as_("nobody").get("/v1/reports/holdings.csv").status_code == 401


@pytest.mark.long
def test_a_report_that_would_be_too_long_is_refused(api: Door, stock: None, monkeypatch: pytest.MonkeyPatch) -> None:
    del stock
    monkeypatch.setattr(holdings_report, "MOST_ROWS", 1)
    refused = api.get("/v1/reports/holdings.csv")
    assert (refused.status_code, refused.json["code"]) == (422, "SEARCH_TOO_BROAD")
    assert "tenant_id" in refused.json["fix"]


def test_a_billing_reference_is_set_from_above(api: Door, world: World, stock: None) -> None:
    del stock
    path = f"/v1/tenants/{world.clinic.tenant.public_id}"

    def change(value: Any, door: Door = api, address: str = path) -> Any:  # noqa: ANN401 - of JSON
        return door.client.patch(
            address, json={"billing_reference": value}, headers={"Authorization": f"Bearer {door.token}"}
        )

    assert change("  C-0815   north ").json["billing_reference"] == "C-0815 north"
    assert api.get(path).json["billing_reference"] == "C-0815 north"
    for wrong in ("x" * 65, "a\x07", 5):
        assert change(wrong).status_code == 422
    assert change("=1+1").status_code == 200
    lines = lines_of(api.get("/v1/reports/holdings.csv").get_data())
    assert {line["billing_reference"] for line in lines} == {"", "'=1+1"}
    own = api.as_(world.clinic.token)
    assert change("mine", own, "/v1/tenants/me").status_code == 403
    assert change("x", api.as_(world.master.token), "/v1/tenants/me").status_code == 422
    assert change("x", api.as_(world.south.token)).status_code == 404
    assert change(None).json["billing_reference"] is None
    made = api.post("/v1/tenants", {"name": "New", "kind": "enterprise", "billing_reference": "N-1"})
    assert (made.status_code, made.json["billing_reference"]) == (201, "N-1")


@pytest.mark.long
def test_the_portal_sets_it_and_offers_the_report(world: World, database: sa.Engine, stock: None) -> None:
    del stock
    north = signed_in(database, world.north.tenant)
    path = f"/enterprises/{world.clinic.tenant.public_id}"
    listed = follow(north, send(north, form_of(north.get(path), path), "Save", billing_reference="C <1>"))
    assert "C <1>" in text_of(listed)
    assert 'href="/reports/holdings.csv"' in listed.get_data(as_text=True)
    answer = north.get("/reports/holdings.csv")
    assert {line["billing_reference"] for line in lines_of(answer.get_data())} == {"", "C <1>"}
    follow(north, send(north, form_of(north.get(path), path), "Save", billing_reference=""))
    with database.begin() as connection:
        references = connection.execute(sa.select(tables.tenants.c.billing_reference)).scalars()
        assert set(references) == {None}
    assert Portal(north.client.application.test_client()).get("/reports/holdings.csv").status_code == 303


@pytest.mark.long
def test_the_command_sets_it(cli: Cli) -> None:
    assert "C-9" in cli("tenants", "set", "Clinic Enterprise", "--billing-reference", "C-9").output
    assert "C-9" not in cli("tenants", "set", "Clinic Enterprise", "--billing-reference", "").output
    assert "D-1" in cli("tenants", "add", "Dock", "--kind", "enterprise", "--billing-reference", "D-1").output


def test_the_numbers_held_at_the_end_of_a_day(api: Door, world: World, database: sa.Engine, stock: None) -> None:
    del stock
    north = api.as_(world.north.token)
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    path = f"/v1/reports/holdings.csv?date={yesterday}"
    missing = north.get(path)
    assert (missing.status_code, missing.json["code"]) == (422, "INVALID_FIELD")
    cleaner.count_day()
    before = [
        line | {"date": "", "counted_at": ""} for line in lines_of(north.get("/v1/reports/holdings.csv").get_data())
    ]
    with database.begin() as connection:
        connection.execute(tables.phone_numbers.delete())
    assert cleaner.count_day() == 0, "a day is counted once"
    answer = north.get(path)
    lines = lines_of(answer.get_data())
    assert [line | {"date": "", "counted_at": ""} for line in lines] == before
    assert {line["date"] for line in lines} == {yesterday.isoformat()}
    assert f"holdings-{yesterday}.csv" in answer.headers["Content-Disposition"]
    assert lines_of(north.get("/v1/reports/holdings.csv").get_data()) == []
    for day in ("2020-01-01", datetime.now(UTC).date().isoformat()):
        assert north.get(f"/v1/reports/holdings.csv?date={day}").status_code == 422
    page = signed_in(database, world.clinic.tenant)
    own = lines_of(page.get(f"/reports/holdings.csv?date={yesterday}").get_data())
    assert own == [line | {"parent": ""} for line in lines if line["tenant_id"] == world.clinic.tenant.public_id]


def test_a_day_that_took_too_long(api: Door, database: sa.Engine, stock: None, monkeypatch: pytest.MonkeyPatch) -> None:
    del stock
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    monkeypatch.setattr(holdings_report, "MOST_DAILY_SECONDS", 0.01)
    slowly = holdings_report._counted().where(sa.func.pg_sleep(0.05).is_not(None))  # noqa: SLF001 - made slower
    monkeypatch.setattr(holdings_report, "_counted", lambda: slowly)
    assert cleaner.count_day() == 0
    assert api.get(f"/v1/reports/holdings.csv?date={yesterday}").status_code == 422
    with database.connect() as connection:
        days = connection.execute(sa.select(tables.counted_days.c.day, tables.counted_days.c.is_complete)).all()
    assert [tuple(day) for day in days] == [(yesterday, False)]
