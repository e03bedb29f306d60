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


def csv(number_filter: resources.NumbersFilter) -> Export:
    """Return the matching numbers as CSV, which can be uploaded again."""
    kind = ("csv", "text/csv; charset=utf-8")
    return _export(auth.actor(), number_filter, export.csv_header(), export.csv_rows, kind)


def jsonl(number_filter: resources.NumbersFilter) -> Export:
    """Return the matching numbers as JSON lines: the objects of the list, without their history."""
    actor, kind = auth.actor(), ("jsonl", "application/jsonl; charset=utf-8")
    return _export(actor, number_filter, b"", export.JsonLines(actor).rows, kind)


def _export(
    actor: Actor,
    number_filter: resources.NumbersFilter,
    header: bytes,
    render: Render,
    kind: tuple[str, str],
) -> Export:
    """Return the file with its first block already made, so that what fails at once has a response that says so."""
    facts: list[ExportFacts] = []
    blocks = _blocks(actor, number_filter, header, render, facts.append)
    first = next(blocks, b"")
    ending, content_type = kind
    return Export(_all(first, blocks), _name(ending), content_type, facts[0].headers())


def _blocks(
    actor: Actor,
    number_filter: resources.NumbersFilter,
    header: bytes,
    render: Render,
    on_facts: Callable[[ExportFacts], None],
) -> Blocks:
    """Yield the file in blocks, the header with the first page. Closing the iterator ends the transaction."""
    end = time.monotonic() + MOST_SECONDS
    with snapshot() as connection:
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = '{_STATEMENT_SECONDS}s'")
        on_facts(export_facts.facts_of(connection, actor))
        resolved_filter = resolved(connection, actor, number_filter)
        with closing(export_names.named_pages(connection, resolved_filter)) as pages:
            for names, page in pages:
                yield header + render(names, page)
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
