"""The changes of an import (R34): what it costs to record them, and how fast a client reads them."""

from __future__ import annotations

import time

import numpy as np
import pyarrow as pa
import sqlalchemy as sa

from schemas.arrow_schemas import CHANGES
from tests.benchmarks import figures, imports
from tests.benchmarks.figures import Figure, Findings, at_most, guarded
from tests.benchmarks.lab import Lab, Service
from worker.config.settings import Settings
from worker.database.engine import sqlalchemy_url
from worker.numbers import changes

PAGE = 1_000
CHUNK = 25_000  # rows, as settings have it


def scenario(lab: Lab) -> Findings:
    """Recording takes at most 3 % of an import; all changes are read, each once and in order."""
    service = imports.warmed(lab)
    imported: list[float] = []
    recorded: list[float] = []
    for _ in range(lab.rounds):
        imported.append(imports.run(lab, service, lab.file(lab.sizes.big)).seconds)
        recorded.append(_recording(service, lab.sizes.big))
    found = imports.run(lab, service, lab.file(lab.sizes.big))
    seconds, pages, count = _reading(service)
    return Findings(
        [
            Figure(
                "recording as many changes / import",
                figures.ratios(recorded, imported),
                "x",
                guarded(lab.sizes.judged, at_most(0.03)),
                "encoding, lock and INSERT of each chunk, one after the other",
            ),
            Figure(
                "each created number read once",
                "yes" if count == found.counts["created"] else "no",
                limit=figures.just("yes"),
            ),
            Figure("changes read", count / seconds, "changes/s"),
            Figure(f"page of {PAGE:,}, median", figures.median(pages) * 1000, "ms"),
            Figure("size of the changes", _size(service), "MiB"),
        ],
        {"import": imported, "recording": recorded, "pages": pages},
    )


def _recording(service: Service, rows: int) -> float:
    """Seconds to record so many created numbers, in chunks, each committed."""
    engine = sa.create_engine(sqlalchemy_url(_settings(service)))
    holder = service.ask("SELECT min(id) FROM tenants")
    seconds = 0.0
    with engine.connect() as connection:
        for first in range(0, rows, CHUNK):
            table = created(first, min(CHUNK, rows - first), holder)
            began = time.perf_counter()
            changes.record(connection, 0, table)
            seconds += time.perf_counter() - began
            connection.commit()
    engine.dispose()
    return seconds


def _settings(service: Service) -> Settings:
    return service.stack.settings


def created(first: int, count: int, holder: int) -> pa.Table:
    """Return the changes of so many created numbers of one holder (`CHANGES`)."""
    rng = np.random.default_rng(first)
    columns = {field.name: np.zeros(count, field.type.to_pandas_dtype()) for field in CHANGES}
    columns["e164"] = np.sort(rng.choice(10 * CHUNK, count, replace=False)) + 12_120_000_000 + 10 * first
    for name in ("holder", "uploader"):
        columns[f"after_{name}_id"] = np.full(count, holder, np.int32)
    return pa.table(columns, schema=CHANGES)


def _reading(service: Service) -> tuple[float, list[float], int]:
    """Seconds for all changes, seconds of each page, and how many changes; RuntimeError if one is out of order."""
    pages: list[float] = []
    numbers = set[str]()
    count = 0
    began = time.perf_counter()
    with service.api() as api:
        after: str | None = "0"
        while True:
            asked = time.perf_counter()
            page = api.changes(after, PAGE)
            pages.append(time.perf_counter() - asked)
            if not page["data"]:
                break
            count += len(page["data"])
            numbers.update(change["e164"] for change in page["data"])
            after = page["next_cursor"]
    if len(numbers) != count:
        raise RuntimeError(f"{count} changes of {len(numbers)} numbers")
    return time.perf_counter() - began, pages, count


def _size(service: Service) -> float:
    tables = ("number_changes", "number_change_positions")
    return float(sum(service.ask("SELECT pg_total_relation_size(%s::text::regclass)", name) for name in tables) / 2**20)
