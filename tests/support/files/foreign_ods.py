"""OpenDocument spreadsheets as other programs write them (`tests.support.files.foreign_kinds`)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from schemas.codes import Code
from tests.support.files import other_workbooks
from tests.support.files.foreign_kinds import TABLE, Kind, Parts
from tests.support.files.foreign_packages import edited, replaced
from tests.support.files.sheets import parts_of, zip_bytes

TYPE, CONTENT, MANIFEST = "mimetype", "content.xml", "META-INF/manifest.xml"
MEDIA = "application/vnd.oasis.opendocument.spreadsheet"


def manifest(inside: str = "") -> bytes:
    """The list of what is in the package; `inside` says more of the content, such as how it is encrypted."""
    entries = f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{MEDIA}"/>'
    content = f'<manifest:file-entry manifest:full-path="{CONTENT}" manifest:media-type="text/xml">{inside}'
    entries += f"{content}</manifest:file-entry>"
    space = "urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"
    return f'<manifest:manifest xmlns:manifest="{space}" manifest:version="1.2">{entries}</manifest:manifest>'.encode()


PLAIN: Parts = [
    (name, manifest() if name == MANIFEST else content) for name, content in parts_of(other_workbooks.ods_bytes(TABLE))
]
SHOWN = "<text:p>020 7946 0958</text:p>"


def ods(old: str, new: str) -> bytes:
    """A spreadsheet with one text in its content replaced."""
    return zip_bytes(replaced(CONTENT, old, new, PLAIN))


def kinds() -> Iterator[Kind]:
    """All of them."""
    yield from packages()
    yield from tables()
    yield from texts()
    yield from values()
    cipher = (
        '<manifest:encryption-data manifest:checksum-type="SHA1/1K" manifest:checksum="AAAA"><manifest:algorithm '
        'manifest:algorithm-name="Blowfish CFB" manifest:initialisation-vector="AAAA"/></manifest:encryption-data>'
    )
    secret = [(TYPE, MEDIA.encode()), (CONTENT, bytes(range(256))), (MANIFEST, manifest(cipher))]
    yield Kind("password", "ods", zip_bytes(secret), Code.ENCRYPTED_FILE, alike=False)


def packages() -> Iterator[Kind]:
    """The archive around the content."""
    yield Kind("type at the end", "ods", zip_bytes([*PLAIN[1:], PLAIN[0]]))
    line_end = edited(TYPE, lambda media: media + b"\n", PLAIN)
    yield Kind("line end behind the type", "ods", zip_bytes(line_end), alike=False)
    template = edited(TYPE, lambda media: media + b"-template", PLAIN)
    yield Kind("template", "ots", zip_bytes(replaced(MANIFEST, MEDIA, f"{MEDIA}-template", template)))


def tables() -> Iterator[Kind]:
    """Rows and cells, and what is between them."""
    for name, space in (("line ends", "\n"), ("blanks and tabs", "\n  \t")):
        yield Kind(f"indented with {name}", "ods", zip_bytes(replaced(CONTENT, "><", f">{space}<", PLAIN)))
    cells = '<table:table-cell table:number-columns-repeated="1020"/></table:table-row>'
    yield Kind("empty cells to the last column", "ods", ods("</table:table-row>", cells))
    rows = (
        '<table:table-row table:number-rows-repeated="1048572"><table:table-cell table:number-columns-repeated="1024"/>'
        "</table:table-row></table:table>"
    )
    yield Kind("empty rows to the last row", "ods", ods("</table:table>", rows))
    pattern = rb"<table:table-row>.*?</table:table-row>"
    header = rb"<table:table-header-rows>\g<0></table:table-header-rows>"
    yield Kind(
        "header rows marked",
        "ods",
        zip_bytes(edited(CONTENT, lambda xml: re.sub(pattern, header, xml, count=1), PLAIN)),
    )
    group = rb"<table:table-row-group>\g<0></table:table-row-group>"
    yield Kind("rows in groups", "ods", zip_bytes(edited(CONTENT, lambda xml: re.sub(pattern, group, xml), PLAIN)))


def texts() -> Iterator[Kind]:
    """Text of a cell, and text that is none."""
    yield Kind("blanks as elements", "ods", ods(SHOWN, "<text:p>020<text:s/>7946<text:s/>0958</text:p>"))
    spans = "<text:p>020 <text:span>7946</text:span> <text:span>0958</text:span></text:p>"
    yield Kind("formatted text", "ods", ods(SHOWN, spans))
    link = '<text:p><text:a xmlns:x="http://www.w3.org/1999/xlink" x:href="tel:1">020 7946 0958</text:a></text:p>'
    yield Kind("text of a link", "ods", ods(SHOWN, link))
    yield Kind("text in an attribute", "ods", ods(f'"string">{SHOWN}', '"string" office:string-value="020 7946 0958">'))
    yield Kind("text of no type", "ods", ods(f' office:value-type="string">{SHOWN}', f">{SHOWN}"))


def values() -> Iterator[Kind]:
    """Values beside the table of the types that a table of numbers has not."""
    ends = "</table:table-row></table:table>"
    for name, kind, value, shown in (
        ("a time", "time", 'office:time-value="PT11H29M00S"', "11:29"),
        ("an invalid date", "date", 'office:date-value="2024-99-99"', "?"),
        ("a price", "currency", 'office:value="2.5" office:currency="EUR"', "2,50"),
        ("an unknown type", "thing", "", "a thing"),
    ):  # fmt: skip
        cell = f'<table:table-cell office:value-type="{kind}" {value}><text:p>{shown}</text:p></table:table-cell>'
        yield Kind(f"beside the table {name}", "ods", ods(ends, f"<table:table-cell/>{cell}{ends}"))
