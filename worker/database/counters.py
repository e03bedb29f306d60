"""Counters that survive retention: totals of ended jobs, and of what the rescue round found.

A change is counted by adding rows in its own transaction: it counts exactly once, or not at all. A single row that is
updated in place would be simpler to read, but every end of a job would wait for every other, even for one whose worker
is stopped before its commit. So a total is the sum of its rows, and the rescue round folds them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, array

from schemas.codes import Code, Outcome
from schemas.database.tables import job_chunks, jobs, totals
from schemas.job_kinds import WITHOUT_ROWS
from schemas.jobs import APART, ChunkState
from schemas.metrics import JOBS, PIECES, ROWS, STAGE_SECONDS, Metric
from worker.database import folded_sums

Figures = Mapping[tuple[Metric, tuple[str, ...]], float]
"""A metric and its labels' values -> the figure."""

_ENDED = sa.bindparam("ended", type_=sa.BigInteger)  # the job's database id
_HAS_ROWS = jobs.c.kind.not_in(sorted(WITHOUT_ROWS))


def add(connection: sa.Connection, figures: Figures) -> None:
    """Add to totals; a figure of zero adds no row."""
    rows = [
        {"name": metric.name, "labels": list(labels), "value": float(value)}
        for (metric, labels), value in figures.items()
        if value
    ]
    if rows:
        connection.execute(totals.insert().values(rows))


def add_job(connection: sa.Connection, job_id: int) -> None:
    """Add an ended job to the totals, in the transaction that ends it and after its tally is final.

    Its rows by outcome and code, where unreached rows get the code of what ended the job; the job itself; its work
    items and the time spent in their stages.
    """
    connection.execute(_counted(), {"ended": job_id})


@lru_cache(maxsize=1)
def _counted() -> sa.Insert:
    """Return the statement of `add_job`; cached, because building it takes longer than running it."""
    counted = sa.union_all(_job(), _rows(), _unreached(), _pieces(), _stages())
    return totals.insert().from_select(["name", "labels", "value"], counted)


def _line(metric: Metric, labels: list[Any], value: sa.ColumnElement[Any]) -> list[sa.ColumnElement[Any]]:
    return [
        sa.literal(metric.name).label("name"),
        array([sa.cast(label, sa.Text) for label in labels]).label("labels"),
        sa.cast(value, sa.Double).label("value"),
    ]


def _job() -> sa.Select[Any]:
    return sa.select(*_line(JOBS, [jobs.c.kind, jobs.c.status], sa.literal(1))).where(jobs.c.id == _ENDED)


def _results() -> sa.TableValuedAlias:
    """Return outcome, code, count and first row of each kind of result (`Tally.to_json`); nothing without a tally."""
    results = jobs.c.tally["results"]
    is_list = sa.func.jsonb_typeof(results) == "array"
    return sa.func.jsonb_array_elements(sa.case((is_list, results), else_=sa.cast([], JSONB))).table_valued(
        sa.column("value", JSONB), name="result"
    )


def _count(result: sa.TableValuedAlias) -> sa.ColumnElement[Any]:
    return sa.cast(result.c.value[2].astext, sa.BigInteger)


def _rows() -> sa.Select[Any]:
    result = _results()
    line = _line(ROWS, [result.c.value[0].astext, result.c.value[1].astext], _count(result))
    return sa.select(*line).select_from(jobs.join(result, sa.true())).where(jobs.c.id == _ENDED, _HAS_ROWS)


def _unreached() -> sa.Select[Any]:
    result = _results()
    reached = sa.select(sa.func.coalesce(sa.func.sum(_count(result)), 0)).select_from(result).scalar_subquery()
    code = sa.func.coalesce(jobs.c.problem["code"].astext, Code.CANCELLED.value)
    left = jobs.c.rows_total - reached
    line = _line(ROWS, [Outcome.UNPROCESSED.value, code], left)
    return sa.select(*line).where(jobs.c.id == _ENDED, _HAS_ROWS, left > 0)


def _pieces() -> sa.Select[Any]:
    # The workbooks and e-mails of a review were counted when they were done.
    of_job = (job_chunks.c.job_id == _ENDED) & job_chunks.c.phase.not_in(sorted(APART))
    done = of_job & (job_chunks.c.state == ChunkState.DONE)
    line = _line(PIECES, [job_chunks.c.phase], sa.func.count())
    return sa.select(*line).where(done).group_by(job_chunks.c.phase)


def _stages() -> sa.Select[Any]:
    """Sum up the times of each stage. Skip missing and non-numeric values, which must not prevent the job's end."""
    noted = job_chunks.c.seconds
    is_noted = sa.func.jsonb_typeof(noted) == "object"
    stage = sa.func.jsonb_each(sa.case((is_noted, noted), else_=sa.cast({}, JSONB))).table_valued(
        sa.column("key", sa.Text), sa.column("value", JSONB), name="stage"
    )
    is_number = sa.func.jsonb_typeof(stage.c.value) == "number"
    seconds = sa.func.sum(sa.case((is_number, sa.cast(stage.c.value, sa.Double)), else_=0.0))
    return (
        sa.select(*_line(STAGE_SECONDS, [stage.c.key], seconds))
        .select_from(job_chunks.join(stage, sa.true()))
        .where(job_chunks.c.job_id == _ENDED)
        .group_by(stage.c.key)
    )


def fold(connection: sa.Connection) -> int:
    """Replace the rows of sums that have many by one each; return by how many rows that reduces the table."""
    return folded_sums.fold(connection, totals, ("name", "labels"), "value")


def read(connection: sa.Connection) -> dict[tuple[str, tuple[str, ...]], float]:
    """Return all totals: a metric's name and its labels' values -> the sum."""
    query = sa.select(totals.c.name, totals.c.labels, sa.func.sum(totals.c.value)).group_by(
        totals.c.name, totals.c.labels
    )
    return {(name, tuple(labels)): value for name, labels, value in connection.execute(query)}
