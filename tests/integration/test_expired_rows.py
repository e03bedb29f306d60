"""Rows that grow with use expire: by their settings, in bounded steps, whatever else happens at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from schemas.database import tables
from schemas.permissions import Actor
from tests.support import factories, past_year
from tests.support.api_client import Door, Json
from tests.support.factories import World
from tests.support.files import sheets
from tests.support.job_rows import Ledger
from tests.support.servers.databases import rows_read
from worker.accounts import login_throttle, tokens
from worker.database.engine import engine
from worker.database.time_limit import time_limit
from worker.jobs import callback_queries, idempotency, past_deliveries, retention, webhooks
from worker.maintenance import cleaner
from worker.numbers import changes, history, holdings_report

DEADLINE = 20.0
JOBS, LATE = 20_000, 300
MOST_ROUNDS = 200
REMOVALS = (
    idempotency.forget_expired,
    login_throttle.forget_old,
    tokens.remove_ended,
    past_deliveries.forget_callbacks,
    past_deliveries.forget_mails,
    webhooks.forget,
    holdings_report.expire_days,
)
WITHOUT_ROWS = {"remove_orphans", "remove_scratch", "count_day"}
ROWS_PER_BLOCK = 226  # 36 bytes with its pointer; PostgreSQL has 185 of 44 bytes in fact


@pytest.fixture
def ledger(database: sa.Engine) -> Ledger:
    return Ledger(database)


def count(ledger: Ledger, table: str, condition: str = "true") -> int:
    found: int = ledger.ask(f"SELECT count(*) FROM {table} WHERE {condition}")[0][0]  # noqa: S608 - our own
    return found


def past(ledger: Ledger, world: World, jobs: int, late: int = 0) -> None:
    """So many jobs of `north` within a year, with all rows that hang on them."""
    with ledger.engine.begin() as connection:
        past_year.write(connection, world.north.id, world.master.id, jobs, late)
    for table in tables.metadata.tables:
        with ledger.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(sa.text(f"ANALYZE {table}"))


# Callbacks and e-mails


def test_callbacks_and_mails_go_when_their_time_is_over(ledger: Ledger, world: World) -> None:
    past(ledger, world, 40)
    young = {
        name: count(ledger, name, f"{name}.{at} > now() - interval '90 days'")
        for name, at in (("callbacks", "delivered_at"), ("callback_deliveries", "at"), ("mails", "ended_at"))
    }
    ledger.run("UPDATE callbacks SET delivered_at = NULL WHERE job_id = (SELECT min(id) FROM jobs)")
    assert cleaner.forget_callbacks() == 40 - young["callbacks"] - 1
    assert cleaner.forget_mails() == 40 - young["mails"]
    assert cleaner.forget_callbacks() + cleaner.forget_mails() == 0
    pending = count(ledger, "callbacks", "delivered_at IS NULL")
    assert pending == 1
    assert count(ledger, "callbacks") == young["callbacks"] + pending
    assert count(ledger, "callback_deliveries") == young["callback_deliveries"] + 2 * pending
    assert count(ledger, "mails") == young["mails"]
    for phase, table in (("callback", "callbacks"), ("mail", "mails")):
        assert count(ledger, "job_chunks", f"phase = '{phase}'") == count(ledger, table)
    assert count(ledger, "job_chunks", "phase = 'write'") == count(ledger, "jobs", "keeps_report")


def test_a_removed_callback_is_not_found_and_its_job_stays(api: Door, ledger: Ledger) -> None:
    job_id = api.upload(sheets.csv_bytes(sheets.rows(1)))["id"]
    ledger.run(
        "INSERT INTO callbacks (job_id, tenant_id, url, given_up_at) "
        "SELECT id, tenant_id, 'https://example.com', now() - interval '91 days' FROM jobs"
    )
    job = api.job(job_id)
    link = job["links"]["callback"]
    assert api.get(link).status_code == 200
    assert cleaner.forget_callbacks() == 1
    assert (api.get(link).status_code, api.post(f"{link}/replay").status_code) == (404, 404)
    after = api.job(job["id"])
    assert after["links"].pop("callback") is None
    assert after["counts"] == job["counts"]


def test_a_callback_that_is_sent_again_stays(ledger: Ledger, world: World) -> None:
    """The removal waits for no lock; and who is too late to send it again leaves no work item without a callback."""
    past(ledger, world, 4)
    ledger.run("UPDATE callbacks SET delivered_at = now() - interval '91 days'")
    (job_id, *_) = (row.id for row in ledger.ask("SELECT id FROM jobs ORDER BY id"))
    with ledger.engine.connect() as other:
        other.execute(sa.text("SELECT 1 FROM job_chunks WHERE job_id = :id FOR UPDATE"), {"id": job_id})
        assert cleaner.forget_callbacks() == 3
    assert count(ledger, "callbacks") == count(ledger, "job_chunks", "phase = 'callback'") == 1
    actor = Actor(world.north.tenant, "test")
    with ledger.engine.connect() as cleaning, ledger.engine.connect() as sending:
        row = sending.execute(callback_queries._select(actor).where(tables.callbacks.c.job_id == job_id)).one()  # noqa: SLF001
        assert past_deliveries.forget_callbacks(cleaning, 10) == 1
        failures = list[BaseException]()

        def send_again() -> None:
            try:
                callback_queries.replay(sending, row)
            except Exception as error:  # noqa: BLE001 - shown below
                failures.append(error)

        sender = threading.Thread(target=send_again)
        sender.start()
        cleaning.commit()
        sender.join(DEADLINE)
        assert [type(error).__name__ for error in failures] == ["GoneError"]
        sending.rollback()
    assert count(ledger, "job_chunks", "phase = 'callback'") == 0


def test_mails_stay_for_the_hour_for_which_they_count(
    ledger: Ledger, world: World, configure: Callable[..., None]
) -> None:
    past(ledger, world, 4)
    configure(keep_deliveries_days=0.0001)
    ledger.run("UPDATE mails SET ended_at = now() - interval '59 minutes'")
    assert cleaner.forget_mails() == 0
    ledger.run("UPDATE mails SET ended_at = now() - interval '61 minutes'")
    ledger.run("UPDATE jobs SET finished_at = NULL WHERE id = (SELECT min(id) FROM jobs)")
    assert cleaner.forget_mails() == 3


# Messages of subscriptions that are off


def test_unsent_messages_of_a_subscription_that_is_off_go(ledger: Ledger, world: World) -> None:
    past(ledger, world, 20)
    ledger.run("UPDATE webhook_messages SET state = 'pending', next_attempt_at = ended_at, ended_at = NULL")
    assert cleaner.forget_messages() == 0
    ledger.run("UPDATE webhooks SET is_enabled = false")
    young = count(ledger, "webhook_messages", "next_attempt_at > now() - interval '30 days'")
    assert cleaner.forget_messages() == 20 - young
    assert count(ledger, "webhook_messages") == count(ledger, "webhook_deliveries") == young


# Tokens


def test_tokens_go_a_year_after_their_end_and_those_that_work_stay(api: Door, world: World, ledger: Ledger) -> None:
    def token(**columns: object) -> int:
        with ledger.engine.begin() as connection:
            secret = factories.token(connection, world.north.tenant, **columns)
            found: int = connection.execute(
                sa.select(tables.tokens.c.id).where(tables.tokens.c.hash == tokens._hash(secret))  # noqa: SLF001
            ).scalar_one()
        return found

    now = datetime.now(UTC)
    old, young, later = (now - timedelta(days=366), now - timedelta(days=364), now + timedelta(days=9))
    works = [token(), token(expires_at=later), token(expires_at=young), token(revoked_at=young)]
    parent = token(revoked_at=old)
    gone = [token(expires_at=old), token(revoked_at=old, expires_at=later), token(expires_at=old, parent_id=parent)]
    kept_parent = token(expires_at=old)
    works += [kept_parent, token(expires_at=young, parent_id=kept_parent)]
    before = count(ledger, "tokens")
    assert cleaner.forget_tokens() == len(gone)
    assert cleaner.forget_tokens() == 1  # the parent
    assert cleaner.forget_tokens() == 0
    ids = {row.id for row in ledger.ask("SELECT id FROM tokens")}
    assert set(works) <= ids
    assert not ids & {parent, *gone}
    assert len(ids) == before - len(gone) - 1
    assert api.get("/v1/tokens").status_code == 200


# Daily counts


def test_a_day_that_is_partly_removed_has_no_counts(api: Door, world: World, ledger: Ledger) -> None:
    past(ledger, world, 1)
    ledger.run("""
        WITH first AS (SELECT min(day) AS day FROM counted_days), older AS (
            INSERT INTO counted_days (day, is_complete) SELECT day - 600, true FROM first RETURNING day)
        SELECT 1 FROM older""")
    ledger.run("UPDATE daily_holdings SET day = day - 600 WHERE day = (SELECT min(day) + 600 FROM counted_days)")
    ledger.run("DELETE FROM counted_days WHERE day = (SELECT min(day) + 600 FROM counted_days)")
    days = [row.day for row in ledger.ask("SELECT day FROM counted_days ORDER BY day")]
    old, kept = days[0], days[-1]
    path = f"/v1/reports/holdings.csv?date={old}"
    assert api.get(path).status_code == 200
    with ledger.engine.begin() as connection:
        assert holdings_report.expire_days(connection, 20) == 20
    answer = api.get(path)
    assert (answer.status_code, answer.json["code"]) == (422, "INVALID_FIELD")
    assert cleaner.expire_days() == 30
    assert count(ledger, "counted_days") == 364
    assert cleaner.expire_days() == 0
    assert api.get(f"/v1/reports/holdings.csv?date={kept}").status_code == 200


def test_a_day_that_expires_while_it_is_read_is_not_shown_in_part(
    world: World, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    past(ledger, world, 1)
    day = ledger.ask("SELECT min(day) AS day FROM counted_days")[0].day
    limit = time_limit

    def expired_meanwhile(connection: sa.Connection, seconds: float) -> object:
        ledger.run("UPDATE counted_days SET is_complete = false")
        ledger.run("DELETE FROM daily_holdings WHERE numbers > 5")
        return limit(connection, seconds)

    monkeypatch.setattr(holdings_report, "time_limit", expired_meanwhile)
    with ledger.engine.connect() as connection, pytest.raises(holdings_report.NotCountedError):
        holdings_report.holdings(connection, world.north.tenant, day)


# Histories of numbers


def test_histories_keep_the_creation_and_the_last_change(api: Door, ledger: Ledger) -> None:
    created = api.upload(sheets.csv_bytes(sheets.rows(1)))["id"]
    number = api.get("/v1/numbers").json["data"][0]["e164"]
    jobs = [api.act("capability-changes", {"numbers": [number], "fax": fax})["id"] for fax in (True, False, True)]
    shown = [entry["job_id"] for entry in _history(api, number)]
    assert shown == [created, *jobs]
    ledger.run("UPDATE jobs SET created_at = now() - interval '731 days' WHERE id < (SELECT max(id) - 1 FROM jobs)")
    times = {name: api.get(f"/v1/numbers/{number}").json[name] for name in ("created_at", "updated_at")}
    assert cleaner.expire_history() == 1
    assert cleaner.expire_history() == 0
    assert [entry["job_id"] for entry in _history(api, number)] == [created, jobs[1], jobs[2]]
    assert {name: api.get(f"/v1/numbers/{number}").json[name] for name in times} == times


def test_every_block_of_the_histories_has_its_turn(
    ledger: Ledger, world: World, monkeypatch: pytest.MonkeyPatch, configure: Callable[..., None]
) -> None:
    past(ledger, world, 300)
    configure(keep_history_days=100)
    monkeypatch.setattr(history, "MOST_BLOCKS", 3)
    before = count(ledger, "number_events")
    kept = count(ledger, "number_events JOIN jobs ON jobs.id = job_id", "created_at > now() - interval '100 days'")
    removed = []
    for _ in range(1000):
        with _reads() as figures:
            removed.append(cleaner.expire_history())
        assert sum(figures) <= 3 * ROWS_PER_BLOCK + 1
        if sum(removed) == before - kept:
            break
    assert count(ledger, "number_events") == kept
    assert max(removed) < before - kept


# What a round reads


def test_a_tenant_with_many_changes_delays_no_round(ledger: Ledger, world: World) -> None:
    """Of those that are kept, only the next one of each tenant is read; those of deleted tenants go entirely."""
    past(ledger, world, 3000)
    ledger.run("DELETE FROM number_changes WHERE at < now() - interval '31 days'")
    ledger.run("DELETE FROM number_change_positions WHERE change_id < (SELECT min(id) FROM number_changes)")
    expired = count(ledger, "number_changes", "at < now() - interval '30 days'")
    kept = count(ledger, "number_changes") - expired
    assert kept > 10 * expired > 0
    with _reads() as figures:
        assert cleaner.expire_changes() == expired
    # Each change once for its age, and once more in so small a table.
    assert sum(figures) <= 2 * (expired + kept) + 3 * 5 * expired
    assert count(ledger, "number_change_positions") == 3 * kept + 2


def test_a_round_reads_a_bounded_part_of_the_jobs_that_are_due(
    ledger: Ledger, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    past(ledger, world, 2000, late=1400)
    monkeypatch.setattr(retention, "MOST_DUE", 50)
    with ledger.engine.begin() as connection:
        before = rows_read(connection)
        assert len(retention.due(connection, 30)) == 30
        assert rows_read(connection) - before <= 4 * 50


# Two at once, and one that is killed


@pytest.mark.parametrize(
    "step",
    [
        "forget_keys",
        "forget_sign_ins",
        "forget_tokens",
        "forget_callbacks",
        "forget_mails",
        "forget_messages",
        "expire_days",
        "expire_history",
        "expire_changes",
    ],
)
def test_two_rounds_at_once_and_one_that_is_killed(
    ledger: Ledger, world: World, monkeypatch: pytest.MonkeyPatch, configure: Callable[..., None], step: str
) -> None:
    configure(keep_tokens_days=100, keep_history_days=100, keep_daily_counts_days=100)
    past(ledger, world, 400)
    monkeypatch.setattr(cleaner, "MOST_ROWS", 7)
    monkeypatch.setattr(cleaner, "MOST_BATCHES", 1000)
    monkeypatch.setattr(changes, "MOST_EXPIRED", 7)
    run, made = getattr(cleaner, step), list[int]()
    expected = _expired(ledger)[step]

    @sa.event.listens_for(engine(), "commit")
    def killed(_: sa.Connection) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run()
    sa.event.remove(engine(), "commit", killed)
    assert _expired(ledger)[step] == expected > 0

    def rounds() -> None:
        for _ in range(100):
            made.append(run())
            if not made[-1]:
                return

    both = [threading.Thread(target=rounds) for _ in range(2)]
    for each in both:
        each.start()
    for each in both:
        each.join(10 * DEADLINE)
        assert not each.is_alive()
    while count_of := run():  # rows that one of them had locked when the other one ended
        made.append(count_of)
    assert sum(made) == expected
    assert _expired(ledger)[step] == 0


def test_an_import_waits_for_no_removal(
    api: Door, ledger: Ledger, world: World, configure: Callable[..., None]
) -> None:
    configure(keep_tokens_days=100, keep_history_days=100, keep_daily_counts_days=100)
    past(ledger, world, 400)
    uploaded = list[Json]()
    upload = threading.Thread(target=lambda: uploaded.append(api.upload(sheets.csv_bytes(sheets.rows(5)))))
    with ledger.engine.connect() as removing:
        for remove in REMOVALS:
            assert remove(removing, cleaner.MOST_ROWS), remove.__name__
        assert history.expire(removing)
        assert changes.expire(removing)
        upload.start()
        upload.join(3 * DEADLINE)
        has_ended = not upload.is_alive()
        removing.rollback()
    upload.join(DEADLINE)
    assert has_ended
    assert uploaded[0]["status"] == "completed"


# A year


@pytest.mark.long
def test_after_a_year_each_table_is_as_large_as_its_time_allows(
    ledger: Ledger, world: World, configure: Callable[..., None]
) -> None:
    """All rows of 20,000 jobs are there at first. Each step of a round reads a bounded number of rows."""
    configure(keep_tokens_days=100, keep_history_days=100, keep_daily_counts_days=100, session_idle_minutes=500)
    past(ledger, world, JOBS, LATE)
    before = {name: count(ledger, name) for name in tables.metadata.tables}
    expected = {name: count(ledger, table, condition) for name, (table, condition) in KEPT.items()}
    steps = [step for step in cleaner.STEPS if step.__name__ not in WITHOUT_ROWS]
    reads: dict[str, list[int]] = {step.__name__: [] for step in steps}
    for _ in range(MOST_ROUNDS):
        removed = 0
        for step in steps:
            with _reads() as figures:
                removed += step()
            reads[step.__name__].append(sum(figures))
        if not removed and not any(_expired(ledger).values()):
            break
    after = {name: count(ledger, name) for name in expected}
    assert after == expected
    assert count(ledger, "jobs") == before["jobs"] == JOBS
    removed_at_once = cleaner.MOST_ROWS * cleaner.MOST_BATCHES
    for name, figures in reads.items():
        bound = (history.MOST_BLOCKS + 1) * ROWS_PER_BLOCK if name == "expire_history" else 10 * removed_at_once
        assert max(figures) <= bound, name
    last = {name: figures[-1] for name, figures in reads.items() if name != "expire_history"}
    assert last.pop("expire_changes") == after["number_changes"] < changes.MOST_EXPIRED
    assert last.pop("forget_sessions") == after["sessions"]
    assert max(last.values()) <= 100, last


_DAYS = "> now() - interval '{} days'"
_DAY = "(timezone('UTC', now()))::date - 1"
KEPT: dict[str, tuple[str, str]] = {
    "callbacks": ("callbacks", f"delivered_at {_DAYS.format(90)}"),
    "callback_deliveries": ("callback_deliveries", f"at {_DAYS.format(90)}"),
    "mails": ("mails", f"ended_at {_DAYS.format(90)}"),
    "job_chunks": ("job_chunks JOIN jobs ON jobs.id = job_id", f"finished_at {_DAYS.format(90)}"),
    "number_events": ("number_events JOIN jobs ON jobs.id = job_id", f"jobs.created_at {_DAYS.format(100)}"),
    "number_changes": ("number_changes", f"at {_DAYS.format(30)}"),
    "webhook_messages": ("webhook_messages", f"ended_at {_DAYS.format(30)}"),
    "webhook_deliveries": ("webhook_deliveries", f"at {_DAYS.format(30)}"),
    "counted_days": ("counted_days", f"day >= {_DAY} - 100"),
    "daily_holdings": ("daily_holdings", f"day >= {_DAY} - 100"),
    "tokens": ("tokens", f"expires_at IS NULL OR expires_at {_DAYS.format(100)}"),
    "idempotency_keys": ("idempotency_keys", "until > now()"),
    "sign_in_attempts": ("sign_in_attempts", f"last_at {_DAYS.format(1)}"),
    "sessions": (
        "sessions",
        f"expires_at {_DAYS.format(1)} AND last_seen_at > now() - interval '500 minutes' - interval '1 day'",
    ),
    "pasted_lists": ("pasted_lists", "created_at > now() - interval '500 minutes' - interval '1 day'"),
    "processes": ("processes", f"seen_at {_DAYS.format(1)}"),
}
_OF_STEP = {
    "forget_keys": "idempotency_keys",
    "forget_sign_ins": "sign_in_attempts",
    "forget_tokens": "tokens",
    "forget_callbacks": "callbacks",
    "forget_mails": "mails",
    "forget_messages": "webhook_messages",
    "expire_days": "daily_holdings",
    "expire_history": "number_events",
    "expire_changes": "number_changes",
}


def _expired(ledger: Ledger) -> dict[str, int]:
    """How many rows each step has to remove."""
    return {step: count(ledger, table) - count(ledger, *KEPT[table]) for step, table in _OF_STEP.items()}


def _history(api: Door, number: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = api.get(f"/v1/numbers/{number}").json["history"]
    return found


class _reads:  # noqa: N801 - a context manager
    """Collects how many rows each transaction of the service reads."""

    _is_looking = False

    def __enter__(self) -> list[int]:
        self._figures = list[int]()
        self._before = 0
        self._engine = engine()
        sa.event.listen(self._engine, "begin", self._begin)
        sa.event.listen(self._engine, "commit", self._commit)
        return self._figures

    def __exit__(self, *_: object) -> None:
        sa.event.remove(self._engine, "begin", self._begin)
        sa.event.remove(self._engine, "commit", self._commit)

    def _begin(self, connection: sa.Connection) -> None:
        if not self._is_looking:
            self._is_looking = True
            self._before = rows_read(connection)  # the server may not have reported those of earlier transactions yet
            self._is_looking = False

    def _commit(self, connection: sa.Connection) -> None:
        self._figures.append(rows_read(connection) - self._before)
