"""Parse a large sheet of an .xlsx in slices on two threads, each slice as a small workbook.

Imported by the child process (`child.py`, started by path), so it imports nothing of the project. The parser holds
every cell that it parses and uses one core; slices use two cores, if available, and less memory. The result equals that
of reading the whole sheet; where that is not certain, `NotPlainError` says that the sheet must be read as a whole.
"""

from __future__ import annotations

import io
import os
import re
import zipfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import fastexcel
import pyarrow as pa

THREADS = 2
SLICE = 1 << 23  # bytes of the sheet, unpacked
LARGEST_SLICE = 1 << 25
BESIDE_SHARE = 4  # a slice is this many times as large as the parts parsed again with it, mainly shared strings
HIGHEST_ROW = 1 << 20  # Excel's limit
MOST_COLUMNS = 1 << 10
LARGEST_COLUMN = 1 << 30  # bytes of text in one array, whose offsets are int32
LONGEST_TAG = 1 << 10
# The parts that a workbook needs in addition to its sheet.
BESIDE = re.compile(r"\[content_types\]\.xml|_rels/.*|xl/_rels/.*|xl/(workbook|styles|sharedstrings)\.xml")
BEGIN, END, END_OF_ROW = b"<sheetData>", b"</sheetData>", b"</row>"
NUMBERED_ROW = re.compile(rb'\s*<row\b[^>]*?\sr="([1-9]\d{0,6})"')
# An extra row, before the slice's first row or after its last one, fixes where the slice begins or ends. It is written
# first and later cells win, so it also proves that no cell of the slice refers to that row.
MARK = os.urandom(8).hex()
MARKED = '<row r="{0}"><c r="A{0}" t="inlineStr"><is><t>' + MARK + "</t></is></c></row>"

Faults = fastexcel.CellErrors | None
AsTexts = Callable[[pa.RecordBatch, Faults], list[pa.Array]]
Seen = Callable[[bytes], None]


class NotPlainError(Exception):
    """Cutting this sheet might change its cells."""


@dataclass(frozen=True)
class Slice:
    """The rows of a sheet from number `first`, all below `end` (None: the last slice), as XML."""

    rows: bytes
    first: int
    end: int | None


@dataclass(frozen=True)
class Parsed:
    """A slice's cells as texts, from row `first`; the first `unused` columns are empty."""

    first: int
    columns: list[pa.Array]
    unused: int


@dataclass
class Cutter:
    """A sheet (`part` of an archive), cut between rows; `seen` is called with all of its text, split between tags."""

    archive: zipfile.ZipFile
    part: str
    seen: Seen
    before: bytes = b""  # the text before the first row
    beside: list[tuple[str, bytes]] = field(default_factory=list)
    size: int = SLICE

    def __post_init__(self) -> None:
        """Load the parts that go with every slice. Raises `NotPlainError` if the sheet is too small for slices."""
        beside = [
            entry for entry in self.archive.infolist() if BESIDE.fullmatch(entry.filename.replace("\\", "/").lower())
        ]
        self.size = max(SLICE, BESIDE_SHARE * sum(entry.file_size for entry in beside))
        if self.size > LARGEST_SLICE or self.archive.getinfo(self.part).file_size < 2 * self.size:
            raise NotPlainError
        self.beside = [(entry.filename, self.archive.read(entry)) for entry in beside]

    def slices(self) -> Iterator[Slice]:
        """Yield the sheet's rows. Raises `NotPlainError` if a slice does not begin with a numbered row."""
        with self.archive.open(self.part) as sheet:
            self.before, begin, text = sheet.read(self.size).partition(BEGIN)
            _require(bool(begin) and b"<!" not in self.before)
            self.before += begin
            self.seen(self.before)
            first = _number(text)
            while (end := text.find(END)) < 0:
                block = sheet.read(self.size)
                _require(bool(block) and len(text) < 2 * LARGEST_SLICE)
                # The remainder has at least the tag with which the next slice begins.
                stop = text.rfind(END_OF_ROW, 0, -LONGEST_TAG) + len(END_OF_ROW)
                if stop >= len(END_OF_ROW):
                    following = _number(text[stop : stop + LONGEST_TAG])
                    yield self._slice(text[:stop], first, following)
                    first, text = following, text[stop:]
                text += block
            yield self._slice(text[:end], first, None)
            rest = text[end:] + sheet.read(LARGEST_SLICE)
            _require(not sheet.read(1))
            self.seen(rest)

    def _slice(self, rows: bytes, first: int, end: int | None) -> Slice:
        # Comments, CDATA sections and processing instructions may contain text that looks like the end of a row.
        _require(not any(_holds_tag(rows, sign) for sign in (b"!", b"?")))
        _require(first < end if end is not None else first > 1)
        self.seen(rows)
        return Slice(rows, first, end)

    def workbook(self, part: Slice, mark: int) -> bytes:
        """Return a slice as a workbook, with the mark in row `mark`."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as book:
            for name, content in self.beside:
                book.writestr(name, content)
            sheet = (self.before, MARKED.format(mark).encode(), part.rows, END, b"</worksheet>")
            book.writestr(self.part, b"".join(sheet))
        return buffer.getvalue()


def read(archive: zipfile.ZipFile, part: str, sheet: str, as_texts: AsTexts, seen: Seen) -> list[pa.Array]:
    """Return the columns of a sheet as texts, from row 1 and the first used column.

    Raises `NotPlainError`, or whatever the parser raises.
    """
    cutter, parsed, waiting = Cutter(archive, part, seen), list[Parsed](), deque[Future[Parsed]]()
    with ThreadPoolExecutor(THREADS) as threads:
        try:
            for part_read in cutter.slices():
                waiting.append(threads.submit(_parsed, cutter, part_read, sheet, as_texts))
                if len(waiting) > THREADS:
                    parsed.append(waiting.popleft().result())
            parsed += [part_read.result() for part_read in waiting]
        except BaseException:
            threads.shutdown(cancel_futures=True)
            raise
    return _joined(parsed)


def _require(condition: bool) -> None:  # noqa: FBT001  the only argument
    if not condition:
        raise NotPlainError


def _holds_tag(text: bytes, sign: bytes) -> bool:
    """Return whether a tag begins with `sign`; searching for the sign alone is many times as fast as for both."""
    position = text.find(sign)
    while position >= 0:
        if text[position - 1 : position] == b"<":
            return True
        position = text.find(sign, position + 1)
    return False


def _number(text: bytes) -> int:
    """Return the number of the row that the text begins with."""
    match = NUMBERED_ROW.match(text)
    if match is None or int(match[1]) > HIGHEST_ROW:
        raise NotPlainError
    return int(match[1])


def _parsed(cutter: Cutter, part: Slice, sheet: str, as_texts: AsTexts) -> Parsed:
    # The first slice is read from row 1 with its mark after it; all others begin with their mark.
    is_first = part.end is not None and part.first == 1
    begins, mark = (1, part.end or 0) if is_first else (part.first - 1, part.first - 1)
    book = fastexcel.read_excel(cutter.workbook(part, mark))
    loaded = book.load_sheet(sheet, header_row=None, skip_rows=0 if is_first else None, dtypes="string")
    cells, faults = loaded.to_arrow_with_errors()
    _require(0 < cells.num_columns <= MOST_COLUMNS and mark - begins < cells.num_rows)
    ends = begins + cells.num_rows  # the number of the row after the last one
    _require(part.end is None or ends <= part.end + is_first)
    errors = [fault.position for fault in faults.errors] if faults else []
    marked = [column[mark - begins].as_py() for column in cells.columns]
    _require(marked == [MARK] + [None] * (cells.num_columns - 1))
    _require(all(row != mark - begins for row, _ in errors))
    begin, rows = (0, cells.num_rows - 1) if is_first else (1, cells.num_rows - 1)
    faulty = {column for _, column in errors}
    own = [column.slice(begin, rows) for column in cells.columns]
    used = (index for index, column in enumerate(own) if index in faulty or column.null_count < rows)
    unused = next(used, MOST_COLUMNS)
    return Parsed(part.first, [text.slice(begin, rows) for text in as_texts(cells, faults)], unused)


def _joined(parsed: Sequence[Parsed]) -> list[pa.Array]:
    """Return the slices one below the other, with the empty rows between them."""
    begin, width = min(part.unused for part in parsed), max(len(part.columns) for part in parsed)
    # Read as a whole, the sheet would end with its last used row.
    _require(begin < width and len(parsed[-1].columns[0]) > 0)
    columns = []
    for index in range(begin, width):
        below, row = list[pa.Array](), 1
        for part in parsed:
            rows = len(part.columns[0])
            if not rows:
                continue
            column = part.columns[index] if index < len(part.columns) else _empty(rows)
            below += [_empty(part.first - row), column]
            row = part.first + rows
        _require(sum(column.nbytes for column in below) < LARGEST_COLUMN)
        columns.append(pa.concat_arrays(below))
    return columns


def _empty(rows: int) -> pa.Array:
    return pa.repeat(pa.scalar("", pa.string()), rows)
