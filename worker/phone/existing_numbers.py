"""Read cells that name existing numbers (R14c): repair what spreadsheets did to them, then identify the numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.codes import FAULTS
from schemas.columns import Column
from worker.phone.identify import IdentifiedColumn, find_column, names_country
from worker.phone.validate_column import PhoneColumn
from worker.spreadsheet import cell_repair


def read_existing(
    country: pa.Array,
    number: pa.Array,
    calling_codes: Sequence[int],
    *,
    country_code: str | None = None,
    international: bool = False,
) -> IdentifiedColumn:
    """Identify n numbers from unrepaired cells (strings, no nulls).

    `country_code`: the country of numbers that name none. Other arguments as for `find_column`.
    """
    repaired_country, repaired = cell_repair.repair_country(country), cell_repair.repair_phone(number)
    texts = repaired_country.text
    if country_code:
        open_rows = pc.and_(pc.equal(texts, ""), pc.invert(pa.array(names_country(repaired.text))))
        texts = pc.if_else(open_rows, country_code, texts)
    identified = find_column(texts, repaired.text, repaired.was_numeric, calling_codes, international=international)
    put_repairs(identified.column, repaired_country, repaired)
    return identified


def put_repairs(column: PhoneColumn, country: cell_repair.Repaired, number: cell_repair.Repaired) -> None:
    """Add the faults and warnings of cell repair. A number that lost digits is not judged further."""
    lost = number.faults != 0
    column.faults[:] = _first_repair_then_number(number.faults, column.faults) | country.faults
    column.e164[lost], column.evidence[lost] = 0, 0
    column.warnings[:] |= country.warnings | number.warnings


def _first_repair_then_number(repair: np.ndarray, number: np.ndarray) -> np.ndarray:
    """Return the faults of both. If digits were lost, drop the other faults of the number: they would mislead."""
    country_bits = sum(1 << bit for bit, fault in enumerate(FAULTS) if fault.column is Column.COUNTRY_CODE)
    kept: np.ndarray = np.where(repair != 0, number & np.uint64(country_bits), number) | repair
    return kept.astype(np.uint64)
