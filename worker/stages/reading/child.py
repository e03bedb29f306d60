"""The limited child process that opens workbooks: reads one sheet and writes its cells, as text, to an Arrow file.

Started by path and alone (`python -I child.py`), so it imports nothing of this project. It limits its own memory and
time before it touches the file, dies with its parent, and answers with one JSON object on stdout. A workbook may make
it crash: only its parent decides what that means.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
import zipfile
from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple
from xml.etree import ElementTree as ET

import fastexcel
import pyarrow as pa
import pyarrow.compute as pc

PR_SET_PDEATHSIG = 1
LONGEST_NAME = 31  # Excel's own limit for the name of a sheet
MOST_NAMED = 10
ROWS_PER_BATCH = 1 << 16
MOST_ENTRIES = 10_000
# Deflate packs at most 1032 to 1; sheets reach about 40 to 1, very uniform ones 150 to 1.
RATIO_FROM_BYTES, MOST_RATIO = 1 << 26, 400
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
OTHER_ARCHIVES = (
    ("xl/workbook.bin", "a binary Excel workbook (.xlsb)"),
    ("word/document.xml", "a Word document"),
    ("ppt/presentation.xml", "a PowerPoint presentation"),
    ("mimetype", "an OpenDocument file"),
)


class Verdict(Exception):  # noqa: N818  it is an answer, not always an error
    """A code of the catalogue and a sentence about the file."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(code, detail)
        self.code, self.detail = code, detail


class Order(NamedTuple):
    """The command line: what to read, where to write, what it may cost and whose child this is."""

    path: str
    target: str
    memory_bytes: int
    seconds: int
    inflated_bytes: int
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


def check_archive(archive: zipfile.ZipFile, inflated_bytes: int) -> None:
    """Refuse what is no workbook or would unpack to more than it may; reads only the archive's directory."""
    entries = archive.infolist()
    names = {entry.filename for entry in entries}
    if any(entry.flag_bits & 1 for entry in entries):
        raise Verdict("ENCRYPTED_FILE", "The file is an archive protected by a password.")
    if "[Content_Types].xml" not in names or "xl/workbook.xml" not in names:
        what = next((what for name, what in OTHER_ARCHIVES if name in names), "a ZIP archive")
        raise Verdict("UNSUPPORTED_TYPE", f"The file is {what}, not a workbook (.xlsx) or delimited text (.csv).")
    if len(names) < len(entries) or len(entries) > MOST_ENTRIES:
        raise Verdict("UNREADABLE_FILE", "The workbook's list of contents is damaged.")
    inflated = sum(entry.file_size for entry in entries)
    packed = sum(entry.compress_size for entry in entries)
    if inflated > inflated_bytes or inflated > max(RATIO_FROM_BYTES, packed * MOST_RATIO):
        detail = f"The workbook unpacks to {inflated:,} bytes, more than a sheet of numbers needs."
        raise Verdict("UNREADABLE_FILE", detail)


def visible_sheets(archive: zipfile.ZipFile) -> list[str]:
    """Names of the worksheets a person sees, in tab order; charts and macro sheets are no worksheets."""
    parts = ET.fromstring(archive.read("xl/_rels/workbook.xml.rels"))  # noqa: S314  limits guard it
    kinds = {part.get("Id"): part.get("Type", "") for part in parts}
    return [
        sheet.get("name", "")
        for sheet in ET.fromstring(archive.read("xl/workbook.xml")).iter()  # noqa: S314  limits guard it
        if _local(sheet.tag) == "sheet"
        and sheet.get("state", "visible") == "visible"
        and any(kinds.get(value, "").endswith(SHEET_TYPE) for key, value in sheet.items() if _local(key) == "id")
    ]


def _local(tag: str) -> str:
    """A name without its namespace, of which there are two sets (ECMA-376 transitional and strict)."""
    return tag.rpartition("}")[2]


def read_sheet(order: Order) -> dict[str, object]:
    """Write the first visible sheet's cells to `order.target`, from row 1 on, and tell which sheets there are."""
    with zipfile.ZipFile(order.path) as archive:
        check_archive(archive, order.inflated_bytes)
        sheets = visible_sheets(archive)
    if not sheets:
        raise Verdict("EMPTY_FILE", "The workbook has no visible worksheet.")
    write_cells(order, sheets[0])
    # A hostile name may be as long as the limits for the whole workbook allow, and it is shown with every job.
    shown = [name[:LONGEST_NAME] for name in sheets]
    return {"sheet": shown[0], "others": shown[1 : 1 + MOST_NAMED], "unnamed": max(len(shown) - 1 - MOST_NAMED, 0)}


def write_cells(order: Order, sheet: str) -> None:
    """Write one `string` column per used column of the sheet; row 1 comes first, however many rows are empty."""
    loaded = fastexcel.read_excel(order.path).load_sheet(sheet, header_row=None, skip_rows=0, dtypes="string")
    cells, faults = loaded.to_arrow_with_errors()
    errors = _by_column(faults)
    schema = pa.schema([(str(place), pa.string()) for place in range(cells.num_columns)])
    with pa.OSFile(order.target, "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        for start in range(0, cells.num_rows, ROWS_PER_BATCH):
            part = cells.slice(start, ROWS_PER_BATCH)
            texts = [as_text(column, errors[place], start) for place, column in enumerate(part.columns)]
            writer.write_batch(pa.record_batch(texts, schema=schema))


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
    path, target, *numbers = sys.argv[1:]
    order = Order(path, target, *map(int, numbers))
    limit_self(order)
    try:
        answer = read_sheet(order)
    except Verdict as verdict:
        answer = {"code": verdict.code, "detail": verdict.detail}
    except MemoryError:
        answer = {
            "code": "UNREADABLE_FILE",
            "detail": "The workbook asks for more memory than a sheet of numbers needs.",
        }
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main()
