"""Read a sheet of an .xlsx or .xlsb as texts, by calamine (through fastexcel).

Imported by the child process (`child.py`, started by path), so it imports nothing of the project except this package.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import fastexcel
import pyarrow as pa
import pyarrow.compute as pc

from worker.stages.reading.workbooks.cell_table import empty
from worker.stages.reading.workbooks.cell_values import EPOCH, number_text

ROWS_PER_BATCH = 1 << 16
# The error values of a sheet, by calamine's `CellErrorType`.
ERROR_TEXT = {
    "Div0": "#DIV/0!",
    "NA": "#N/A",
    "Name": "#NAME?",
    "Null": "#NULL!",
    "Num": "#NUM!",
    "Ref": "#REF!",
    "Value": "#VALUE!",
    "GettingData": "#GETTING_DATA",
}
CARRIAGE_RETURN = "_x000D_"  # as Excel writes it; calamine does not decode it
FAULT = re.compile(r"Error\((\w+)\)|ExcelDateTime \{ value: ([-+.\deE]+|inf|NaN)")
# Dates out of range for spreadsheet programs: numbers that are formatted as dates.
FAR_DAY = r"^\+\d{5,6}-\d\d-\d\d \d\d:\d\d:\d\d"
FAR_DAY_PARTS = re.compile(r"\+(\d+)-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)(?:\.(\d+))?")
CYCLE_YEARS, CYCLE_DAYS = 400, 146_097  # a cycle of the Gregorian calendar


@dataclass
class Texts:
    """Converts calamine's results to texts; counts numbers that are formatted as dates but are out of range."""

    far_days: int = 0

    def of_sheet(self, path: str, sheet: str) -> list[list[pa.Array]]:
        """Return the cells of a sheet from row 1 and its first used column, in chunks of columns."""
        loaded = fastexcel.read_excel(path).load_sheet(sheet, header_row=None, skip_rows=0, dtypes="string")
        cells, faults = loaded.to_arrow_with_errors()
        errors = self._by_column(faults)
        return [
            [self._of_column(column, errors[index], start) for index, column in enumerate(part.columns)]
            for start in range(0, cells.num_rows, ROWS_PER_BATCH)
            if (part := cells.slice(start, ROWS_PER_BATCH)).num_columns
        ]

    def _of_column(self, column: pa.Array, errors: Mapping[int, str], start: int) -> pa.Array:
        """Return cells as the sheet shows them: "" for empty cells, TRUE and FALSE, errors such as `#N/A`.

        A number that is formatted as a date but is out of range is returned as a number.
        """
        rows = [row for row in errors if start <= row < start + len(column)]
        if not rows and column.null_count == len(column):
            return empty(len(column))
        text = pc.fill_null(column, "")
        booleans = pc.is_in(text, value_set=pa.array(["true", "false"]))
        if pc.any(booleans).as_py():
            text = pc.if_else(booleans, pc.ascii_upper(text), text)
        if pc.any(pc.match_substring(text, CARRIAGE_RETURN)).as_py():
            text = pc.replace_substring(text, CARRIAGE_RETURN, "\r")
        if pc.any(pc.starts_with(text, "+")).as_py():
            text = self._without_far_days(text)
        if not rows:
            return text
        mask = pc.is_in(pa.array(range(start, start + len(text))), value_set=pa.array(rows))
        return pc.replace_with_mask(text, mask, pa.array([errors[row] for row in sorted(rows)]))

    def _without_far_days(self, text: pa.Array) -> pa.Array:
        mask = pc.match_substring_regex(text, FAR_DAY)
        far = [_serial(day) for day in text.filter(mask).to_pylist()]
        self.far_days += len(far)
        return pc.replace_with_mask(text, mask, pa.array(far, pa.string())) if far else text

    def _by_column(self, faults: fastexcel.CellErrors | None) -> Mapping[int, dict[int, str]]:
        """Return column -> row (from 0) -> text of the cells that calamine could not return as texts.

        `Expected string but got 'Error(Div0)'` means `#DIV/0!`; a date that is out of range comes with its number.
        """
        errors: defaultdict[int, dict[int, str]] = defaultdict(dict)
        for fault in faults.errors if faults else ():
            row, column = fault.position
            cell_at_fault = FAULT.search(fault.detail)
            if cell_at_fault is not None and cell_at_fault[2] is not None:
                errors[column][row] = number_text(float(cell_at_fault[2]))
                self.far_days += 1
            else:
                errors[column][row] = ERROR_TEXT.get(cell_at_fault[1] if cell_at_fault else "", "#ERROR!")
        return errors


def _serial(day: str) -> str:
    """Return the number that calamine converted to this date."""
    parts = FAR_DAY_PARTS.match(day)
    if parts is None:
        return day
    year, month, date, hour, minute, second = map(int, parts.groups()[:6])
    cycles, near = divmod(year - 2000, CYCLE_YEARS)
    moment = dt.datetime(2000 + near, month, date, hour, minute, second)  # noqa: DTZ001  spreadsheets have no zones
    since = moment - EPOCH
    fraction = (since.seconds + float(f"0.{parts[7] or 0}")) / 86400
    return number_text(cycles * CYCLE_DAYS + since.days + fraction)
