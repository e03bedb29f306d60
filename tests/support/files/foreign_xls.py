"""Workbooks of Excel 2 to 2003 as other programs write them (`tests.support.files.foreign_kinds`)."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from itertools import count

from schemas.codes import Code
from tests.support.files import xls_records
from tests.support.files.foreign_kinds import HEADER, ROWS, TABLE, Kind, places
from tests.support.files.sheets import Cell, ErrorCell

NOTES: list[list[Cell]] = [["Notes"], [9, 9], [2125550143, 2125550144]]
CELLS = xls_records.cells(TABLE)
BIFF5 = 0x0500


def kinds() -> Iterator[Kind]:
    """All of them."""
    yield from compound_files()
    yield from texts()
    yield from charts()
    yield from cells()
    yield from older()
    yield from protected()


def code_page(number: int) -> bytes:
    return xls_records.record(xls_records.CODEPAGE, struct.pack("<H", number))


UTF_16 = code_page(1200)


def book(content: bytes = CELLS, before: bytes = UTF_16) -> bytes:
    """The stream of a workbook with one sheet."""
    return xls_records.workbook({"Numbers": xls_records.sheet(content)}, before=before)


def xls(content: bytes = CELLS, before: bytes = UTF_16) -> bytes:
    return xls_records.compound({"Workbook": book(content, before)})


def several(
    sheets: dict[str, bytes], *, kinds: Sequence[int] = (), hidden: Sequence[int] = (), stream: str = "Workbook"
) -> bytes:
    """A workbook of these sheets, their kinds and states (0: a worksheet that is shown)."""
    return xls_records.compound({stream: xls_records.workbook(sheets, before=UTF_16, kinds=kinds, hidden=hidden)})


def compound_files() -> Iterator[Kind]:
    """Containers ([MS-CFB]) whose workbook is not the only stream, or not called as Excel calls it."""
    yield Kind("stream in capitals", "xls", xls_records.compound({"WORKBOOK": book()}))
    for inner in ("WordDocument", "PowerPoint Document", "EncryptedPackage"):
        yield Kind(f"embedded {inner}", "xls", xls_records.compound({"Workbook": book(), f"MBD0001/{inner}": b"x"}))
    embedded = book(xls_records.cells(NOTES))
    yield Kind("embedded workbook", "xls", xls_records.compound({"Workbook": book(), "MBD0001/Workbook": embedded}))
    yield Kind(
        "embedded workbook of a later Excel", "xls", xls_records.compound({"Book": old(), "MBD0001/Workbook": embedded})
    )
    properties = "WordDocument".encode("utf-16-le")
    yield Kind(
        "properties name Word", "xls", xls_records.compound({"Workbook": book(), "\5SummaryInformation": properties})
    )


def texts() -> Iterator[Kind]:
    """Texts in every form that they may have."""
    wide = b"".join(
        xls_records.label(row, column, value, wide=True)
        if isinstance(value, str)
        else xls_records.cell(row, column, value)
        for row, column, value in places()
    )
    yield Kind("wide texts, no code page", "xls", xls(wide, b""))
    yield Kind("wide texts, code page 1252", "xls", xls(wide, code_page(1252)))
    shared = count()
    labels = b"".join(
        xls_records.shared(row, column, next(shared))
        if isinstance(value, str)
        else xls_records.cell(row, column, value)
        for row, column, value in places()
    )
    strings = [value for _, _, value in places() if isinstance(value, str)]
    yield Kind("shared text over two records", "xls", xls(labels, UTF_16 + broken_strings(strings)))
    yield Kind("shared texts with readings", "xls", xls(labels, UTF_16 + rich_strings(strings)))


def broken_strings(strings: Sequence[str]) -> bytes:
    """A table of shared strings whose last one goes on in another record, there in wide characters."""
    whole = b"".join(xls_records.text(one, wide=False) for one in strings[:-1])
    last = strings[-1]
    begins = struct.pack("<HB", len(last), 0) + last[:2].encode("latin-1")
    table = struct.pack("<II", len(strings), len(strings)) + whole + begins
    return xls_records.record(xls_records.SST, table) + xls_records.record(
        xls_records.CONTINUE, b"\1" + last[2:].encode("utf-16-le")
    )


def rich_strings(strings: Sequence[str]) -> bytes:
    """A table of shared strings, each with a format of its own and a reading for the ear behind it."""
    table = struct.pack("<II", len(strings), len(strings))
    for one in strings:
        head = struct.pack("<HBHI", len(one), 0x0D, 1, 6)
        table += head + one.encode("utf-16-le") + struct.pack("<HH", 0, 1) + b"\1\0\2\0ab"
    return xls_records.record(xls_records.SST, table)


def charts() -> Iterator[Kind]:
    """Charts keep a copy of the cells that they show."""
    chart, cells = xls_records.sheet(xls_records.cells(NOTES), kind=xls_records.CHART), xls_records.sheet(CELLS)
    yield Kind("chart behind the cells", "xls", xls(CELLS + chart))
    yield Kind("chart before the cells", "xls", xls(chart + CELLS))
    yield Kind("charts before and behind the cells", "xls", xls(chart + CELLS + chart))
    yield Kind("chart sheet before", "xls", several({"Chart": chart, "Numbers": cells}, kinds=[2]))
    notes = xls_records.sheet(xls_records.cells(NOTES))
    yield Kind("very hidden sheet before", "xls", several({"Notes": notes, "Numbers": cells}, hidden=[2]))


def cells() -> Iterator[Kind]:
    """Cells in records and an order that Excel does not write, or writes rarely."""
    yield Kind("error beside the table", "xls", xls(CELLS + xls_records.error(1, 5, "#NAME?")))
    other = xls_records.sheet(xls_records.cells([["Notes", ErrorCell("#NAME?")]]))
    yield Kind("error on another sheet", "xls", several({"Numbers": xls_records.sheet(CELLS), "Notes": other}))
    backwards = b"".join(
        xls_records.cell(*place) for place in sorted(places(), key=lambda place: (-place[0], place[1]))
    )
    yield Kind("rows from the last to the first", "xls", xls(backwards))
    yield Kind("several numbers in one record", "xls", xls(CELLS + xls_records.packed_numbers(1, 5, [7, 8])))
    short = b"".join(
        xls_records.packed_numbers(row, column, [value])
        if type(value) is int and value < 1 << 29
        else xls_records.cell(row, column, value)
        for row, column, value in places()
    )
    yield Kind("numbers in short records", "xls", xls(short))
    # Computed anew, as LibreOffice does, all of them are 1.
    computed = b"".join(
        xls_records.formula(row, column, value) if row else xls_records.cell(row, column, value)
        for row, column, value in places()
    )
    yield Kind("every cell a formula", "xls", xls(computed), alike=False)
    yield Kind("unknown records between", "xls", xls(CELLS + xls_records.record(0x08A0, b"x" * 40)))


def old(before: bytes = b"") -> bytes:
    """The stream of a workbook of Excel 5."""
    labels = b"".join(
        xls_records.record(0x0204, struct.pack("<HHHH", row, column, 0, len(value)) + value.encode("cp1252"))
        if isinstance(value, str)
        else xls_records.cell(row, column, value)
        for row, column, value in places()
    )
    sheet = xls_records.sheet(labels, version=BIFF5)
    return xls_records.workbook({"Numbers": sheet}, before=before or code_page(1252), version=BIFF5)


def older() -> Iterator[Kind]:
    """Workbooks of Excel before 97, the oldest without a container and with one sheet."""
    yield Kind("Excel 5", "xls", xls_records.compound({"Book": old()}))
    for version in xls_records.PLAIN:
        yield Kind(f"Excel {version}", "xls", xls_records.plain_workbook(version, [HEADER, *ROWS]))


def protected() -> Iterator[Kind]:
    """Workbooks that need a password."""
    keys = {
        "obfuscated": struct.pack("<HHH", 0, 1, 2),
        "encrypted": struct.pack("<HHH", 1, 2, 2) + bytes(64),
    }
    for name, key in keys.items():
        content = xls(CELLS, xls_records.record(xls_records.FILEPASS, key))
        yield Kind(f"password, {name}", "xls", content, Code.ENCRYPTED_FILE, alike=False)
