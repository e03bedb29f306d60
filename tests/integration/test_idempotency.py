"""A request that bears a name makes one job, however often and however many times at once it is sent."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from werkzeug.test import TestResponse

from schemas.database.tables import idempotency_keys, jobs
from tests.support.api_client import Door
from tests.support.factories import World
from tests.support.files import sheets
from worker.jobs import idempotency

FILE = sheets.csv_bytes(sheets.rows(3))
KEY = {"Idempotency-Key": "order 7"}
ANSWERED = ("Location", "Retry-After")


def send(api: Door, content: Any = FILE, name: str = "a.csv", key: str = "order 7", **fields: str) -> TestResponse:  # noqa: ANN401 - bytes or a stream
    body = io.BytesIO(content) if isinstance(content, bytes) else content
    headers = {"Authorization": f"Bearer {api.token}", "Idempotency-Key": key}
    return api.client.post("/v1/uploads", data={**fields, "file": (body, name)}, headers=headers)


def made(database: sa.Engine) -> int:
    with database.connect() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(jobs)).scalar_one()


def test_the_same_request_gets_the_first_answer(
    api: Door, database: sa.Engine, stored: Callable[[], list[str]]
) -> None:
    first = send(api)
    assert (first.status_code, first.headers.get("Idempotent-Replayed")) == (202, None)
    api.work_off()
    files = stored()
    for _ in range(2):
        again = send(api)
        assert (again.status_code, again.data) == (202, first.data)
        assert again.headers["Idempotent-Replayed"] == "true"
        assert [again.headers[name] for name in ANSWERED] == [first.headers[name] for name in ANSWERED]
    assert made(database) == 1
    assert stored() == files
    assert api.job(first.json["id"])["counts"]["created"] == 3


OTHERS: dict[str, dict[str, Any]] = {
    "another file": {"content": FILE + b"1,2125550999,TRUE,,\r\n"},
    "another name": {"name": "b.csv"},
    "another field": {"on_existing": "update"},
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_another_request_is_refused(
    api: Door, database: sa.Engine, stored: Callable[[], list[str]], other: dict[str, Any]
) -> None:
    send(api)
    files = stored()
    answer = send(api, **other)
    assert (answer.status_code, answer.json["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert (made(database), stored()) == (1, files)


def test_another_address_is_another_request(api: Door) -> None:
    body = {"numbers": ["+12125550142"]}
    assert api.post("/v1/deletions", body, headers=KEY).status_code == 202
    assert api.post("/v1/unassignments", body, headers=KEY).json["code"] == "IDEMPOTENCY_KEY_REUSED"


@pytest.mark.long
def test_actions_and_undo(api: Door, database: sa.Engine) -> None:
    """What a selection finds the second time is none of its business; nor that the job has been undone already."""
    job = api.upload(FILE)
    body = {"filter": {"status": "unassigned"}, "expected_count": 3}
    first = api.done(api.post("/v1/deletions", body, headers=KEY))
    assert first["counts"]["deleted"] == 3
    # Written in another order, the same members are the same request.
    again = api.post("/v1/deletions", dict(reversed(body.items())), headers=KEY)
    assert (again.status_code, again.json["id"]) == (202, first["id"])
    undos = [api.post(f"/v1/jobs/{first['id']}/undo", headers={"Idempotency-Key": "u"}) for _ in range(3)]
    assert {answer.status_code for answer in undos} == {202}
    assert len({answer.json["id"] for answer in undos}) == 1
    assert made(database) == 3
    assert api.post(f"/v1/jobs/{job['id']}/undo", headers={"Idempotency-Key": "u"}).status_code == 422


def test_confirm_and_cancel(api: Door) -> None:
    job = api.upload(FILE, mode="review")
    for _ in range(2):
        assert api.post(f"/v1/jobs/{job['id']}/confirm", headers=KEY).status_code == 202
    assert api.post(f"/v1/jobs/{job['id']}/cancel", headers=KEY).json["code"] == "IDEMPOTENCY_KEY_REUSED"


def test_keys_are_the_tenant_s_own(api: Door, world: World, database: sa.Engine) -> None:
    ids = {send(api.as_(token)).json["id"] for token in (world.north.token, world.south.token)}
    assert len(ids) == made(database) == 2


def test_a_refused_request_may_be_mended(api: Door, database: sa.Engine) -> None:
    assert send(api, on_existing="perhaps").status_code == 422
    assert send(api, on_existing="update").status_code == 202
    assert made(database) == 1


@pytest.mark.parametrize("key", ["", "x" * 256, "ä", "a\x7fb"])
def test_no_key(api: Door, database: sa.Engine, key: str) -> None:
    answer = send(api, key=key)
    assert (answer.status_code, answer.json["code"]) == (400, "BAD_REQUEST")
    assert made(database) == 0


@pytest.mark.long
def test_a_key_is_known_for_its_time(api: Door, database: sa.Engine, configure: Callable[..., None]) -> None:
    configure(idempotency_hours=1e-9)
    assert send(api).json["id"] != send(api).json["id"]
    with database.begin() as connection:
        assert idempotency.forget_expired(connection, 10) == 1


def test_who_died_before_the_answer_is_answered_with_the_job(api: Door, database: sa.Engine) -> None:
    first = send(api)
    with database.begin() as connection:
        connection.execute(idempotency_keys.update().values(answer=None))
    api.work_off()
    again = send(api)
    assert (again.status_code, again.json["id"], again.json["status"]) == (202, first.json["id"], "completed")
    assert again.headers["Idempotent-Replayed"] == "true"


LONG = FILE + b",,,,\r\n" * 200_000
HALF = len(LONG) // 2
Begin = Callable[[bytes], tuple[threading.Thread, list[TestResponse], threading.Event]]


class Slow(io.BytesIO):
    """A body whose sender waits in the middle of it."""

    def __init__(self, content: bytes, goes_on: threading.Event) -> None:
        super().__init__(content)
        self.half_sent, self.goes_on = threading.Event(), goes_on

    def read(self, size: int | None = -1) -> bytes:
        if self.tell() > HALF:
            self.half_sent.set()
            assert self.goes_on.wait(30)
        return super().read(4096 if size is None or size < 0 else min(size, 4096))

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - what the base class says
        block = self.read(len(buffer))
        buffer[: len(block)] = block
        return len(block)


@pytest.fixture
def slow(api: Door) -> Iterator[Begin]:
    """Begins an upload, and answers when half of it is there: its thread, its answer, and what lets it go on."""
    threads = []
    goes_on = threading.Event()

    def begin(content: bytes) -> tuple[threading.Thread, list[TestResponse], threading.Event]:
        head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
        body = head + content + b"\r\n--x--\r\n"
        stream, answers = Slow(body, goes_on), []
        headers = {"Authorization": f"Bearer {api.token}", "Content-Type": "multipart/form-data; boundary=x"}

        def post() -> None:
            answers.append(
                api.client.application.test_client().post(
                    "/v1/uploads",
                    input_stream=stream,
                    content_length=len(body),
                    headers=headers | KEY,
                )
            )

        threads.append(threading.Thread(target=post))
        threads[-1].start()
        assert stream.half_sent.wait(30)
        return threads[-1], answers, goes_on

    yield begin
    goes_on.set()
    for thread in threads:
        thread.join(30)


def test_at_once(api: Door, database: sa.Engine, slow: Begin) -> None:
    thread, answers, goes_on = slow(LONG)
    answer = send(api, LONG)
    assert (answer.status_code, answer.json["code"]) == (409, "REQUEST_UNDER_WAY")
    assert int(answer.headers["Retry-After"]) >= 1
    goes_on.set()
    thread.join(30)
    assert answers[0].status_code == 202
    assert send(api, LONG).json["id"] == answers[0].json["id"]
    assert made(database) == 1


@pytest.mark.long
def test_who_is_silent_is_overtaken_and_makes_nothing(
    api: Door,
    database: sa.Engine,
    slow: Begin,
    configure: Callable[..., None],
) -> None:
    configure(lease_seconds=1e-9)
    thread, answers, goes_on = slow(LONG)
    answer = send(api, LONG)
    assert answer.status_code == 202
    goes_on.set()
    thread.join(30)
    assert (answers[0].status_code, answers[0].json["code"]) == (409, "REQUEST_UNDER_WAY")
    assert made(database) == 1


@pytest.mark.long
def test_a_long_request_keeps_its_key(slow: Begin, configure: Callable[..., None], database: sa.Engine) -> None:
    """While its body arrives it says again and again that it is alive: the row is not as it was entered."""
    configure(lease_seconds=1e-6)
    slow(LONG)
    with database.connect() as connection:
        place = connection.execute(sa.text("SELECT ctid::text FROM idempotency_keys")).scalar_one()
    assert place != "(0,1)"


def test_many_at_once_make_one_job(api: Door, database: sa.Engine) -> None:
    together, answers = threading.Barrier(6), []

    def post() -> None:
        door = Door(api.client.application.test_client(), api.token, api.work_off)
        together.wait()
        answers.append(send(door))

    threads = [threading.Thread(target=post) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} <= {202, 409}
    assert made(database) == 1
    assert len({answer.json["id"] for answer in answers if answer.status_code == 202}) == 1
