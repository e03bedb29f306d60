"""The grid of rows with errors, 50 a page (R33): what it shows, and the cells that were changed in it.

Each cell is sent with the text that it had when the page was shown, so only changed cells become corrections.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from flask import request, url_for

from schemas.codes import Code, Outcome, in_general
from schemas.columns import SPEC, Column, distinct, name_of
from schemas.http import resources
from webhook.http.request_bodies import validated
from webhook.portal.jobs.correction_rules import column_of
from webhook.portal.shared.forms import Form
from webhook.services import jobs
from webhook.services.job_details import JobDetails
from worker.reports.row_messages import Layout

PAGE = 50  # rows
MOST_BACK = 20  # earlier pages that a page links back through
_CELL = re.compile(r"cell-(\d{1,9})-([A-Z_]+)")
_FILTERS = ("code", "column")


@dataclass(frozen=True)
class Cell:
    """A cell: its field, its current text, what the form shows, whether it is faulty or was corrected."""

    column: Column
    field: str
    text: str
    shown: str
    is_wrong: bool
    was: str | None


@dataclass(frozen=True)
class GridRow:
    """A row with errors and its cells, in the order of `Grid.columns`."""

    row: resources.Row
    cells: tuple[Cell, ...]
    is_out: bool


@dataclass(frozen=True)
class Grid:
    """A page of rows. `columns`: ours and their names in the file, "" if it has none. Each URL may be None.

    `title`: the text of the fault that the rows are limited to, "" for none.
    """

    columns: tuple[tuple[Column, str], ...]
    rows: tuple[GridRow, ...]
    title: str
    next_url: str | None
    back_url: str | None


def query_of_request() -> dict[str, Any]:
    """Return what names the page of the grid in the request's URL."""
    query: dict[str, Any] = {name: request.args[name] for name in (*_FILTERS, "cursor") if request.args.get(name)}
    back = request.args.getlist("back")[-MOST_BACK:]
    return query | ({"back": back} if back else {})


def grid_of(details: JobDetails, form: Form) -> Grid:
    """Return the page of failed rows that the request asks for, with what was entered."""
    query = query_of_request()
    column = column_of(query.get("column"))
    sent = {name: query[name] for name in ("code", "cursor") if name in query}
    body = validated(resources.RowsQuery, sent | {"limit": PAGE, "outcome": Outcome.FAILED.value})
    page = jobs.rows(details.job.id, body, column or None)
    columns = _columns(details)
    rows = tuple(_row(row, columns, details.layout, form) for row in page.data)
    filters = {name: query[name] for name in _FILTERS if name in query}
    back = [*query.get("back", ()), query.get("cursor", "0")]

    def at(**more: Any) -> str:  # noqa: ANN401 - as in `url_for`
        return url_for("portal.job_corrections", job_id=details.job.id, **filters, **more, _anchor="rows")

    return Grid(
        columns,
        rows,
        _title(query.get("code", ""), column),
        None if page.next_cursor is None else at(cursor=page.next_cursor, back=back),
        _back_url(query, at) if "cursor" in query else None,
    )


def _title(code: str, column: Column) -> str:
    return in_general(Code(code), column, preview=True).message if code in Code.__members__ else ""


def _back_url(query: dict[str, Any], at: Any) -> str:  # noqa: ANN401 - a function
    *before, last = query.get("back") or ["0"]
    return str(at() if last == "0" else at(cursor=last, back=before))


def _columns(details: JobDetails) -> tuple[tuple[Column, str], ...]:
    """Return the columns of the file that we read, in its order; then constants and others that rows have faults in."""
    layout = details.layout or Layout((), {})
    names = distinct(layout.names)
    in_file = sorted((index, column) for column, index in layout.mapping.items() if index < len(names))
    columns = {column: names[index] for index, column in in_file}
    faults = () if details.job.review is None else details.job.review.faults
    others = {*layout.constants, *(column_of(fault.column) for fault in faults)} - {Column.NONE, *columns}
    return (*columns.items(), *((column, "") for column in sorted(others)))


def _row(row: resources.Row, columns: tuple[tuple[Column, str], ...], layout: Layout | None, form: Form) -> GridRow:
    wrong = {fault.column for fault in row.faults}
    corrected = {cell.column: cell for cell in row.corrections}
    constants = {} if layout is None else layout.constants
    cells = []
    for column, header in columns:
        ours, field = name_of(column), f"cell-{row.row}-{column.name}"
        original = (row.cells.get(header) or "") if header else constants.get(column, "")
        text = _one_line(corrected[ours].now if ours in corrected else original)
        was = _one_line(original) if ours in corrected else None
        cells.append(Cell(column, field, text, form.value(field, text), ours in wrong, was))
    return GridRow(row, tuple(cells), str(row.row) in form.values("out"))


def _one_line(text: str) -> str:
    """Return a text as a control of one line shows it, so that it is sent as it was shown."""
    return " ".join(text.splitlines())


def changes_of(form: Form) -> dict[str, Any]:
    """Return the changed cells and the rows to leave out (`schemas.http.corrections.CorrectionBody`)."""
    out = [int(text) for text in form.values("out") if text.isdecimal() and len(text) < 10]  # noqa: PLR2004 - a row number
    return {"cells": list(_changed(form)), "leave_out": out}


def _changed(form: Form) -> Iterator[dict[str, Any]]:
    for field, text in form.fields.items():
        match = _CELL.fullmatch(field)
        if match is None or match[2] not in Column.__members__ or Column[match[2]] not in SPEC:
            continue
        if text != form.value(f"was-{match[1]}-{match[2]}"):
            yield {"row": int(match[1]), "column": name_of(Column[match[2]]), "value": text}
