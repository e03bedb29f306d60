"""Tells by its content what an uploaded file is; its name and declared type are never asked.

Only the first bytes are looked at; nothing is decoded or unpacked here.
"""

from __future__ import annotations

import re
from enum import Enum
from pathlib import Path

from schemas.codes import Code
from worker.stages.reading.model import Limits, fault

HEAD = 1 << 16


class Kind(Enum):
    """What a file is by its first bytes: `ARCHIVE` is ZIP, thus most workbooks, or a file that was packed."""

    TEXT = "delimited text"
    GZIP = "a gzip archive"
    ARCHIVE = "a ZIP archive"
    OLD_WORKBOOK = "an old Excel workbook (.xls)"


ZIP = (b"PK\x03\x04", b"PK\x05\x06")
GZIP = b"\x1f\x8b"
OLE2 = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
UTF16 = (b"\xff\xfe", b"\xfe\xff")
SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"%pdf", "a PDF document"),
    (b"\x89png", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"gif8", "a GIF picture"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"rar!", "a RAR archive"),
    (b"{\\rtf", "a text document (RTF)"),
    (b'{"', "a JSON file"),
    (b"[{", "a JSON file"),
    (b"<!doctype html", "a web page (HTML)"),
    (b"<html", "a web page (HTML)"),
    (b"<table", "a web page (HTML)"),
    (b"<?xml", "an XML file"),
)
# The beginning of a workbook before Excel 5, or of one that was taken out of its OLE2 file (BOF records).
BARE_WORKBOOK = re.compile(rb"\x09[\x00\x02\x04\x08][\x04\x06\x08\x10]\x00")
# Bytes no text holds: control characters other than tab, line ends, form feed, DOS end of file and escape.
CONTROLS = bytes({*range(32)} - {0, 9, 10, 11, 12, 13, 26, 27})


def kind_of(path: Path, limits: Limits) -> Kind:
    """What the file is. `FileFault` FILE_TOO_LARGE, EMPTY_FILE, ENCRYPTED_FILE, UNSUPPORTED_TYPE (anything else)."""
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
    _refuse_binary(head)
    return Kind.TEXT


def utf16_of(head: bytes) -> str | None:
    """The byte order of UTF-16 text without a byte order mark: every other byte of Western text is NUL."""
    half = len(head) // 2
    even, odd = head[0 : 2 * half : 2].count(0), head[1 : 2 * half : 2].count(0)
    if odd > half * 0.6 and even < half * 0.05:
        return "utf-16-le"
    return "utf-16-be" if even > half * 0.6 and odd < half * 0.05 else None


def _refuse(what: str) -> None:
    fault(Code.UNSUPPORTED_TYPE, f"The file is {what}, not a spreadsheet or delimited text (.csv).", found=what)


def _refuse_known(head: bytes) -> None:
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:64].lower()
    for signature, what in SIGNATURES:
        if start.startswith(signature):
            _refuse(what)


def _refuse_binary(head: bytes) -> None:
    if head.startswith(UTF16) or utf16_of(head):
        return
    controls = len(head) - len(head.translate(None, CONTROLS))
    if b"\0" in head or controls > len(head) / 100:
        _refuse("a binary file of unknown kind")
