"""The limited child process that opens workbooks: reads one sheet and writes its cells, as text, to an Arrow file.

Started by path and alone (`python -I child.py`), so it imports nothing of this project. It limits its own memory and
time before it touches the file, dies with its parent, and answers with one JSON object on stdout. A workbook may make
it crash: only its parent decides what that means. An archive that is no workbook but holds one file has that unpacked.
"""

from __future__ import annotations

import ctypes
import errno
import importlib.machinery
import json
import os
import re
import resource
import shutil
import signal
import sys
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import ModuleType
from typing import IO, NamedTuple
from xml.etree import ElementTree as ET

import fastexcel
import pyarrow as pa
import pyarrow.compute as pc

PR_SET_PDEATHSIG = 1
DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO})
TRY_AGAIN = 75  # exit code: the workbook is not to blame (EX_TEMPFAIL of sysexits.h)
LONGEST_FILE_NAME = 255
LONGEST_NAME = 31  # Excel's own limit for the name of a sheet
MOST_NAMED = 10
ROWS_PER_BATCH = 1 << 16
SLICED_FROM_BYTES = 1 << 24  # of a sheet; below, slices gain nothing
MOST_ENTRIES = 10_000
RATIO_FROM_BYTES = 1 << 26  # what is smaller may have been packed as much as it likes
SHEET_TYPE = "/worksheet"
# What stands in the sheet for the errors of calamine's `CellErrorType`.
ERROR_TEXT = {
    "Div0": "#DIV/0!",
    "NA": "#N/A",
    "Name": "#NAME?",
    "Null": "#NULL!",
    "Num": "#NUM!",
    "Ref": "#REF!",
    "Value": "#VALUE!",
    "GettingData": "#GETTING_DATA",
}
OLE2 = b"\xd0\xcf\x11\xe0"
# What a workbook of a kind has in it; the first that fits.
WORKBOOKS = (("xl/workbook.xml", "xlsx"), ("xl/workbook.bin", "xlsb"))
MACROS = "xl/vbaProject.bin"
OPEN_DOCUMENT = b"application/vnd.oasis.opendocument.spreadsheet"
OTHER_ARCHIVES = (
    ("word/document.xml", "a Word document"),
    ("ppt/presentation.xml", "a PowerPoint presentation"),
    ("mimetype", "an OpenDocument file"),
    ("[Content_Types].xml", "an Office document"),
)
# What systems put into archives of their own accord.
LITTER = re.compile(r"(^|/)(__MACOSX/|\.[^/]*$|Thumbs\.db$|desktop\.ini$)")
HIDDEN_ROW = re.compile(rb"<(?:\w+:)?row\b[^>]*\bhidden=[\"'](?:1|true)[\"']")
MERGED = re.compile(rb"<(?:\w+:)?mergeCell\b[^>]*\bref=[\"']([A-Z]+\d+:[A-Z]+\d+)[\"']")
BLOCK = 1 << 20
LONGEST_TAG = 1 << 10


class Verdict(Exception):  # noqa: N818  it is an answer, not always an error
    """A code of the catalogue and a sentence about the file."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(code, detail)
        self.code, self.detail = code, detail


class Order(NamedTuple):
    """The command line: what to read, where to write, which sheet ("": the first), limits, and whose child it is."""

    path: str
    target: str
    sheet: str
    memory_bytes: int
    seconds: int
    inflated_bytes: int
    inflated_ratio: int
    sheets: int
    parent: int


def limit_self(order: Order) -> None:
    """Bind this process to its parent's life and to its limits."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != order.parent:
        os._exit(1)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (order.seconds, order.seconds + 1))
    resource.setrlimit(resource.RLIMIT_AS, (order.memory_bytes, order.memory_bytes))
    resource.setrlimit(resource.RLIMIT_FSIZE, (order.memory_bytes, order.memory_bytes))


def kind_of(archive: zipfile.ZipFile) -> str | None:
    """The kind of workbook, or None for an archive of files; refuses every other document."""
    names = set(archive.namelist())
    for name, kind in WORKBOOKS:
        if name in names and "[Content_Types].xml" in names:
            return "xlsm" if kind == "xlsx" and MACROS in names else kind
    has_type = "mimetype" in names and archive.getinfo("mimetype").file_size < BLOCK
    if has_type and archive.read("mimetype").strip() == OPEN_DOCUMENT:
        return "ods"
    what = next((what for name, what in OTHER_ARCHIVES if name in names), None)
    if what is not None:
        raise Verdict("UNSUPPORTED_TYPE", f"The file is {what}, not a spreadsheet or delimited text (.csv).")
    return None


def check_archive(archive: zipfile.ZipFile, order: Order) -> None:
    """Refuse what cannot be read or would unpack to more than it may; reads only the archive's directory."""
    entries = archive.infolist()
    if any(entry.flag_bits & 1 for entry in entries):
        raise Verdict("ENCRYPTED_FILE", "The file is an archive protected by a password.")
    if len({entry.filename for entry in entries}) < len(entries) or len(entries) > MOST_ENTRIES:
        raise Verdict("UNREADABLE_FILE", "The archive's list of contents is damaged.")
    inflated = sum(entry.file_size for entry in entries)
    packed = sum(entry.compress_size for entry in entries)
    most = min(order.inflated_bytes, max(RATIO_FROM_BYTES, packed * order.inflated_ratio))
    if inflated > most:
        detail = f"The file unpacks to {inflated:,} bytes, more than a sheet of numbers needs."
        raise Verdict("UNREADABLE_FILE", detail)


def unpack(archive: zipfile.ZipFile, order: Order) -> dict[str, object]:
    """Write the one file that the archive holds to `order.target`, and tell its name."""
    files = [entry for entry in archive.infolist() if not entry.is_dir() and not LITTER.search(entry.filename)]
    if not files:
        raise Verdict("EMPTY_FILE", "The archive holds no file.")
    if len(files) > 1:
        names = ", ".join(entry.filename[-LONGEST_NAME:] for entry in files[:MOST_NAMED])
        detail = f"The archive holds {len(files)} files ({names}); send one at a time."
        raise Verdict("UNSUPPORTED_TYPE", detail)
    with archive.open(files[0]) as packed, open(order.target, "wb") as file:  # noqa: PTH123  nothing but the standard
        shutil.copyfileobj(packed, file, BLOCK)
    return {"unpacked": files[0].filename.rpartition("/")[2][:LONGEST_FILE_NAME]}


def visible_sheets(archive: zipfile.ZipFile) -> dict[str, str]:
    """The worksheets of an .xlsx that a person sees, in tab order: name -> part; charts and macros are none."""
    parts = {part.get("Id"): part for part in ET.fromstring(archive.read("xl/_rels/workbook.xml.rels"))}  # noqa: S314  limits guard it
    found = {}
    for sheet in ET.fromstring(archive.read("xl/workbook.xml")).iter():  # noqa: S314  limits guard it
        if _local(sheet.tag) != "sheet" or sheet.get("state", "visible") != "visible":
            continue
        part = next((parts.get(value) for key, value in sheet.items() if _local(key) == "id"), None)
        if part is not None and part.get("Type", "").endswith(SHEET_TYPE):
            target = part.get("Target", "")
            found[sheet.get("name", "")] = target.removeprefix("/") if target.startswith("/") else f"xl/{target}"
    return found


def visible_by_library(order: Order) -> list[str]:
    """As `visible_sheets`, of the other kinds of workbooks. Looks into none if there are too many."""
    book = fastexcel.read_excel(order.path)
    if len(book.sheet_names) > order.sheets:
        return list(book.sheet_names)
    return [name for name in book.sheet_names if book.load_sheet(name, header_row=None, n_rows=1).visible == "visible"]


def _local(tag: str) -> str:
    """A name without its namespace, of which there are two sets (ECMA-376 transitional and strict)."""
    return tag.rpartition("}")[2]


def read_file(order: Order) -> dict[str, object]:
    """Write a sheet's cells, or the file in an archive, to `order.target`; tell what was done."""
    with open(order.path, "rb") as file:  # noqa: PTH123  nothing but the standard library
        if file.read(len(OLE2)) == OLE2:
            return read_sheet(order, "xls", visible_by_library(order))
    with zipfile.ZipFile(order.path) as archive:
        check_archive(archive, order)
        kind = kind_of(archive)
        if kind is None:
            return unpack(archive, order)
        if kind not in {"xlsx", "xlsm"}:
            return read_sheet(order, kind, visible_by_library(order))
        sheets = visible_sheets(archive)
        name = wanted_sheet(order, list(sheets))
        if archive.getinfo(sheets[name]).file_size >= SLICED_FROM_BYTES:
            looked = write_in_slices(order, archive, name, sheets[name])
            if looked is not None:
                return told(name, kind, list(sheets)) | looked
        # Both take seconds of a large sheet, and neither holds the interpreter for long.
        with ThreadPoolExecutor(1) as aside:
            seen = aside.submit(look_at, archive, sheets[name])
            return read_sheet(order, kind, list(sheets)) | seen.result()


def wanted_sheet(order: Order, sheets: Sequence[str]) -> str:
    """The sheet that the uploader names, in whatever case, or the first."""
    if not sheets:
        raise Verdict("EMPTY_FILE", "The workbook has no visible worksheet.")
    if len(sheets) > order.sheets:
        raise Verdict("UNREADABLE_FILE", f"The workbook has {len(sheets):,} sheets, more than {order.sheets:,}.")
    wanted = (order.sheet or sheets[0]).casefold()
    found = next((name for name in sheets if name.casefold() == wanted), None)
    if found is None:
        there = ", ".join(f"“{name[:LONGEST_NAME]}”" for name in sheets[:MOST_NAMED])
        raise Verdict("UNREADABLE_FILE", f"The workbook has no sheet “{order.sheet[:LONGEST_NAME]}”; it has {there}.")
    return found


def read_sheet(order: Order, kind: str, sheets: Sequence[str]) -> dict[str, object]:
    """Write the cells of the sheet that is wanted from row 1 on; tell which sheets there are."""
    wanted = wanted_sheet(order, sheets)
    write_cells(order, wanted)
    return told(wanted, kind, sheets)


def told(wanted: str, kind: str, sheets: Sequence[str]) -> dict[str, object]:
    """What was read of which sheets."""
    # A hostile name may be as long as the limits for the whole workbook allow, and it is shown with every job.
    others = [name[:LONGEST_NAME] for name in sheets if name != wanted]
    return {
        "kind": kind,
        "sheet": wanted[:LONGEST_NAME],
        "others": others[:MOST_NAMED],
        "unnamed": max(len(others) - MOST_NAMED, 0),
    }


def look_at(archive: zipfile.ZipFile, part: str) -> dict[str, object]:
    """What a sheet's cells do not tell."""
    seen = Seen()
    with archive.open(part) as sheet:
        for text in _overlapping(sheet):
            seen.add(text)
    return seen.told()


@dataclass
class Seen:
    """How many rows of a sheet are hidden, and which cells are merged."""

    hidden: int = 0
    merged: list[str] = field(default_factory=list)

    def add(self, text: bytes) -> None:
        """Count what is in a part of the sheet's text that begins and ends between two tags."""
        # Plain searches first: on every byte of a large sheet the patterns take longer than reading it.
        self.hidden += len(HIDDEN_ROW.findall(text)) if b"hidden=" in text else 0
        self.merged += [ref.decode() for ref in MERGED.findall(text)] if b"mergeCell" in text else []

    def told(self) -> dict[str, object]:
        """As the answer has it."""
        return {"hidden_rows": self.hidden, "merged": self.merged[:MOST_NAMED], "merged_count": len(self.merged)}


def _overlapping(file: IO[bytes]) -> Iterator[bytes]:
    """A file block by block; a tag that a block ends within goes to the next."""
    rest = b""
    while block := file.read(BLOCK):
        text = rest + block
        begins = text.rfind(b"<", max(0, len(text) - LONGEST_TAG))
        rest = text[begins:] if begins >= 0 else b""
        yield text[:begins] if begins >= 0 else text
    yield rest


def write_cells(order: Order, sheet: str) -> None:
    """Write one `string` column per used column of the sheet; row 1 comes first, however many rows are empty."""
    loaded = fastexcel.read_excel(order.path).load_sheet(sheet, header_row=None, skip_rows=0, dtypes="string")
    cells, faults = loaded.to_arrow_with_errors()
    errors = _by_column(faults)
    schema = _schema(cells.num_columns)
    with _written(order, schema) as writer:
        for start in range(0, cells.num_rows, ROWS_PER_BATCH):
            part = cells.slice(start, ROWS_PER_BATCH)
            texts = [as_text(column, errors[place], start) for place, column in enumerate(part.columns)]
            writer.write_batch(pa.record_batch(texts, schema=schema))


def write_in_slices(order: Order, archive: zipfile.ZipFile, sheet: str, part: str) -> dict[str, object] | None:
    """As `write_cells` and `look_at`, for a large sheet; None if it has to be read whole.

    A slice that cannot be read may be what cutting made of it, so the whole sheet decides about that.
    """
    slices = _beside("slices")
    seen = Seen()
    try:
        columns = slices.read(archive, part, sheet, all_texts, seen.add)
    except (slices.NotPlainError, fastexcel.FastExcelError):
        return None
    schema = _schema(len(columns))
    with _written(order, schema) as writer:
        # One batch: its reader has it in parts of a size of its own.
        writer.write_batch(pa.record_batch(columns, schema=schema))
    return seen.told()


def _beside(name: str) -> ModuleType:
    """A module in this file's folder, which is not on the path: other modules in it are named like anybody's."""
    loader = importlib.machinery.SourceFileLoader(name, f"{__file__.rpartition('/')[0]}/{name}.py")
    module = sys.modules[name] = ModuleType(name)
    loader.exec_module(module)
    return module


def _schema(width: int) -> pa.Schema:
    return pa.schema([(str(place), pa.string()) for place in range(width)])


@contextmanager
def _written(order: Order, schema: pa.Schema) -> Iterator[pa.ipc.RecordBatchFileWriter]:
    with pa.OSFile(order.target, "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        yield writer


def all_texts(cells: pa.RecordBatch, faults: fastexcel.CellErrors | None) -> list[pa.Array]:
    """The columns of a sheet, or of a slice of it, as texts."""
    errors = _by_column(faults)
    return [as_text(column, errors[place], 0) for place, column in enumerate(cells.columns)]


def as_text(column: pa.Array, errors: Mapping[int, str], start: int) -> pa.Array:
    """Cells as the sheet shows them: "" for none, TRUE and FALSE for booleans, `#N/A` and its like for errors."""
    text = pc.fill_null(column, "")
    booleans = pc.is_in(text, value_set=pa.array(["true", "false"]))
    if pc.any(booleans).as_py():
        text = pc.if_else(booleans, pc.ascii_upper(text), text)
    rows = [row for row in errors if start <= row < start + len(text)]
    if not rows:
        return text
    mask = pc.is_in(pa.array(range(start, start + len(text))), value_set=pa.array(rows))
    return pc.replace_with_mask(text, mask, pa.array([errors[row] for row in sorted(rows)]))


def _by_column(faults: fastexcel.CellErrors | None) -> Mapping[int, dict[int, str]]:
    """Column -> row (from 0) -> the error's text; `Expected string but got 'Error(Div0)'` stands for `#DIV/0!`."""
    errors: defaultdict[int, dict[int, str]] = defaultdict(dict)
    for fault in faults.errors if faults else ():
        row, column = fault.position
        kind = fault.detail.rpartition("Error(")[2].partition(")")[0]
        errors[column][row] = ERROR_TEXT.get(kind, "#ERROR!")
    return errors


def main() -> None:
    """Read what the command line orders and answer on stdout; whatever else happens is an exit code for the parent."""
    path, target, sheet, *numbers = sys.argv[1:]
    order = Order(path, target, sheet, *map(int, numbers))
    limit_self(order)
    try:
        answer = read_file(order)
    except Verdict as verdict:
        answer = {"code": verdict.code, "detail": verdict.detail}
    except MemoryError:
        answer = {
            "code": "UNREADABLE_FILE",
            "detail": "The workbook asks for more memory than a sheet of numbers needs.",
        }
    except OSError as error:
        if error.errno in DISK_FULL:
            sys.exit(TRY_AGAIN)
        raise
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main()
