"""Whether jobs, files and inventory agree: after a restore, or at any time (`numberyard verify`)."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa

from worker.database import held_numbers, schema_version
from worker.database.schema_version import ProcessKind, UnusableSchemaError
from worker.doctor.findings import Finding, error, ok
from worker.jobs import consistency as jobs_consistency
from worker.numbers import consistency as numbers_consistency
from worker.storage.files import StoreError

MOST_FAULTS = 100
INVENTORY, LISTS, JOBS, TOKENS = "inventory", "lists", "jobs", "lease tokens"
_TABLES = {
    "holdings": "kinds of numbers that filtered lists do not find",
    "tenant_countries": "countries that numbers are not read in",
    "number_counts": "counts that differ from the numbers",
}


def verify(engine: sa.Engine, *, repairs: bool) -> Iterator[Finding]:
    """Yield what is found, each as soon as it is known. `repairs`: correct what lists and counts are missing."""
    with engine.connect() as connection:
        try:
            schema_version.check(connection, ProcessKind.WORKER)
        except UnusableSchemaError as failure:
            yield error("database", str(failure), "Run this command of the release that the tables are of.")
            return
    with engine.begin() as connection:
        yield from _lists(connection, repairs=repairs)
    with engine.begin() as connection:
        yield from _inventory(connection)
    # Every statement sees the latest state, also of jobs that go on meanwhile.
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        try:
            yield from _jobs(connection)
        except StoreError as failure:
            yield error("storage", f"{' '.join(str(failure).split())}.", "Check the storage with `numberyard doctor`.")


def _lists(connection: sa.Connection, *, repairs: bool) -> Iterator[Finding]:
    counts = held_numbers.repair(connection) if repairs else held_numbers.missing(connection)
    found = [f"{count:,} {_TABLES[name]}" for name, count in counts.items() if count]
    if not found:
        yield ok(LISTS, "Lists, counts and countries are those of the numbers.")
    elif repairs:
        yield ok(LISTS, f"Repaired: {', '.join(found)}.")
    else:
        yield error(LISTS, f"There are {', '.join(found)}.", "Run `numberyard verify --repair`.")


def _inventory(connection: sa.Connection) -> Iterator[Finding]:
    found = [f"{count:,} with {what}" for what, count in numbers_consistency.dangling(connection).items()]
    if found:
        fix = (
            "Restore the whole database from one backup; if it is not restored, report this as a fault of the service."
        )
        yield error(INVENTORY, f"There are numbers {', '.join(found)}.", fix)
    else:
        yield ok(INVENTORY, "Everything that numbers refer to exists.")


def _jobs(connection: sa.Connection) -> Iterator[Finding]:
    if jobs_consistency.last_token_is_behind(connection):
        fix = "Restore the sequence lease_tokens with the tables, before any process starts."
        yield error(TOKENS, "Tokens would be given out again.", fix)
    count = 0
    for fault in jobs_consistency.faults(connection):
        count += 1
        if count <= MOST_FAULTS:
            fix = "Restore the files from a backup that was taken after that of the database."
            yield error(JOBS, f"Job {fault.job} {fault.text}.", fix)
    if count > MOST_FAULTS:
        yield error(JOBS, f"And {count - MOST_FAULTS:,} more.", "See above.")
    if not count:
        yield ok(JOBS, "Jobs, their results and their files are complete.")
