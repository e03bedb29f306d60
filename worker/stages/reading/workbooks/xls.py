"""Read a sheet of an .xls of Excel 2 to 2003 by xlrd, in the same child process as all workbooks.

Imported by the child process (`child.py`, started by path), so it imports nothing of the project except this package.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import xlrd

from worker.stages.reading.workbooks import biff
from worker.stages.reading.workbooks.archives import not_a_spreadsheet
from worker.stages.reading.workbooks.cell_table import Rows
from worker.stages.reading.workbooks.cell_values import Shown, date_text, number_text, shown_by
from worker.stages.reading.workbooks.child_protocol import Answer, Order, State, Tab, Verdict, choose, describe
from worker.stages.reading.workbooks.compound_file import SIGNATURE, CompoundFile

WORKBOOKS = ("workbook", "book")  # the streams of Excel 97 and later, and of earlier versions
ENCRYPTED = "encryptedpackage"
DOCUMENTS = (
    ("worddocument", "a Word document"),
    ("powerpoint document", "a PowerPoint presentation"),
    ("visiodocument", "a Visio drawing"),
    ("__properties_version1.0", "an Outlook message"),
)
WIDE_SHARE = 4  # in mostly Western UTF-16 text, at least one byte in this many is NUL


def read(order: Order) -> Answer:
    """Write the requested sheet; return which sheet it is."""
    content = Path(order.path).read_bytes()
    records = biff.plain(_workbook_of(content) if content.startswith(SIGNATURE) else content)
    book = _opened(records)
    states = [State.HIDDEN if hidden else State.VISIBLE for hidden in book._sheet_visibility]  # noqa: SLF001  no public API before loading
    tabs = [Tab(name, state) for name, state in zip(book.sheet_names(), states, strict=True)]
    tab = choose(order, tabs)
    if looks := _looks(book):
        book = _opened(records, formatting=True)
    sheet = book.sheet_by_index(tabs.index(tab))
    rows = Rows(order)
    for number, cells in enumerate(_rows_of(book, sheet, looks, rows), start=1):
        if any(cells):
            rows.add(number, cells)
    return describe(order, tab, "xls", tabs) | rows.write()


def _workbook_of(content: bytes) -> bytes:
    """Return the workbook stream; refuse compound files without one, and encrypted ones."""
    try:
        file = CompoundFile(content)
    except struct.error as error:
        raise Verdict("UNREADABLE_FILE", "The workbook is incomplete.") from error
    name = next((name for name in WORKBOOKS if name in file.names), None)
    if name is not None:
        return file.stream(name)
    # If the directory is unreadable, the names anywhere in the file still show its type.
    document_names, flat = frozenset({ENCRYPTED, *(name for name, _ in DOCUMENTS)}), content.lower()
    names = file.names & document_names or {name for name in document_names if name.encode("utf-16-le") in flat}
    if ENCRYPTED in names:
        raise Verdict("ENCRYPTED_FILE", "The workbook is protected by a password.")
    description = next((description for name, description in DOCUMENTS if name in names), None)
    if description is not None:
        raise Verdict("UNSUPPORTED_TYPE", not_a_spreadsheet(description))
    detail = "The file is an old Office document without a workbook in it, or an incomplete workbook."
    raise Verdict("UNREADABLE_FILE", detail)


def _opened(records: bytes, *, formatting: bool = False) -> xlrd.book.Book:
    xlrd.book.unpack_SST_table = biff.shared_strings  # xlrd's own function trusts the stated count
    with open(os.devnull, "w", encoding="utf-8") as log:  # noqa: PTH123  else xlrd prints into the child's response
        return xlrd.open_workbook(
            file_contents=records,
            logfile=log,
            on_demand=True,
            ragged_rows=True,
            formatting_info=formatting,
        )


def _looks(book: xlrd.book.Book) -> dict[int, Shown]:
    """Return how styles (by number) show numbers, for styles that show more than the value."""
    codes = {style.format_key for style in book.xf_list}
    shown = {key: shown_by(book.format_map[key].format_str or "") for key in codes if key in book.format_map}
    looks = ((number, shown.get(style.format_key)) for number, style in enumerate(book.xf_list))
    return {number: look for number, look in looks if look is not None}


def _rows_of(book: xlrd.book.Book, sheet: xlrd.sheet.Sheet, looks: dict[int, Shown], rows: Rows) -> Iterator[list[str]]:
    def _day(days: float) -> str:
        text = date_text(days, is_1904=bool(book.datemode))
        rows.far_days += text == number_text(days)
        return text

    texts: Sequence[Callable[..., str]] = (
        lambda _: "",
        _text,
        number_text,
        _day,
        lambda value: "TRUE" if value else "FALSE",
        lambda code: xlrd.error_text_from_code.get(code, "#ERROR!"),
        lambda _: "",
    )
    for number in range(sheet.nrows):
        kinds, values = sheet.row_types(number), sheet.row_values(number)
        cells = [texts[kind](value) for kind, value in zip(kinds, values, strict=True)]
        if looks:
            _show(cells, kinds, [looks.get(sheet.cell_xf_index(number, index)) for index in range(len(cells))])
        yield cells


def _show(cells: list[str], kinds: Sequence[int], looks: Sequence[Shown | None]) -> None:
    for place, look in enumerate(looks):
        if look is not None and kinds[place] == xlrd.XL_CELL_NUMBER and cells[place].isdecimal():
            cells[place] = look(int(cells[place]))


def _text(text: str) -> str:
    """Return a text, corrected if its program wrote UTF-16 as Latin-1 or ended it with NULs."""
    if "\0" not in text:
        return text
    ended = text.rstrip("\0")
    nuls = text.count("\0")
    by_codec = {"utf-16-le": text[1::2].count("\0"), "utf-16-be": text[::2].count("\0")}
    codec = next((codec for codec, count in by_codec.items() if count == nuls), None)
    is_wide = codec is not None and "\0" in ended and len(text) % 2 == 0 and nuls * WIDE_SHARE >= len(text)
    if codec is None or not is_wide or max(text) > "\xff":
        return ended
    return text.encode("latin-1").decode(codec, "replace").rstrip("\0")
