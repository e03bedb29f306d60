"""The overview: numbers by status, country, carrier and holder, and the results of recent uploads (R3).

Its cost is the same for an inventory of any size: it reads counts that are kept while numbers are written, and a
bounded number of jobs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import sqlalchemy as sa

from schemas.codes import Code, Outcome
from webhook.http import auth
from worker.database import tenant_scope
from worker.database.engine import snapshot
from worker.jobs import upload_summaries
from worker.jobs.upload_summaries import UploadSummary
from worker.numbers import counts
from worker.numbers.counts import Count
from worker.phone.formatting import country_name, country_of_code

DAYS = 30
MOST_UPLOADS = 1_000
MOST_ENTRIES = 50  # of each table
MOST_CAUSES = 8


@dataclass(frozen=True)
class Entry:
    """One country, carrier or holder: its numbers, and the filter of the list that has them."""

    name: str
    filter: Mapping[str, str]
    count: Count


@dataclass(frozen=True)
class Day:
    """The rows of the uploads of one day (UTC)."""

    day: date
    created: int
    failed: int


@dataclass(frozen=True)
class Overview:
    """All that the page shows. `days`: the last `DAYS`, oldest first. `causes`: codes of failed rows, most first.

    `is_cut`: whether there were more uploads than `MOST_UPLOADS`, so that the oldest are left out.
    """

    total: Count
    countries: Sequence[Entry]
    voice_carriers: Sequence[Entry]
    sms_carriers: Sequence[Entry]
    holders: Sequence[Entry]
    days: Sequence[Day]
    causes: Sequence[tuple[Code, int]]
    is_cut: bool

    @property
    def created(self) -> int:
        """Return how many rows of the uploads created a number."""
        return sum(day.created for day in self.days)

    @property
    def failed(self) -> int:
        """Return how many rows of the uploads failed."""
        return sum(day.failed for day in self.days)


def get() -> Overview:
    """Return the overview of the actor's tree."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    since = today - timedelta(days=DAYS - 1)
    actor = auth.actor()
    with snapshot() as connection:
        tree = counts.of_tree(connection, actor)
        holders = counts.of_holders(connection, actor, MOST_ENTRIES)
        carriers = _carriers(connection, tree.carriers)
        uploads, is_cut = upload_summaries.latest(connection, actor, since, MOST_UPLOADS)
    countries = [
        Entry(country_name(country_of_code(code)), {"country": country_of_code(code)}, count)
        for code, count in tree.codes.items()
    ]
    return Overview(
        tree.total,
        _largest(countries),
        _largest(carriers["voice"]),
        _largest(carriers["sms"]),
        [Entry(holder.name, {"tenant_id": holder.public_id}, holder.count) for holder in holders],
        _days(uploads, since.date()),
        _causes(uploads),
        is_cut,
    )


def _carriers(connection: sa.Connection, tree: Mapping[int, Count]) -> dict[str, list[Entry]]:
    """Return the carriers by service. Those of the same name are one entry, as the list's filter is a name (R7)."""
    entries: dict[str, dict[str, Entry]] = {"voice": {}, "sms": {}}
    for carrier_id, (service, name) in tenant_scope.carriers_by_id(connection, list(tree)).items():
        entry = entries[service].setdefault(name.lower(), Entry(name, {"carrier": name}, Count()))
        entry.count.unassigned += tree[carrier_id].unassigned
        entry.count.assigned += tree[carrier_id].assigned
    return {service: list(by_name.values()) for service, by_name in entries.items()}


def _largest(entries: Sequence[Entry]) -> list[Entry]:
    return sorted(entries, key=lambda entry: (-entry.count.all, entry.name))[:MOST_ENTRIES]


def _days(uploads: Sequence[UploadSummary], first: date) -> list[Day]:
    created, failed = Counter[date](), Counter[date]()
    for upload in uploads:
        day = upload.created_at.astimezone(UTC).date()
        created[day] += upload.tally.count(Outcome.CREATED)
        failed[day] += upload.tally.count(Outcome.FAILED)
    days = [first + timedelta(days=place) for place in range(DAYS)]
    return [Day(day, created[day], failed[day]) for day in days]


def _causes(uploads: Sequence[UploadSummary]) -> list[tuple[Code, int]]:
    causes = Counter[Code]()
    for upload in uploads:
        for (outcome, code), seen in upload.tally.results.items():
            if outcome is Outcome.FAILED:
                causes[code] += seen.count
    return causes.most_common(MOST_CAUSES)
