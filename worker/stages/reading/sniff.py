"""Tells by its content what an uploaded file is; its name and declared type are never asked.

Only the first bytes are looked at (and an OLE2 file's directory); nothing is decoded or unpacked here.
"""

from __future__ import annotations

import mmap
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
OLE2_KINDS: tuple[tuple[str, str], ...] = (
    ("WordDocument", "a Word document"),
    ("PowerPoint Document", "a PowerPoint presentation"),
)
OLE2_WORKBOOKS = ("Workbook", "Book")  # the stream of BIFF8, and of the versions before it
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
    if head.startswith(OLE2):
        _require_workbook(path)
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


def _require_workbook(path: Path) -> None:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:

        def has(entry: str) -> bool:
            return content.find(entry.encode("utf-16-le")) >= 0

        if has("EncryptedPackage"):
            fault(Code.ENCRYPTED_FILE, "The workbook is protected by a password.")
        for name, what in OLE2_KINDS:
            if has(name):
                _refuse(what)
        if not any(map(has, OLE2_WORKBOOKS)):
            detail = "The file is an old Office document without a workbook in it, or a workbook that is cut off."
            fault(Code.UNREADABLE_FILE, detail)
