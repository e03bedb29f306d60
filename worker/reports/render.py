"""A job's report: the file's own columns, untouched and in their order, then what became of each row.

Renders whole columns from cells and results; knows neither where they come from nor where they go. The file's own
values that a spreadsheet program would run are neutralised (`worker.spreadsheet.formula_escape`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
from pyarrow import csv

from schemas.codes import Fault, faults_of, warnings_of
from schemas.columns import REPORT_COLUMNS, distinct, name_of
from worker.reports.row_messages import Layout, findings
from worker.spreadsheet.formula_escape import neutralise

_ROWS_AT_A_TIME = 1 << 16  # many: each time costs as much as some hundred rows
BOM = b"\xef\xbb\xbf"  # without it Excel reads a UTF-8 file as if it were in the local code page


def columns(layout: Layout, cells: pa.RecordBatch, results: pa.Table) -> pa.Table:
    """The report of some rows as text columns: the file's own, then `REPORT_COLUMNS`.

    `cells` holds the file's columns as text, perhaps with one more for cells without a column; `results` is
    `schemas.arrow_schemas.RESULTS`.
    """
    own = [neutralise(column) for column in cells.columns[: len(layout.names)]]
    return pa.table(own + findings(layout, cells, results), names=[*layout.names, *REPORT_COLUMNS])


def records(layout: Layout, cells: pa.RecordBatch, results: pa.Table) -> Iterator[dict[str, Any]]:
    """The report of some rows as JSON objects: typed, and with every fault of a row apart."""
    names = distinct(layout.names)
    own = [column.to_pylist() for column in cells.columns[: len(names)]]
    table = columns(layout, cells, results).select(list(REPORT_COLUMNS)).to_pylist()
    faults, warnings = (results.column(name).to_pylist() for name in ("faults", "warnings"))
    duplicate_of, numbers, written = (
        results.column(name).to_pylist() for name in ("duplicate_of", "numbers", "written")
    )
    for place, row in enumerate(table):
        yield {
            "row": row["_row"],
            "result": row["_result"],
            "code": row["_code"],
            "column": row["_column"] or None,
            "message": row["_message"],
            "fix": row["_fix"] or None,
            "number": row["_number"] or None,
            "warnings": [code.value for code in warnings_of(warnings[place])],
            "duplicate_of_row": duplicate_of[place] or None,
            "numbers": numbers[place],
            "written": written[place],
            "faults": [_fault(fault) for fault in faults_of(faults[place])],
            "cells": dict(zip(names, (values[place] for values in own), strict=True)),
        }


def json_lines(layout: Layout, cells: pa.RecordBatch, results: pa.Table) -> bytes:
    """The report of some rows as JSON lines with the CSV report's names (RFC 8259, one object a line)."""
    lines = []
    for record in records(layout, cells, results):
        found = {f"_{name}": record[name] for name in (column[1:] for column in REPORT_COLUMNS)}
        lines.append(json.dumps(record["cells"] | found, ensure_ascii=False))
    return "".join(f"{line}\n" for line in lines).encode()


def csv_header(layout: Layout) -> bytes:
    """The report's first line, for a file with these columns."""
    titles = neutralise(pa.array([*layout.names, *REPORT_COLUMNS], pa.string())).to_pylist()
    line = pa.table([pa.array([title]) for title in titles], names=[str(place) for place in range(len(titles))])
    return BOM + _csv(line)


def csv_rows(layout: Layout, cells: pa.RecordBatch, results: pa.Table) -> bytes:
    """The report of some rows as CSV lines (RFC 4180, UTF-8)."""
    return _csv(columns(layout, cells, results))


def _csv(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    csv.write_csv(table, sink, csv.WriteOptions(include_header=False, batch_size=_ROWS_AT_A_TIME))
    written: bytes = sink.getvalue().to_pybytes()
    return written


def _fault(fault: Fault) -> dict[str, str | None]:
    return {"code": fault.code.value, "column": name_of(fault.column) or None}
