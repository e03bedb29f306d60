"""Recognize files that the service does not read, by their first bytes, with advice for the uploader."""

from __future__ import annotations

import re

_SAVE = "Open it in a spreadsheet program, save it as Excel (.xlsx) or CSV, and upload that."
_EXPORT = "Export the table as Excel (.xlsx) or CSV from the program that made it, and upload that."
_COPY = "Copy the table into a spreadsheet, save it as Excel (.xlsx) or CSV, and upload that."
_UNPACK = "Unpack it, and upload the spreadsheet in it."
_ATTACHMENT = "Save the spreadsheet that is attached to it, and upload that."
_CONVERT = "Convert it to CSV or Excel (.xlsx), and upload that."

_XML = rb"\s*<(?:\?xml|!--|!doctype|[a-z]\w*[\s:>])"
# Types of XML and HTML files, by text near the beginning; the first match counts.
_INSIDE: tuple[tuple[bytes, str, str], ...] = (
    (rb"urn:schemas-microsoft-com:office:spreadsheet", "an Excel 2003 XML spreadsheet", _SAVE),
    (rb"opendocument\.spreadsheet", "a flat OpenDocument spreadsheet (.fods)", _SAVE),
    (rb"<(?:gnm|gmr):workbook", "a Gnumeric spreadsheet", _SAVE),
    (rb"opendocument|office:document", "an OpenDocument file", _COPY),
    (rb"wordml|wordprocessingml", "a Word document (XML)", _COPY),
    (rb"<svg[\s>]", "a picture (SVG)", _EXPORT),
    (rb"<(?:!doctype\s+)?html[\s>]|<(?:head|body|table|tr|meta|style|div)[\s>]", "a web page (HTML)", _SAVE),
    (rb"<\?xml", "an XML file", _EXPORT),
)  # fmt: skip
# An e-mail message: header fields first, one of which only messages have.
_FIELDS = rb"(?:[a-z][a-z-]*:[^\n]*\n(?:[ \t][^\n]*\n)*)"
_MESSAGE = rb"(?=%s{3})%s*?(?:received|message-id|mime-version):" % (_FIELDS, _FIELDS)
# The records of a SYLK file. A table whose first column is called ID may begin with the same four characters.
_SYLK = rb"id;p[^\n]*\n(?:(?:b|c|f|p|o|n[neul]|w)(?:;[a-z][^;\n]*)+\s*\n){3}"

# Patterns for the beginning of the file, in lower case.
_BEGINNINGS: tuple[tuple[bytes, str, str], ...] = (
    (rb"%pdf", "a PDF document", _EXPORT),
    (rb"%!ps", "a PostScript document", _EXPORT),
    (rb"\x89png", "a PNG picture", _EXPORT),
    (rb"\xff\xd8\xff", "a JPEG picture", _EXPORT),
    (rb"gif8", "a GIF picture", _EXPORT),
    (rb"bm.{4}\0\0\0\0", "a picture (BMP)", _EXPORT),
    (rb"ii\*\0|mm\0\*", "a picture (TIFF)", _EXPORT),
    (rb"riff.{4}webp", "a picture (WebP)", _EXPORT),
    (rb".{4}ftyp(?:hei|mif|avif)", "a picture (HEIC)", _EXPORT),
    (rb"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", _UNPACK),
    (rb"rar!", "a RAR archive", _UNPACK),
    (rb"bzh[1-9]1ay&sy", "a bzip2 archive", _UNPACK),
    (rb"\xfd7zxz\0", "an xz archive", _UNPACK),
    (rb"\x28\xb5\x2f\xfd", "a Zstandard archive", _UNPACK),
    (rb".{257}ustar", "a tar archive", _UNPACK),
    (rb"\{\\rtf", "a text document (RTF)", _COPY),
    (rb"\s*(?:\{\s*[\"}]|\[\s*[\"{\[\d])", "a JSON file", _CONVERT),
    (rb"par1[\0-\x1f]", "a Parquet file", _CONVERT),
    (rb"arrow1\0|fea1[\0-\x1f]", "an Arrow file", _CONVERT),
    (rb"obj\x01", "an Avro file", _CONVERT),
    (rb"sqlite format 3\0", "an SQLite database", _EXPORT),
    (rb".{4}standard (?:jet|ace) db", "an Access database", _EXPORT),
    (rb"\x03.[\x01-\x0c][\x01-\x1f]", "a dBase table (.dbf)", _SAVE),
    (rb"\0\0[\x02\x1a]\0", "a Lotus 1-2-3 worksheet", _SAVE),
    (_SYLK, "a SYLK spreadsheet (.slk)", _SAVE),
    (rb"table\s*\n0,1\s*\n", "a DIF spreadsheet", _SAVE),
    (rb"begin:vcard", "a file of contacts (vCard)", _EXPORT),
    (rb"begin:vcalendar", "a calendar", _EXPORT),
    (rb"mime-version:[^\n]*\n(?:[^\n]+\n)*content-type:\s*multipart/related", "a web archive (.mht)", _SAVE),
    (_MESSAGE, "an e-mail", _ATTACHMENT),
)  # fmt: skip
_NEAR = 1 << 13  # bytes that are searched


def sentences_on(head: bytes) -> tuple[str, str] | None:
    """Return what a file that begins with `head` is, and what to do; None if it may be a table."""
    start = head.removeprefix(b"\xef\xbb\xbf")[:_NEAR].lower().replace(b"\r\n", b"\n")
    for pattern, description, fix in _BEGINNINGS:
        if re.match(pattern, start, re.DOTALL):
            return description, fix
    if re.match(_XML, start):
        for pattern, description, fix in _INSIDE:
            if re.search(pattern, start):
                return description, fix
    return None
