"""The report of numbers held, as CSV."""

from __future__ import annotations

import io
from csv import writer
from datetime import UTC
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from schemas.capabilities import CAPABILITY_NAMES
from schemas.http.tenants import HoldingsQuery
from schemas.request_problems import RequestCode
from webhook.http.downloads import StoredFile, in_memory
from webhook.http.errors import refuse
from webhook.services import tenants
from worker.database.engine import snapshot
from worker.database.time_limit import TooLongError
from worker.numbers import holdings_report
from worker.spreadsheet.formula_escape import neutralise

COLUMNS = (
    "date",
    "tenant_id",
    "tenant",
    "kind",
    "parent",
    "billing_reference",
    "country",
    "voice_carrier",
    *CAPABILITY_NAMES,
    "numbers",
    "counted_at",
)
_TEXTS = ("name", "parent", "billing_reference", "voice_carrier")  # typed by people


def csv(query: HoldingsQuery) -> StoredFile:
    """Return how many numbers a tenant (the actor's own by default) and each below it hold now, or held on a day (R3).

    One line for each tenant, country, voice carrier and combination of capabilities; `date` is the day, or today's
    (UTC). Refused with SEARCH_TOO_BROAD if counting takes too long, INVALID_FIELD for a day that was not counted.
    """
    try:
        with snapshot() as connection:
            tenant = tenants.find(connection, query.tenant_id or tenants.ME)
            report = holdings_report.holdings(connection, tenant, query.date)
    except TooLongError as error:
        raise _too_broad() from error
    except holdings_report.NotCountedError as error:
        detail = f"The numbers held on {query.date} were not counted."
        fix = "Choose a day that is over, and since which the service has run."
        raise refuse(RequestCode.INVALID_FIELD, detail, fix=fix, field="date") from error
    if report is None:
        raise _too_broad()
    day = (query.date or report.at.astimezone(UTC).date()).isoformat()
    content = _written(day, report)
    return in_memory(content, f"holdings-{day}.csv", "text/csv; charset=utf-8", is_compressible=True)


def _too_broad() -> Exception:
    detail = "There are too many numbers to count in one report."
    return refuse(RequestCode.SEARCH_TOO_BROAD, detail, fix="Request the report of each reseller: tenant_id.")


def _written(day: str, report: holdings_report.Report) -> bytes:
    text = io.StringIO(newline="")
    lines = writer(text)
    lines.writerow(COLUMNS)
    counted_at = report.at.astimezone(UTC).isoformat(timespec="seconds")
    escaped = zip(*(_escaped(report, name) for name in _TEXTS), strict=True)
    for row, (name, parent, reference, carrier) in zip(report.rows, escaped, strict=True):
        who = (day, row.public_id, name, row.kind, parent, reference)
        lines.writerow((*who, row.country, carrier, *_flags(row), row.numbers, counted_at))
    return text.getvalue().encode("utf-8-sig")


def _escaped(report: holdings_report.Report, name: str) -> list[str]:
    """Return a column of texts that a spreadsheet program doesn't run as formulas."""
    texts = pa.array([getattr(row, name) or "" for row in report.rows], pa.string())
    escaped: list[str] = neutralise(texts).to_pylist()
    return escaped


def _flags(row: sa.Row[Any]) -> list[str]:
    return [str(bool(getattr(row, name))).upper() for name in CAPABILITY_NAMES]
