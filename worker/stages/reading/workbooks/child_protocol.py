"""The protocol between parent and child: the request, the sheets to choose from, and the responses.

Imported by the child process (`child.py`, started by path), so it imports nothing of the project.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

LONGEST_NAME = 31  # Excel's limit for the name of a sheet
MOST_NAMED = 10

Answer = dict[str, object]


class Verdict(Exception):  # noqa: N818  it is a response, not always an error
    """A code of the catalogue and a sentence about the file."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(code, detail)
        self.code, self.detail = code, detail


class Order(NamedTuple):
    """The command line: paths, sheet, limits, and the process ID of the parent.

    `sheet` is a name, or "" for the visible sheet at index `position`. `careful` forbids the parser that may abort the
    process.
    """

    path: str
    target: str
    sheet: str
    position: int
    careful: int
    memory_bytes: int
    seconds: int
    inflated_bytes: int
    inflated_ratio: int
    sheets: int
    columns: int
    parent: int


class State(Enum):
    """The state of a sheet in the workbook's user interface."""

    VISIBLE = "visible"
    HIDDEN = "hidden"
    NO_CELLS = "a chart, a dialog or macros"


@dataclass(frozen=True)
class Tab:
    """A sheet of a workbook; `part` is the archive entry with its cells."""

    name: str
    state: State = State.VISIBLE
    part: str = ""


def choose(order: Order, tabs: Sequence[Tab]) -> Tab:
    """Return the sheet that the uploader names (case-insensitive), or the visible one at the requested position."""
    visible = visible_of(tabs)
    if len(tabs) > order.sheets:
        raise Verdict("UNREADABLE_FILE", f"The workbook has {len(tabs):,} sheets, more than {order.sheets:,}.")
    if not visible:
        raise Verdict("EMPTY_FILE", "The workbook has no visible worksheet.")
    if not order.sheet:
        return visible[min(order.position, len(visible) - 1)]
    folded_name = order.sheet.strip().casefold()
    matching_tabs = [tab for tab in tabs if tab.name.strip().casefold() == folded_name]
    match = next((tab for tab in matching_tabs if tab.state is State.VISIBLE), None)
    if match is None:
        raise Verdict("UNREADABLE_FILE", _no_such_sheet(order.sheet, matching_tabs, visible))
    return match


def visible_of(tabs: Sequence[Tab]) -> list[Tab]:
    """Return the visible worksheets, in tab order."""
    return [tab for tab in tabs if tab.state is State.VISIBLE]


def _no_such_sheet(name: str, matching_tabs: Sequence[Tab], visible: Sequence[Tab]) -> str:
    names = ", ".join(f"“{tab.name[:LONGEST_NAME]}”" for tab in visible[:MOST_NAMED])
    more = f" and {len(visible) - MOST_NAMED:,} more" if len(visible) > MOST_NAMED else ""
    shown = f"“{name[:LONGEST_NAME]}”"
    if not matching_tabs:
        return f"The workbook has no sheet {shown}; it has {names}{more}."
    if matching_tabs[0].state is State.HIDDEN:
        return f"The sheet {shown} is hidden; unhide it, or choose one of {names}{more}."
    return f"The sheet {shown} holds {matching_tabs[0].state.value}, no table; choose one of {names}{more}."


def describe(order: Order, selected_tab: Tab, kind: str, tabs: Sequence[Tab]) -> Answer:
    """Return which sheet of which workbook was read."""
    # A hostile name may be as long as the limits of the workbook allow, and every view of the job shows it.
    visible = visible_of(tabs)
    others = [tab.name[:LONGEST_NAME] for tab in visible if tab is not selected_tab]
    return {
        "kind": kind,
        "sheet": selected_tab.name[:LONGEST_NAME],
        "visible": len(visible),
        "position": order.position,
        "others": others[:MOST_NAMED],
        "unnamed": max(len(others) - MOST_NAMED, 0),
    }
