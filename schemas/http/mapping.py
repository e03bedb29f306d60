"""The body of a column mapping (R31), and the columns of a file as a job shows them. A published contract."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictInt, StringConstraints, model_validator

from schemas.column_mapping import LONGEST_TEXT, MOST_VALUES, ColumnMapping
from schemas.http.json_text import from_text

MOST_OURS = 20  # members: more than we have columns
LAST_COLUMN = 100_000

_Text = Annotated[str, StringConstraints(max_length=LONGEST_TEXT)]
_Name = Annotated[str, StringConstraints(min_length=1, max_length=60)]
_Translations = Annotated[dict[_Text, _Text], Field(max_length=MOST_VALUES)]


class MappingBody(BaseModel):
    """Which column of the file is which of ours. What it leaves out is recognised from the column names as usual."""

    model_config = ConfigDict(extra="forbid")

    columns: Annotated[
        dict[_Name, Annotated[StrictInt, Field(ge=1, le=LAST_COLUMN)] | _Text | None], Field(max_length=MOST_OURS)
    ] = Field(
        {},
        description="Our column -> the file's column: its name, or its number counted from 1. null: not in the file. "
        "One column of the file may feed several of ours.",
        examples=[{"Phone Number": "TN", "Voice": 3}],
    )
    constants: Annotated[dict[_Name, _Text], Field(max_length=MOST_OURS)] = Field(
        {},
        description="Our column -> the text of a cell that every row has, for a column that the file does not have.",
        examples=[{"Country Code": "US", "SMS": "TRUE"}],
    )
    values: Annotated[dict[_Name, _Translations], Field(max_length=MOST_OURS)] = Field(
        {},
        description="Our column -> text in a cell -> the text to read instead. Case is ignored.",
        examples=[{"Voice": {"Y": "TRUE"}}],
    )

    @model_validator(mode="after")
    def _check(self) -> MappingBody:
        self.parsed()
        return self

    def parsed(self) -> ColumnMapping:
        """Return the mapping; `ValueError` as for `ColumnMapping.from_json`."""
        return ColumnMapping.from_json(self.model_dump())


Mapping = Annotated[
    MappingBody,
    BeforeValidator(from_text),
    Field(description="Which column of the file is which of ours, for a file that does not explain itself (JSON)."),
]
ProfileReference = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200),
    Field(
        description="Name or id of an import profile, whose mapping and options are taken unless the request has its "
        "own. none: no profile is taken, even if one has the file's column names."
    ),
]


class ValueCount(BaseModel):
    """One of a column's values and how many rows have it."""

    value: str
    count: int
    reads_as: str | None = Field(
        None, description="What the value means in a column of a capability: TRUE, FALSE, or null if that is not known."
    )


class FileColumn(BaseModel):
    """A column of the file, and which of ours it is, or may be."""

    index: int = Field(description="Counted from 1.")
    header: str = Field(description="Empty if the file has no column names.")
    samples: list[str] = Field(description="The first cells that are not empty, at most five.")
    values: list[ValueCount] = Field(
        description="All values of the column, the most frequent first; empty if it has more than 50."
    )
    column: str | None = Field(description="The column of ours that it is read as, or that we suggest.")
    also: list[str] = Field([], description="Further columns of ours that it feeds.")
    confidence: float = Field(description="0 to 1; 1 where the column is settled.")
    reason: str = Field("", description="Why it is suggested.")


class Suggested(BaseModel):
    """What we suggest besides the columns, for a mapping."""

    constants: dict[str, str] = {}
    values: dict[str, dict[str, str]] = {}
    number_format: Literal["auto", "national", "international"] = "auto"


class TopRow(BaseModel):
    """One of the first rows of the file, to choose the row with the column names from."""

    row: int
    cells: list[str]


class EffectiveMapping(BaseModel):
    """How the file is read: every column by its number."""

    columns: dict[str, int]
    constants: dict[str, str] = {}
    values: dict[str, dict[str, str]] = {}


class ProfileRef(BaseModel):
    """The import profile that a mapping is from."""

    id: str
    name: str
