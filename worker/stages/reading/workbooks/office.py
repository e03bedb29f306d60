"""Read a sheet of an .xlsx, .xlsm or .xlsb with the reader that suits the file.

Imported by the child process (`child.py`, started by path), so it imports nothing of the project except this package.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import fastexcel
import pyarrow as pa

from worker.stages.reading.workbooks import cell_table, sheet_marks, spreadsheetml, xlsb
from worker.stages.reading.workbooks.calamine import Texts
from worker.stages.reading.workbooks.cell_values import Look
from worker.stages.reading.workbooks.child_protocol import Answer, Order, Tab, choose, describe
from worker.stages.reading.workbooks.package import Package

# The names under which calamine looks for parts, case-insensitive.
USUAL_NAMES = {"sharedStrings": "xl/sharedstrings.xml", "styles": "xl/styles.xml"}
USUAL_WORKBOOKS = frozenset({"xl/workbook.xml", "xl/workbook.bin"})
USUAL_FOLDER = "xl/worksheets/"


def read(order: Order, package: Package) -> Answer:
    """Write the requested sheet; return which sheet it is, and its hidden rows and merged cells."""
    if package.format == "xlsb":
        return _read_binary(order, package)
    tabs = package.tabs()
    tab = choose(order, tabs)
    return describe(order, tab, package.format, tabs) | _read_xml(order, package, tab)


def _read_binary(order: Order, package: Package) -> Answer:
    tabs = xlsb.tabs(package)
    tab = choose(order, tabs)
    looks, texts = xlsb.formats_of(package), Texts()
    answer = describe(order, tab, package.format, tabs)
    if not order.careful and not xlsb.is_1904(package):
        with ThreadPoolExecutor(1) as aside, _refusals() as refused:
            # calamine holds the interpreter lock only briefly, so both run in parallel.
            is_for_library = aside.submit(xlsb.is_for_library, package, tab.part, looks)
            columns = texts.of_sheet(order.path, tab.name)
        if not refused and is_for_library.result():
            first_column = partial(xlsb.first_column, package, tab.part)
            return answer | cell_table.write(order, columns, first_column, (), texts.far_days)
    return answer | xlsb.read(order, package, tab.part, looks).write()


@contextmanager
def _refusals() -> Iterator[list[str]]:
    """Collect calamine's errors, of any kind, instead of raising them."""
    refused = list[str]()
    try:
        yield refused
    except fastexcel.FastExcelError as error:
        refused.append(str(error))
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # of the Rust library; it cannot be imported
            raise
        refused.append(str(error))


def _read_xml(order: Order, package: Package, tab: Tab) -> Answer:
    looks = spreadsheetml.formats_of(package)
    answer = _read_by_library(order, package, tab) if _is_for_library(order, package, tab, looks) else None
    if answer is not None:
        return answer
    rows = spreadsheetml.read(order, package, tab.part, looks)
    return rows.write() | sheet_marks.marks_of(package.archive, tab.part)


def _read_by_library(order: Order, package: Package, tab: Tab) -> Answer | None:
    """Return the sheet as calamine reads it; None if calamine refuses it."""
    with _refusals() as refused:
        columns, marks, far_days = _columns(order, package, tab)
    if refused:
        return None
    first_column = partial(spreadsheetml.first_column, package, tab.part)
    return cell_table.write(order, columns, first_column, (), far_days) | marks


def _is_for_library(order: Order, package: Package, tab: Tab, looks: Sequence[Look]) -> bool:
    """Return whether calamine reads all cells of a sheet as they are shown."""
    # calamine drops cells that refer to entities, and counts days since 1904 as days since 1900.
    is_plain = not package.is_1904() and not any(map(package.has_document_type, (tab.part, *package.shared_strings)))
    names = _has_usual_names(package, tab)
    return (
        not order.careful and is_plain and names and not spreadsheetml.shows_more_than_values(package, tab.part, looks)
    )


def _has_usual_names(package: Package, tab: Tab) -> bool:
    usual = all(package.part_of_kind(kind).lower() in {"", name} for kind, name in USUAL_NAMES.items())
    return usual and package.main.lower() in USUAL_WORKBOOKS and tab.part.lower().startswith(USUAL_FOLDER)


def _columns(order: Order, package: Package, tab: Tab) -> tuple[list[list[pa.Array]], Answer, int]:
    """Return columns, hidden rows and merged cells, and the count of out-of-range numbers formatted as dates."""
    texts = Texts()
    # Both take seconds for a large sheet, and neither holds the interpreter lock for long.
    with ThreadPoolExecutor(1) as aside:
        marks = aside.submit(sheet_marks.marks_of, package.archive, tab.part)
        columns = texts.of_sheet(order.path, tab.name)
        return columns, marks.result(), texts.far_days
