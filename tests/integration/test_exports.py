"""The inventory as a file (R34): what a list shows, from one snapshot; uploaded again, it changes nothing (R10)."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable

import psycopg
import pytest
import sqlalchemy as sa

from schemas.database.tables import phone_numbers, tenants
from tests.support import factories
from tests.support.api_client import Door
from tests.support.factories import World
from tests.support.portal_client import Portal, signed_in
from webhook.http.concurrency_limits import DOWNLOADS
from webhook.services import exports
from worker.numbers import export_pages

FIRST = 12125550000
OPEN = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND xact_start IS NOT NULL "
OPEN += "AND pid <> pg_backend_pid()"


def read(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def test_r10_the_file_uploaded_again_changes_nothing(stocked: Door) -> None:
    content = stocked.get("/v1/numbers.csv").data
    assert [row["_tenant"] for row in read(content)].count("Clinic Enterprise") == 3
    job = stocked.upload(content, on_existing="update")
    assert job["counts"]["total"] == len(read(content)) == 9
    assert job["counts"]["unchanged"] == 9, stocked.rows(job["id"])
    assert stocked.get("/v1/numbers.csv").data == content


@pytest.mark.long
def test_it_has_what_the_list_has(stocked: Door) -> None:
    for query in ("", "?country=%2B44", "?status=assigned", "?capability=fax", "?q=%2B999", "?carrier=North+voice"):
        listed = stocked.get(f"/v1/numbers{query}").json["data"]
        answer = stocked.get(f"/v1/numbers.csv{query}")
        rows = read(answer.data)
        assert [row["Phone Number"] for row in rows] == [number["e164"] for number in listed]
        for row, number in zip(rows, listed, strict=True):
            assert row["_status"] == number["status"]
            assert (row["_tenant"], row["_uploaded_by"]) == (number["tenant"]["name"], number["uploaded_by"]["name"])
            assert (row["_voice_carrier"] or None) == number["voice_carrier"]
            assert (row["Voice"] == "TRUE", row["Fax"] == "TRUE") == (number["voice"], number["fax"])
        lines = [json.loads(line) for line in stocked.get(f"/v1/numbers.jsonl{query}").data.splitlines()]
        assert [line | {"history": []} for line in lines] == listed
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="numbers-20')
    assert answer.content_type == "text/csv; charset=utf-8"


@pytest.mark.long
@pytest.mark.parametrize(
    ("query", "status"), [("status=x", 422), ("cursor=1", 422), ("limit=5", 422), ("tenant_id=%00", 400)]
)
def test_what_is_no_filter_is_refused(api: Door, query: str, status: int) -> None:
    assert api.get(f"/v1/numbers.csv?{query}").status_code == status
    assert api.client.get("/v1/numbers.csv").status_code == 401


@pytest.mark.long
def test_r3_it_stays_in_the_tree(stocked: Door, world: World, database: sa.Engine) -> None:
    assert len(read(stocked.as_(world.clinic.token).get("/v1/numbers.csv").data)) == 3
    assert read(stocked.as_(world.south.token).get("/v1/numbers.csv").data) == []
    elsewhere = f"?tenant_id={world.school.tenant.public_id}"
    assert read(stocked.get(f"/v1/numbers.csv{elsewhere}").data) == []
    assert len(read(signed_in(database, world.clinic.tenant).get("/numbers.csv").data)) == 3


@pytest.mark.long
@pytest.mark.usefixtures("stocked")
def test_the_portal_downloads_its_list(portal: Portal) -> None:
    page = portal.get("/numbers?status=assigned").text
    assert 'href="/numbers.csv?status=assigned"' in page
    assert len(read(portal.get("/numbers.csv?status=assigned").data)) == 3
    assert portal.get("/numbers.csv?status=x").status_code == 422
    assert "/numbers.csv" not in portal.get("/numbers?q=%2B999").text


@pytest.mark.long
def test_it_is_compressed_if_that_is_accepted(stocked: Door) -> None:
    plain = stocked.get("/v1/numbers.csv")
    packed = stocked.get("/v1/numbers.csv", headers={"Accept-Encoding": "br, gzip;q=0.5"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in packed.headers["Vary"]
    assert gzip.decompress(packed.data) == plain.data
    refused = stocked.get("/v1/numbers.csv", headers={"Accept-Encoding": "gzip;q=0"})
    assert "Content-Encoding" not in refused.headers


def test_what_a_spreadsheet_would_run_is_escaped(api: Door, database: sa.Engine, world: World) -> None:
    with database.begin() as connection:
        named = tenants.update().where(tenants.c.id == world.clinic.id).values(name="=cmd|'/c calc'!A0")
        connection.execute(named)
        factories.number(connection, FIRST, world.clinic.tenant, uploader_id=world.north.id)
        factories.number(connection, 2_906_123, world.north.tenant, country="SH")
    rows = read(api.get("/v1/numbers.csv").data)
    assert [row["_tenant"][:2] for row in rows] == ["No", "'="]
    assert [row["Phone Number"] for row in rows] == ["+2906123", "+12125550000"]


@pytest.fixture
def paged(database: sa.Engine, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nine numbers of north in pages of two."""
    monkeypatch.setattr(export_pages, "PAGE", 2)
    with database.begin() as connection:
        factories.numbers(connection, [factories.number_row(FIRST + n, world.north.tenant) for n in range(9)])


@pytest.mark.long
@pytest.mark.usefixtures("paged")
def test_it_is_one_snapshot(api: Door, database: sa.Engine) -> None:
    answer = api.get("/v1/numbers.csv", buffered=False)
    blocks = answer.iter_encoded()
    first = next(blocks)
    with database.begin() as connection:
        assert connection.execute(sa.text(OPEN)).scalar_one() == 1
        connection.execute(phone_numbers.delete().where(phone_numbers.c.e164 > FIRST + 3))
        connection.execute(phone_numbers.update().values(fax=True))
        connection.execute(sa.text("TRUNCATE holdings"))
    rows = read(first + b"".join(blocks))
    answer.close()
    assert [row["Fax"] for row in rows] == ["FALSE"] * 9
    with database.begin() as connection:
        connection.execute(phone_numbers.delete())


@pytest.mark.usefixtures("paged")
def test_a_client_that_goes_away_ends_it(api: Door, database: sa.Engine) -> None:
    answer = api.get("/v1/numbers.csv", buffered=False)
    next(answer.iter_encoded())
    with database.connect() as connection:
        assert connection.execute(sa.text(OPEN)).scalar_one() == 1
    answer.close()
    with database.connect() as connection:
        assert connection.execute(sa.text(OPEN)).scalar_one() == 0


@pytest.mark.long
@pytest.mark.usefixtures("paged")
def test_only_so_many_at_a_time(api: Door, configure: Callable[..., None]) -> None:
    configure(share_downloads=1)
    first = api.get("/v1/numbers.csv", buffered=False)
    refused = api.get("/v1/numbers.jsonl")
    assert (refused.status_code, refused.json["code"]) == (503, "UNAVAILABLE")
    assert refused.headers["Retry-After"]
    first.close()
    again = api.get("/v1/numbers.jsonl")
    assert (again.status_code, len(again.data.splitlines())) == (200, 9)
    assert DOWNLOADS.try_acquire()
    DOWNLOADS.release()


@pytest.mark.long
@pytest.mark.usefixtures("paged")
def test_no_client_holds_a_snapshot_for_ever(api: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file ends within it, and the response without an end."""
    monkeypatch.setattr(exports, "MOST_SECONDS", 0)
    answer = api.get("/v1/numbers.csv", buffered=False)
    blocks = answer.iter_encoded()
    next(blocks)
    with pytest.raises(exports.TooSlowError):
        list(blocks)
    answer.close()


@pytest.mark.long
@pytest.mark.usefixtures("paged")
def test_a_client_that_takes_nothing_loses_the_snapshot(
    api: Door, configure: Callable[..., None], database: sa.Engine
) -> None:
    configure(lease_seconds=1)
    answer = api.get("/v1/numbers.csv", buffered=False)
    blocks = answer.iter_encoded()
    next(blocks)
    with database.connect() as connection:
        connection.execute(sa.text("SELECT pg_sleep(2)"))
        assert connection.execute(sa.text(OPEN)).scalar_one() == 0
    with pytest.raises(
        (sa.exc.OperationalError, psycopg.OperationalError, psycopg.errors.IdleInTransactionSessionTimeout)
    ):
        list(blocks)
    answer.close()
