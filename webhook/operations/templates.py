"""The sample file to fill in (R10)."""

from __future__ import annotations

import io
from csv import writer

import xlsxwriter

from schemas.columns import SAMPLE_COLUMNS, SAMPLE_ROWS, name_of
from webhook import workbook
from webhook.downloads import Download

LINES = [tuple(name_of(column) for column in SAMPLE_COLUMNS), *SAMPLE_ROWS]


def csv() -> Download:
    """The sample file as CSV."""
    text = io.StringIO(newline="")
    writer(text).writerows(LINES)
    content = text.getvalue().encode("utf-8-sig")
    return Download(content, "numbers.csv", "text/csv; charset=utf-8", len(content))


def xlsx() -> Download:
    """The sample file as a workbook whose cells are text, so that Excel leaves the numbers alone."""
    file = io.BytesIO()
    with xlsxwriter.Workbook(file, {"in_memory": True}) as book:
        sheet = book.add_worksheet("Numbers")
        text = book.add_format({"num_format": "@"})
        sheet.set_column(0, len(SAMPLE_COLUMNS) - 1, 18, text)
        for row, line in enumerate(LINES):
            for column, value in enumerate(line):
                sheet.write_string(row, column, value, text)
    content = file.getvalue()
    return Download(content, "numbers.xlsx", workbook.MIMETYPE, len(content))
