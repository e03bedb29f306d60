"""The sample file to fill in (R10)."""

from __future__ import annotations

import io
from csv import writer
from functools import lru_cache

import xlsxwriter

from schemas.columns import SAMPLE_COLUMNS, SAMPLE_ROWS, name_of
from schemas.workbooks import MEDIA_TYPE
from webhook.http.downloads import Download

LINES = [tuple(name_of(column) for column in SAMPLE_COLUMNS), *SAMPLE_ROWS]


def csv() -> Download:
    """Return the sample file as CSV."""
    text = io.StringIO(newline="")
    writer(text).writerows(LINES)
    content = text.getvalue().encode("utf-8-sig")
    return Download(content, "numbers.csv", "text/csv; charset=utf-8", len(content))


def xlsx() -> Download:
    """Return the sample file as a workbook with text cells, so that Excel does not change the numbers."""
    content = _workbook()
    return Download(content, "numbers.xlsx", MEDIA_TYPE, len(content))


@lru_cache(maxsize=1)
def _workbook() -> bytes:
    """Build the workbook once per process; its few rows never change."""
    file = io.BytesIO()
    with xlsxwriter.Workbook(file, {"in_memory": True}) as book:
        sheet = book.add_worksheet("Numbers")
        text = book.add_format({"num_format": "@"})
        sheet.set_column(0, len(SAMPLE_COLUMNS) - 1, 18, text)
        for row, line in enumerate(LINES):
            for column, value in enumerate(line):
                sheet.write_string(row, column, value, text)
    return file.getvalue()
