"""The ledger as tests look at it and meddle with it, on the tables themselves; and jobs brought to a certain point."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from schemas.jobs import Phase
from tests.support import factories, work
from tests.support.api_client import Door, Json
from tests.support.files import sheets
from tests.support.servers.service import wait_for
from worker import pipeline
from worker.database import tenant_scope
from worker.maintenance import rescue_queries
from worker.queue import leases

LEASE = 30.0
FIRST = 12_125_550_000
DEADLINE = 20.0


@dataclass(frozen=True)
class Ledger:
    """The test's own look at the tables, and its hand in them."""

    engine: sa.Engine

    def ask(self, query: str, **values: Any) -> list[sa.Row[Any]]:  # noqa: ANN401 - bound values
        with self.engine.begin() as connection:
            return list(connection.execute(sa.text(query), values))

    def run(self, statement: str, **values: Any) -> None:  # noqa: ANN401 - bound values
        with self.engine.begin() as connection:
            connection.execute(sa.text(statement), values)

    def claim(self, phase: Phase = Phase.WRITE) -> leases.Lease:
        with self.engine.begin() as connection:
            lease = work.claim(connection, phase, LEASE)
        assert lease is not None
        return lease

    def expire(self) -> int:
        """Let every lease run out and have the sweep's part done; answers how many were freed."""
        self.run("UPDATE job_chunks SET lease_until = now() - interval '1 second' WHERE state = 'leased'")
        with self.engine.begin() as connection:
            return rescue_queries.release_expired_leases(connection)

    def due(self) -> None:
        """Nobody waits for the next try."""
        self.run("UPDATE job_chunks SET next_attempt_at = now() WHERE state = 'pending'")

    def numbers(self) -> list[int]:
        return [row.e164 for row in self.ask("SELECT e164 FROM phone_numbers ORDER BY e164")]

    def chunks(self, phase: str = "write") -> list[tuple[str, int]]:
        """State and tries of each piece of work of a phase."""
        query = "SELECT state, attempt FROM job_chunks WHERE phase = :phase ORDER BY number"
        return [(row.state, row.attempt) for row in self.ask(query, phase=phase)]

    def everything(self) -> list[list[sa.Row[Any]]]:
        """All that a commit could have changed."""
        return [self.ask(f"SELECT * FROM {name} ORDER BY 1, 2, 3") for name in ("phone_numbers", "jobs", "job_chunks")]  # noqa: S608

    def fail(self, on: str, sqlstate: str, *, at_commit: bool = False) -> None:
        """Have the database refuse a write (`INSERT ON t`, `UPDATE ON t`) with this SQLSTATE, until `mend`."""
        self.run(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION 'refused by the test' USING ERRCODE = '{sqlstate}'; END $$"
        )
        kind = "CONSTRAINT TRIGGER refusal AFTER" if at_commit else "TRIGGER refusal BEFORE"
        deferred = "DEFERRABLE INITIALLY DEFERRED " if at_commit else ""
        self.run(f"CREATE {kind} {on} {deferred}FOR EACH ROW EXECUTE FUNCTION refuse()")

    def refuse(self, condition: str, when: str = "BEFORE", sqlstate: str = "23514") -> None:
        """Have the database refuse, until `mend`, whatever is done to numbers that meet a condition; `$` is the row."""
        self.run(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ DECLARE number phone_numbers%ROWTYPE; "
            "BEGIN number := CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END; "
            f"IF {condition.replace('$', 'number')} THEN RAISE EXCEPTION 'no' USING ERRCODE = '{sqlstate}'; END IF; "
            "RETURN number; END $$"
        )
        self.run(
            f"CREATE TRIGGER refusal {when} INSERT OR UPDATE OR DELETE ON phone_numbers FOR EACH ROW "
            "EXECUTE FUNCTION refuse()"
        )

    def mend(self) -> None:
        self.run("DROP FUNCTION refuse CASCADE")


def sheet(count: int, first: int = FIRST) -> bytes:
    return sheets.csv_bytes([sheets.HEADER, *(["1", str(first + row), "TRUE", "", ""] for row in range(count))])


def checked(api: Door, count: int, first: int = FIRST) -> str:
    """Upload so many numbers and have the file checked: its chunks wait. Answers the job's id."""
    job_id: str = api.send(sheet(count, first)).json["id"]
    assert pipeline.run(Phase.CHECK)
    return job_id


def finish(api: Door, ledger: Ledger, job_id: str, tries: int = 400) -> Json:
    """Work on until the job has ended, waiting for no delay."""
    for _ in range(tries):
        ledger.due()
        if not work.one_round(ledger.engine):
            break
    return api.job(job_id)


@contextlib.contextmanager
def held_up(ledger: Ledger, number: int, holder: int) -> Iterator[sa.Connection]:
    """Another transaction has created a number and not ended yet; a worker is waiting for it."""
    with ledger.engine.connect() as other:
        factories.number(other, number, _tenant(other, holder))
        working = threading.Thread(target=pipeline.run, args=(Phase.WRITE,))
        working.start()
        waiting = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        wait_for(lambda: ledger.ask(waiting), DEADLINE, "the worker to wait")
        try:
            yield other
        finally:
            other.rollback()
            working.join(DEADLINE)
            assert not working.is_alive()


def _tenant(connection: sa.Connection, tenant_id: int) -> Any:  # noqa: ANN401 - a tenant
    return tenant_scope.tenant_by_id(connection, tenant_id)
