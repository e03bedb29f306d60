"""The files between the stages: their columns and types. One definition for writer, merger and reader.

`place` is a row's position among the file's data rows (from 0); `row` is the spreadsheet's own row number.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from schemas.codes import BY_NUMBER, Code, Outcome, result_of
from schemas.jobs import Seen, Tally

# The result of every row, in file order. After checking, `code` 0 stands for "goes on to be written"; in the end every
# row has its code. `duplicate_of` is the first row's own number, 0 where there is none; `e164` is 0 where unknown.
RESULTS = pa.schema(
    [
        ("row", pa.int64()),
        ("code", pa.uint8()),
        ("faults", pa.uint32()),
        ("warnings", pa.uint32()),
        ("e164", pa.int64()),
        ("duplicate_of", pa.int64()),
    ]
)

# Rows to be written, sorted by number. Capabilities are 1, 0 or -1 (left empty); ids are 0 where the row names none.
CHUNK = pa.schema(
    [
        ("place", pa.int64()),
        ("row", pa.int64()),
        ("e164", pa.int64()),
        ("country", pa.string()),
        ("voice", pa.int8()),
        ("sms", pa.int8()),
        ("fax", pa.int8()),
        ("warnings", pa.uint32()),
        ("voice_carrier_id", pa.int32()),
        ("sms_carrier_id", pa.int32()),
        ("target_id", pa.int32()),
    ]
)

# What became of a chunk's rows, in the chunk's order.
CHUNK_RESULTS = pa.schema(
    [("place", pa.int64()), ("code", pa.uint8()), ("faults", pa.uint32()), ("warnings", pa.uint32())]
)


def tally(table: pa.Table) -> Tally:
    """Count results (any table with `row`, `code`, `faults`, `warnings`). Rows with `code` 0 are not settled yet."""
    row, code, faults, warnings = (table.column(name).to_numpy() for name in ("row", "code", "faults", "warnings"))
    found: dict[tuple[Outcome, Code], Seen] = {}
    for failed in (False, True):
        here = (faults != 0) == failed
        for number in np.unique(code[here]):
            if number == 0:
                continue
            rows = row[here & (code == number)]
            known = BY_NUMBER[int(number)]
            found[(result_of(known, int(failed)), known)] = Seen(len(rows), int(rows.min()))
    return Tally(found, int(np.count_nonzero(warnings[code != 0])))
