"""Options that override the detection of a file's format and of how its numbers are written."""

from __future__ import annotations

import codecs
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from schemas.http.constraints import none_if_empty

DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
LONGEST_SHEET = 255  # characters; Excel allows 31, OpenDocument more
LAST_HEADER_ROW = 10_000

# Text encodings in which spreadsheets are exported, under their Python names.
_ENCODINGS = (
    "ascii", "utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-32",
    *(f"cp{number}" for number in (437, 850, 852, 858, 866, 932, 949, 950, *range(1250, 1259))),
    *(f"iso8859-{part}" for part in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16)),
    "mac_roman", "koi8-r", "koi8-u", "shift_jis", "euc_jp", "gbk", "gb18030", "big5", "euc_kr",
)  # fmt: skip
_KNOWN = frozenset(codecs.lookup(name).name for name in _ENCODINGS)


def _delimiter(value: object) -> object:
    named = DELIMITERS.get(value.strip().casefold(), value) if isinstance(value, str) else value
    if named not in DELIMITERS.values():
        raise ValueError("must be comma, semicolon, tab or pipe")
    return named


def _encoding(text: str) -> str:
    try:
        name = codecs.lookup(text.strip()).name
    except (LookupError, ValueError):
        name = ""
    if name not in _KNOWN:
        raise ValueError("must be a text encoding such as utf-8, windows-1252, iso-8859-15 or utf-16")
    return name


Delimiter = Annotated[
    str,
    BeforeValidator(_delimiter),
    Field(json_schema_extra={"enum": [*DELIMITERS, *DELIMITERS.values()]}),
]

Sheet = Annotated[str, Field(max_length=LONGEST_SHEET, pattern=r"^[^\x00-\x1f]*$"), AfterValidator(none_if_empty)]


class NumberReading(BaseModel):
    """How to read numbers without + or 00 (R14b)."""

    model_config = ConfigDict(extra="forbid")

    number_format: Literal["auto", "national", "international"] = Field(
        "auto",
        description="Format of numbers without + or 00. auto: detected from the column. "
        "national: as dialled in the country. international: with the calling code, without +.",
    )


class FileOptions(BaseModel):
    """How to read a file whose format would be detected wrongly."""

    model_config = ConfigDict(extra="forbid")

    delimiter: Delimiter | None = Field(None, description="Separator in a text file: comma, semicolon, tab or pipe.")
    encoding: Annotated[str, Field(max_length=40), AfterValidator(_encoding)] | None = Field(
        None, description="Encoding of a text file, such as windows-1252."
    )
    sheet: (
        Annotated[str, Field(max_length=LONGEST_SHEET, pattern=r"^[^\x00-\x1f]*$"), AfterValidator(none_if_empty)]
        | None
    ) = Field(None, description="Name of the worksheet to read.")
    header_row: Annotated[int, Field(ge=0, le=LAST_HEADER_ROW)] | None = Field(
        None, description="Row with the column names, counted as in a spreadsheet program. 0: the file has none."
    )


class FileForm(FileOptions):
    """Form fields that any file upload accepts."""

    parent_job_id: Annotated[str, Field(max_length=40)] | None = Field(
        None, description="Job whose failed rows this file corrects."
    )
