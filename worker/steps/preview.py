"""The preview of a job under review: resolves every chunk as if it were to be written, and writes no number."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import sqlalchemy as sa

from schemas import arrow_schemas
from schemas.capabilities import CAPABILITY_NAMES, CARRIER_FIELDS
from schemas.codes import Outcome
from schemas.job_kinds import JobKind
from schemas.jobs import OnError, Tally
from worker.database import tenant_scope
from worker.database.engine import transaction
from worker.queue import leases
from worker.stages.merge import merge, merge_few
from worker.stages.resolve import Decisions, Numbers, abort, resolve
from worker.steps import review_causes
from worker.steps.chunk_facts import Job, facts_for_chunk
from worker.storage import arrow_files, background_writes, files

MOST_CHANGES = 100  # listed with before and after; the job's rows have the rest
MOST_SOURCES = 100  # listed tenants that would lose numbers
_CARRIERS = {carrier.name: carrier.id_name for carrier in CARRIER_FIELDS}
_USERS = {"voice_user": "voice_user_id", "sms_user": "sms_user_id"}


def preview(  # noqa: PLR0913, PLR0917 - the checked job
    lease: leases.Lease,
    job: Job,
    facts: Mapping[str, Any],
    checked: pa.Table,
    chunks: Iterable[int],
    settled: Tally,
    kept: Mapping[int, Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """Resolve a checked job (`schemas.arrow_schemas.RESULTS`) without writing. `facts`: those about its file.

    `chunks`: the numbers of those that this check has stored; rows in others are decided already, and `kept` says what
    those chunks would do, by number (`effects_of`).

    Return `schemas.http.resources.Review` without `expires_at`. The result that every row would have, and what each
    chunk would do, is stored beside the check's other files.
    """
    decided = []
    effects = {number: _Effect.from_json(raw) for number, raw in (kept or {}).items()}
    for number in chunks:
        room = MOST_CHANGES - sum(len(each.changes) for each in effects.values())
        effect = effects[number] = _Effect(room)
        chunk = arrow_files.get_table(files.chunk_key(lease.job_public_id, lease.token, number))
        with transaction() as connection:
            world = facts_for_chunk(connection, job, chunk, lock=False)
            decisions = resolve(chunk, world)
            if job.options.on_error is OnError.ABORT:
                decisions = abort(decisions, other_rows_failed=settled.count(Outcome.FAILED) > 0)
            effect.add(decisions, world.existing, job.actor.id)
        decided.append(decisions.results)
    merged = merge(checked, decided) if kept is None else merge_few(checked, decided)
    with background_writes.storing() as writes:
        writes.put(files.preview_key(lease.job_public_id, lease.token), merged)
        faults = review_causes.faults(lease, facts, merged) if job.kind is JobKind.UPLOAD else []
    with transaction() as connection:
        described = _total(effects.values()).described(connection, arrow_schemas.tally(merged))
    stored = {number: effect.to_json() for number, effect in effects.items()}
    files.put(files.effects_key(lease.job_public_id, lease.token), json.dumps(stored).encode())
    return described | {"faults": faults}


def effects_of(lease: leases.Lease) -> dict[int, Mapping[str, Any]]:
    """Return what each chunk of the last check would do, by its number."""
    raw = json.loads(b"".join(files.stream(files.effects_key(lease.job_public_id, lease.check))))
    return {int(number): effect for number, effect in raw.items()}


def _total(effects: Iterable[_Effect]) -> _Effect:
    total = _Effect()
    for effect in effects:
        total.sources += effect.sources
        total.targets += effect.targets
        total.carriers += effect.carriers
        total.changes += effect.changes
    return total


class _Effect:
    """The effect of a chunk, or of all, counted by ids; names are looked up once, at the end.

    `room`: how many changed numbers it may list.
    """

    def __init__(self, room: int = 0) -> None:
        self.room = room
        self.sources: Counter[int] = Counter()
        self.targets: Counter[tuple[int, Outcome]] = Counter()
        self.carriers: Counter[tuple[str, int]] = Counter()
        self.changes: list[tuple[int, Mapping[str, int] | None, Mapping[str, int] | None]] = []

    def to_json(self) -> dict[str, Any]:
        return {
            "sources": list(self.sources.items()),
            "targets": [[holder, outcome, count] for (holder, outcome), count in self.targets.items()],
            "carriers": [[service, carrier, count] for (service, carrier), count in self.carriers.items()],
            "changes": self.changes,
        }

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> _Effect:
        effect = cls()
        effect.sources = Counter(dict(raw["sources"]))
        effect.targets = Counter({(holder, Outcome(outcome)): count for holder, outcome, count in raw["targets"]})
        effect.carriers = Counter({(service, carrier): count for service, carrier, count in raw["carriers"]})
        effect.changes = [(number, before, after) for number, before, after in raw["changes"]]
        return effect

    def add(self, decided: Decisions, existing: Numbers, actor_id: int) -> None:
        """Count the chunk's decisions. `actor_id`: the tenant that the job acts for."""
        deleted = _states_of(existing, decided.delete)
        for outcome, numbers in (
            (Outcome.CREATED, decided.create),
            (Outcome.UPDATED, decided.update),
            (Outcome.DELETED, deleted),
        ):
            for holder, count in _counted(numbers.state["holder_id"]):
                self.targets[holder, outcome] += count
        for numbers in (decided.create, decided.update):
            for field in CARRIER_FIELDS:
                for carrier, count in _counted(numbers.state[field.id_name]):
                    self.carriers[field.capability, carrier] += count
        before = _states_of(existing, decided.update.e164)
        self._add_sources(before.state["holder_id"], decided.update.state["holder_id"], actor_id)
        for index in range(min(self.room, len(decided.update))):
            self.changes.append((int(before.e164[index]), _row(before, index), _row(decided.update, index)))
        for index in range(min(self.room - len(self.changes), len(deleted))):
            self.changes.append((int(deleted.e164[index]), _row(deleted, index), None))

    def _add_sources(self, before: np.ndarray, after: np.ndarray, actor_id: int) -> None:
        """Count the numbers that each tenant below the actor would lose (R19). `before`, `after`: holder ids."""
        for holder, count in _counted(before[(before != after) & (before != actor_id)]):
            self.sources[holder] += count

    def described(self, connection: sa.Connection, tally: Tally) -> dict[str, Any]:
        """Return the whole effect, with names and public ids."""
        rows = [row for _, before, after in self.changes for row in (before, after) if row is not None]
        sources = self.sources.most_common(MOST_SOURCES)
        others = self.sources.total() - sum(count for _, count in sources)
        holders = {holder for holder, _ in self.targets} | {row["holder_id"] for row in rows} | dict(sources).keys()
        tenants = tenant_scope.tenants_by_id(connection, sorted(holders))
        carriers = tenant_scope.carrier_names(
            connection, [carrier for _, carrier in self.carriers] + _ids(rows, _CARRIERS)
        )
        users = tenant_scope.names_of_users(connection, _ids(rows, _USERS))

        def tenant(tenant_id: int) -> dict[str, str] | None:
            tenant_row = tenants.get(tenant_id)
            return (
                None
                if tenant_row is None
                else {"id": tenant_row.public_id, "name": tenant_row.name, "kind": tenant_row.kind.value}
            )

        def shown(row: Mapping[str, int] | None) -> dict[str, Any] | None:
            if row is None:
                return None
            flags = {name: bool(row[name]) for name in CAPABILITY_NAMES}
            named = {name: carriers.get(row[column]) for name, column in _CARRIERS.items()}
            having = {name: users.get(row[column]) for name, column in _USERS.items()}
            return {"tenant": tenant(row["holder_id"])} | flags | named | having

        outcomes = (Outcome.CREATED, Outcome.UPDATED, Outcome.DELETED)
        return {
            "effect": {o.value: tally.count(o) for o in Outcome},
            "targets": [
                {"tenant": tenant(holder)} | {o.value: self.targets[holder, o] for o in outcomes}
                for holder in sorted({holder for holder, _ in self.targets})
            ],
            "taken_from": [
                *({"tenant": tenant(holder), "count": count} for holder, count in sources),
                *([{"tenant": None, "count": others}] if others else []),
            ],
            "carriers": [
                {"service": service, "name": carriers.get(carrier), "count": count}
                for (service, carrier), count in sorted(self.carriers.items())
            ],
            "changes": [
                {"number": f"+{number}", "before": shown(before), "after": shown(after)}
                for number, before, after in self.changes
            ],
        }


def _states_of(existing: Numbers, e164: np.ndarray) -> Numbers:
    """Return the current state of some existing numbers."""
    at = np.searchsorted(existing.e164, e164)
    return Numbers(e164, {name: values[at] for name, values in existing.state.items()})


def _counted(ids: np.ndarray) -> list[tuple[int, int]]:
    distinct, counts = np.unique(ids[ids != 0], return_counts=True)
    return list(zip(distinct.tolist(), counts.tolist(), strict=True))


def _row(numbers: Numbers, place: int) -> dict[str, int]:
    return {name: int(values[place]) for name, values in numbers.state.items()}


def _ids(rows: list[Mapping[str, int]], columns: Mapping[str, str]) -> list[int]:
    return sorted({row[column] for row in rows for column in columns.values()} - {0})
