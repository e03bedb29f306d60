"""Read a sheet of an .xlsx cell by cell: slower than calamine, and more tolerant.

For files that calamine refuses or would not read as the spreadsheet program shows them: leading zeros of number
formats, unusual part names (ECMA-376 part 1, 18.3 and 18.8).
Imported by the child process (`child.py`, started by path), so it imports nothing of the project except this package.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pyexpat import ExpatError, ParserCreate
from typing import Protocol

from worker.stages.reading.workbooks.cell_table import Rows, column_of
from worker.stages.reading.workbooks.cell_values import Look, date_text, decimal_text, format_of
from worker.stages.reading.workbooks.child_protocol import Order, Verdict
from worker.stages.reading.workbooks.package import Package, local

BLOCK = 1 << 20
LONGEST_REFERENCE = 10  # bytes: `&#x10FFFF;`
MOST_COLUMNS = 1 << 14
HIGHEST_ROW = 1 << 20
ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
CELL = re.compile(rb"""<(?:\w+:)?c\b[^>]*?\br=["']([A-Z]+)\d+["']""")
# Characters that XML does not allow, and unescaped ampersands.
NO_XML = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]|&#(?:x0*(?:[0-8bcef]|1[0-9a-f])|0*(?:[0-8]|1[124-9]|2\d|3[01]));"
                    rb"|&(?!(?:amp|lt|gt|quot|apos|#\d+|#x[0-9a-fA-F]+);)", re.IGNORECASE)  # fmt: skip

Attributes = dict[str, str]


def formats_of(package: Package) -> list[Look]:
    """Return how each style of the workbook shows numbers."""
    part = package.part_of_kind("styles")
    if not part:
        return []
    styles = package.xml(part)
    codes = {
        each.get("numFmtId", ""): each.get("formatCode", "") for each in styles.iter() if local(each.tag) == "numFmt"
    }
    used = (xf.get("numFmtId", "") for each in styles if local(each.tag) == "cellXfs" for xf in each)
    return [format_of(number, codes.get(number)) for number in used]


def shows_more_than_values(package: Package, part: str, looks: Sequence[Look]) -> bool:
    """Return whether a cell of the sheet has a style that shows digits that its value does not have."""
    styles = [str(index) for index, format_ in enumerate(looks) if callable(format_)]
    if not styles:
        return False
    used = re.compile(rf"""<(?:\w+:)?c\b[^>]*\bs=["'](?:{"|".join(styles)})["']""".encode())
    with package.archive.open(part) as sheet:
        rest = b""
        while block := sheet.read(BLOCK):
            if used.search(rest + block):
                return True
            rest = block[-1000:]
    return False


def first_column(package: Package, part: str) -> int:
    """Return the first column, from 0, in which the sheet has a cell."""
    first = MOST_COLUMNS
    with package.archive.open(part) as sheet:
        rest = b""
        while block := sheet.read(BLOCK):
            first = min([first, *(column_of(name.decode()) for name in set(CELL.findall(rest + block)))])
            rest = block[-100:]
    return first if first < MOST_COLUMNS else 0


def read(order: Order, package: Package, part: str, looks: Sequence[Look]) -> Rows:
    """Return the rows of a sheet's part; if its XML is not well-formed, read it again after cleaning."""
    try:
        return _rows_with(order, package, part, looks, _parsed_as_it_is)
    except ExpatError:
        return _rows_with(order, package, part, looks, _cleaned)


def _rows_with(
    order: Order, package: Package, part: str, looks: Sequence[Look], clean: Callable[[bytes], bytes]
) -> Rows:
    strings = _Strings()
    for shared in package.shared_strings:
        _parse(package.archive, shared, strings, clean)
    sheet = _Sheet(Rows(order), strings.texts, looks, package.is_1904())
    _parse(package.archive, part, sheet, clean)
    return sheet.rows


def _parsed_as_it_is(content: bytes) -> bytes:
    return content


def _cleaned(content: bytes) -> bytes:
    return NO_XML.sub(lambda match: b"&amp;" if match[0] == b"&" else b"", content)


class _Handler(Protocol):
    """Callbacks for the starts and ends of elements; an end gets the text since the last start or end."""

    @property
    def starts(self) -> Mapping[str, Callable[[Attributes], None]]: ...
    @property
    def ends(self) -> Mapping[str, Callable[[str], None]]: ...


def _parse(archive: zipfile.ZipFile, part: str, handler: _Handler, clean: Callable[[bytes], bytes]) -> None:
    parser, text = ParserCreate(), list[str]()
    parser.buffer_text = True
    parser.CharacterDataHandler = text.append
    parser.EntityDeclHandler = _refuse_entities
    starts, ends = handler.starts, handler.ends
    handlers: dict[str, tuple[Callable[[Attributes], None] | None, Callable[[str], None] | None]] = {}

    def start(name: str, attributes: Attributes) -> None:
        if name not in handlers:
            key = name.rpartition(":")[2]
            handlers[name] = (starts.get(key), ends.get(key))
        text.clear()
        if begin := handlers[name][0]:
            begin(attributes)

    def end(name: str) -> None:
        if finish := handlers[name][1]:
            finish("".join(text))
        text.clear()

    parser.StartElementHandler, parser.EndElementHandler = start, end
    rest = b""
    with archive.open(part) as file:
        while block := file.read(BLOCK):
            content = rest + block
            size = _end_of_references(content)
            parser.Parse(clean(content[:size]), False)  # noqa: FBT003  pyexpat takes no keyword arguments
            rest = content[size:]
    parser.Parse(clean(rest), True)  # noqa: FBT003


def _end_of_references(content: bytes) -> int:
    """Return where a reference begins that a block ends in; else the block's end. Cleaning needs references whole."""
    begin = content.rfind(b"&", max(0, len(content) - LONGEST_REFERENCE))
    return len(content) if begin < 0 or b";" in content[begin:] else begin


def _refuse_entities(*_: object) -> None:
    raise Verdict("UNREADABLE_FILE", "The workbook defines XML entities, which no spreadsheet program uses.")


@dataclass
class _Strings:
    """The shared strings of a workbook."""

    texts: list[str] = field(default_factory=list)
    _item: list[str] = field(default_factory=list)
    _phonetic: bool = False

    @property
    def starts(self) -> Mapping[str, Callable[[Attributes], None]]:
        return {"si": self._begin_item, "rPh": self._begin_phonetic}

    @property
    def ends(self) -> Mapping[str, Callable[[str], None]]:
        return {"t": self._end_text, "rPh": self._end_phonetic, "si": self._end_item}

    def _begin_item(self, _: Attributes) -> None:
        self._item = []

    def _begin_phonetic(self, _: Attributes) -> None:
        self._phonetic = True

    def _end_phonetic(self, _: str) -> None:
        self._phonetic = False

    def _end_text(self, text: str) -> None:
        if not self._phonetic:
            self._item.append(unescaped(text))

    def _end_item(self, _: str) -> None:
        self.texts.append("".join(self._item))


def unescaped(text: str) -> str:
    """Return a text with its escaped characters decoded (ECMA-376 part 1, 22.9.2.19): XML cannot contain them."""
    if "_x" not in text:
        return text
    text = ESCAPED.sub(lambda match: chr(int(match[1], 16)), text)
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


@dataclass
class _Sheet:
    """The handler that collects the cells of a sheet."""

    rows: Rows
    strings: Sequence[str]
    looks: Sequence[Look]
    is_1904: bool
    _number: int = 0
    _row: list[str] = field(default_factory=list)
    _column: int = -1
    _kind: str = ""
    _look: Look = None
    _value: str = ""
    _inline: list[str] = field(default_factory=list)
    _phonetic: bool = False
    _ended: bool = False  # the cells have ended; elements after them may have the same names

    @property
    def starts(self) -> Mapping[str, Callable[[Attributes], None]]:
        return {"row": self._begin_row, "c": self._begin_cell, "rPh": self._begin_phonetic}

    @property
    def ends(self) -> Mapping[str, Callable[[str], None]]:
        return {
            "row": self._end_row,
            "c": self._end_cell,
            "v": self._end_value,
            "t": self._end_text,
            "rPh": self._end_phonetic,
            "sheetData": self._end_data,
        }

    def _begin_row(self, attributes: Attributes) -> None:
        number = attributes.get("r", "")
        self._number = int(number) if number.isdecimal() else self._number + 1
        if self._number > HIGHEST_ROW:
            raise Verdict("UNREADABLE_FILE", f"The workbook is damaged: row {self._number:,} is out of range.")
        self._row, self._column = [], -1

    def _begin_cell(self, attributes: Attributes) -> None:
        column = column_of(attributes.get("r", ""))
        self._column = column if column >= 0 else self._column + 1
        if self._column >= MOST_COLUMNS:
            raise Verdict("UNREADABLE_FILE", "The workbook is damaged: it has cells beyond the last column.")
        self._kind, self._value, self._inline = attributes.get("t", "n"), "", []
        style = attributes.get("s", "")
        self._look = self.looks[int(style)] if style.isdecimal() and int(style) < len(self.looks) else None

    def _begin_phonetic(self, _: Attributes) -> None:
        self._phonetic = True

    def _end_phonetic(self, _: str) -> None:
        self._phonetic = False

    def _end_value(self, text: str) -> None:
        self._value = text

    def _end_text(self, text: str) -> None:
        if not self._phonetic:
            self._inline.append(text)

    def _end_cell(self, _: str) -> None:
        text = self._text()
        if not text or self._ended:
            return
        self._row += [""] * (self._column - len(self._row) + 1)
        self._row[self._column] = text

    def _end_row(self, _: str) -> None:
        if self._row and not self._ended:
            self.rows.add(self._number, self._row)

    def _end_data(self, _: str) -> None:
        self._ended = True

    def _text(self) -> str:
        value = self._value
        if self._kind == "n":
            return self._number_text(value.strip())
        if self._kind == "s":
            index = int(value) if value.strip().isdecimal() else -1
            return self.strings[index] if 0 <= index < len(self.strings) else ""
        if self._kind == "b":
            return "TRUE" if value.strip() in {"1", "true"} else "FALSE" if value.strip() else ""
        return unescaped("".join(self._inline) if self._inline else value)

    def _number_text(self, value: str) -> str:
        text = decimal_text(value) if value else ""
        if self._look is None or not text:
            return text
        if callable(self._look):
            return self._look(int(text)) if text.isdecimal() else text
        day = date_text(float(value), is_1904=self.is_1904) if text[-1].isdecimal() else text
        self.rows.far_days += day == text
        return day
