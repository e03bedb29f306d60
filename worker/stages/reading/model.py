"""What the parts of the reader hand to each other and to the stages after it.

Holds no behaviour beyond raising the one fault a file can have.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NoReturn, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from schemas.codes import Code
from schemas.columns import Column

Cells = list[str]
HEADER_WITHIN = 50  # rows that are not blank: titles and remarks above the header are no longer than that


class FileFault(Exception):  # noqa: N818 - the file's fault, not an error of ours
    """The whole file cannot be used: `code` is the job's problem, `detail` a sentence for the uploader."""

    def __init__(self, code: Code, detail: str, context: Mapping[str, object] | None = None) -> None:
        super().__init__(code, detail, context)
        self.code = code
        self.detail = detail
        self.context: dict[str, object] = dict(context or {})

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}"


def fault(code: Code, detail: str, **context: object) -> NoReturn:
    """Raise `FileFault` with what was found as keyword arguments."""
    raise FileFault(code, detail, context)


@dataclass(frozen=True)
class Limits:
    """What one file may cost. Sizes in bytes, `child_seconds` of both CPU and wall clock.

    `block`: how many numbers one row may stand for.
    `batch_rows`: how many rows it is read in at a time, no cost but a bound of memory.
    `inflated_ratio`: how many times its size a packed file may become. Deflate packs at most 1032 to 1; tables of
    numbers reach about 40 to 1, very uniform ones 300 to 1. Small files may become what they like.
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
class Hints:
    """What the uploader says about the file; None is found out by evidence.

    `delimiter` is one character, `encoding` a codec's name, `sheet` a worksheet's, `header_row` counts from 1.
    """

    delimiter: str | None = None
    encoding: str | None = None
    sheet: str | None = None
    header_row: int | None = None


NO_HINTS = Hints()


@dataclass(frozen=True)
class FileFacts:
    """What was decided about the file: `columns` are the header cells as given, `mapping` their places by meaning.

    `format` is "csv", or the workbook's: "xlsx", "xlsm", "xls", "xlsb", "ods". `header_row` is the row of the names, 0
    where the file has none. `ignored_columns` are named columns without a meaning here; `notes` are sentences.
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


@dataclass(frozen=True)
class RowBatch:
    """Up to `Limits.batch_rows` rows in file order; the first four have the same length.

    `row_number` int64, as the spreadsheet program counts; `cells` one `pa.string()` column per header column, "" where
    the file has none; `too_wide` bool, text stood beyond the last column; `blank` bool, nothing but white space.
    `surplus`: place -> that text, which no column has.
    """

    row_number: npt.NDArray[np.int64]
    cells: pa.RecordBatch
    too_wide: npt.NDArray[np.bool_]
    blank: npt.NDArray[np.bool_]
    surplus: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Block:
    """Rows as a format yields them, header row and blank rows included: one array per column of the header row."""

    row_number: npt.NDArray[np.int64]
    columns: list[pa.Array]
    too_wide: npt.NDArray[np.bool_]
    surplus: Mapping[int, str] = field(default_factory=dict)


class Source(Protocol):
    """A format's view of one file; every method may be called again and starts from the top."""

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
        """Row number and cells from the first row on, as far as a header may be looked for."""

    def reach(self, header_row: int) -> int:
        """How many columns hold text below the header row, as far as that is known beforehand."""

    def blocks(self, width: int) -> Iterator[Block]:
        """All rows, each with exactly `width` cells."""
