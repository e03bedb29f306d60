"""The bodies of corrections of an upload under review (R33), version 1. A published contract."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StrictInt, StringConstraints, model_validator

from schemas.corrections import LONGEST_BY_RULE, LONGEST_CELL, MOST_CELLS, MOST_RULES, Correction
from schemas.http.resources import RowFault

MOST_PREVIEWED_RULES = 20  # of one question: each is examined by itself
MOST_PREVIEWED_ROWS = 500  # that one question may name: each is described in the answer

_Name = Annotated[str, StringConstraints(min_length=1, max_length=60)]
_Cell = Annotated[str, StringConstraints(max_length=LONGEST_CELL)]
_ByRule = Annotated[str, StringConstraints(max_length=LONGEST_BY_RULE)]
_RowNumber = Annotated[StrictInt, Field(ge=1, le=100_000_000)]


class RuleBody(BaseModel):
    """What to do with all failed rows of one cause, or with one value. It needs a `code`, `equals` or `replace`."""

    model_config = ConfigDict(extra="forbid")

    column: _Name | None = Field(
        None, description="Our column. Not needed to leave out rows with a fault of no column."
    )
    code: _Name | None = Field(None, description="Only rows with this fault in the column.", examples=["MISSING_VALUE"])
    equals: _Cell | None = Field(None, description="Only cells with this text. Case and extra spaces are ignored.")
    set: _ByRule | None = Field(None, description="The new text of these cells.", examples=["1"])
    replace: Annotated[list[_Cell], Field(min_length=2, max_length=2)] | None = Field(
        None, description="The text inside these cells to replace, and its replacement.", examples=[["O", "0"]]
    )
    leave_out: bool = Field(default=False, description="Leave the rows out instead.")


class CellBody(BaseModel):
    """The new text of one cell."""

    model_config = ConfigDict(extra="forbid")

    row: _RowNumber = Field(description="The row's number in the spreadsheet (`row` of a job's rows).")
    column: _Name = Field(description="Our column.")
    value: _Cell


class CorrectionBody(BaseModel):
    """Rules, applied in their order to rows that fail; then cells of any row; then rows to leave out."""

    model_config = ConfigDict(extra="forbid")

    rules: Annotated[list[RuleBody], Field(max_length=MOST_RULES)] = []
    cells: Annotated[list[CellBody], Field(max_length=MOST_CELLS)] = []
    leave_out: Annotated[list[_RowNumber], Field(max_length=MOST_CELLS)] = Field(
        [], description="Numbers of rows that are skipped (LEFT_OUT)."
    )

    @model_validator(mode="after")
    def _check(self) -> CorrectionBody:
        self.parsed()
        if not (self.rules or self.cells or self.leave_out):
            raise ValueError("has no rule, no cell and no row to leave out")
        return self

    def parsed(self) -> Correction:
        """Return the correction; `ValueError` as for `Correction.from_json`."""
        return Correction.from_json(self.model_dump())


class CorrectionPreviewBody(CorrectionBody):
    """A correction to try; nothing is changed by it."""

    @model_validator(mode="after")
    def _check_size(self) -> CorrectionPreviewBody:
        if len(self.rules) > MOST_PREVIEWED_RULES:
            raise ValueError(f"has more than {MOST_PREVIEWED_RULES} rules")
        if len(self.parsed().rows) > MOST_PREVIEWED_ROWS:
            raise ValueError(f"names more than {MOST_PREVIEWED_ROWS} rows")
        return self


class RulePreview(BaseModel):
    """What one rule would do by itself."""

    rows: int = Field(description="Rows that it would change or leave out.")
    examined: int = Field(description="How many of them were validated with it: all, but at most 100,000.")
    right: int = Field(
        description="How many of those would have no fault left. Duplicates, and numbers that exist, show after it."
    )


class RowPreview(BaseModel):
    """A row as it would be; `right` if it would have no fault left."""

    row: int
    right: bool
    code: str
    column: str | None
    message: str
    fix: str | None
    number: str | None
    warnings: list[str]
    faults: list[RowFault]


class CorrectionPreview(BaseModel):
    """What a correction would do: each rule by itself, in their order, and every row that it names."""

    rules: list[RulePreview]
    rows: list[RowPreview]


class CorrectionView(CorrectionBody):
    """A correction of a job."""

    number: int
    created_at: datetime
    created_by: str
    rows: int | None = Field(description="How many rows it changed or left out; null while it is being applied.")


class CorrectionList(BaseModel):
    """All corrections of a job, in their order."""

    data: list[CorrectionView]
