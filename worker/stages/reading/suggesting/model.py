"""What is suggested from, and what is suggested (R31)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from schemas.columns import Column

NumberFormatName = Literal["auto", "national", "international"]

MOST_COLUMNS = 60  # columns whose cells are examined; of the others only the header counts
MOST_CELLS = 200  # cells examined per column
LONGEST_CELL = 100  # characters; a longer cell is neither a number nor a word that is understood


@dataclass(frozen=True)
class ColumnSample:
    """One column of a file.

    `header` as in the file, "" without a header row. `samples`: up to 200 cells of the first rows, in order, "" for an
    empty one; the same rows for all columns. `distinct`: the most frequent values of the whole column with their
    counts, at most 50; empty if the column has more.
    """

    header: str
    samples: Sequence[str]
    distinct: Sequence[tuple[str, int]] = ()


@dataclass(frozen=True)
class Suggestion:
    """What a column of the file probably is. `column` None: no suggestion. `reason`: a sentence for an admin.

    `confidence` is between 0 and 1. Below `CONFIDENT` the suggestion is a guess: show it, but do not select it.
    """

    column: Column | None
    confidence: float
    reason: str


@dataclass(frozen=True)
class Suggestions:
    """Suggestions for a file: one for each of its columns, each of our columns at most once.

    `constants`: values for all rows of columns that the file does not have, not even as a guess. `values`: translations
    of cells below the suggested columns, as written in the file, that their readers do not understand. `also`: further
    columns of ours that a column of the file (its index) supplies too; `values` has their own translations.
    `number_format` as in R14b.
    """

    columns: tuple[Suggestion, ...]
    constants: Mapping[Column, str] = field(default_factory=dict)
    values: Mapping[Column, Mapping[str, str]] = field(default_factory=dict)
    number_format: NumberFormatName = "auto"
    also: Mapping[Column, int] = field(default_factory=dict)


NOTHING = Suggestion(None, 0.0, "")
