"""A job's report: the file's own columns, untouched and in their order, then what became of each row.

Renders whole columns from cells and results; knows neither where they come from nor where they go. Values and texts
that a spreadsheet program would run are neutralised (`schemas.cells_safe`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from schemas.cells_safe import neutralise
from schemas.codes import BY_NUMBER, CATALOGUE, FAULTS, Outcome, faults_of, text_of, warnings_of
from schemas.columns import REPORT_COLUMNS, Column, name_of

BOM = b"\xef\xbb\xbf"  # without it Excel reads a UTF-8 file as if it were in the local code page
# Texts by the code's number; 0 stands for "not settled".
_SIZE = max(BY_NUMBER) + 1


@dataclass(frozen=True)
class Layout:
    """A file's columns: their names as given, and the place of each column that is understood."""

    names: tuple[str, ...]
    mapping: Mapping[Column, int]

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> Layout:
        """From a job's file facts; a job whose file was not read has no columns."""
        mapping = {Column[name]: place for name, place in facts.get("mapping", {}).items()}
        return cls(tuple(facts.get("columns", ())), mapping)


def _table(text: Callable[[int], str]) -> pa.Array:
    return pa.array(["" if number not in BY_NUMBER else text(number) for number in range(_SIZE)], pa.string())


_CODE = _table(lambda number: BY_NUMBER[number].value)
_MESSAGE = _table(lambda number: text_of(BY_NUMBER[number]).message)
_FIX = _table(lambda number: text_of(BY_NUMBER[number]).fix)
_OUTCOME = _table(lambda number: CATALOGUE[BY_NUMBER[number]].outcome or "")


def outcome_mask(results: pa.Table, outcomes: frozenset[Outcome]) -> np.ndarray:
    """Which rows ended with one of the outcomes: bool, one per row."""
    failed = results.column("faults").to_numpy() != 0
    wanted = np.array([name in outcomes for name in _OUTCOME.to_pylist()])
    return np.where(failed, Outcome.FAILED in outcomes, wanted[results.column("code").to_numpy()])


def columns(layout: Layout, cells: pa.RecordBatch, results: pa.Table) -> pa.Table:
    """The report of some rows as text columns: the file's own, then `REPORT_COLUMNS`.

    `cells` holds the file's columns as text, `results` is `schemas.results.RESULTS`.
    """
    own = [neutralise(column) for column in cells.columns]
    return pa.table(own + _own_findings(layout, cells, results), names=[*layout.names, *REPORT_COLUMNS])


def records(layout: Layout, cells: pa.RecordBatch, results: pa.Table) -> Iterator[dict[str, Any]]:
    """The report of some rows as JSON objects: typed, and with every fault of a row apart."""
    own = [column.to_pylist() for column in cells.columns]
    table = columns(layout, cells, results).select(list(REPORT_COLUMNS)).to_pylist()
    faults, warnings = (results.column(name).to_pylist() for name in ("faults", "warnings"))
    duplicate_of = results.column("duplicate_of").to_pylist()
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
            "faults": [{"code": fault.code.value, "column": name_of(fault.column) or None} for fault in faults_of(faults[place])],
            "cells": dict(zip(layout.names, (values[place] for values in own), strict=True)),
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
    csv.write_csv(table, sink, csv.WriteOptions(include_header=False))
    return sink.getvalue().to_pybytes()


def _own_findings(layout: Layout, cells: pa.RecordBatch, results: pa.Table) -> list[pa.Array]:
    code, faults, warnings, e164, duplicate_of = (
        results.column(name).to_numpy() for name in ("code", "faults", "warnings", "e164", "duplicate_of")
    )
    text = _Texts(_MESSAGE.take(pa.array(code)), _FIX.take(pa.array(code)), pa.array([""] * len(code), pa.string()))
    text = _with_faults(text, layout, cells, faults)
    outcome = pc.if_else(pa.array(faults != 0), Outcome.FAILED.value, _OUTCOME.take(pa.array(code)))
    return [
        results.column("row").combine_chunks(),
        outcome,
        _CODE.take(pa.array(code)),
        text.column,
        neutralise(text.message),
        neutralise(text.fix),
        _blank_if_zero(e164, "+"),
        _warning_names(warnings),
        _blank_if_zero(duplicate_of, ""),
    ]


class _Texts:
    """What is said about each row, and the column it is about: string arrays of one length."""

    def __init__(self, message: pa.Array, fix: pa.Array, column: pa.Array) -> None:
        self.message, self.fix, self.column = message, fix, column


def _with_faults(text: _Texts, layout: Layout, cells: pa.RecordBatch, faults: np.ndarray) -> _Texts:
    """Say every fault of every row, the most telling first. A rendering per kind of fault, not per row."""
    message, fix, column = _Objects(text.message), _Objects(text.fix), _Objects(text.column)
    said = np.zeros(len(faults), dtype=bool)
    for place, fault in enumerate(FAULTS):
        rows = np.flatnonzero(faults >> np.uint32(place) & 1)
        if not len(rows):
            continue
        words, at = text_of(fault.code, fault.column), layout.mapping.get(fault.column)
        values = pa.array([""] * len(rows), pa.string()) if at is None else cells.column(at).take(pa.array(rows))
        first = ~said[rows]
        message.say(rows, _filled(words.message, values), first)
        fix.say(rows, _filled(words.fix, values), first)
        column.set(rows[first], name_of(fault.column))
        said[rows] = True
    return _Texts(message.array(), fix.array(), column.array())


class _Objects:
    """A string column some of whose rows are said anew; costs nothing where nothing is said."""

    def __init__(self, base: pa.Array) -> None:
        self._base = base
        self._values: np.ndarray | None = None

    def _writable(self) -> np.ndarray:
        if self._values is None:
            self._values = self._base.to_numpy(zero_copy_only=False)
        return self._values

    def say(self, rows: np.ndarray, text: pa.Array, first: np.ndarray) -> None:
        values, said = self._writable(), text.to_numpy(zero_copy_only=False)
        values[rows[first]] = said[first]
        again = rows[~first]
        values[again] = values[again] + " " + said[~first]

    def set(self, rows: np.ndarray, text: str) -> None:
        self._writable()[rows] = text

    def array(self) -> pa.Array:
        return self._base if self._values is None else pa.array(self._values, pa.string())


def _filled(template: str, values: pa.Array) -> pa.Array:
    """The template with each row's value put in."""
    before, mark, after = template.partition("{value}")
    if not mark:
        return pa.repeat(pa.scalar(template, pa.string()), len(values))
    return pc.binary_join_element_wise(before, values, after, "")


def _blank_if_zero(values: np.ndarray, prefix: str) -> pa.Array:
    text = pc.binary_join_element_wise(prefix, pc.cast(pa.array(values), pa.string()), "")
    return pc.if_else(pa.array(values == 0), "", text)


def _warning_names(bits: np.ndarray) -> pa.Array:
    """The names of each row's warnings with a space between; each combination is spelled once."""
    distinct, where = np.unique(bits, return_inverse=True)
    names = [" ".join(code.value for code in warnings_of(int(value))) for value in distinct]
    return pa.array(names, pa.string()).take(pa.array(where))
