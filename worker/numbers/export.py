"""Matching numbers as CSV, page by page from one snapshot: a file that can be uploaded again and then changes nothing.

The columns for upload are those of the sample file; the others begin with `_`, which uploads ignore (R10).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
import sqlalchemy as sa

from schemas.capabilities import CAPABILITIES
from schemas.columns import Column, name_of
from worker.numbers import queries
from worker.numbers.filters import ResolvedFilter
from worker.numbers.queries import NumberView
from worker.phone import region
from worker.reports.render import BOM, csv_lines
from worker.spreadsheet.formula_escape import neutralise

PAGE = 2_000  # numbers
COLUMNS = (
    name_of(Column.COUNTRY_CODE),
    name_of(Column.PHONE_NUMBER),
    *(capability.label for capability in CAPABILITIES),
    "_status",
    "_tenant",
    "_uploaded_by",
    "_voice_carrier",
    "_sms_carrier_profile",
    "_voice_user",
    "_sms_user",
    "_country",
)


def pages(connection: sa.Connection, resolved_filter: ResolvedFilter) -> Iterator[Sequence[NumberView]]:
    """Yield all matching numbers, ascending, in pages of at most `PAGE`. The connection has one snapshot."""
    last: int | None = None
    while True:
        page = queries.page(connection, resolved_filter.beyond(last), PAGE)
        if page.views:
            yield page.views
        if page.examined_to is None:
            return
        last = page.examined_to


def csv_header() -> bytes:
    """Return the first line, with the byte order mark."""
    return BOM + csv_lines(pa.table([pa.array([name]) for name in COLUMNS], names=COLUMNS))


def csv_rows(views: Sequence[NumberView]) -> bytes:
    """Return numbers as CSV lines (RFC 4180, UTF-8). Cells that a spreadsheet program would run are escaped."""
    rows = [_row(view) for view in views]
    columns = [neutralise(pa.array(values, pa.string())) for values in zip(*rows, strict=True)]
    return csv_lines(pa.table(columns, names=COLUMNS))


def _row(view: NumberView) -> tuple[str, ...]:
    row = view.row
    has_user = row.voice_user_id is not None or row.sms_user_id is not None
    return (
        str(region.calling_code_of(row.e164)),
        f"+{row.e164}",
        *("TRUE" if getattr(row, capability.name) else "FALSE" for capability in CAPABILITIES),
        "assigned" if has_user or row.holder_id != row.uploader_id else "unassigned",
        view.holder.name,
        view.uploader.name,
        row.voice_carrier or "",
        row.sms_carrier_profile or "",
        row.voice_user_name or "",
        row.sms_user_name or "",
        row.country,
    )
