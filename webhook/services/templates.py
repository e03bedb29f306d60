"""The sample file to fill in (R10)."""

from __future__ import annotations

import io
from csv import writer
from datetime import UTC, datetime
from functools import lru_cache

import xlsxwriter

from schemas.columns import SAMPLE_COLUMNS, SAMPLE_ROWS, name_of
from schemas.workbooks import MEDIA_TYPE
from webhook.http.downloads import StoredFile, in_memory

LINES = [tuple(name_of(column) for column in SAMPLE_COLUMNS), *SAMPLE_ROWS]


def csv() -> StoredFile:
    """Return the sample file as CSV."""
    text = io.StringIO(newline="")
    writer(text).writerows(LINES)
    content = text.getvalue().encode("utf-8-sig")
    return in_memory(content, "numbers.csv", "text/csv; charset=utf-8", is_compressible=True)


def xlsx() -> StoredFile:
    """Return the sample file as a workbook with text cells, so that Excel does not change the numbers."""
    return in_memory(_workbook(), "numbers.xlsx", MEDIA_TYPE)


@lru_cache(maxsize=1)
def _workbook() -> bytes:
    """Build the workbook once per process; the same bytes in each, so that a download goes on at another process."""
    file = io.BytesIO()
    with xlsxwriter.Workbook(file, {"in_memory": True}) as book:
        book.set_properties({"created": datetime(2026, 1, 1, tzinfo=UTC)})
        sheet = book.add_worksheet("Numbers")
        text = book.add_format({"num_format": "@"})
        sheet.set_column(0, len(SAMPLE_COLUMNS) - 1, 18, text)
        for row, line in enumerate(LINES):
            for column, value in enumerate(line):
                sheet.write_string(row, column, value, text)
    return file.getvalue()
