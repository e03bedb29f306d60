"""Detect the type of an uploaded file by its content; its name and declared type are ignored.

Reads the first bytes only; decodes and unpacks nothing.
"""

from __future__ import annotations

import codecs
import re
from enum import Enum
from pathlib import Path
from typing import NoReturn

from schemas.codes import Code
from worker.stages.reading.model import Limits, fault
from worker.stages.reading.other_files import sentences_on

HEAD = 1 << 16


class Kind(Enum):
    """The type of a file by its first bytes: `ARCHIVE` is ZIP, so most workbooks, or a packed file."""

    TEXT = "delimited text"
    GZIP = "a gzip archive"
    ARCHIVE = "a ZIP archive"
    OLD_WORKBOOK = "an old Excel workbook (.xls)"


ZIP = (b"PK\x03\x04", b"PK\x05\x06")
GZIP = b"\x1f\x8b"
OLE2 = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
# The byte order mark of UTF-32-LE begins with that of UTF-16-LE, so it comes first.
MARKS: tuple[tuple[bytes, str], ...] = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# The beginning (BOF record) of a workbook before Excel 5, or of one extracted from its OLE2 file.
BARE_WORKBOOK = re.compile(rb"\x09[\x00\x02\x04\x08][\x04\x06\x08\x10]\x00")
# Bytes that no text contains: control characters other than tab, line ends, form feed, DOS end of file and escape.
CONTROLS = bytes({*range(32)} - {9, 10, 11, 12, 13, 26, 27})
SAVE_TABLE = "Save the table in it as Excel (.xlsx) or CSV, and upload that."
FEW_CONTROLS = 8  # or 1%: a damaged text, not another type of file


def kind_of(path: Path, limits: Limits) -> Kind:
    """Return the type of a file that the service reads.

    Raises `FileFault` FILE_TOO_LARGE, EMPTY_FILE, or UNSUPPORTED_TYPE for any other type.
    """
    size = path.stat().st_size
    if size > limits.bytes:
        fault(Code.FILE_TOO_LARGE, f"The file has {size:,} bytes, more than {limits.bytes:,}.", limit=limits.bytes)
    with path.open("rb") as file:
        head = file.read(HEAD)
    if size <= HEAD and not head.strip(b" \t\r\n\xef\xbb\xbf\xfe\xff"):
        fault(Code.EMPTY_FILE, "The file is empty.")
    if head.startswith(GZIP):
        return Kind.GZIP
    if head.startswith(ZIP):
        return Kind.ARCHIVE
    if head.startswith(OLE2) or BARE_WORKBOOK.match(head):
        return Kind.OLD_WORKBOOK
    _refuse_known(head)
    return Kind.TEXT


def wide_encoding_of(head: bytes) -> tuple[str, int] | None:
    """Detect UTF-16 or UTF-32 by byte order mark or NULs: return the codec and the size of the mark, or None."""
    marked = next(((encoding, len(mark)) for mark, encoding in MARKS if head.startswith(mark)), None)
    unmarked = None if marked else _unmarked_utf16(head)
    return (unmarked, 0) if unmarked else marked


def _unmarked_utf16(head: bytes) -> str | None:
    """Detect UTF-16 without a byte order mark: one byte of each Western character is NUL."""
    half = len(head) // 2
    even, odd = head[0 : 2 * half : 2].count(0), head[1 : 2 * half : 2].count(0)
    # Some characters of other scripts also have a NUL byte, but the other one.
    if odd > half * 0.2 and even < odd * 0.2:
        return "utf-16-le"
    return "utf-16-be" if even > half * 0.2 and odd < even * 0.2 else None


def _refuse(description: str, fix: str = SAVE_TABLE) -> NoReturn:
    fault(Code.UNSUPPORTED_TYPE, f"The file is {description}. {fix}", found=description)


def _refuse_known(head: bytes) -> None:
    """Refuse binary files, and texts that are not tables."""
    wide = wide_encoding_of(head)
    text = head[wide[1] :].decode(wide[0], "ignore").encode() if wide else head
    if sentences := sentences_on(head) or sentences_on(text):
        _refuse(*sentences)
    controls = len(text) - len(text.translate(None, CONTROLS))
    if controls > max(FEW_CONTROLS, len(text) / 100):
        _refuse("a binary file of an unknown type")
