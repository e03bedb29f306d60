"""The types that the modules of the reader pass to each other and to the later stages.

No behavior, apart from raising `FileFault`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from schemas.codes import Code
from schemas.column_mapping import NO_MAPPING, ColumnMapping
from schemas.columns import Column

Cells = list[str]
HEADER_WITHIN = 50  # rows that are not blank; titles and remarks above the header are shorter


class FileFault(Exception):  # noqa: N818 - a fault of the file, not an error of the service
    """The whole file cannot be used: `code` is the problem of the job, `detail` a sentence for the uploader."""

    def __init__(self, code: Code, detail: str, context: Mapping[str, object] | None = None) -> None:
        super().__init__(code, detail, context)
        self.code = code
        self.detail = detail
        self.context: dict[str, object] = dict(context or {})

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}"


def fault(code: Code, detail: str, **context: object) -> NoReturn:
    """Raise `FileFault` with `context`, the facts about the fault, as keyword arguments."""
    raise FileFault(code, detail, context)


@dataclass(frozen=True)
class Limits:
    """Limits on one file. Sizes in bytes; `child_seconds` limits both CPU time and wall-clock time.

    `block`: the most numbers that one row may stand for.
    `batch_rows`: the rows per batch; a bound on memory, not a limit on the file.
    `inflated_ratio`: the most times its packed size that a file may unpack to. Deflate reaches 1032:1 at most; tables
    of numbers reach about 40:1, very uniform ones 300:1. Small files are exempt.
    """

    bytes: int
    rows: int
    columns: int
    cell_chars: int
    inflated_bytes: int
    child_memory_bytes: int
    child_seconds: float
    inflated_ratio: int = 400
    sheets: int = 1000
    block: int = 10_000
    batch_rows: int = 1 << 17


@dataclass(frozen=True)
class MatchingProfile:
    """An import profile whose column names are those of a row of the file (R32), and its public id."""

    id: str
    name: str
    mapping: ColumnMapping


Profiles = Callable[[Sequence[str]], MatchingProfile | Sequence[str]]
"""Returns the profile for a row of column names; or the names of several that fit alike, or nothing."""


def no_profiles(_headers: Sequence[str]) -> Sequence[str]:
    """Return no profile, whatever the row."""
    return ()


@dataclass(frozen=True)
class ReadOptions:
    """The uploader's options for reading the file; None is detected from the file.

    `delimiter` is one character, `encoding` a codec name, `sheet` a worksheet name; `header_row` counts from 1, 0: the
    file has no column names. `mapping` is what the uploader states about the columns (R31). `profiles` finds the import
    profile for a file that does not explain itself (R32).
    """

    delimiter: str | None = None
    encoding: str | None = None
    sheet: str | None = None
    header_row: int | None = None
    mapping: ColumnMapping = NO_MAPPING
    profiles: Profiles = no_profiles


NO_OPTIONS = ReadOptions()


@dataclass(frozen=True)
class FileFacts:
    """How the file is read: `columns` are the header cells as written, `mapping` has their indices by meaning.

    `format` is "csv", or the workbook's: "xlsx", "xlsm", "xls", "xlsb", "ods". `header_row` is the row of the column
    names, 0 if the file has none. `ignored_columns` are named columns without a meaning here; `notes` are sentences for
    the uploader. `constants` and `values` are those of the mapping (`schemas.column_mapping`). `numbers`: the number in
    the file, from 1, of each of `columns`; empty if they are the same. `profile`: the import profile that was taken
    without being asked for.
    """

    format: str
    encoding: str | None
    delimiter: str | None
    sheet: str | None
    header_row: int
    columns: tuple[str, ...]
    mapping: Mapping[Column, int]
    ignored_columns: tuple[str, ...]
    notes: tuple[str, ...]
    constants: Mapping[Column, str] = field(default_factory=dict)
    values: Mapping[Column, Mapping[str, str]] = field(default_factory=dict)
    numbers: tuple[int, ...] = ()
    profile: MatchingProfile | None = None


@dataclass(frozen=True)
class RowBatch:
    """Up to `Limits.batch_rows` rows in file order; the first four fields have the same length.

    `row_number` int64, as the spreadsheet program counts. `cells`: one `pa.string()` column per header column, "" where
    the file has no cell. `too_wide` bool: there is text beyond the last column. `blank` bool: only white space.
    `surplus`: row index in the batch -> the text beyond the last column.
    """

    row_number: npt.NDArray[np.int64]
    cells: pa.RecordBatch
    too_wide: npt.NDArray[np.bool_]
    blank: npt.NDArray[np.bool_]
    surplus: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Block:
    """Rows as a format yields them, with header row and blank rows: one array per column of the header row."""

    row_number: npt.NDArray[np.int64]
    columns: list[pa.Array]
    too_wide: npt.NDArray[np.bool_]
    surplus: Mapping[int, str] = field(default_factory=dict)


class Source(Protocol):
    """One file, read by its format. Every method may be called again and starts from the first row."""

    @property
    def format(self) -> str: ...
    @property
    def encoding(self) -> str | None: ...
    @property
    def delimiter(self) -> str | None: ...
    @property
    def sheet(self) -> str | None: ...
    @property
    def notes(self) -> tuple[str, ...]: ...

    def top(self) -> Iterator[tuple[int, Cells]]:
        """Yield row number and cells from the first row on, as far as a header is searched for."""

    def reach(self, header_row: int) -> int:
        """Return how many columns have text below the header row, as far as known in advance."""

    def blocks(self, width: int) -> Iterator[Block]:
        """Yield all rows, each with exactly `width` cells."""
