"""Builds .xls workbooks record by record ([MS-XLS], [MS-CFB]), as programs other than Excel and xlwt write them.

`xlwt` writes one way only; here a record may be absent, come twice, or stand in another order.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from tests.support.files.sheets import Cell, ErrorCell

Table = Sequence[Sequence[Cell]]

GLOBALS, SHEET, CHART, MACROS = 0x0005, 0x0010, 0x0020, 0x0040
CODEPAGE, CONTINUE, DATEMODE, FILEPASS, SST = 0x0042, 0x003C, 0x0022, 0x002F, 0x00FC
ERRORS = {"#NULL!": 0x00, "#DIV/0!": 0x07, "#VALUE!": 0x0F, "#REF!": 0x17, "#NAME?": 0x1D, "#NUM!": 0x24, "#N/A": 0x2A}
PLAIN = {2: 0x0009, 3: 0x0209, 4: 0x0409}  # the BOF records of Excel before 5
SECTOR = 512
SMALLEST_STREAM = 4096  # what is smaller would have to be kept in a stream of small sectors
FREE, END_OF_CHAIN, FAT_SECTOR = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
STORAGE, STREAM, ROOT = 1, 2, 5


def record(kind: int, payload: bytes = b"") -> bytes:
    """One record; what does not fit into it has to be continued by the caller."""
    return struct.pack("<HH", kind, len(payload)) + payload


def begin(kind: int, version: int = 0x0600) -> bytes:
    """The BOF record of a substream of this kind."""
    tail = struct.pack("<II", 0, 0x0600) if version == 0x0600 else b""
    return record(0x0809, struct.pack("<HHHH", version, kind, 0x0DBB, 0x07CC) + tail)


def end() -> bytes:
    """The EOF record."""
    return record(0x000A)


def text(value: str, *, wide: bool, length: str = "<H") -> bytes:
    """A string of BIFF8 with its length and flags; `wide` as UTF-16, else as Latin-1."""
    return struct.pack(length, len(value)) + bytes([wide]) + value.encode("utf-16-le" if wide else "latin-1")


def label(row: int, column: int, value: str, *, wide: bool = False) -> bytes:
    """A text in its cell (LABEL), as old programs write it."""
    return record(0x0204, struct.pack("<HHH", row, column, 0) + text(value, wide=wide))


def shared(row: int, column: int, place: int) -> bytes:
    """A text of the table of shared strings (LABELSST)."""
    return record(0x00FD, struct.pack("<HHHI", row, column, 0, place))


def number(row: int, column: int, value: float, style: int = 0) -> bytes:
    """A number as a double (NUMBER)."""
    return record(0x0203, struct.pack("<HHHd", row, column, style, value))


def packed_numbers(row: int, column: int, values: Sequence[int]) -> bytes:
    """Whole numbers below 2**29 of adjacent cells (MULRK), or of one (RK)."""
    packed = b"".join(struct.pack("<Hi", 0, value << 2 | 2) for value in values)
    if len(values) == 1:
        return record(0x027E, struct.pack("<HH", row, column) + packed)
    return record(0x00BD, struct.pack("<HH", row, column) + packed + struct.pack("<H", column + len(values) - 1))


def boolean(row: int, column: int, *, value: bool) -> bytes:
    """TRUE or FALSE (BOOLERR)."""
    return record(0x0205, struct.pack("<HHHBB", row, column, 0, value, 0))


def error(row: int, column: int, value: str) -> bytes:
    """An error value (BOOLERR)."""
    return record(0x0205, struct.pack("<HHHBB", row, column, 0, ERRORS[value], 1))


def formula(row: int, column: int, value: Cell) -> bytes:
    """A formula with the value that was last computed for it; a text's follows in a record of its own."""
    match value:
        case bool():
            result = struct.pack("<BxBxxxH", 1, value, 0xFFFF)
        case int() | float():
            result = struct.pack("<d", value)
        case ErrorCell():
            result = struct.pack("<BxBxxxH", 2, ERRORS[value.text], 0xFFFF)
        case _:
            result = struct.pack("<BxBxxxH", 0, 0, 0xFFFF)
    tokens = struct.pack("<BH", 0x1E, 1)  # the whole number 1
    head = struct.pack("<HHH", row, column, 0) + result + struct.pack("<HIH", 0, 0, len(tokens))
    after = record(0x0207, text(value, wide=False)) if isinstance(value, str) else b""
    return record(0x0006, head + tokens) + after


def cell(row: int, column: int, value: Cell) -> bytes:
    """A cell in the plainest record of its type."""
    match value:
        case None:
            return b""
        case bool():
            return boolean(row, column, value=value)
        case int() | float():
            return number(row, column, value)
        case ErrorCell():
            return error(row, column, value.text)
        case _:
            return label(row, column, str(value))


def cells(table: Table) -> bytes:
    """The cells of a table, row by row."""
    return b"".join(cell(row, column, value) for row, line in enumerate(table) for column, value in enumerate(line))


def dimensions(version: int = 0x0600) -> bytes:
    """How far a sheet is said to reach; LibreOffice passes over the record behind BOF, so it has to be this one."""
    return record(0x0200, struct.pack("<IIHHH" if version == 0x0600 else "<HHHHH", 0, 9, 0, 9, 0))


def sheet(content: bytes, *, kind: int = SHEET, version: int = 0x0600) -> bytes:
    """A substream with that between its first and last record."""
    return begin(kind, version) + dimensions(version) + content + end()


def workbook(
    sheets: Mapping[str, bytes],
    *,
    before: bytes = record(CODEPAGE, struct.pack("<H", 1200)),
    version: int = 0x0600,
    kinds: Sequence[int] = (),
    hidden: Sequence[int] = (),
) -> bytes:
    """The stream of a workbook with `before` among its first records.

    `kinds` and `hidden` are the numbers that its list of sheets has for each; 0 is a worksheet, and one that is shown.
    """
    narrow = version != 0x0600
    names = [
        struct.pack("<B", len(name)) + name.encode("latin-1") if narrow else text(name, wide=False, length="<B")
        for name in sheets
    ]
    states = [*hidden, *[0] * len(sheets)]
    types = [*kinds, *[0] * len(sheets)]
    start = begin(GLOBALS, version) + before
    at = len(start) + sum(len(record(0x0085, b"\0" * 6 + name)) for name in names) + len(end())
    bound = b""
    for name, state, kind, content in zip(names, states, types, sheets.values(), strict=False):
        bound += record(0x0085, struct.pack("<IBB", at, state, kind) + name)
        at += len(content)
    return start + bound + end() + b"".join(sheets.values())


def plain_workbook(version: int, table: Sequence[Sequence[str]]) -> bytes:
    """A worksheet of Excel 2, 3 or 4, all texts: a stream without a container around it."""
    narrow = version == min(PLAIN)  # its cells have attributes of three bytes, and texts of 255 characters at most
    head = struct.pack("<HH", version << 8, SHEET) + (b"" if narrow else b"\0\0")
    cells = [
        (row, column, value.encode("latin-1")) for row, line in enumerate(table) for column, value in enumerate(line)
    ]
    label, place = (0x0004, "<HH3xB") if narrow else (0x0204, "<HHxxH")
    texts = [record(label, struct.pack(place, row, column, len(value)) + value) for row, column, value in cells]
    return b"".join([record(PLAIN[version], head), *texts, end()])


def compound(streams: Mapping[str, bytes]) -> bytes:
    """An OLE2 file of these streams; one level of storages: `storage/stream`."""
    contents = {path: content.ljust(SMALLEST_STREAM, b"\0") for path, content in streams.items()}
    starts, chains, body = _laid_out(contents.values())
    directory = _directory(dict(zip(contents, zip(starts, map(len, contents.values()), strict=True), strict=True)))
    first = len(body) // SECTOR
    chains += [*range(first + 1, first + len(directory) // SECTOR), END_OF_CHAIN]
    body += directory
    sectors = 1
    while (len(chains) + sectors) * 4 > sectors * SECTOR:
        sectors += 1
    at = len(body) // SECTOR
    table = [*chains, *[FAT_SECTOR] * sectors]
    table += [FREE] * (sectors * SECTOR // 4 - len(table))
    places = [*range(at, at + sectors), *[FREE] * (109 - sectors)]
    header = struct.pack(
        "<8s16xHHHHH6xIII4xIIIII109I", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 0x3E, 3, 0xFFFE, 9, 6, 0, sectors, first,
        SMALLEST_STREAM, END_OF_CHAIN, 0, END_OF_CHAIN, 0, *places,
    )  # fmt: skip
    return header + body + struct.pack(f"<{len(table)}I", *table)


def _laid_out(contents: Iterable[bytes]) -> tuple[list[int], list[int], bytes]:
    """The streams one after the other: where each begins, the chains of their sectors, and all of their bytes."""
    starts, chains, body = list[int](), list[int](), b""
    for content in contents:
        padded = content.ljust(-(-len(content) // SECTOR) * SECTOR, b"\0")
        first = len(body) // SECTOR
        starts.append(first)
        chains += [*range(first + 1, first + len(padded) // SECTOR), END_OF_CHAIN]
        body += padded
    return starts, chains, body


def _directory(streams: Mapping[str, tuple[int, int]]) -> bytes:
    """The entries, each level a list in the order of names that the format asks for."""
    storages = list(dict.fromkeys(path.partition("/")[0] for path in streams if "/" in path))
    levels: dict[str, list[str]] = {"": [path for path in streams if "/" not in path] + storages}
    levels |= {storage: [path for path in streams if path.startswith(f"{storage}/")] for storage in storages}
    order = ["", *(path for level in levels.values() for path in sorted(level, key=_key))]
    after, first = dict[str, int](), dict[str, int]()
    for storage, level in levels.items():
        ordered = sorted(level, key=_key)
        first[storage] = order.index(ordered[0])
        after |= {left: order.index(right) for left, right in pairwise(ordered)}
    entries = []
    for path in order:
        kind = ROOT if not path else STORAGE if path in storages else STREAM
        name = (path.rpartition("/")[2] or "Root Entry").encode("utf-16-le") + b"\0\0"
        start, size = streams.get(path, (END_OF_CHAIN if not path else 0, 0))
        entries.append(
            struct.pack(
                "<64sHBBIII36xIQ",
                name,
                len(name),
                kind,
                1,
                FREE,
                after.get(path, FREE),
                first.get(path, FREE),
                start,
                size,
            )
        )
    missing = -len(entries) % (SECTOR // 128)
    return b"".join([*entries, *[struct.pack("<66xBBIII48x", 0, 0, FREE, FREE, FREE)] * missing])


def _key(path: str) -> tuple[int, str]:
    name = path.rpartition("/")[2]
    return len(name), name.upper()
