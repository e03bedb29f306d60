"""Reads a sheet of an .xlsx, .xlsm or .xlsb, by whichever reader suits the file.

Loaded inside the limited child (`child.py`) too, so it imports nothing of this project but its neighbours.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fastexcel
import pyarrow as pa

from worker.stages.reading import cell_table, sheet_marks, slices, spreadsheetml, xlsb
from worker.stages.reading.library import Texts
from worker.stages.reading.order import Answer, Order, Tab, Verdict, choose, describe
from worker.stages.reading.package import Package

SLICED_FROM_BYTES = 1 << 24  # of a sheet; below, slices gain nothing
# The names under which the library looks for parts, in whatever case.
USUAL_NAMES = {"sharedStrings": "xl/sharedstrings.xml", "styles": "xl/styles.xml"}
USUAL_WORKBOOKS = frozenset({"xl/workbook.xml", "xl/workbook.bin"})
DAMAGED = "The workbook could not be read: it is damaged, or asks for more memory than a sheet of numbers needs."
USUAL_FOLDER = "xl/worksheets/"


def read(order: Order, package: Package) -> Answer:
    """Write the sheet that is wanted; answer with which it is and what its cells do not tell."""
    if package.format == "xlsb":
        return _read_binary(order, package)
    tabs = package.tabs()
    tab = choose(order, tabs)
    return describe(order, tab, package.format, tabs) | _read_xml(order, package, tab)


def _read_binary(order: Order, package: Package) -> Answer:
    if order.careful:
        raise Verdict("UNREADABLE_FILE", DAMAGED)
    tabs = xlsb.tabs(package)
    tab = choose(order, tabs)
    texts, widened = Texts(xlsb.is_1904(package)), Path(f"{order.target}.widened")
    with ThreadPoolExecutor(1) as aside:
        # The library holds the interpreter only for a moment, so both go on at once.
        needs_columns = aside.submit(xlsb.has_short_cells, package, tab.part)
        columns = texts.of_sheet(order.path, tab.name)
        if needs_columns.result():
            xlsb.write_with_columns(package, tab.part, widened)
            texts.far_days, columns = 0, texts.of_sheet(str(widened), tab.name)
            widened.unlink()
    written = cell_table.write(order, columns, lambda: xlsb.first_column(package, tab.part), (), texts.far_days)
    return describe(order, tab, "xlsb", tabs) | written


def _read_xml(order: Order, package: Package, tab: Tab) -> Answer:
    looks = spreadsheetml.looks_of(package)
    if not order.careful and not spreadsheetml.shows_more_than_values(package, tab.part, looks):
        answer = _read_by_library(order, package, tab)
        if answer is not None:
            return answer
    rows = spreadsheetml.read(order, package, tab.part, looks)
    return rows.write() | sheet_marks.look_at(package.archive, tab.part)


def _read_by_library(order: Order, package: Package, tab: Tab) -> Answer | None:
    """As the library reads the sheet; None if it refuses it or does not know the names of the parts."""
    if not _has_usual_names(package, tab):
        return None
    try:
        columns, marks, far_days = _columns(order, package, tab)
    except fastexcel.FastExcelError:
        return None
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # of the library; it is not to be imported
            raise
        return None
    return cell_table.write(order, columns, lambda: spreadsheetml.first_column(package, tab.part), (), far_days) | marks


def _has_usual_names(package: Package, tab: Tab) -> bool:
    usual = all(package.part_of_kind(kind).lower() in {"", name} for kind, name in USUAL_NAMES.items())
    return usual and package.main.lower() in USUAL_WORKBOOKS and tab.part.lower().startswith(USUAL_FOLDER)


def _columns(order: Order, package: Package, tab: Tab) -> tuple[list[list[pa.Array]], Answer, int]:
    """Return columns, what else there is to say, and how many numbers are formatted as dates that there are not."""
    if package.archive.getinfo(tab.part).file_size >= SLICED_FROM_BYTES:
        sliced = _in_slices(package, tab)
        if sliced is not None:
            return sliced
    texts = Texts(package.is_1904())
    # Both take seconds of a large sheet, and neither holds the interpreter for long.
    with ThreadPoolExecutor(1) as aside:
        marks = aside.submit(sheet_marks.look_at, package.archive, tab.part)
        columns = texts.of_sheet(order.path, tab.name)
        return columns, marks.result(), texts.far_days


def _in_slices(package: Package, tab: Tab) -> tuple[list[list[pa.Array]], Answer, int] | None:
    """As the library reads a large sheet in slices; None if it has to be read whole.

    A slice that cannot be read may be what cutting made of it, so the whole sheet decides about that.
    """
    marks, texts = sheet_marks.Seen(), Texts(package.is_1904())
    try:
        columns = slices.read(package.archive, tab.part, tab.name, texts.of, marks.add)
    except (slices.NotPlainError, fastexcel.FastExcelError):
        return None
    return [columns], marks.told(), texts.far_days
