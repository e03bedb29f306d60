"""The inventory as a file: all numbers that match a filter, as the actor sees them (R3).

The file is generated while it is sent, page by page from one snapshot, in bounded memory. A snapshot keeps the database
from cleaning up, so a client must not hold one for long. One that takes nothing for as long as a lease loses it to the
server's limit on idle transactions (`worker.database.engine`), and after `MOST_SECONDS` any export ends. Its file is
then incomplete, and the connection is closed without the end of the response, which clients report as an error.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime

from schemas.http import resources
from schemas.permissions import Actor
from webhook.http import auth
from webhook.http.downloads import Export
from webhook.services.numbers import resolved
from worker.database.engine import snapshot
from worker.numbers import export, export_facts, export_names
from worker.numbers.export_facts import ExportFacts
from worker.numbers.export_names import Names
from worker.numbers.export_pages import ExportPage

MOST_SECONDS = 1_800.0
_STATEMENT_SECONDS = 60

Blocks = Generator[bytes, None, None]
Render = Callable[[Names, ExportPage], bytes]


class TooSlowError(Exception):
    """An export has taken longer than `MOST_SECONDS`."""


@dataclass(frozen=True)
class _Format:
    """The rows of a file, and what is before them. `with_jobs`: they show times of jobs."""

    ending: str
    content_type: str
    header: bytes
    render: Render
    with_jobs: bool = False


def csv(number_filter: resources.NumbersFilter) -> Export:
    """Return the matching numbers as CSV, which can be uploaded again."""
    rows = _Format("csv", "text/csv; charset=utf-8", export.csv_header(), export.csv_rows)
    return _export(auth.actor(), number_filter, rows)


def jsonl(number_filter: resources.NumbersFilter) -> Export:
    """Return the matching numbers as JSON lines: the objects of the list, without their history."""
    actor = auth.actor()
    lines = _Format("jsonl", "application/jsonl; charset=utf-8", b"", export.JsonLines(actor).rows, with_jobs=True)
    return _export(actor, number_filter, lines)


def _export(actor: Actor, number_filter: resources.NumbersFilter, file_format: _Format) -> Export:
    """Return the file with its first block already made, so that what fails at once has a response that says so."""
    facts: list[ExportFacts] = []
    blocks = _blocks(actor, number_filter, file_format, facts.append)
    first = next(blocks, b"")
    return Export(_all(first, blocks), _name(file_format.ending), file_format.content_type, facts[0].headers())


def _blocks(
    actor: Actor, number_filter: resources.NumbersFilter, file_format: _Format, on_facts: Callable[[ExportFacts], None]
) -> Blocks:
    """Yield the file in blocks, the header with the first page. Closing the iterator ends the transaction."""
    end, header = time.monotonic() + MOST_SECONDS, file_format.header
    with snapshot() as connection:
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = '{_STATEMENT_SECONDS}s'")
        on_facts(export_facts.facts_of(connection, actor))
        resolved_filter = resolved(connection, actor, number_filter)
        named = export_names.named_pages(connection, resolved_filter, with_jobs=file_format.with_jobs)
        with closing(named) as pages:
            for names, page in pages:
                yield header + file_format.render(names, page)
                header = b""
                if time.monotonic() > end:
                    raise TooSlowError
    if header:
        yield header


def _all(first: bytes, blocks: Blocks) -> Blocks:
    with closing(blocks):
        yield first
        yield from blocks


def _name(ending: str) -> str:
    return f"numbers-{datetime.now(UTC).date().isoformat()}.{ending}"
