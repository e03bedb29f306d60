"""Understand tables without a header row, if their columns are in the order of the sample file.

Infers nothing else: of two boolean columns, only the order shows which is Voice.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

import pyarrow as pa

from schemas.capabilities import CAPABILITIES
from schemas.columns import SAMPLE_COLUMNS, Column, Form
from worker.phone.country import read_country
from worker.spreadsheet import cell_repair
from worker.stages.reading.model import Cells

# Share of the rows that must fit; the others may be damaged or remarks.
MOST = 0.8
LEAST_ROWS = 1
_NUMBER = re.compile(r"""[\s'"=]*\+?(?:[\s().\-/]*\d){6,15}[\s"]*(?:[.,]0+)?|\s*\d[.,]\d+[eE]\+?\d{1,2}\s*""")


def columns_without_header(rows: Sequence[Cells], form: Form) -> Mapping[Column, int] | None:
    """Return column -> index for rows that are not blank, or None if their columns fit no order."""
    for order in _orders(form):
        if len(rows) >= LEAST_ROWS and all(_fits(rows, index, column) for index, column in enumerate(order)):
            return {column: index for index, column in enumerate(order)}
    return None


def _orders(form: Form) -> list[tuple[Column, ...]]:
    """Return the column orders to try, most specific first."""
    if Column.VOICE in form.required:
        return [SAMPLE_COLUMNS, SAMPLE_COLUMNS[:-1]]  # the last one is not required
    return [(Column.COUNTRY_CODE, Column.PHONE_NUMBER), (Column.PHONE_NUMBER,)]


def _fits(rows: Sequence[Cells], index: int, column: Column) -> bool:
    texts = [row[index] if index < len(row) else "" for row in rows]
    return sum(map(_TESTS[column], texts)) >= len(texts) * MOST


def _is_country(text: str) -> bool:
    return read_country(text.strip()) is not None


def is_number(text: str) -> bool:
    """Return whether a cell looks like a phone number in any notation."""
    return _NUMBER.fullmatch(text) is not None


def _is_boolean(text: str) -> bool:
    return bool(text.strip()) and int(cell_repair.read_boolean(pa.array([text]), Column.VOICE).value[0]) >= 0


_TESTS: Mapping[Column, Callable[[str], bool]] = {
    Column.COUNTRY_CODE: _is_country,
    Column.PHONE_NUMBER: is_number,
    **{capability.column: _is_boolean for capability in CAPABILITIES},
}
