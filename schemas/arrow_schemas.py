"""The files between the stages: their columns and types. One definition for writer, merger and reader.

`place` is a row's position among the file's data rows (from 0); `row` is the spreadsheet's own row number.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from schemas.codes import BY_NUMBER, FAULTS, Code, Outcome, number_of, result_of
from schemas.jobs import Seen, Tally

# The result of every row, in file order. After checking, `code` 0 stands for "goes on to be written"; in the end every
# row has its code. `duplicate_of` is the first row's own number, 0 where there is none; `e164` is 0 where unknown.
# A row stands for `numbers` numbers, from `e164` on (R12), of which so many were `written` in the end.
RESULTS = pa.schema(
    [
        ("row", pa.int64()),
        ("code", pa.uint8()),
        ("faults", pa.uint64()),
        ("warnings", pa.uint32()),
        ("e164", pa.int64()),
        ("duplicate_of", pa.int64()),
        ("numbers", pa.int32()),
        ("written", pa.int32()),
    ]
)

# The rows of one batch, each validated by itself. As in RESULTS; capabilities are 1, 0 or -1 (left empty); ids are 0
# where the row names none. `evidence`: bits of `worker.phone.Evidence`; `alternative`: the number as read otherwise;
# `candidates`: the readings in several countries (R14c), each with its kind in the lowest byte.
CHECKED = pa.schema(
    [
        ("row", pa.int64()),
        ("code", pa.uint8()),
        ("faults", pa.uint64()),
        ("warnings", pa.uint32()),
        ("e164", pa.int64()),
        ("voice", pa.int8()),
        ("sms", pa.int8()),
        ("fax", pa.int8()),
        ("voice_carrier_id", pa.int32()),
        ("sms_carrier_id", pa.int32()),
        ("target_id", pa.int32()),
        ("user_id", pa.int32()),
        ("service", pa.int8()),
        ("numbers", pa.int32()),
        ("evidence", pa.uint8()),
        ("alternative", pa.int64()),
        ("candidates", pa.list_(pa.int64())),
    ]
)

# What is to be written, a line for each number, sorted by number; a row that stands for a block has several lines, with
# the same `place`, one after the other in one chunk. Capabilities and ids as in CHECKED.
CHUNK = pa.schema(
    [
        ("place", pa.int64()),
        ("row", pa.int64()),
        ("e164", pa.int64()),
        ("voice", pa.int8()),
        ("sms", pa.int8()),
        ("fax", pa.int8()),
        ("warnings", pa.uint32()),
        ("voice_carrier_id", pa.int32()),
        ("sms_carrier_id", pa.int32()),
        ("target_id", pa.int32()),
        ("user_id", pa.int32()),
        ("service", pa.int8()),
    ]
)

# How numbers stand in the inventory. Capabilities and `voice_forwarded` are 1 or 0; ids are 0 where there is none.
STATE = pa.schema(
    [
        ("created_job_id", pa.int64()),
        ("changed_job_id", pa.int64()),
        ("holder_id", pa.int32()),
        ("uploader_id", pa.int32()),
        ("voice", pa.int8()),
        ("sms", pa.int8()),
        ("fax", pa.int8()),
        ("voice_carrier_id", pa.int32()),
        ("sms_carrier_id", pa.int32()),
        ("voice_user_id", pa.int32()),
        ("sms_user_id", pa.int32()),
        ("voice_forwarded", pa.int8()),
    ]
)

# Numbers as they were before a chunk changed them, by ascending number. `existed` is 0 for one that the chunk brought
# back; `stamp` is the `changed_job_id` that the chunk left it with, 0 where it removed the number. A number that was
# merely created has no image: there was none before, and its stamp is the job (R27).
IMAGES = pa.schema([("e164", pa.int64()), ("existed", pa.int8()), ("stamp", pa.int64()), *STATE])

# Rows of an undo, sorted by number: what stands in the image of the number that is to be put back.
UNDO_CHUNK = pa.schema([("place", pa.int64()), ("row", pa.int64()), ("warnings", pa.uint32()), *IMAGES])

# What became of a chunk's rows, in the chunk's order, a line for each row. `written`: how many of its numbers were.
CHUNK_RESULTS = pa.schema(
    [
        ("place", pa.int64()),
        ("row", pa.int64()),
        ("code", pa.uint8()),
        ("faults", pa.uint64()),
        ("warnings", pa.uint32()),
        ("written", pa.int32()),
    ]
)


# The code's number of every fault, in the order of its bit.
_FAULT_CODES = np.array([number_of(fault.code) for fault in FAULTS], dtype=np.uint8)


def first_lines(table: pa.Table) -> np.ndarray:
    """Which lines of a chunk are the first of their row: bool, one per line."""
    place = table.column("place").to_numpy()
    first: np.ndarray = np.concatenate([[True], place[1:] != place[:-1]])[: len(place)]
    return first


def first_code(faults: np.ndarray) -> np.ndarray:
    """The number (uint8) of the most telling code of each row's faults (uint64), 0 where there is none."""
    codes = np.zeros(len(faults), dtype=np.uint8)
    failed = np.flatnonzero(faults)  # few, as a rule
    found = faults[failed].astype(np.uint64)
    lowest = found & (~found + np.uint64(1))
    codes[failed] = _FAULT_CODES[np.log2(lowest).astype(np.uint8)]  # exact for powers of two
    return codes


_KINDS = 256  # codes are uint8


def tally(table: pa.Table) -> Tally:
    """Count results (any table with `row`, `code`, `faults`, `warnings`). Rows with `code` 0 are not settled yet."""
    # Most rows are not settled while a file is being checked, so what is looked at is picked batch by batch.
    parts = [_settled(batch) for batch in table.select(["row", "code", "faults", "warnings"]).to_batches()]
    if not parts:
        return Tally()
    row, code, faults, warnings = (np.concatenate(values) for values in zip(*parts, strict=True))
    found: dict[tuple[Outcome, Code], Seen] = {}
    # Codes are few and rows are many: counted all at once.
    kinds = code.astype(np.uint16) + np.where(faults != 0, np.uint16(_KINDS), np.uint16(0))
    counts = np.bincount(kinds, minlength=2 * _KINDS)
    for kind in np.flatnonzero(counts).tolist():
        failed, number = divmod(kind, _KINDS)
        known = BY_NUMBER[number]
        first = int(row[kinds == kind].min())  # rows of a chunk stand in the order of their numbers
        found[result_of(known, failed), known] = Seen(int(counts[kind]), first)
    return Tally(found, int(np.count_nonzero(warnings)))


def _settled(batch: pa.RecordBatch) -> list[np.ndarray]:
    """The columns of a batch of results, the second of which is `code`, of the rows that have one."""
    columns = [column.to_numpy(zero_copy_only=False) for column in batch.columns]
    settled = np.flatnonzero(columns[1])
    return columns if len(settled) == len(columns[1]) else [values[settled] for values in columns]
