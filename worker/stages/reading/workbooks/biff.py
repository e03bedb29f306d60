"""The records of an .xls ([MS-XLS]): those that matter for cells, made fit for a library that is particular about all.

Loaded inside the limited child (`child.py`) too, so it imports nothing of this project but its neighbours.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from contextlib import suppress

from worker.stages.reading.workbooks.child_protocol import Verdict

FILE_PASSWORD = 0x2F
RICH_LABEL, LABEL = 0xD6, 0x204  # the same, but for what follows the text
NO_RECORD = 0x0FFF
# Names, links, notes, drawings, conditions and choices: the library checks them, and no cell's value is in them.
NOT_OF_CELLS = frozenset(
    {
        *(0x18, 0x218, 0x23, 0x223, 0x17, 0x1AE),  # defined names, references to other files
        *(0x1B8, 0x800, 0x1C, 0x5D, 0x1B6, 0xEB, 0xEC),  # hyperlinks, notes, drawings
        *(0x1B0, 0x1B1, 0x1B2, 0x1BE, 0x15F),  # conditional formats, validations, labels
    }
)
BEGINS = frozenset({0x809, 0x409, 0x209, 0x009})
VERSIONS = frozenset({0x500, 0x600})  # of Excel 5 and 95, and of Excel 97 and later
END = 0x0A
SHEET = 0x85


def plain(stream: bytes) -> bytes:
    """Return the records of a workbook without those that tell nothing about cells.

    `Verdict` ENCRYPTED_FILE; UNREADABLE_FILE for a workbook that is cut off, which would be read in part.
    """
    records, place, last, depth = bytearray(stream), 0, len(stream) - 4, 0
    listed, begins = list[int](), list[int]()
    while place <= last:
        kind = records[place] | records[place + 1] << 8
        if kind == FILE_PASSWORD:
            raise Verdict("ENCRYPTED_FILE", "The workbook is protected by a password.")
        if kind in NOT_OF_CELLS:
            struct.pack_into("<H", records, place, NO_RECORD)
        elif kind == RICH_LABEL:
            struct.pack_into("<H", records, place, LABEL)
        elif kind == SHEET:
            listed.append(place + 4)
        elif kind in BEGINS:
            _say_version(records, place)
            begins += [] if depth else [place]
            depth += 1
        elif kind == END:
            depth -= depth > 0
        place += 4 + (records[place + 2] | records[place + 3] << 8)
    if depth:
        raise Verdict("UNREADABLE_FILE", "The workbook is cut off.")
    _point_to_sheets(records, listed, begins[1:])
    return bytes(records)


def _say_version(records: bytearray, place: int) -> None:
    """Take the minor version, which the library refuses, out of a record that begins a workbook or sheet."""
    begin = struct.Struct("<HHH")  # which record, its size, the version
    if place + begin.size > len(records):
        return
    kind, _, version = begin.unpack_from(records, place)
    if kind == max(BEGINS) and version & 0xFF00 in VERSIONS:
        struct.pack_into("<H", records, place + 4, version & 0xFF00)


def _point_to_sheets(records: bytearray, listed: Sequence[int], begins: Sequence[int]) -> None:
    """Where the list of sheets does not say where they begin, let it say so: they follow in its order."""
    if len(listed) != len(begins) or all(struct.unpack_from("<I", records, place)[0] in begins for place in listed):
        return
    for place, begin in zip(listed, begins, strict=True):
        struct.pack_into("<I", records, place, begin)


def shared_strings(parts: list[bytes], _: int) -> tuple[list[str], dict[int, object]]:
    """Return the texts of the SST record and those that continue it; how many there are said to be is often wrong."""
    strings, part, place = list[str](), 0, 8
    parts = [each for each in parts if each]
    with suppress(IndexError, struct.error):  # the parts have come to their end
        while True:
            while place >= len(parts[part]):
                place -= len(parts[part])
                part += 1
            size, options = struct.unpack_from("<HB", parts[part], place)
            place += 3
            runs, further = 0, 0
            if options & 8:
                runs = struct.unpack_from("<H", parts[part], place)[0]
                place += 2
            if options & 4:
                further = struct.unpack_from("<I", parts[part], place)[0]
                place += 4
            text, part, place = _text(parts, part, place, size, options & 1)
            place += 4 * runs + further
            strings.append(text)
    return strings, {}


def _text(parts: list[bytes], part: int, place: int, size: int, wide: int) -> tuple[str, int, int]:
    """Return a text, and the place behind it; where it goes on in another part, that says anew how wide it is."""
    text = ""
    while True:
        taken = min((len(parts[part]) - place) >> wide, size)
        raw = parts[part][place : place + (taken << wide)]
        text += raw.decode("utf-16-le" if wide else "latin-1", "replace")
        size -= taken
        if size <= 0:
            return text, part, place + (taken << wide)
        part, place = part + 1, 1
        wide = parts[part][0] & 1
