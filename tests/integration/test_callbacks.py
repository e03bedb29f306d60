"""Callbacks: for every end of a job, at least once, signed, under one id; and what a receiver can do to them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from importlib.metadata import version

import pytest
import redis
import sqlalchemy as sa

from schemas import callback_signing
from schemas.http.callbacks import JobEnded
from schemas.jobs import Phase
from schemas.metrics import PENDING
from tests.support.api_client import Door, Json
from tests.support.factories import World
from tests.support.files import sheets
from tests.support.job_rows import Ledger
from tests.support.metrics_scrape import scrape
from tests.support.servers.callback_receiver import NETWORK, Receiver, receiving
from tests.support.servers.service import wait_for
from worker import pipeline
from worker.config.settings import get_settings
from worker.jobs import callback_secrets
from worker.maintenance import rescuer
from worker.queue import broker, leases
from worker.runtime.processes.ports import free_port

LEASE = 30.0
DEADLINE = 20.0
FIRST = 12_125_550_000
BAD_ROW = ("1", "ask Bob", "TRUE", "", "")
OF_A_JOB = tuple(phase for phase in Phase if phase is not Phase.CALLBACK)


class Callbacks(Ledger):
    """The ledger as callbacks are seen in it."""

    def claim(self, phase: Phase = Phase.CALLBACK) -> leases.Lease:
        return super().claim(phase)

    def piece(self) -> tuple[str, int]:
        """State and tries of the one callback."""
        (row,) = self.ask("SELECT state, attempt FROM job_chunks WHERE phase = 'callback'")
        return row.state, row.attempt

    def pause(self) -> float:
        """Seconds from the last try to the next, by the database's clock."""
        (row,) = self.ask(
            "SELECT extract(epoch FROM next_attempt_at - (SELECT max(at) FROM callback_deliveries)) AS seconds"
            " FROM job_chunks WHERE phase = 'callback'"
        )
        return float(row.seconds)

    def tries(self) -> list[tuple[int, str, int | None]]:
        rows = self.ask("SELECT attempt, result, status FROM callback_deliveries ORDER BY id")
        return [(row.attempt, row.result, row.status) for row in rows]

    def fail_notes(self, sqlstate: str) -> None:
        """Have the database refuse to note a try, with this SQLSTATE."""
        self.run(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION 'refused by the test' USING ERRCODE = '{sqlstate}'; END $$"
        )
        self.run("CREATE TRIGGER r BEFORE INSERT ON callback_deliveries FOR EACH ROW EXECUTE FUNCTION refuse()")


@pytest.fixture
def ledger(database: sa.Engine) -> Callbacks:
    return Callbacks(database)


@pytest.fixture
def receiver(database: sa.Engine, configure: Callable[..., None]) -> Iterator[Receiver]:  # noqa: ARG001 - settings last
    """A receiver that callbacks are allowed to reach."""
    configure(callback_networks=NETWORK, callback_timeout_seconds=5)
    with receiving() as told:
        yield told


def sheet(count: int = 2, *more: tuple[str, ...]) -> bytes:
    rows = (["1", str(FIRST + row), "TRUE", "", ""] for row in range(count))
    return sheets.csv_bytes([sheets.HEADER, *rows, *more])


def secret_of(ledger: Callbacks, tenant_id: int) -> str:
    with ledger.engine.begin() as connection:
        return callback_signing.shown_secret(callback_secrets.show(connection, tenant_id).secret)


def ended(api: Door, receiver: Receiver, content: bytes | None = None, **fields: str) -> Json:
    """A job that wants a callback, at its end; the callback is not sent yet."""
    answer = api.send(sheet() if content is None else content, callback_url=receiver.url, **fields)
    assert answer.status_code == 202, answer.get_data(as_text=True)
    api.work_off(OF_A_JOB)
    return api.job(answer.json["id"])


# What is sent


def test_a_callback_tells_of_the_job_and_is_signed(
    api: Door, receiver: Receiver, ledger: Callbacks, world: World
) -> None:
    job = api.upload(sheet(3, BAD_ROW), callback_url=receiver.url)
    (got,) = receiver.got
    assert got.path == "/hook?key=s3cret"
    assert got.headers["content-type"] == "application/json"
    assert got.headers["user-agent"] == f"numberyard/{version('numberyard')}"
    assert "cookie" not in got.headers
    assert got.headers["webhook-id"].startswith("msg_")
    (now,) = ledger.ask("SELECT extract(epoch FROM now()) AS seconds")
    assert abs(float(now.seconds) - int(got.headers["webhook-timestamp"])) < 60
    assert got.is_signed_by(secret_of(ledger, world.north.id))
    assert not got.is_signed_by(secret_of(ledger, world.south.id))
    event = got.event
    assert JobEnded.model_validate(event)
    assert (event["type"], event["timestamp"]) == ("job.completed_with_errors", job["finished_at"])
    for name in (
        "id",
        "kind",
        "status",
        "created_at",
        "started_at",
        "finished_at",
        "counts",
        "error_summary",
        "problem",
    ):
        assert event["data"][name] == job[name], name
    assert event["data"]["links"] == {"self": f"/v1/jobs/{job['id']}"}
    assert b", " not in got.body
    assert b"\n" not in got.body


def test_a_job_without_a_callback_makes_no_work(api: Door, ledger: Callbacks) -> None:
    api.upload(sheet())
    for table in ("callbacks", "callback_secrets", "callback_deliveries"):
        assert ledger.ask(f"SELECT 1 FROM {table}") == []  # noqa: S608 - names of ours
    assert ledger.ask("SELECT 1 FROM job_chunks WHERE phase = 'callback'") == []


def test_the_same_file_again_says_so(api: Door, receiver: Receiver) -> None:
    first = api.upload(sheet(), callback_url=receiver.url)
    api.upload(sheet(), callback_url=receiver.url)
    assert [got.event["data"]["duplicate_of"] for got in receiver.got] == [None, first["id"]]
    assert len(set(receiver.ids)) == 2


@pytest.mark.long
def test_actions_have_callbacks_too(api: Door, receiver: Receiver, world: World) -> None:
    """As JSON, and as a form beside a file."""
    api.upload(sheet())
    hotel, numbers = world.hotel.tenant.public_id, sheets.csv_bytes([("Phone Number",), (f"+{FIRST}",)])
    api.act("assignments", {"numbers": [f"+{FIRST}"], "tenant_id": hotel, "callback_url": receiver.url})
    api.upload(numbers, to="unassignments", callback_url=receiver.url)
    kinds = [(got.event["type"], got.event["data"]["kind"]) for got in receiver.got]
    assert kinds == [("job.completed", "assign"), ("job.completed", "unassign")]


def test_a_callback_of_an_ended_job_waits_to_be_sent(api: Door, receiver: Receiver) -> None:
    """As `/metrics` counts it: other work of ended jobs waits for nobody."""
    ended(api, receiver)
    assert scrape(api.client).nonzero(PENDING) == {("callback",): 1}
    assert pipeline.run(Phase.CALLBACK)
    assert not scrape(api.client).nonzero(PENDING)


# Every end of a job


def cancel(api: Door, job_id: str) -> None:
    assert api.post(f"/v1/jobs/{job_id}/cancel").status_code == 202


def _cancelled_at_once(api: Door, receiver: Receiver, _ledger: Ledger) -> str:
    job_id: str = api.send(sheet(), callback_url=receiver.url).json["id"]
    cancel(api, job_id)
    return job_id


def _cancelled_when_checked(api: Door, receiver: Receiver, _ledger: Ledger) -> str:
    job_id: str = api.send(sheet(), callback_url=receiver.url).json["id"]
    assert pipeline.run(Phase.CHECK)
    cancel(api, job_id)
    return job_id


def _cancelled_while_checked(api: Door, receiver: Receiver, ledger: Callbacks) -> str:
    """Its worker dies, and the sweep brings it to its end."""
    job_id: str = api.send(sheet(), callback_url=receiver.url).json["id"]
    ledger.claim(Phase.CHECK)
    cancel(api, job_id)
    ledger.expire()
    rescuer.rescue()
    return job_id


def _review_expired(api: Door, receiver: Receiver, ledger: Callbacks) -> str:
    job_id: str = api.send(sheet(), callback_url=receiver.url, mode="review").json["id"]
    assert pipeline.run(Phase.CHECK)
    ledger.run("UPDATE jobs SET review_until = now()")
    rescuer.rescue()
    return job_id


def _refused(api: Door, receiver: Receiver, _ledger: Ledger) -> str:
    job_id: str = api.send(b"no header at all\n", callback_url=receiver.url).json["id"]
    return job_id


def _given_up(api: Door, receiver: Receiver, ledger: Callbacks) -> str:
    """Our own fault, again and again."""
    job_id: str = api.send(sheet(), callback_url=receiver.url).json["id"]
    ledger.run("UPDATE job_chunks SET attempt = 1000")
    return job_id


def _completed(api: Door, receiver: Receiver, _ledger: Ledger) -> str:
    job_id: str = api.send(sheet(), callback_url=receiver.url).json["id"]
    return job_id


ENDS = {
    "completed": (_completed, "job.completed", None),
    "cancelled at once": (_cancelled_at_once, "job.cancelled", None),
    "cancelled when checked": (_cancelled_when_checked, "job.cancelled", None),
    "cancelled while checked": (_cancelled_while_checked, "job.cancelled", None),
    "review expired": (_review_expired, "job.cancelled", "REVIEW_EXPIRED"),
    "refused at the check": (_refused, "job.failed", "NO_HEADER"),
    "our own fault": (_given_up, "job.failed", "INTERNAL_ERROR"),
}


@pytest.mark.parametrize(("make", "kind", "problem"), ENDS.values(), ids=ENDS)
def test_every_end_is_told_once(
    api: Door,
    receiver: Receiver,
    ledger: Callbacks,
    make: Callable[[Door, Receiver, Ledger], str],
    kind: str,
    problem: str | None,
) -> None:
    job_id = make(api, receiver, ledger)
    api.work_off()
    job = api.job(job_id)
    (got,) = receiver.got
    assert (got.event["type"], got.event["data"]["id"]) == (kind, job_id)
    assert (got.event["data"]["problem"] or {}).get("code") == problem
    assert got.event["data"]["counts"] == job["counts"]
    assert got.event["data"]["finished_at"] == job["finished_at"]
    assert ledger.piece() == ("done", 1)


def test_the_end_of_a_job_wakes_the_one_who_tells(api: Door, receiver: Receiver, ledger: Callbacks) -> None:
    """Not only the sweep finds it."""
    address = get_settings().redis_url
    assert address is not None
    valkey = redis.Redis.from_url(address.get_secret_value())
    queue = broker.QUEUES[Phase.CALLBACK]
    for make in (_completed, _refused, _cancelled_at_once):
        valkey.delete(queue)
        make(api, receiver, ledger)
        api.work_off(OF_A_JOB)
        assert valkey.llen(queue) == 1, make
    valkey.delete(queue)


def test_a_job_that_does_not_end_after_all_tells_nothing(api: Door, receiver: Receiver, ledger: Callbacks) -> None:
    """The piece and the end are one transaction: with the one rolled back there is not the other."""
    job_id = api.send(sheet(), callback_url=receiver.url).json["id"]
    ledger.run("ALTER TABLE job_chunks ADD CONSTRAINT none CHECK (phase <> 'callback')")
    for phase in (Phase.CHECK, Phase.WRITE, Phase.REPORT):
        assert pipeline.run(phase)
    assert api.job(job_id)["status"] == "publishing"
    ledger.run("ALTER TABLE job_chunks DROP CONSTRAINT none")
    ledger.due()
    api.work_off()
    assert api.job(job_id)["status"] == "completed"
    assert [got.event["type"] for got in receiver.got] == ["job.completed"]


# Receivers that do not take it


TROUBLE: dict[str, tuple[str | int, str, int | None]] = {
    "an error": (500, "HTTP_ERROR", 500),
    "a refusal": (404, "HTTP_ERROR", 404),
    "a redirect": ("redirect", "REDIRECTED", 307),
    "silence": ("hang", "TIMED_OUT", None),
    "a byte at a time": ("drip", "TIMED_OUT", None),
    "a hang-up": ("drop", "NOT_HTTP", None),
    "another protocol": ("garbage", "NOT_HTTP", None),
}


@pytest.mark.parametrize(("mode", "result", "status"), TROUBLE.values(), ids=TROUBLE)
def test_a_try_that_failed_is_noted_and_comes_again(
    api: Door,
    receiver: Receiver,
    ledger: Callbacks,
    configure: Callable[..., None],
    mode: str | int,
    result: str,
    status: int | None,
) -> None:
    configure(callback_timeout_seconds=0.5)
    ended(api, receiver)
    receiver.mode, receiver.headers = mode, {"Location": receiver.url} if mode == "redirect" else {}
    assert pipeline.run(Phase.CALLBACK)
    assert ledger.tries() == [(1, result, status)]
    assert ledger.piece() == ("pending", 1)
    assert 4.4 < ledger.pause() < 5.6
    assert not pipeline.run(Phase.CALLBACK)  # not before its time
    receiver.mode = "ok"
    ledger.due()
    assert pipeline.run(Phase.CALLBACK)
    assert ledger.tries()[1:] == [(2, "DELIVERED", 204)]
    assert len(set(receiver.ids)) == 1
    assert len({got.body for got in receiver.got}) == 1


def test_an_address_that_is_not_allowed_is_never_connected_to(
    api: Door, receiver: Receiver, ledger: Callbacks, configure: Callable[..., None]
) -> None:
    """It was allowed when the job was sent."""
    ended(api, receiver)
    configure(callback_networks="10.0.0.0/8")
    assert pipeline.run(Phase.CALLBACK)
    assert ledger.tries() == [(1, "REFUSED_ADDRESS", None)]
    assert receiver.connections == 0


def test_nobody_listens_or_speaks_tls(api: Door, receiver: Receiver, ledger: Callbacks) -> None:
    ended(api, receiver)
    ledger.run("UPDATE callbacks SET url = :url", url=f"https://127.0.0.1:{free_port()}")
    assert pipeline.run(Phase.CALLBACK)
    ledger.run("UPDATE callbacks SET url = :url", url=receiver.url.replace("http:", "https:"))
    ledger.due()
    assert pipeline.run(Phase.CALLBACK)
    assert [result for _, result, _ in ledger.tries()] == ["NOT_REACHED", "TLS_FAILED"]


@pytest.mark.long
def test_pauses_grow_until_it_is_given_up(
    api: Door, receiver: Receiver, ledger: Callbacks, configure: Callable[..., None]
) -> None:
    configure(max_attempts=1)  # which is for imports
    ended(api, receiver)
    receiver.mode = 500
    for attempt, pause in enumerate(callback_signing.SCHEDULE, start=1):
        assert ledger.piece() == ("pending", attempt - 1)
        assert pipeline.run(Phase.CALLBACK)
        assert 0.89 * pause < ledger.pause() < 1.11 * pause
        ledger.due()
    assert pipeline.run(Phase.CALLBACK)
    assert ledger.piece() == ("dead", callback_signing.TRIES)
    ledger.due()
    assert not pipeline.run(Phase.CALLBACK)
    assert [attempt for attempt, _, _ in ledger.tries()] == list(range(1, callback_signing.TRIES + 1))
    (row,) = ledger.ask("SELECT delivered_at, given_up_at FROM callbacks")
    assert (row.delivered_at, bool(row.given_up_at)) == (None, True)
    assert len(set(receiver.ids)) == 1


def test_a_receiver_that_is_gone_is_left_alone_at_once(api: Door, receiver: Receiver, ledger: Callbacks) -> None:
    ended(api, receiver)
    receiver.mode = 410
    assert pipeline.run(Phase.CALLBACK)
    assert (ledger.tries(), ledger.piece()) == ([(1, "GONE", 410)], ("dead", 1))


@pytest.mark.parametrize(
    ("status", "asked", "pause"),
    [(429, "60", 60), (503, "100", 100), (503, "999999999999", 3600), (429, "soon", 5), (429, "-1", 5), (500, "60", 5)],
)
def test_a_busy_receiver_is_given_its_time(
    api: Door, receiver: Receiver, ledger: Callbacks, status: int, asked: str, pause: float
) -> None:
    ended(api, receiver)
    receiver.mode, receiver.headers = status, {"Retry-After": asked}
    assert pipeline.run(Phase.CALLBACK)
    assert ledger.pause() == pytest.approx(pause, rel=0.11)


def test_redirects_are_followed_by_setting(
    api: Door, receiver: Receiver, ledger: Callbacks, configure: Callable[..., None]
) -> None:
    configure(callback_redirects=1)
    with receiving() as first:
        first.mode, first.headers = "redirect", {"Location": receiver.url}
        ended(api, first)
        assert pipeline.run(Phase.CALLBACK)
    assert ledger.tries() == [(1, "DELIVERED", 204)]
    assert receiver.ids == first.ids


@pytest.mark.long
def test_no_word_of_the_receiver_is_kept(
    api: Door, receiver: Receiver, ledger: Callbacks, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither in the database nor in the log; nor is the URL logged, which may hold a secret."""
    caplog.set_level(logging.DEBUG)
    receiver.mode, receiver.headers = 500, {"X-Mark": "mark-of-the-receiver"}
    ended(api, receiver)
    assert pipeline.run(Phase.CALLBACK)
    rows = str(ledger.ask("SELECT * FROM callback_deliveries") + ledger.ask("SELECT * FROM job_chunks"))
    assert "callback_tried" in caplog.text
    for word in ("mark-of-the-receiver", "s3cret"):
        assert word not in rows + caplog.text


# Crashes and leases


def test_a_second_delivery_of_the_piece_does_nothing(api: Door, receiver: Receiver) -> None:
    ended(api, receiver)
    assert [pipeline.run(Phase.CALLBACK) for _ in range(3)] == [True, False, False]
    assert len(receiver.got) == 1


@pytest.mark.long
def test_two_workers_at_once_deliver_once(api: Door, receiver: Receiver, ledger: Callbacks) -> None:
    for number in range(5):
        ended(api, receiver, sheet(1 + number))

    def work() -> None:
        while pipeline.run(Phase.CALLBACK):
            pass

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
    assert (len(receiver.ids), len(set(receiver.ids))) == (5, 5)
    assert ledger.tries() == [(1, "DELIVERED", 204)] * 5


def test_a_straggler_cannot_note_its_delivery(api: Door, receiver: Receiver, ledger: Callbacks) -> None:
    """Its lease ran out while it waited for the answer, and another one has the callback now."""
    ended(api, receiver)
    second: list[leases.Lease] = []

    def meanwhile() -> None:
        if not second:
            assert ledger.expire() == 1
            second.append(ledger.claim())

    receiver.meanwhile = meanwhile
    assert pipeline.run(Phase.CALLBACK)
    assert (ledger.tries(), ledger.piece()) == ([], ("leased", 2))
    pipeline.STEPS[Phase.CALLBACK](second[0])
    assert (ledger.tries(), ledger.piece()) == ([(2, "DELIVERED", 204)], ("done", 2))
    assert len(set(receiver.ids)) == 1


def test_a_killed_workers_callback_is_sent_by_another(api: Door, receiver: Receiver, ledger: Callbacks) -> None:
    """It was killed between the claim and the note: it may have been sent, so it is sent again, under the same id."""
    ended(api, receiver)
    ledger.claim()
    ledger.expire()
    assert pipeline.run(Phase.CALLBACK)
    assert ledger.tries() == [(2, "DELIVERED", 204)]


def test_a_last_try_that_was_cut_off_is_made_again(api: Door, receiver: Receiver, ledger: Callbacks) -> None:
    ended(api, receiver)
    ledger.run("UPDATE job_chunks SET attempt = :most WHERE phase = 'callback'", most=callback_signing.TRIES)
    assert pipeline.run(Phase.CALLBACK)
    assert (len(receiver.got), ledger.piece()[0]) == (1, "done")


def test_a_callback_that_keeps_killing_its_worker_is_given_up(api: Door, receiver: Receiver, ledger: Callbacks) -> None:
    ended(api, receiver)
    most = callback_signing.TRIES + get_settings().max_attempts
    ledger.run("UPDATE job_chunks SET attempt = :most WHERE phase = 'callback'", most=most)
    assert pipeline.run(Phase.CALLBACK)
    assert (receiver.got, ledger.piece()[0]) == ([], "dead")
    (row,) = ledger.ask("SELECT given_up_at FROM callbacks")
    assert row.given_up_at


@pytest.mark.parametrize(("sqlstate", "attempt"), [("57P01", 0), ("22000", 1)])
def test_a_delivery_that_could_not_be_noted_is_made_again(
    api: Door, receiver: Receiver, ledger: Callbacks, sqlstate: str, attempt: int
) -> None:
    """The receiver had it when the database went away; that does not count as a try, a fault of ours does."""
    ended(api, receiver)
    ledger.fail_notes(sqlstate)
    assert pipeline.run(Phase.CALLBACK)
    assert (len(receiver.got), ledger.tries(), ledger.piece()) == (1, [], ("pending", attempt))
    ledger.run("DROP FUNCTION refuse CASCADE")
    ledger.due()
    assert pipeline.run(Phase.CALLBACK)
    assert ledger.tries() == [(attempt + 1, "DELIVERED", 204)]
    assert len(set(receiver.ids)) == 1
    assert len(receiver.ids) == 2


def test_the_sweep_announces_a_callback_that_is_due(api: Door, receiver: Receiver, ledger: Callbacks) -> None:
    address = get_settings().redis_url
    assert address is not None
    valkey = redis.Redis.from_url(address.get_secret_value())
    queue = broker.QUEUES[Phase.CALLBACK]
    ended(api, receiver)
    receiver.mode = 500
    assert pipeline.run(Phase.CALLBACK)
    valkey.delete(queue)
    rescuer.rescue()
    assert valkey.llen(queue) == 0
    ledger.run("UPDATE job_chunks SET hint_due_at = now(), next_attempt_at = now() WHERE state = 'pending'")
    rescuer.rescue()
    assert valkey.llen(queue) == 1
    valkey.delete(queue)


def test_a_removed_jobs_callback_is_no_fault(api: Door, receiver: Receiver, ledger: Callbacks) -> None:
    ended(api, receiver)
    lease = ledger.claim()
    ledger.run("DELETE FROM jobs")
    with pytest.raises(leases.LostLeaseError):
        pipeline.STEPS[Phase.CALLBACK](lease)
    assert receiver.got == []


# Fairness


@pytest.mark.long
def test_slow_receivers_do_not_put_back_their_tenants_imports(
    api: Door, receiver: Receiver, ledger: Callbacks, world: World
) -> None:
    """North was there first and has two callbacks under way: its import is still the next one."""
    for _ in range(2):
        ended(api, receiver)
        ledger.claim()
    api.send(sheet())
    api.as_(world.south.token).send(sheet())
    ledger.run("UPDATE queued_tenants SET turn = 0 WHERE queue <> 'callbacks'")
    assert ledger.claim(Phase.CHECK).tenant_id == world.north.id


@pytest.mark.long
def test_callbacks_go_round_among_the_tenants(api: Door, receiver: Receiver, ledger: Callbacks, world: World) -> None:
    """A tenant with many slow receivers takes turns with the others; its imports do not count."""
    for number in range(3):
        ended(api, receiver, sheet(1 + number))
    ended(api.as_(world.south.token), receiver, sheets.csv_bytes([sheets.HEADER, ("1", "2125559999", "TRUE", "", "")]))
    assert [ledger.claim().tenant_id for _ in range(3)] == [world.north.id, world.south.id, world.north.id]


# Secrets


@pytest.mark.long
def test_two_secrets_sign_while_one_is_replaced(api: Door, receiver: Receiver, ledger: Callbacks, world: World) -> None:
    north = world.north
    secrets = [secret_of(ledger, north.id)]

    def rotated() -> None:
        with ledger.engine.begin() as connection:
            view = callback_secrets.rotate(connection, north.tenant)
        secrets.append(callback_signing.shown_secret(view.secret))
        assert view.previous_until is not None

    def signers() -> list[bool]:
        api.upload(sheet(), callback_url=receiver.url)
        got = receiver.got[-1]
        assert len(got.headers["webhook-signature"].split(" ")) == sum(got.is_signed_by(one) for one in secrets)
        return [got.is_signed_by(one) for one in secrets]

    assert signers() == [True]
    rotated()
    assert signers() == [True, True]
    rotated()  # within the time of the first: at most two sign
    assert signers() == [False, True, True]
    ledger.run("UPDATE callback_secrets SET until = now() WHERE until IS NOT NULL")
    assert signers() == [False, False, True]


def test_two_who_replace_a_secret_at_once(ledger: Callbacks, world: World) -> None:
    def rotate() -> None:
        with ledger.engine.begin() as connection:
            callback_secrets.rotate(connection, world.north.tenant)

    threads = [threading.Thread(target=rotate) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
    rows = ledger.ask("SELECT until IS NULL AS current FROM callback_secrets")
    assert sorted(row.current for row in rows) == [False, True]


@pytest.mark.long
def test_a_secret_is_made_once_and_is_random(api: Door, receiver: Receiver, ledger: Callbacks, world: World) -> None:
    api.upload(sheet(), callback_url=receiver.url)
    api.upload(sheet(3), callback_url=receiver.url)
    (row,) = ledger.ask("SELECT tenant_id, secret FROM callback_secrets")
    assert (row.tenant_id, len(row.secret)) == (world.north.id, 32)
    assert secret_of(ledger, world.south.id) != secret_of(ledger, world.north.id)


# The door


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost/",
        "http://169.254.169.254/",
        "ftp://a.example/",
        "https://u:p@a.example/",
        "https://a.example:22",
    ],
)
def test_the_door_refuses_what_would_never_be_called(
    api: Door, ledger: Callbacks, stored: Callable[[], list[str]], url: str
) -> None:
    """422 with the field, the value and what to do; nothing is kept."""
    answers = [
        api.send(sheet(), callback_url=url),
        api.send(sheet(), to="deletions", callback_url=url),
        api.post("/v1/deletions", {"numbers": [f"+{FIRST}"], "callback_url": url}),
    ]
    for answer in answers:
        assert (answer.status_code, answer.json["code"]) == (422, "INVALID_FIELD")
        assert (answer.json["field"], answer.json["value"]) == ("callback_url", url)
        assert answer.json["errors"][0]["field"] == "callback_url"
        assert answer.json["errors"][0]["message"] in answer.json["detail"]
    assert (ledger.ask("SELECT 1 FROM jobs"), stored()) == ([], [])


def test_a_long_value_is_not_repeated_whole(api: Door) -> None:
    answer = api.send(sheet(), callback_url="https://a.example/" + "x" * 10_000)
    assert (answer.status_code, len(answer.json["value"])) == (422, 200)


def test_a_request_with_another_callback_is_another_request(api: Door, receiver: Receiver) -> None:
    def send(url: str) -> int:
        body = {"numbers": [f"+{FIRST}"], "callback_url": url}
        return api.post("/v1/deletions", body, headers={"Idempotency-Key": "one"}).status_code

    assert [send(receiver.url), send(receiver.url), send(receiver.url + "x")] == [202, 202, 422]


def test_the_heartbeat_keeps_a_callback_whose_receiver_is_slow(
    api: Door, receiver: Receiver, ledger: Callbacks, configure: Callable[..., None]
) -> None:
    configure(lease_seconds=1, callback_timeout_seconds=30)
    ended(api, receiver)
    until = "SELECT lease_until FROM job_chunks WHERE state = 'leased'"

    def meanwhile() -> None:
        first = ledger.ask(until)
        wait_for(lambda: ledger.ask(until) != first, DEADLINE, "a heartbeat")

    receiver.meanwhile = meanwhile
    assert pipeline.run(Phase.CALLBACK)
    assert ledger.tries() == [(1, "DELIVERED", 204)]
