"""Read a sheet of an OpenDocument spreadsheet (ODF 1.3, part 3, chapter 9) in one pass, however its XML is laid out.

Imported by the child process (`child.py`, started by path), so it imports nothing of the project except this package.
Every cell passes through these handlers, so they do as little as possible.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from pyexpat import ParserCreate

from worker.stages.reading.workbooks.archives import MANIFEST
from worker.stages.reading.workbooks.cell_table import Rows
from worker.stages.reading.workbooks.cell_values import as_shown, decimal_text
from worker.stages.reading.workbooks.child_protocol import Answer, Order, State, Tab, Verdict, choose, describe

BLOCK = 1 << 20
MOST_COLUMNS = 1 << 14
HIGHEST_ROW = 1 << 20
NAMESPACE = re.compile(r"urn:oasis:names:tc:opendocument:xmlns:(table|text|office|style):1\.0")
CALC_EXTENSIONS = "urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0"
INDENTED = re.compile(r"[\t\r\n]")
SPACES = re.compile(r"[ \t\r\n]+")
# Elements with tables that are not sheets.
OTHER_TABLES = ("table:dde-links", "table:tracked-changes", "table:shapes")
NOTES = frozenset({"text:note", "text:ruby-text"})
SHOWN_NUMBER = re.compile(r"[-+() \d]*")
NUMERIC = frozenset({"float", "currency", "percentage"})

Attributes = dict[str, str]


def is_encrypted(archive: zipfile.ZipFile) -> bool:
    """Return whether the manifest says that parts are encrypted (ODF 1.3, part 2, 3.5)."""
    return MANIFEST in archive.namelist() and b"encryption-data" in archive.read(MANIFEST)


def read(order: Order, archive: zipfile.ZipFile) -> Answer:
    """Write the requested sheet; return which sheet it is."""
    if is_encrypted(archive):
        raise Verdict("ENCRYPTED_FILE", "The workbook is protected by a password.")
    if "content.xml" not in archive.namelist():
        raise Verdict("EMPTY_FILE", "The workbook has no sheets: its part content.xml is missing.")
    document = Document(order)
    with archive.open("content.xml") as content:
        document.parse(content.read)
    if not document.tabs:
        raise Verdict("UNREADABLE_FILE", "The workbook is damaged: it has no sheets.")
    tab = choose(order, document.tabs)
    return describe(order, tab, "ods", document.tabs) | document.rows.write()


class Document:
    """The parser of `content.xml`: collects the names of all sheets, and the cells of the requested one."""

    def __init__(self, order: Order) -> None:
        self.order, self.tabs, self.rows = order, list[Tab](), Rows(order)
        self._prefixes = dict[str, str]()
        self._hidden, self._style = set[str](), ""
        self._depth = 0  # depth of open tables: rows of a nested table are not rows of the sheet
        self._wanted = False
        self._row, self._number, self._rows_repeated = list[str](), 1, 1
        self._gap = 0  # empty cells after the last filled one; every row ends with hundreds of them
        self._cell: Attributes | None = None
        self._paragraphs, self._text = list[str](), list[str]()
        self._inside = 0  # depth of open elements in a paragraph, including the paragraph
        self._skipped = 0  # depth of open elements in other content of a cell, such as a note or drawing
        self._parser = ParserCreate()
        self._parser.buffer_text = True
        self._starts: dict[str, Callable[[Attributes], None]] = {
            "style:style": self._begin_style,
            "style:table-properties": self._begin_table_properties,
            "table:table": self._begin_table,
            "table:table-row": self._begin_row,
            "table:table-cell": self._begin_cell,
            "table:covered-table-cell": self._begin_cell,
            **dict.fromkeys(OTHER_TABLES, self._begin_other),
        }
        self._ends: dict[str, Callable[[], None]] = {
            "table:table": self._end_table,
            "table:table-row": self._end_row,
            **dict.fromkeys(OTHER_TABLES, self._end_other),
        }

    def parse(self, read_block: Callable[[int], bytes]) -> None:
        """Parse the whole document."""
        self._parser.StartElementHandler = self._start_root
        while block := read_block(BLOCK):
            self._parser.Parse(block, False)  # noqa: FBT003  pyexpat takes no keyword arguments
        self._parser.Parse(b"", True)  # noqa: FBT003

    def _start_root(self, _: str, attributes: Attributes) -> None:
        """Read the namespace prefixes. Nearly all programs use the same ones, which need no translation."""
        for name, address in attributes.items():
            meaning = "calcext" if address == CALC_EXTENSIONS else NAMESPACE.sub(r"\1", address)
            self._prefixes[name.removeprefix("xmlns:" if ":" in name else "xmlns")] = meaning
        usual = all(self._prefixes.get(name, name) == name for name in ("table", "text", "office", "style", "calcext"))
        if usual and "table" in self._prefixes:
            self._parser.StartElementHandler, self._parser.EndElementHandler = self._start, self._end
        else:
            self._parser.StartElementHandler = self._start_translated
            self._parser.EndElementHandler = lambda name: self._end(self._translated(name))

    def _start_translated(self, name: str, attributes: Attributes) -> None:
        self._start(self._translated(name), {self._translated(key): text for key, text in attributes.items()})

    def _translated(self, name: str) -> str:
        prefix, _, local = name.rpartition(":")
        return f"{self._prefixes.get(prefix, prefix)}:{local}"

    def _start(self, name: str, attributes: Attributes) -> None:
        if self._cell is not None:
            self._start_in_cell(name, attributes)
        elif name in self._starts:
            self._starts[name](attributes)

    def _end(self, name: str) -> None:
        if self._inside or self._skipped:
            self._end_in_cell()
        elif self._cell is not None:
            self._end_cell(self._cell)
        elif name in self._ends:
            self._ends[name]()

    def _begin_style(self, attributes: Attributes) -> None:
        self._style = attributes.get("style:name", "")

    def _begin_table_properties(self, attributes: Attributes) -> None:
        if attributes.get("table:display") == "false":
            self._hidden.add(self._style)

    def _begin_table(self, attributes: Attributes) -> None:
        self._depth += 1
        if self._depth > 1:
            return
        hidden = attributes.get("table:style-name") in self._hidden
        self.tabs.append(Tab(attributes.get("table:name", ""), State.HIDDEN if hidden else State.VISIBLE))
        self._number = 1
        if not hidden and self._is_wanted(self.tabs[-1].name):
            self.rows, self._wanted = Rows(self.order), True

    def _is_wanted(self, name: str) -> bool:
        """Return whether `choose` selects this table; without a sheet name, a later table may replace it."""
        if self.order.sheet:
            return name.strip().casefold() == self.order.sheet.strip().casefold() and not self.rows.count
        return sum(tab.state is State.VISIBLE for tab in self.tabs) <= self.order.position + 1

    def _end_table(self) -> None:
        self._depth -= 1
        self._wanted = self._wanted and self._depth > 0

    def _begin_other(self, _: Attributes) -> None:
        self._depth += 1

    def _end_other(self) -> None:
        self._depth -= 1

    def _begin_row(self, attributes: Attributes) -> None:
        self._row, self._gap = [], 0
        self._rows_repeated = _repeated(attributes.get("table:number-rows-repeated"), HIGHEST_ROW)

    def _end_row(self) -> None:
        if self._wanted and self._depth == 1:
            for number in range(self._number, self._number + self._rows_repeated) if self._row else ():
                self.rows.add(number, self._row)
            self._number += self._rows_repeated

    def _begin_cell(self, attributes: Attributes) -> None:
        if self._wanted:
            self._cell = attributes

    def _start_in_cell(self, name: str, attributes: Attributes) -> None:
        if self._skipped:
            self._skipped += 1
        elif self._inside:
            self._start_in_paragraph(name, attributes)
        elif name == "text:p":
            self._inside, self._text = 1, []
            self._parser.CharacterDataHandler = self._text.append
        else:
            self._skipped = 1

    def _start_in_paragraph(self, name: str, attributes: Attributes) -> None:
        if not name.startswith("text:") or name in NOTES:
            self._skipped = 1
            self._parser.CharacterDataHandler = None
            return
        self._inside += 1
        if name == "text:s":
            self._text.append("\0" * _repeated(attributes.get("text:c"), MOST_COLUMNS))
        elif name == "text:tab":
            self._text.append("\1")
        elif name == "text:line-break":
            self._text.append("\2")

    def _end_in_cell(self) -> None:
        if not self._skipped:
            self._inside -= 1
            if not self._inside:
                self._parser.CharacterDataHandler = None
                self._paragraphs.append(_paragraph("".join(self._text)))
            return
        self._skipped -= 1
        if self._inside and not self._skipped:
            self._parser.CharacterDataHandler = self._text.append

    def _end_cell(self, cell: Attributes) -> None:
        self._cell = None
        text = ""
        if self._paragraphs or "office:value-type" in cell:
            text = _cell_text(cell, "\n".join(self._paragraphs))
            self._paragraphs = []
        repeated = cell.get("table:number-columns-repeated")
        times = 1 if repeated is None else _repeated(repeated, MOST_COLUMNS)
        if not text:
            self._gap += times
            return
        if self._gap:
            self._row += [""] * min(self._gap, MOST_COLUMNS - len(self._row))
            self._gap = 0
        self._row += [text] * min(times, MOST_COLUMNS - len(self._row))


def _repeated(number: str | None, most: int) -> int:
    return min(max(int(number), 1), most) if number is not None and number.isdecimal() else 1


def _paragraph(text: str) -> str:
    # ODF collapses spaces outside elements and strips them at the ends (ODF 1.3, part 3, 6.1.2). LibreOffice keeps
    # them, so only indentation of the XML is removed. XML cannot contain the control characters that are replaced here.
    if INDENTED.search(text):
        text = SPACES.sub(" ", text).strip(" ")
    return text.translate({0: " ", 1: "\t", 2: "\n"}) if min(text, default="") < "\3" else text


def _cell_text(cell: Attributes, shown: str) -> str:
    """Return a cell's value, or its shown text if that is the value or adds leading zeros or a plus to it."""
    kind = cell.get("office:value-type")
    if kind in NUMERIC and cell.get("calcext:value-type") != "error":
        text = decimal_text(cell.get("office:value", shown))
        return text if text == shown or not SHOWN_NUMBER.fullmatch(shown) else as_shown(text, shown)
    if kind == "boolean":
        return cell.get("office:boolean-value", shown).upper()
    value = cell.get(f"office:{kind}-value", "")
    return value or shown if kind == "date" else shown or value
