"""Spans of SQL statements, below a running span. They name the operation and the table, without the statement's text.

A text could contain values; names of tables are compared with those that there are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from schemas.database.tables import metadata
from worker.config import tracing
from worker.config.errors import reason_of

SYSTEM = {"db.system.name": "postgresql"}
OPERATIONS = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "SET", "CREATE", "DO", "LOCK", "TRUNCATE"})
OTHER = "SQL"
_OPERATION = re.compile(r"\s*(\w+)")
_TABLE = re.compile(r"\b(?:FROM|INTO|UPDATE|TABLE|JOIN)\s+\"?(\w+)", re.IGNORECASE)
_SPAN = "_numberyard_span"


def install(engine: sa.Engine) -> None:
    """Record a span for each statement of an engine, if tracing is on."""
    if not tracing.is_on():
        return
    sa.event.listen(engine, "before_cursor_execute", _begin)
    sa.event.listen(engine, "after_cursor_execute", _end)
    sa.event.listen(engine, "handle_error", _fail)


@contextmanager
def span(summary: str) -> Iterator[None]:
    """Run the block, which uses the driver itself, in a span."""
    if not tracing.is_on():
        yield
        return
    with tracing.span(summary, tracing.Kind.CLIENT, attributes=SYSTEM | {"db.query.summary": summary}):
        yield


@lru_cache(maxsize=512)
def summary_of(statement: str) -> str:
    """Return the operation and the first table of a statement."""
    match = _OPERATION.match(statement)
    word = match[1].upper() if match else ""
    operation = word if word in OPERATIONS else OTHER
    tables = (name for name in _TABLE.findall(statement) if name in metadata.tables)
    return " ".join(filter(None, (operation, next(tables, ""))))


def _begin(*event: Any) -> None:  # noqa: ANN401 - SQLAlchemy's own
    _connection, _cursor, statement, _parameters, execution, _many = event
    summary = summary_of(statement)
    started = tracing.start_in_trace(summary, tracing.Kind.CLIENT, SYSTEM | {"db.query.summary": summary})
    if started is not None:
        started.leave()
        setattr(execution, _SPAN, started)


def _end(*event: Any) -> None:  # noqa: ANN401 - SQLAlchemy's own
    started = getattr(event[4], _SPAN, None)
    if started is not None:
        started.end()


def _fail(failure: sa.engine.ExceptionContext) -> None:
    started = getattr(failure.execution_context, _SPAN, None)
    if started is not None:
        started.fail(reason_of(failure.original_exception))
        started.end()
