"""Corrections of an upload under review (R33): what replaces which cells, and which rows are left out.

Shapes only: `worker.stages.correct` finds the cells that a rule is about, `schemas.http.corrections` checks requests.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schemas.codes import FAULTS, Code, Fault
from schemas.columns import UPLOAD_FORM, Column, column_named, name_of

MOST_RULES = 100  # of one correction
MOST_CELLS = 3_000  # corrected cells, and rows left out by their numbers, of one correction; rules have no such limit
MOST_CORRECTIONS = 500  # of one job
LONGEST_CELL = 1_000  # characters of a corrected cell
LONGEST_BY_RULE = 200  # characters of a cell as a rule leaves it: a rule may be about millions of rows


@dataclass(frozen=True)
class Rule:
    """What to do with all failed rows of one cause, or with one value.

    `code`: only rows with this fault in the column. `equals`: only cells with this text; case and white space around
    and between words are ignored (`schemas.column_mapping.value_key`). `set`: the new text of these cells; `replace`:
    the text inside them to replace, and its replacement, except in cells that would become longer than
    `LONGEST_BY_RULE`. `leave_out`: instead, the rows are left out.
    """

    column: Column
    code: Code | None = None
    equals: str | None = None
    set: str | None = None
    replace: tuple[str, str] | None = None
    leave_out: bool = False

    @property
    def fault(self) -> Fault | None:
        """The fault that a row must have; None: any."""
        return None if self.code is None else Fault(self.code, self.column)


@dataclass(frozen=True)
class CorrectedCell:
    """The new text of one cell. `row`: the row's number in the spreadsheet."""

    row: int
    column: Column
    value: str


@dataclass(frozen=True)
class Correction:
    """Rules, applied in their order to the failed rows; then cells of any row; then rows that are left out."""

    rules: Sequence[Rule] = ()
    cells: Sequence[CorrectedCell] = ()
    leave_out: Sequence[int] = ()

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Correction:
        """Return the correction in `raw`, as `schemas.http.corrections.CorrectionBody` has it. `ValueError`."""
        return cls(
            tuple(map(_rule, raw.get("rules", ()))),
            tuple(
                CorrectedCell(cell["row"], correctable(cell["column"]), cell["value"]) for cell in raw.get("cells", ())
            ),
            tuple(raw.get("leave_out", ())),
        )

    @property
    def rows(self) -> frozenset[int]:
        """The numbers of the rows that it names."""
        return frozenset([*(cell.row for cell in self.cells), *self.leave_out])


def correctable(name: str) -> Column:
    """Return the column of an upload with this name of ours. `ValueError` if there is none."""
    column = column_named(name)
    if column is None or column not in UPLOAD_FORM.understood:
        raise ValueError(f"“{name[:60]}” is not a column of an upload")
    return column


def _rule(raw: Mapping[str, Any]) -> Rule:
    name, leaves_out = raw.get("column"), bool(raw.get("leave_out"))
    column = Column.NONE if name is None and leaves_out else correctable(name or "")
    code = None if raw.get("code") is None else _code(str(raw["code"]))
    replace = raw.get("replace")
    rule = Rule(
        column, code, raw.get("equals"), raw.get("set"), None if replace is None else tuple(replace), leaves_out
    )
    if [rule.set is not None, rule.replace is not None, rule.leave_out].count(True) != 1:
        raise ValueError("a rule has one of set, replace and leave_out")
    if rule.code is None and rule.equals is None and rule.replace is None:
        raise ValueError("a rule needs a code, a value in equals, or a text to replace: it says which rows it is about")
    if rule.replace is not None and (not rule.replace[0] or rule.replace[0] == rule.replace[1]):
        raise ValueError("the text to replace is empty or the same as its replacement")
    if rule.equals is not None and column is Column.NONE:
        raise ValueError("a rule with a value in equals needs a column")
    if rule.fault is not None and rule.fault not in FAULTS:
        where = f" in {name_of(column)}" if column is not Column.NONE else " that concerns no single column"
        raise ValueError(f"{rule.code} is not a fault{where}")
    return rule


def _code(name: str) -> Code:
    if name not in Code.__members__:
        raise ValueError(f"“{name[:60]}” is not a code of rows")
    return Code(name)
