"""A worksheet of exported numbers: the package as XlsxWriter makes it, with the rows streamed into its one sheet.

Writing cell by cell would take ten times as long. Rows and cells have no references, which are optional (ECMA-376
18.3.1.4): their order says where they are.
"""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import xlsxwriter

from worker.numbers.export import COLUMNS

_SHEET = "xl/worksheets/sheet1.xml"
_END = b"</sheetData>"
_LEVEL = 1  # a third of the time of level 6, for a file that is a fifth larger
_WIDTHS = (13, 17, *(18 for _ in COLUMNS[2:]))
_MOST_BYTES = 2_000_000_000  # of a sheet; a million numbers have usually 0.7 GB


class TooLargeError(Exception):
    """A worksheet has no room for so many numbers."""


def write(path: Path, blocks: Iterable[bytes]) -> None:
    """Write a workbook whose sheet has a header and the rows in `blocks` (`worker.numbers.export.sheet_rows`).

    `TooLargeError` if the sheet would need ZIP64, which Excel does not read in every form.
    """
    size = 0
    with ZipFile(_frame()) as frame, ZipFile(path, "w", ZIP_DEFLATED, compresslevel=_LEVEL) as package:
        for part in frame.infolist():
            if part.filename != _SHEET:
                package.writestr(_like(part), frame.read(part))
        before, _, after = frame.read(_SHEET).partition(_END)
        with package.open(_like(frame.getinfo(_SHEET)), "w") as sheet:
            sheet.write(_without_dimension(before))
            for block in blocks:
                size += len(block)
                if size > _MOST_BYTES:
                    raise TooLargeError
                sheet.write(block)
            sheet.write(_END + after)


def _frame() -> BytesIO:
    """Return a workbook with the header only. Its properties have no time: the same numbers give the same bytes."""
    package = BytesIO()
    with xlsxwriter.Workbook(package, {"in_memory": True}) as workbook:
        sheet = workbook.add_worksheet("Numbers")
        text = workbook.add_format({"num_format": "@"})
        for index, width in enumerate(_WIDTHS):
            sheet.set_column(index, index, width, text)
        sheet.freeze_panes(1, 0)
        sheet.write_row(0, 0, COLUMNS, workbook.add_format({"bold": True, "num_format": "@"}))
    package.seek(0)
    return package


def _like(part: ZipInfo) -> ZipInfo:
    copied = ZipInfo(part.filename, part.date_time)
    copied.compress_type = ZIP_DEFLATED
    return copied


def _without_dimension(xml: bytes) -> bytes:
    """Return the beginning of the sheet without the range of its cells, which is optional and not known here."""
    before, found, rest = xml.partition(b"<dimension ")
    return before + rest.partition(b"/>")[2] if found else xml
