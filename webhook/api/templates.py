"""`/v1/templates`: the sample file to fill in (R10)."""

from __future__ import annotations

import csv
import io

import xlsxwriter
from apiflask import APIBlueprint
from flask import Response

from schemas.columns import SAMPLE_COLUMNS, SAMPLE_ROWS, name_of
from webhook import auth, workbook

bp = APIBlueprint("templates", __name__, url_prefix="/v1/templates", tag="Uploads")
bp.before_request(auth.require_actor)

LINES = [tuple(name_of(column) for column in SAMPLE_COLUMNS), *SAMPLE_ROWS]


@bp.get("/numbers.csv")
@bp.doc(summary="The sample file as CSV")
def numbers_csv() -> Response:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(LINES)
    return _download(text.getvalue().encode("utf-8-sig"), "csv", "text/csv; charset=utf-8")


@bp.get("/numbers.xlsx")
@bp.doc(summary="The sample file as a workbook whose cells are text, so that Excel leaves the numbers alone")
def numbers_xlsx() -> Response:
    content = io.BytesIO()
    with xlsxwriter.Workbook(content, {"in_memory": True}) as book:
        sheet = book.add_worksheet("Numbers")
        text = book.add_format({"num_format": "@"})
        sheet.set_column(0, len(SAMPLE_COLUMNS) - 1, 18, text)
        for row, line in enumerate(LINES):
            for column, value in enumerate(line):
                sheet.write_string(row, column, value, text)
    return _download(content.getvalue(), "xlsx", workbook.MIMETYPE)


def _download(content: bytes, ending: str, content_type: str) -> Response:
    response = Response(content, content_type=content_type)
    response.headers.set("Content-Disposition", "attachment", filename=f"numbers.{ending}")
    return response
