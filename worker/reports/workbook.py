"""A job's report as an Excel workbook: a summary with a chart, and the rows to correct, with faults at their cells.

Written row by row, so it needs no more memory than its comments. Cells are text and escaped like those of the CSV
report: a corrected workbook can be uploaded and means the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import xlsxwriter

from schemas.codes import Code, Fault, Outcome, faults_of, in_general, text_of
from schemas.columns import REPORT_COLUMNS, distinct
from worker.reports import render
from worker.reports.row_messages import Layout
from worker.spreadsheet.formula_escape import neutralise

MOST_ROWS = 100_000  # spreadsheet programs become slow beyond; the CSV report has all rows
# Excel draws every comment when it opens a sheet. `_message` and `_fix` hold the same texts.
MOST_COMMENTS = 2_000
LONGEST_CELL = 32_767  # characters, Excel's limit
TITLES = {"failed": "Rows to fix", "all": "All rows", "unprocessed": "Unprocessed rows"}
_WIDTHS = {
    "_row": 8,
    "_result": 11,
    "_code": 26,
    "_column": 18,
    "_message": 60,
    "_fix": 60,
    "_number": 17,
    "_corrections": 60,
}
_USUAL_WIDTH = 18
_FILL = {"bg_color": "#FFC7CE", "font_color": "#9C0006"}
_TEXT = {"num_format": "@"}


@dataclass(frozen=True)
class Contents:
    """The contents of the workbook besides its rows.

    `counts`: rows by outcome. `causes`: entries of `schemas.jobs.error_summary`. `count`: the number of rows of the
    kind `rows` (`TITLES`), before any are cut off.
    """

    title: str
    job: str  # public id
    status: str
    accepted_at: datetime
    ended_at: datetime | None
    notes: Sequence[str]
    counts: Mapping[str, int]
    causes: Sequence[Mapping[str, Any]]
    layout: Layout
    rows: str
    count: int


def write(path: Path, contents: Contents, parts: Iterable[tuple[pa.RecordBatch, pa.Table]]) -> None:
    """Write the workbook. The same contents give the same bytes.

    `parts`: the rows' cells (text) and results (`schemas.arrow_schemas.RESULTS`), in file order.
    """
    options = {
        "constant_memory": True,
        "tmpdir": str(path.parent),
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    with xlsxwriter.Workbook(path, options) as book:
        book.set_properties({"created": contents.ended_at or contents.accepted_at})
        # The sheet of rows comes first, because uploads read the first sheet. The workbook opens at the summary.
        rows, summary = _Rows(book, contents), _Summary(book, contents)
        rows.write(parts)
        summary.write()


class _Summary:
    """The summary sheet: rows by outcome, and the most frequent causes."""

    def __init__(self, book: xlsxwriter.Workbook, contents: Contents) -> None:
        self._contents = contents
        self._book = book
        self._page = book.add_worksheet("Summary")
        self._page.activate()
        self._bold = book.add_format({"bold": True})
        self._title = book.add_format({"bold": True, "font_size": 14})
        self._wrapped = book.add_format({"text_wrap": True, "valign": "top"})
        self._number = book.add_format({"num_format": "#,##0"})
        self._row = 0

    def write(self) -> None:
        contents = self._contents
        self._page.set_column(0, 0, 30)
        self._page.set_column(1, 2, 12)
        self._page.set_column(3, 4, 70)
        self._line([(contents.title, self._title)])
        self._line([("Job", self._bold), (contents.job, None)])
        self._line([("Status", self._bold), (contents.status, None)])
        self._line([("Accepted", self._bold), (contents.accepted_at.isoformat(" ", "seconds"), None)])
        if contents.layout.preview:
            self._line([("Note", self._bold), ("Nothing is written yet: this is what would be.", None)])
        if contents.ended_at is not None:
            self._line([("Ended", self._bold), (contents.ended_at.isoformat(" ", "seconds"), None)])
        for note in contents.notes:
            self._line([("Note", self._bold), (note, None)])
        if contents.count > MOST_ROWS:
            title = TITLES[contents.rows]
            cut = f"“{title}” shows the first {MOST_ROWS:,} of {contents.count:,} rows; report.csv has them all."
            self._line([("Cut off", self._bold), (cut, self._bold)])
        self._row += 1
        self._counts(contents.counts)
        self._causes(contents.causes)

    def _counts(self, counts: Mapping[str, int]) -> None:
        self._line([("Rows", self._bold), ("Count", self._bold)])
        first = self._row
        for outcome in Outcome:
            self._line([(outcome.value, None), (counts[outcome.value], self._number)])
        chart = self._book.add_chart({"type": "bar"})
        where = {
            "categories": ["Summary", first, 0, self._row - 1, 0],
            "values": ["Summary", first, 1, self._row - 1, 1],
        }
        chart.add_series({"name": "Rows", **where, "data_labels": {"value": True}})
        would = "would become" if self._contents.layout.preview else "became"
        chart.set_title({"name": f"What {would} of the rows"})
        chart.set_legend({"none": True})
        chart.set_y_axis({"reverse": True})
        self._page.insert_chart(first - 1, 3, chart)
        self._line([("total", self._bold), (counts["total"], self._number)])
        self._line([("with a warning", None), (counts["warnings"], self._number)])
        # The chart is taller than the list of counts.
        self._row = max(self._row + 1, first + 15)

    def _causes(self, causes: Sequence[Mapping[str, Any]]) -> None:
        if not causes:
            return
        heading = "What would happen" if self._contents.layout.preview else "What happened"
        self._line([(title, self._bold) for title in ("Code", "Rows", "First row", heading, "How to fix it")])
        for cause in causes:
            words = in_general(Code(cause["code"]), preview=self._contents.layout.preview)
            numbers = [(cause["count"], self._number), (cause["first_row"], self._number)]
            self._line([(cause["code"], None), *numbers, (words.message, self._wrapped), (words.fix, self._wrapped)])

    def _line(self, cells: Sequence[tuple[str | int, Any]]) -> None:
        for column, (value, style) in enumerate(cells):
            if isinstance(value, int):
                self._page.write_number(self._row, column, value, style)
            else:
                self._page.write_string(self._row, column, _safe(value), style)
        self._row += 1


class _Rows:
    """The sheet of rows: the file's own columns and the report columns, with the faulty cells marked."""

    def __init__(self, book: xlsxwriter.Workbook, contents: Contents) -> None:
        self._layout = contents.layout
        self._page = book.add_worksheet(TITLES[contents.rows])
        self._head = book.add_format({"bold": True, "bg_color": "#DDEBF7", "bottom": 1})
        self._text = book.add_format(_TEXT)
        self._marked = book.add_format(_TEXT | _FILL)
        self._comments = 0
        self._written = 0

    def write(self, parts: Iterable[tuple[pa.RecordBatch, pa.Table]]) -> None:
        titles = [*distinct(self._layout.names), *self._layout.report_columns]
        for index, title in enumerate(titles):
            self._page.set_column(index, index, _WIDTHS.get(title, _USUAL_WIDTH), self._text)
        # A sheet written row by row needs its rows in order, so the header comes first.
        own = neutralise(pa.array([*self._layout.names, *self._layout.report_columns], pa.string())).to_pylist()
        for index, title in enumerate(own):
            self._page.write_string(0, index, title[:LONGEST_CELL], self._head)
        self._page.freeze_panes(1, 0)
        for cells, results in parts:
            if self._written >= MOST_ROWS:
                break
            self._part(cells, results.slice(0, MOST_ROWS - self._written))
        self._page.autofilter(0, 0, max(self._written, 1), len(titles) - 1)

    def _part(self, cells: pa.RecordBatch, results: pa.Table) -> None:
        cells = cells.slice(0, results.num_rows)
        columns = [column.to_pylist() for column in render.columns(self._layout, cells, results).columns]
        sources = self._layout.sources(results.column("row").to_numpy())
        own = [column.to_pylist() for column in cells.columns]
        for corrected in sources.corrections.columns:
            if (index := self._layout.mapping.get(corrected)) is not None:
                own[index] = sources.untranslated(corrected, cells).to_pylist()
        width, of_row = len(self._layout.names), REPORT_COLUMNS.index("_row")
        for row_index, bits in enumerate(results.column("faults").to_pylist()):
            self._written += 1
            faulty = self._faulty(faults_of(bits))
            for column, values in enumerate(columns):
                value = values[row_index]
                if column == width + of_row:
                    self._page.write_number(self._written, column, value)
                elif value or column in faulty:
                    style = self._marked if column in faulty else self._text
                    self._page.write_string(self._written, column, value[:LONGEST_CELL], style)
            for column, faults in faulty.items():
                self._comment(column, faults, own[column][row_index])

    def _faulty(self, faults: Iterable[Fault]) -> dict[int, list[Fault]]:
        """Return the faults by the index of their column; a fault of a column that the file lacks is left out."""
        faults_by_column: dict[int, list[Fault]] = {}
        for fault in faults:
            index = self._layout.mapping.get(fault.column)
            if index is not None:
                faults_by_column.setdefault(index, []).append(fault)
        return faults_by_column

    def _comment(self, column: int, faults: Sequence[Fault], value: str) -> None:
        if self._comments >= MOST_COMMENTS:
            return
        self._comments += 1
        texts = (text_of(fault.code, fault.column, preview=self._layout.preview) for fault in faults)
        words = (text.with_value(value[:200]) for text in texts)
        comment = "\n".join(f"{words_of_fault.message} {words_of_fault.fix}" for words_of_fault in words)
        self._page.write_comment(self._written, column, comment, {"author": "Numberyard", "x_scale": 2.5})


def _safe(text: str) -> str:
    cell: str = neutralise(pa.array([text[:LONGEST_CELL]], pa.string()))[0].as_py()
    return cell
