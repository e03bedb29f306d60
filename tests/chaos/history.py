"""What happened to every piece of work, kept by the database itself: a trigger writes each change down as it commits.

The ledger's own promises are read from it: tokens that only grow, work that ends once, and how soon lost work is
running again.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from schemas.jobs import Phase

_MADE = """
CREATE TABLE chaos_history (
  at timestamptz NOT NULL DEFAULT clock_timestamp(), place bigint GENERATED ALWAYS AS IDENTITY, job_id bigint,
  phase text, number int, was text, state text, token bigint, attempt int, ran_out_at timestamptz
);
CREATE FUNCTION chaos_note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF TG_OP = 'INSERT' OR OLD.state <> NEW.state OR OLD.lease_token IS DISTINCT FROM NEW.lease_token THEN
    INSERT INTO chaos_history (job_id, phase, number, was, state, token, attempt, ran_out_at)
    VALUES (NEW.job_id, NEW.phase, NEW.number, CASE WHEN TG_OP = 'UPDATE' THEN OLD.state END, NEW.state,
      NEW.lease_token, NEW.attempt, CASE WHEN TG_OP = 'UPDATE' AND OLD.lease_until < now() THEN OLD.lease_until END);
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER chaos_note AFTER INSERT OR UPDATE ON job_chunks FOR EACH ROW EXECUTE FUNCTION chaos_note();
"""


@dataclass(frozen=True)
class Event:
    """A piece of work came into a state; `ran_out_at` if a lease that nobody extended any more was taken from it."""

    at: datetime
    job_id: int
    phase: str
    number: int
    was: str | None
    state: str
    token: int | None
    attempt: int
    ran_out_at: datetime | None

    @property
    def piece(self) -> tuple[int, str, int]:
        return self.job_id, self.phase, self.number


class History:
    """The history of all pieces in a database, from now on."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        with engine.begin() as connection:
            connection.exec_driver_sql(_MADE)

    def now(self) -> datetime:
        """The database's clock."""
        with self._engine.connect() as connection:
            found: datetime = connection.execute(sa.text("SELECT clock_timestamp()")).scalar_one()
        return found

    def of(self, job_id: int) -> list[Event]:
        """What happened to a job's pieces, in order."""
        return self._events("WHERE job_id = :job", job=job_id)

    def all(self) -> list[Event]:
        """What happened to all pieces, in order."""
        return self._events("")

    def _events(self, where: str, **values: int) -> list[Event]:
        columns = "at, job_id, phase, number, was, state, token, attempt, ran_out_at"
        query = f"SELECT {columns} FROM chaos_history {where} ORDER BY place"  # noqa: S608
        with self._engine.connect() as connection:
            return [Event(*row) for row in connection.execute(sa.text(query), values)]

    def slowest_return(
        self,
        since: datetime,
        lease_seconds: float,
        until: datetime | None = None,
        phases: Collection[str] = tuple(Phase),
    ) -> float:
        """The longest (seconds) that it took until a piece of these phases whose holder was gone was at work again.

        Counted from the holder's last sign of life, of the leases that ran out between the two times.
        """
        slowest, until = 0.0, until or self.now()
        waiting: dict[tuple[int, str, int], datetime] = {}
        for event in self.all():
            if event.phase not in phases:
                continue
            if event.state == "leased" and event.piece in waiting:
                slowest = max(slowest, (event.at - waiting.pop(event.piece)).total_seconds() + lease_seconds)
            elif event.ran_out_at is not None and event.state == "pending" and since <= event.ran_out_at <= until:
                waiting[event.piece] = event.ran_out_at
        return slowest
