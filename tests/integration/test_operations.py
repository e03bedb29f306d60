"""What can be done, called as a second door does: an actor, no Authorization header, no Idempotency-Key.

That the API does the same is shown by its own tests; here is what a door of forms needs beyond them.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from apiflask import APIFlask
from flask import g, request

from schemas.database import tables
from schemas.http import actions
from schemas.http import resources as bodies
from schemas.http import tenants as tenant_bodies
from schemas.http import users as user_bodies
from schemas.job_kinds import JobKind
from schemas.permissions import Actor
from schemas.request_problems import RequestCode
from schemas.roles import ALL_SCOPES, Role
from tests.support import factories
from tests.support.api_client import application
from tests.support.factories import Account, World
from tests.support.files import sheets
from webhook.http.downloads import sent, sent_stored
from webhook.http.errors import Refused, refuse
from webhook.services import actions as to_numbers
from webhook.services import carriers, jobs, numbers, reports, templates, tenants, tokens, uploads, users, workbooks

SOUND = sheets.csv_bytes(sheets.rows(2))
DELETE = JobKind.DELETE
Enter = Callable[..., AbstractContextManager[None]]


@pytest.fixture
def app(world: World) -> APIFlask:  # noqa: ARG001 - the settings are the world's
    return application()


@pytest.fixture
def acting(app: APIFlask, world: World, database: sa.Engine) -> Enter:
    """A request of `north`, or of another account, that a door let in; with a file, if fields are given."""

    @contextmanager
    def enter(account: Account | None = None, **fields: str) -> Iterator[None]:
        data: dict[str, Any] | None = {**fields, "file": (io.BytesIO(SOUND), "numbers.csv")} if fields else None
        with app.test_request_context("/form", method="POST", data=data):
            tenant = (account or world.north).tenant
            with database.begin() as connection:
                admin_id = factories.admin(connection, tenant, "ada@north.example")
            g.actor = Actor(tenant, "ada@north.example", admin_id, role=Role.ADMIN, scopes=ALL_SCOPES)
            yield

    return enter


@pytest.fixture
def held(acting: Enter, work_off: Callable[[], None]) -> list[str]:
    """Two numbers in the inventory."""
    with acting(mode="apply"):
        uploads.enter(request)
    work_off()
    with acting():
        return [number.e164 for number in numbers.page(bodies.NumbersQuery()).data]


def job_count(database: sa.Engine) -> int:
    with database.connect() as connection:
        found: int = connection.execute(sa.select(sa.func.count()).select_from(tables.jobs)).scalar_one()
    return found


# Files


def test_a_form_with_a_file_is_a_job_without_any_key(acting: Enter, work_off: Callable[[], None]) -> None:
    with acting(mode="apply"):
        job_id = uploads.enter(request)
        assert jobs.get(job_id).status == "accepted"
    work_off()
    with acting():
        job = jobs.get(job_id)
        assert (job.status, job.counts.created, job.created_by.name) == ("completed", 2, "ada@north.example")
        assert job.links.self == f"/v1/jobs/{job_id}"


def test_fields_of_the_door_are_taken_out_before_the_form_is_judged(acting: Enter) -> None:
    seen: dict[str, str] = {}

    def take(fields: dict[str, str]) -> None:
        seen["mark"] = fields.pop("form_mark")

    with acting(form_mark="t", mode="review"):
        assert jobs.get(uploads.enter(request, take)).mode == "review"
    assert seen == {"mark": "t"}
    with acting(form_mark="t"), pytest.raises(Refused) as refused:
        uploads.enter(request)
    assert refused.value.body["errors"][0]["field"] == "form_mark"


def test_a_door_may_refuse_for_the_fields_and_nothing_is_left(
    acting: Enter, database: sa.Engine, stored: Callable[[], list[str]]
) -> None:
    def deny(_fields: dict[str, str]) -> None:
        raise refuse(RequestCode.FORBIDDEN)

    with acting(form_mark="forged"), pytest.raises(Refused) as refused:
        uploads.enter(request, deny)
    assert refused.value.body["code"] == RequestCode.FORBIDDEN
    assert (stored(), job_count(database)) == ([], 0)


def test_r9_who_may_not_upload_is_refused_before_the_body_is_read(acting: Enter, world: World) -> None:
    def unread(_fields: dict[str, str]) -> None:
        raise AssertionError("the body was read")

    with acting(world.hotel, form_mark="t"), pytest.raises(Refused) as refused:
        uploads.enter(request, unread)
    assert refused.value.body["code"] == "EXTERNAL_NOT_ALLOWED"


# Selections and decisions


@pytest.mark.long
def test_r24_a_selection_is_reviewed_confirmed_and_undone(
    acting: Enter, held: list[str], work_off: Callable[[], None]
) -> None:
    """R27: and put back; none of it bears a key."""
    with acting():
        body = actions.Deletion(filter=bodies.NumbersFilter(), expected_count=2, mode="review")
        job_id = to_numbers.enter_selection(DELETE, body)
    work_off()
    with acting():
        assert jobs.get(job_id).status == "review"
        assert jobs.confirm(job_id) == job_id
    work_off()
    with acting():
        assert numbers.page(bodies.NumbersQuery(count=True)).total == 0
        undoing = jobs.undo(job_id)
        assert undoing != job_id
    work_off()
    with acting():
        assert jobs.get(undoing, wait=5.0).undo_of == job_id
        assert [number.e164 for number in numbers.page(bodies.NumbersQuery()).data] == held


def test_a_selection_of_another_size_is_refused(acting: Enter, held: list[str], database: sa.Engine) -> None:
    before = job_count(database)
    body = actions.Deletion(filter=bodies.NumbersFilter(), expected_count=len(held) + 1)
    with acting(), pytest.raises(Refused) as refused:
        to_numbers.enter_selection(DELETE, body)
    assert refused.value.body["code"] == "COUNT_CHANGED"
    assert refused.value.body["found"] == len(held)
    assert job_count(database) == before


def test_r3_a_stranger_finds_neither_job_nor_number(acting: Enter, held: list[str], world: World) -> None:
    with acting():
        job_id = jobs.page(bodies.JobsQuery()).data[0].id
    with acting(world.south):
        asked: list[Callable[[], object]] = [
            lambda: jobs.get(job_id),
            lambda: jobs.rows(job_id, bodies.RowsQuery()),
            lambda: jobs.cancel(job_id),
            lambda: jobs.undo(job_id),
            lambda: reports.csv(job_id, "all"),
            lambda: reports.jsonl(job_id, "all"),
            lambda: workbooks.report(job_id, "failed", 0.0),
            lambda: numbers.get(held[0]),
            lambda: tenants.get(world.north.tenant.public_id),
        ]
        for ask in asked:
            with pytest.raises(Refused) as refused:
                ask()
            assert refused.value.body["code"] == RequestCode.NOT_FOUND


# Accounts


def test_r2_a_user_is_made_with_its_number(acting: Enter, world: World, work_off: Callable[[], None]) -> None:
    """R21: one that is added; without waiting its job is told of all the same."""
    with acting(world.clinic):
        body = user_bodies.NewUser(name="Ada", email="ada@clinic.example", kind="pbx", phone_number="+12125550199")
        made = users.create(body, wait=0.0)
        assert made.job_id is not None
    work_off()
    with acting(world.clinic):
        assert users.get(made.id).phone_number == "+12125550199"
        assert [user.id for user in users.page(user_bodies.UsersQuery()).data] == [made.id]
        with pytest.raises(Refused) as refused:
            users.delete(made.id)
        assert refused.value.body["code"] == RequestCode.IN_USE


def test_r7_carriers_tenants_and_tokens_by_their_bodies(acting: Enter, world: World) -> None:
    with acting():
        carrier = carriers.create(tenant_bodies.NewCarrier(name="Quay Voice", service="voice"))
        assert carriers.change(carrier.id, tenant_bodies.CarrierChange(name="Pier Voice")).name == "Pier Voice"
        tenant = tenants.create(tenant_bodies.NewTenant(name="Quay Dental", kind="enterprise"))
        changed = tenants.change(tenant.id, tenant_bodies.TenantChange(default_voice_carrier="Pier Voice"))
        assert changed.effective_default_voice_carrier == "Pier Voice"
        issued = tokens.create(tenant_bodies.NewToken(name="import", tenant_id=tenant.id))
        assert issued.token
        tokens.delete(issued.id)
        assert tokens.get(issued.id).revoked_at is not None
        tenants.delete(tenant.id)
        carriers.delete(carrier.id)
        assert tenants.get(tenants.ME).id == world.north.tenant.public_id


# Downloads


def test_r28_reports_are_downloads_that_any_door_can_send(
    acting: Enter, held: list[str], work_off: Callable[[], None]
) -> None:
    with acting():
        job_id = jobs.page(bodies.JobsQuery()).data[0].id
        found = reports.csv(job_id, "all")
        assert (found.name, found.content_type) == ("numbers-all.csv", "text/csv; charset=utf-8")
        answer = sent(found)
        answer.direct_passthrough = False
        assert answer.headers["Content-Disposition"] == 'attachment; filename="numbers-all.csv"'
        assert held[0].encode() in answer.get_data()
        with pytest.raises(Refused) as refused:
            workbooks.report(job_id, "all", 0.0)
        assert refused.value.body["code"] == RequestCode.WORKBOOK_NOT_READY
    work_off()
    with acting():
        book = workbooks.report(job_id, "all", 0.0)
        answer = sent_stored(book)
        answer.direct_passthrough = False
        assert len(answer.get_data()) == answer.content_length


def test_r10_the_sample_is_a_download(acting: Enter) -> None:
    with acting():
        answer = sent(templates.csv())
        content = b"".join(answer.iter_encoded())
        assert answer.content_length == len(content)
        assert b"Country Code,Phone Number" in content
        assert templates.xlsx().name == "numbers.xlsx"
