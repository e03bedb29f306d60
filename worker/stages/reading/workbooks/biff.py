"""The records of an .xls file ([MS-XLS]): keep those that affect cells, and correct what xlrd is strict about.

Imported by the child process (`child.py`, started by path), so it imports nothing of the project except this package.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from contextlib import suppress

from worker.stages.reading.workbooks.child_protocol import Verdict

FILE_PASSWORD = 0x2F
RICH_LABEL, LABEL = 0xD6, 0x204  # the same, apart from the data after the text
NO_RECORD = 0x0FFF
# Names, links, notes, drawings, conditions and validations: xlrd parses them, but they hold no cell values.
NOT_OF_CELLS = frozenset(
    {
        *(0x18, 0x218, 0x23, 0x223, 0x17, 0x1AE),  # defined names, references to other files
        *(0x1B8, 0x800, 0x1C, 0x5D, 0x1B6, 0xEB, 0xEC),  # hyperlinks, notes, drawings
        *(0x1B0, 0x1B1, 0x1B2, 0x1BE, 0x15F),  # conditional formats, validations, labels
    }
)
BEGINS = frozenset({0x809, 0x409, 0x209, 0x009})
VERSIONS = frozenset({0x500, 0x600})  # Excel 5 and 95; Excel 97 and later
END = 0x0A
SHEET = 0x85


def plain(stream: bytes) -> bytes:
    """Return the records of a workbook without those that do not affect cells.

    Raises `Verdict` ENCRYPTED_FILE, or UNREADABLE_FILE for a truncated workbook, of which xlrd would read a part.
    """
    records, position, last, depth = bytearray(stream), 0, len(stream) - 4, 0
    listed, begins = list[int](), list[int]()
    while position <= last:
        kind = records[position] | records[position + 1] << 8
        if kind == FILE_PASSWORD:
            raise Verdict("ENCRYPTED_FILE", "The workbook is protected by a password.")
        if kind in NOT_OF_CELLS:
            struct.pack_into("<H", records, position, NO_RECORD)
        elif kind == RICH_LABEL:
            struct.pack_into("<H", records, position, LABEL)
        elif kind == SHEET:
            listed.append(position + 4)
        elif kind in BEGINS:
            _clear_minor_version(records, position)
            begins += [] if depth else [position]
            depth += 1
        elif kind == END:
            depth -= depth > 0
        position += 4 + (records[position + 2] | records[position + 3] << 8)
    if depth:
        raise Verdict("UNREADABLE_FILE", "The workbook is incomplete.")
    _point_to_sheets(records, listed, begins[1:])
    return bytes(records)


def _clear_minor_version(records: bytearray, position: int) -> None:
    """Clear the minor version, which xlrd refuses, in a record that begins a workbook or sheet."""
    begin = struct.Struct("<HHH")  # record type, size, version
    if position + begin.size > len(records):
        return
    kind, _, version = begin.unpack_from(records, position)
    if kind == max(BEGINS) and version & 0xFF00 in VERSIONS:
        struct.pack_into("<H", records, position + 4, version & 0xFF00)


def _point_to_sheets(records: bytearray, listed: Sequence[int], begins: Sequence[int]) -> None:
    """Correct the offsets in the list of sheets if one is wrong: the sheets follow in the order of the list."""
    if len(listed) != len(begins) or all(
        struct.unpack_from("<I", records, position)[0] in begins for position in listed
    ):
        return
    for position, begin in zip(listed, begins, strict=True):
        struct.pack_into("<I", records, position, begin)


def shared_strings(parts: list[bytes], _: int) -> tuple[list[str], dict[int, object]]:
    """Return the texts of the SST record and its continuations; ignores the stated count, which is often wrong."""
    strings, part, position = list[str](), 0, 8
    parts = [each for each in parts if each]
    with suppress(IndexError, struct.error):  # the end of the parts is reached
        while True:
            while position >= len(parts[part]):
                position -= len(parts[part])
                part += 1
            size, options = struct.unpack_from("<HB", parts[part], position)
            position += 3
            runs, further = 0, 0
            if options & 8:
                runs = struct.unpack_from("<H", parts[part], position)[0]
                position += 2
            if options & 4:
                further = struct.unpack_from("<I", parts[part], position)[0]
                position += 4
            text, part, position = _text(parts, part, position, size, options & 1)
            position += 4 * runs + further
            strings.append(text)
    return strings, {}


def _text(parts: list[bytes], part: int, position: int, size: int, wide: int) -> tuple[str, int, int]:
    """Return a text, and the part and offset after it.

    A continuation in another part begins with its own width flag.
    """
    text = ""
    while True:
        characters = min((len(parts[part]) - position) >> wide, size)
        raw = parts[part][position : position + (characters << wide)]
        text += raw.decode("utf-16-le" if wide else "latin-1", "replace")
        size -= characters
        if size <= 0:
            return text, part, position + (characters << wide)
        part, position = part + 1, 1
        wide = parts[part][0] & 1
