"""Workbooks in packages (.xlsx, .xlsm, .xlsb) as other programs write them (`tests.support.files.foreign_kinds`)."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Iterator

from schemas.codes import Code
from tests.support.files import other_workbooks
from tests.support.files.foreign_kinds import TABLE, Kind, Parts
from tests.support.files.sheets import parts_of, xlsx_bytes, zip_bytes

PLAIN: Parts = parts_of(xlsx_bytes(TABLE))
TYPES, RELATIONS, BOOK = "[Content_Types].xml", "xl/_rels/workbook.xml.rels", "xl/workbook.xml"
SHEET, STRINGS = "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def kinds() -> Iterator[Kind]:
    """All of them."""
    yield from names()
    yield from archives()
    yield from markup()
    yield from cells()
    yield from other_sheets()
    yield from binary()
    yield bomb()


def edited(name: str, change: Callable[[bytes], bytes], parts: Parts = PLAIN) -> Parts:
    """The parts with one of them changed."""
    changed = [(part, change(content) if part == name else content) for part, content in parts]
    if changed == list(parts):
        raise AssertionError(name)
    return changed


def replaced(name: str, old: str, new: str, parts: Parts = PLAIN) -> Parts:
    """The parts with a text in one of them replaced."""
    return edited(name, lambda content: content.replace(old.encode(), new.encode()), parts)


def without(*unwanted: str, parts: Parts = PLAIN) -> Parts:
    """The parts but those."""
    return [(name, content) for name, content in parts if name not in unwanted]


def renamed(change: Callable[[str], str], parts: Parts = PLAIN) -> bytes:
    """A workbook with the names of its parts changed, but not what refers to them."""
    return zip_bytes([(change(name), content) for name, content in parts])


def names() -> Iterator[Kind]:
    """Names of parts are free, and their case means nothing (ECMA-376 part 2)."""
    upper = renamed(lambda name: name if name == TYPES else name.upper())
    yield Kind("part names in capitals", "xlsx", upper, alike=False)
    yield Kind("backslashes in part names", "xlsx", renamed(lambda name: name.replace("/", "\\")), alike=False)
    top = [(name.replace("xl/", ""), content.replace(b"xl/", b"")) for name, content in PLAIN]
    yield Kind("parts without a folder", "xlsx", zip_bytes(top))
    other = replaced(TYPES, BOOK, "xl/book2.xml", replaced("_rels/.rels", BOOK, "xl/book2.xml"))
    moved = {BOOK: "xl/book2.xml", RELATIONS: "xl/_rels/book2.xml.rels"}
    yield Kind("workbook of another name", "xlsx", renamed(lambda name: moved.get(name, name), other))
    yield Kind("targets from the root", "xlsx", zip_bytes(replaced(RELATIONS, 'Target="', 'Target="/xl/')))
    yield Kind("targets with dots", "xlsx", zip_bytes(replaced(RELATIONS, 'Target="', 'Target="../xl/')))


def archives() -> Iterator[Kind]:
    """What ZIP allows and few programs do."""
    yield Kind("no styles", "xlsx", zip_bytes(without("xl/styles.xml")))
    folders = [(f"{name}/", b"") for name in ("_rels", "xl", "xl/_rels", "xl/worksheets")]
    yield Kind("folders as entries", "xlsx", zip_bytes([*folders, *PLAIN]))
    yield Kind("not compressed", "xlsx", archived(io.BytesIO(), zipfile.ZIP_STORED))
    yield Kind("sizes behind the parts", "xlsx", archived(Pipe(), zipfile.ZIP_DEFLATED))


class Pipe(io.BytesIO):
    """Takes bytes and cannot go back, so that an archive's sizes come behind its parts."""

    def seekable(self) -> bool:
        """Tell that it cannot."""
        return False

    def tell(self) -> int:
        """Refuse, as pipes do."""
        raise io.UnsupportedOperation


def archived(target: io.BytesIO, method: int) -> bytes:
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, content in PLAIN:
            archive.writestr(name, content)
    return target.getvalue()


def prefixed(content: bytes) -> bytes:
    """The same XML with a prefix for what was in the default namespace."""
    return re.sub(rb"<(/?)(?=\w)", rb"<\1x:", content).replace(b"xmlns=", b"xmlns:x=", 1)


def markup() -> Iterator[Kind]:
    """XML of the same meaning as Excel's."""
    prefixes = edited(SHEET, prefixed, edited(STRINGS, prefixed, edited(BOOK, prefixed)))
    yield Kind("a prefix for the namespace", "xlsx", zip_bytes(prefixes))
    wide = edited(SHEET, lambda xml: xml.replace(b"UTF-8", b"UTF-16", 1).decode().encode("utf-16"))
    yield Kind("sheet in UTF-16", "xlsx", zip_bytes(wide))
    yield Kind("indented sheet", "xlsx", zip_bytes(edited(SHEET, lambda xml: xml.replace(b"><", b">\n  <"))))
    single = edited(SHEET, lambda xml: xml.replace(b'"', b"'"))
    yield Kind("single quotation marks", "xlsx", zip_bytes(single))
    strict = {
        MAIN: "http://purl.oclc.org/ooxml/spreadsheetml/main",
        OFFICE: "http://purl.oclc.org/ooxml/officeDocument/relationships",
    }
    parts = PLAIN
    for old, new in strict.items():
        parts = [(name, content.replace(old.encode(), new.encode())) for name, content in parts]
    yield Kind("strict namespaces", "xlsx", zip_bytes(parts))
    missing = edited(SHEET, lambda xml: re.sub(rb"<dimension[^>]*/>", b"", xml))
    yield Kind("no dimension", "xlsx", zip_bytes(missing))
    yield Kind("dimension of one cell", "xlsx", zip_bytes(replaced(SHEET, 'ref="A1:D4"', 'ref="A1"')))


def in_cells(parts: Parts) -> Parts:
    """The parts, every shared text written into its cell."""
    found: list[bytes] = re.findall(rb"<si><t[^>]*>(.*?)</t></si>", dict(parts)[STRINGS])

    def inline(cell: re.Match[bytes]) -> bytes:
        return b' t="inlineStr"><is><t>' + found[int(cell[1])] + b"</t></is></c>"

    return edited(SHEET, lambda xml: re.sub(rb' t="s"><v>(\d+)</v></c>', inline, xml), parts)


def cells() -> Iterator[Kind]:
    """Cells in forms that Excel does not write, or writes rarely."""
    yield Kind("texts in their cells", "xlsx", zip_bytes(in_cells(PLAIN)))
    full = parts_of(xlsx_bytes([[value if value is not None else "" for value in line] for line in TABLE]))
    bare = edited(SHEET, lambda xml: re.sub(rb'<(c|row) r="\w+"', rb"<\1", xml), full)
    yield Kind("cells without places", "xlsx", zip_bytes(without_gap(bare)))
    runs = (
        '<r><t xml:space="preserve">020 </t></r><r><rPr><b/></rPr><t>7946 0958</t></r><rPh sb="0" eb="1"><t>a</t></rPh>'
    )
    yield Kind("text with formats and a reading", "xlsx", zip_bytes(replaced(STRINGS, "<t>020 7946 0958</t>", runs)))
    yield Kind("table in the middle of the sheet", "xlsx", xlsx_bytes(TABLE, first_row=4, first_column=3))
    for name, kind, value in (
        ("the error #SPILL!", "e", "#SPILL!"), ("an unknown error", "e", "ERROR"),
        ("a shared text that is missing", "s", "999"), ("a date of ISO 8601", "d", "2024-01-02T03:04:05Z"),
        ("an unknown type", "x", "1"),
    ):  # fmt: skip
        beside = f'<c r="F2" t="{kind}"><v>{value}</v></c></row><row r="3"'
        yield Kind(f"beside the table {name}", "xlsx", zip_bytes(replaced(SHEET, '</row><row r="3"', beside)))


def without_gap(parts: Parts) -> Parts:
    """The empty cell of the table is there, so that those behind it need no place."""
    return edited(SHEET, lambda xml: xml.replace(b"</row><row spans", b"</row><row data-spans"), parts)


def with_sheet(kind: str, content: str, *, first: bool, relation: str = "rId99") -> bytes:
    """A workbook with one more sheet of that kind, before or behind the other."""
    folder = "microsoft.com/office/2006" if kind == "xlMacrosheet" else "openxmlformats.org/officeDocument/2006"
    part = f"{kind}s/sheet9.xml"
    told = f'<Relationship Id="rId99" Type="http://schemas.{folder}/relationships/{kind}" Target="{part}"/>'
    parts = replaced(RELATIONS, "</Relationships>", f"{told}</Relationships>")
    sheet = f'<sheet name="Other" sheetId="9" r:id="{relation}"/>'
    place = ("<sheets>", f"<sheets>{sheet}") if first else ("</sheets>", f"{sheet}</sheets>")
    return zip_bytes([*replaced(BOOK, *place, parts), (f"xl/{part}", content.encode())])


def other_sheets() -> Iterator[Kind]:
    """Not every sheet is a worksheet, or is there at all."""
    microsoft = "http://schemas.microsoft.com/office/excel/2006/main"
    dialog, macros = f'<dialogsheet xmlns="{MAIN}"/>', f'<xm:macrosheet xmlns="{MAIN}" xmlns:xm="{microsoft}"/>'
    yield Kind("dialog before", "xlsx", with_sheet("dialogsheet", dialog, first=True))
    yield Kind("macros behind", "xlsm", with_sheet("xlMacrosheet", macros, first=False))
    yield Kind("sheet without a part before", "xlsx", with_sheet("dialogsheet", dialog, first=True, relation="rId98"))
    shown = replaced(BOOK, 'sheetId="1"', 'sheetId="1" state="show"')
    yield Kind("sheet in an unknown state", "xlsx", zip_bytes(shown))


def binary() -> Iterator[Kind]:
    """Binary workbooks ([MS-XLSB])."""
    media, package = "application/vnd", "http://schemas.openxmlformats.org/package/2006"
    types = (
        f'<Types xmlns="{package}/content-types">'
        f'<Default Extension="rels" ContentType="{media}.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.bin" ContentType="{media}.ms-excel.sheet.binary.macroEnabled.main"/>'
        f'<Override PartName="/xl/worksheets/sheet1.bin" ContentType="{media}.ms-excel.worksheet"/></Types>'
    )
    relation = f'<Relationship Id="rId1" Type="{OFFICE}/officeDocument" Target="xl/workbook.bin"/>'
    root = f'<Relationships xmlns="{package}/relationships">{relation}</Relationships>'
    plain = parts_of(other_workbooks.xlsb_bytes(TABLE))
    parts = [(TYPES, types.encode()), ("_rels/.rels", root.encode()), *without(TYPES, parts=plain)]
    yield Kind("binary workbook", "xlsb", zip_bytes(parts))
    upper = renamed(lambda name: name if name == TYPES else name.upper(), parts)
    yield Kind("binary workbook, names in capitals", "xlsb", upper, alike=False)


def bomb() -> Kind:
    """Entities that multiply: LibreOffice leaves them out, we read no workbook that has any."""
    lines = "".join(f'<!ENTITY e{place} "{f"&e{place - 1};" * 10}">' for place in range(1, 10))
    begins = f'<!DOCTYPE worksheet [<!ENTITY e0 "020 7946 0958">{lines}]><worksheet '
    row = '<row r="9"><c r="A9" t="inlineStr"><is><t>&e9;</t></is></c></row></sheetData>'
    parts = replaced(SHEET, "</sheetData>", row, replaced(SHEET, "<worksheet ", begins))
    return Kind("entities that multiply", "xlsx", zip_bytes(parts), Code.UNREADABLE_FILE, alike=False)
