"""Rendering of a job's report: the file's own columns, unchanged and in order, then the outcome of each row.

Renders whole columns from cells and results; does no I/O. Escapes the file's values that a spreadsheet program would
run as formulas (`worker.spreadsheet.formula_escape`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
from pyarrow import csv

from schemas.codes import Code, Fault, faults_of, warnings_of
from schemas.columns import REPORT_COLUMNS, distinct, name_of
from worker.reports.row_messages import Layout, corrections_at, findings
from worker.spreadsheet.formula_escape import neutralise

_ROWS_AT_A_TIME = 1 << 16  # large, because each batch has a fixed cost of some hundred rows
BOM = b"\xef\xbb\xbf"  # without it, Excel reads a UTF-8 file in the local code page


def columns(layout: Layout, cells: pa.RecordBatch, results: pa.Table) -> pa.Table:
    """Return the report of some rows as text columns: the file's own columns, then `Layout.report_columns`.

    `cells` has the file's columns as text, and optionally one more for cells beyond the last column; `results` is
    `schemas.arrow_schemas.RESULTS`.
    """
    own = [neutralise(column) for column in cells.columns[: len(layout.names)]]
    return pa.table(own + findings(layout, cells, results), names=[*layout.names, *layout.report_columns])


def records(layout: Layout, cells: pa.RecordBatch, results: pa.Table) -> Iterator[dict[str, Any]]:
    """Yield the report of some rows as JSON objects: typed, with every fault of a row listed separately."""
    names = distinct(layout.names)
    own = [column.to_pylist() for column in cells.columns[: len(names)]]
    table = columns(layout, cells, results).select(list(REPORT_COLUMNS)).to_pylist()
    faults, warnings = (results.column(name).to_pylist() for name in ("faults", "warnings"))
    duplicate_of, numbers, written = (
        results.column(name).to_pylist() for name in ("duplicate_of", "numbers", "written")
    )
    sources = layout.sources(results.column("row").to_numpy())
    corrected = corrections_at(sources, cells)
    for index, row in enumerate(table):
        yield {
            "row": row["_row"],
            "result": row["_result"],
            "code": row["_code"],
            "column": row["_column"] or None,
            "message": row["_message"],
            "fix": row["_fix"] or None,
            "number": row["_number"] or None,
            "warnings": [code.value for code in warnings_of(warnings[index])],
            "duplicate_of_row": duplicate_of[index] or None,
            "numbers": numbers[index],
            "written": written[index],
            "faults": [_fault(fault) for fault in faults_of(faults[index])],
            "corrections": [
                {"column": column, "was": was, "now": now} for column, was, now in corrected.get(index, [])
            ],
            "cells": dict(zip(names, (values[index] for values in own), strict=True)),
        }


def json_lines(layout: Layout, cells: pa.RecordBatch, results: pa.Table) -> bytes:
    """Return the report of some rows as JSON Lines with the names of the CSV report (RFC 8259, one object per line)."""
    lines = []
    for record in records(layout, cells, results):
        outcome_fields = {f"_{name}": record[name] for name in (column[1:] for column in layout.report_columns)}
        outcome_fields["_warnings"] = [name for name in record["warnings"] if name != Code.CORRECTED]
        lines.append(json.dumps(record["cells"] | outcome_fields, ensure_ascii=False))
    return "".join(f"{line}\n" for line in lines).encode()


def csv_header(layout: Layout) -> bytes:
    """Return the first line of the report, with the byte order mark, for a file with these columns."""
    titles = neutralise(pa.array([*layout.names, *layout.report_columns], pa.string())).to_pylist()
    line = pa.table([pa.array([title]) for title in titles], names=[str(index) for index in range(len(titles))])
    return BOM + csv_lines(line)


def csv_rows(layout: Layout, cells: pa.RecordBatch, results: pa.Table) -> bytes:
    """Return the report of some rows as CSV lines (RFC 4180, UTF-8)."""
    return csv_lines(columns(layout, cells, results))


def csv_lines(table: pa.Table) -> bytes:
    """Return the rows of text columns as CSV lines, without their names (RFC 4180, UTF-8)."""
    sink = pa.BufferOutputStream()
    csv.write_csv(table, sink, csv.WriteOptions(include_header=False, batch_size=_ROWS_AT_A_TIME))
    written: bytes = sink.getvalue().to_pybytes()
    return written


def _fault(fault: Fault) -> dict[str, str | None]:
    return {"code": fault.code.value, "column": name_of(fault.column) or None}
