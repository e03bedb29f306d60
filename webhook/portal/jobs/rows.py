"""The rows of a job on its page: the file's own cells, with the faulty ones marked, page by page.

Only the recognized columns are shown, as a file may be wide; reports have all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import request, url_for

from schemas.codes import Code, Outcome, in_general
from schemas.columns import Column, distinct, name_of
from schemas.http import resources
from schemas.jobs import JobStatus
from webhook.http.request_bodies import validated
from webhook.portal.jobs import labels
from webhook.services import jobs
from webhook.services.job_details import JobDetails
from worker.reports.row_messages import Layout

PAGE = 25  # rows
EVERY = "all"
_LONGEST = 120  # characters of a cell
_NUMBER = tuple(map(name_of, (Column.COUNTRY_CODE, Column.PHONE_NUMBER, Column.END_NUMBER)))
_QUERY = ("outcome", "code", "column", "cursor")
_COLUMNS = {name_of(column): column for column in Column if column is not Column.NONE}


@dataclass(frozen=True)
class Cell:
    """A cell of the file: its column by the file's own name, its text, and whether it is faulty."""

    column: str
    text: str
    is_wrong: bool


@dataclass(frozen=True)
class Line:
    """A row of the file, and its outcome or predicted outcome."""

    row: resources.Row
    cells: tuple[Cell, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Rows:
    """A page of rows. `columns`: the names of its cells. `outcome`, `code`, `column`: the filters."""

    columns: tuple[str, ...]
    lines: tuple[Line, ...]
    outcome: str
    code: str
    column: str
    next_url: str | None
    first_url: str | None


def shown(details: JobDetails) -> Rows:
    """Return the page of rows that the request asks for; by default the failed rows, if there are any."""
    query = {name: request.args[name] for name in _QUERY if request.args.get(name)}
    outcome = query.pop("outcome", Outcome.FAILED.value if _has_rows_with(details, Outcome.FAILED) else EVERY)
    narrowed: dict[str, Any] = {name: query[name] for name in ("code", "column") if name in query}
    column = _COLUMNS.get(query.pop("column", ""))
    filters = query | ({} if outcome == EVERY else {"outcome": outcome})
    page = jobs.rows(details.job.id, validated(resources.RowsQuery, filters | {"limit": PAGE}), column)

    def at(**more: Any) -> str:  # noqa: ANN401 - as in `url_for`
        return url_for("portal.job", job_id=details.job.id, outcome=outcome, **narrowed, **more, _anchor="rows")

    columns = columns_of(details.layout)
    return Rows(
        tuple(columns),
        tuple(_line(_with_texts_of_kind(details, row), columns, preview=_is_preview(details)) for row in page.data),
        outcome,
        query.get("code", ""),
        "" if column is None else name_of(column),
        None if page.next_cursor is None else at(cursor=page.next_cursor),
        at() if "cursor" in query else None,
    )


def numbers(details: JobDetails, rows: list[resources.Row]) -> tuple[tuple[str, ...], list[Line]]:
    """Return the columns that contain the numbers of some rows, and the rows with the cells of these columns."""
    columns = {name: meaning for name, meaning in columns_of(details.layout).items() if meaning in _NUMBER}
    return tuple(columns), [_line(row, columns, preview=_is_preview(details)) for row in rows]


def columns_of(layout: Layout | None) -> dict[str, str]:
    """Return the recognized columns in the file's order: the file's own name -> the column it is mapped to."""
    if layout is None:
        return {}
    names = distinct(layout.names)
    pairs = sorted(layout.mapping.items(), key=lambda pair: pair[1])
    return {names[index]: name_of(column) for column, index in pairs if index < len(names)}


def _is_preview(details: JobDetails) -> bool:
    return details.job.status == JobStatus.REVIEW


def _has_rows_with(details: JobDetails, outcome: Outcome) -> bool:
    return any(cause.outcome is outcome for cause in details.causes)


def _with_texts_of_kind(details: JobDetails, row: resources.Row) -> resources.Row:
    """Return a row with the texts for its job's kind."""
    text = labels.own_texts(details.job).get(Code(row.code))
    return row if text is None else row.model_copy(update={"message": text.message, "fix": text.fix})


def _line(row: resources.Row, columns: dict[str, str], *, preview: bool) -> Line:
    wrong = {fault.column for fault in row.faults}
    cells = tuple(Cell(name, _short(row.cells.get(name) or ""), meaning in wrong) for name, meaning in columns.items())
    warning_codes = [Code(code) for code in row.warnings]
    return Line(row, cells, tuple(in_general(code, preview=preview).message for code in warning_codes))


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
