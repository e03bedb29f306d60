"""The inventory as a file: all numbers that match a filter, as the actor sees them (R3).

The file is generated while it is sent, page by page from one snapshot, in bounded memory. A snapshot keeps the database
from cleaning up, so a client must not hold one for long. One that takes nothing for as long as a lease loses it to the
server's limit on idle transactions (`worker.database.engine`), and after `MOST_SECONDS` any export ends. Its file is
then incomplete, and the connection is closed without the end of the response, which clients report as an error.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from datetime import UTC, datetime

from schemas.http import resources
from schemas.permissions import Actor
from webhook.http import auth, serializers
from webhook.http.downloads import Export
from webhook.services.numbers import resolved
from worker.database.engine import snapshot
from worker.numbers import export
from worker.numbers.queries import NumberView

MOST_SECONDS = 1_800.0
_STATEMENT_SECONDS = 60

Blocks = Generator[bytes, None, None]
Render = Callable[[Sequence[NumberView]], bytes]


class TooSlowError(Exception):
    """An export has taken longer than `MOST_SECONDS`."""


def csv(number_filter: resources.NumbersFilter) -> Export:
    """Return the matching numbers as CSV, which can be uploaded again."""
    blocks = _blocks(auth.actor(), number_filter, export.csv_header(), export.csv_rows)
    return Export(_begun(blocks), _name("csv"), "text/csv; charset=utf-8")


def jsonl(number_filter: resources.NumbersFilter) -> Export:
    """Return the matching numbers as JSON lines: the objects of the list, without their history."""
    actor = auth.actor()

    def rendered(views: Sequence[NumberView]) -> bytes:
        lines = (serializers.number(actor, view).model_dump_json(exclude={"history"}) for view in views)
        return "".join(f"{line}\n" for line in lines).encode()

    blocks = _blocks(actor, number_filter, b"", rendered)
    return Export(_begun(blocks), _name("jsonl"), "application/jsonl; charset=utf-8")


def _blocks(actor: Actor, number_filter: resources.NumbersFilter, header: bytes, render: Render) -> Blocks:
    """Yield the file in blocks, the header with the first page. Closing the iterator ends the transaction."""
    end = time.monotonic() + MOST_SECONDS
    with snapshot() as connection:
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = '{_STATEMENT_SECONDS}s'")
        resolved_filter = resolved(connection, actor, number_filter)
        for views in export.pages(connection, resolved_filter):
            yield header + render(views)
            header = b""
            if time.monotonic() > end:
                raise TooSlowError
    if header:
        yield header


def _begun(blocks: Blocks) -> Blocks:
    """Return the blocks with the first one already made, so that what fails at once has a response that says so."""
    first = next(blocks, b"")
    return _all(first, blocks)


def _all(first: bytes, blocks: Blocks) -> Blocks:
    with closing(blocks):
        yield first
        yield from blocks


def _name(ending: str) -> str:
    return f"numbers-{datetime.now(UTC).date().isoformat()}.{ending}"
