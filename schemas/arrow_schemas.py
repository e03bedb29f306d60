"""Arrow schemas of the files between the stages. One definition for writer, merger and reader.

`place` is a row index: the position among the file's data rows (from 0). `row` is the spreadsheet's own row number.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from schemas.capabilities import CAPABILITY_NAMES, CARRIER_FIELDS
from schemas.codes import BY_NUMBER, FAULTS, WARNINGS, Code, Outcome, number_of, result_of, warning_bit
from schemas.columns import Column
from schemas.jobs import Seen, Tally

_CAPABILITIES = [(name, pa.int8()) for name in CAPABILITY_NAMES]
_CARRIER_IDS = [(carrier.id_name, pa.int32()) for carrier in CARRIER_FIELDS]

# The result of every row, in file order. After the check, `code` 0 means "will be written"; in the end every row has a
# code. `duplicate_of` is the row number of the first occurrence, 0 if there is none; `e164` is 0 if unknown. A row
# contains `numbers` numbers, beginning with `e164` (R12); `written` counts those that were written.
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

# The rows of one batch, each validated by itself. Columns as in RESULTS; capabilities are 1, 0 or -1 (empty cell); ids
# are 0 if the row names none. `evidence`: bits of `worker.phone.Evidence`; `alternative`: the number in its other
# reading; `candidates`: the readings in several countries (R14c), each with its kind in the lowest byte.
VALIDATED = pa.schema(
    [
        ("row", pa.int64()),
        ("code", pa.uint8()),
        ("faults", pa.uint64()),
        ("warnings", pa.uint32()),
        ("e164", pa.int64()),
        *_CAPABILITIES,
        *_CARRIER_IDS,
        ("target_id", pa.int32()),
        ("user_id", pa.int32()),
        ("service", pa.int8()),
        ("numbers", pa.int32()),
        ("evidence", pa.uint8()),
        ("alternative", pa.int64()),
        ("candidates", pa.list_(pa.int64())),
    ]
)

# The numbers to write, one line per number, sorted by number. A row with a block of numbers has several consecutive
# lines with the same `place` in one chunk. Capabilities and ids as in VALIDATED.
CHUNK = pa.schema(
    [
        ("place", pa.int64()),
        ("row", pa.int64()),
        ("e164", pa.int64()),
        *_CAPABILITIES,
        ("warnings", pa.uint32()),
        *_CARRIER_IDS,
        ("target_id", pa.int32()),
        ("user_id", pa.int32()),
        ("service", pa.int8()),
    ]
)

# The state of numbers in the inventory. Capabilities and `voice_forwarded` are 1 or 0; ids are 0 for none.
STATE = pa.schema(
    [
        ("created_job_id", pa.int64()),
        ("changed_job_id", pa.int64()),
        ("holder_id", pa.int32()),
        ("uploader_id", pa.int32()),
        *_CAPABILITIES,
        *_CARRIER_IDS,
        ("voice_user_id", pa.int32()),
        ("sms_user_id", pa.int32()),
        ("voice_forwarded", pa.int8()),
    ]
)

# Before-images: the state of numbers before a chunk changed them, ascending by number. `existed` is 0 if the number did
# not exist before: a restored number, or a new number of a block. Other new numbers have no before-image: their version
# is the job (R27). `stamp` is the version (`changed_job_id`) after the chunk, 0 if the chunk deleted the number.
IMAGES = pa.schema([("e164", pa.int64()), ("existed", pa.int8()), ("stamp", pa.int64()), *STATE])

# What a chunk changed in the inventory (R34), ascending by number: columns of STATE, without the versions, before and
# after the chunk. Where the number did not exist, or does not exist any more, all of them are 0, even the holder.
CHANGED_STATE = tuple(name for name in STATE.names if not name.endswith("_job_id"))
CHANGES = pa.schema(
    [
        ("e164", pa.int64()),
        *((f"{when}_{name}", STATE.field(name).type) for when in ("before", "after") for name in CHANGED_STATE),
    ]
)

# Rows of an undo, sorted by number: the before-images to restore.
UNDO_CHUNK = pa.schema([("place", pa.int64()), ("row", pa.int64()), ("warnings", pa.uint32()), *IMAGES])

# The results of a chunk's rows, in the chunk's order, one line per row. `written`: how many of the row's numbers were
# written.
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

# Corrected cells of an upload under review (R33), sorted by all columns but the last. `row` is the row number, `column`
# a `schemas.columns.Column`; NONE: the row is left out, and has no text. `correction`: the correction's number in its
# job; 0: taken over from an earlier job.
CORRECTED_CELLS = pa.schema(
    [("row", pa.int64()), ("column", pa.int8()), ("correction", pa.int32()), ("text", pa.string())]
)


# The number of each fault's code, in the order of the faults' bits.
_FAULT_CODES = np.array([number_of(fault.code) for fault in FAULTS], dtype=np.uint8)


def first_lines(table: pa.Table) -> np.ndarray:
    """Return which lines of a chunk are the first of their row: bool, one per line."""
    row_index = table.column("place").to_numpy()
    first: np.ndarray = np.concatenate([[True], row_index[1:] != row_index[:-1]])[: len(row_index)]
    return first


def first_code(faults: np.ndarray) -> np.ndarray:
    """Return the number (uint8) of the most specific code of each row's faults (uint64), 0 if there is none."""
    codes = np.zeros(len(faults), dtype=np.uint8)
    failed = np.flatnonzero(faults)  # usually few
    fault_bits = faults[failed].astype(np.uint64)
    lowest = fault_bits & (~fault_bits + np.uint64(1))
    codes[failed] = _FAULT_CODES[np.log2(lowest).astype(np.uint8)]  # exact for powers of two
    return codes


_KINDS = 256  # codes are uint8


def tally(table: pa.Table) -> Tally:
    """Count results (any table with `row`, `code`, `faults`, `warnings`). Rows with `code` 0 are not decided yet."""
    # During the check most rows are undecided, so the decided ones are picked batch by batch.
    parts = [_settled(batch) for batch in table.select(["row", "code", "faults", "warnings"]).to_batches()]
    if not parts:
        return Tally()
    row, code, faults, warnings = (np.concatenate(values) for values in zip(*parts, strict=True))
    results: dict[tuple[Outcome, Code], Seen] = {}
    # There are few codes and many rows, so all codes are counted in one pass.
    kinds = code.astype(np.uint16) + np.where(faults != 0, np.uint16(_KINDS), np.uint16(0))
    counts = np.bincount(kinds, minlength=2 * _KINDS)
    for kind in np.flatnonzero(counts).tolist():
        failed, number = divmod(kind, _KINDS)
        code_of_row = BY_NUMBER[number]
        first = int(row[kinds == kind].min())  # rows of a chunk are in the order of their numbers
        results[result_of(code_of_row, failed), code_of_row] = Seen(int(counts[kind]), first)
    return Tally(results, int(np.count_nonzero(warnings)), _warnings(warnings))


def _warnings(bits: np.ndarray) -> dict[Code, int]:
    """Return how many rows have each warning."""
    bits = bits[bits != 0]
    counts = {code: int(np.count_nonzero(bits & np.uint32(warning_bit(code)))) for code in WARNINGS if len(bits)}
    return {code: count for code, count in counts.items() if count}


def causes(table: pa.Table) -> dict[tuple[Outcome, Code, Column], Seen]:
    """Count results like `tally`, failed rows also by the column of the fault that gave them their code."""
    counted = {(*key, Column.NONE): seen for key, seen in tally(table).results.items() if key[0] is not Outcome.FAILED}
    row, code, faults = (table.column(name).to_numpy() for name in ("row", "code", "faults"))
    failed = np.flatnonzero(faults)
    kinds = code[failed].astype(np.int64) + _KINDS * _first_fault(faults[failed])
    for kind, count in enumerate(np.bincount(kinds).tolist()):
        if not count:
            continue
        bit, number = divmod(kind, _KINDS)
        fault = FAULTS[bit]
        column = fault.column if fault.code is BY_NUMBER[number] else Column.NONE
        key, seen = (Outcome.FAILED, BY_NUMBER[number], column), Seen(count, int(row[failed[kinds == kind]].min()))
        counted[key] = counted[key] + seen if key in counted else seen
    return counted


def has_first_fault_at(faults: np.ndarray, column: Column) -> np.ndarray:
    """Return whether the fault that gave each row its code is in a column (bool, n)."""
    bits = np.array([fault.column is column for fault in FAULTS])
    failed: np.ndarray = faults != 0
    failed[failed] = bits[_first_fault(faults[failed])]
    return failed


def _first_fault(faults: np.ndarray) -> np.ndarray:
    """Return the index in `FAULTS` of the first fault of each row; every row must have one (int64, n)."""
    lowest = faults & (~faults + np.uint64(1))
    indices: np.ndarray = np.log2(lowest.astype(np.float64)).astype(np.int64)
    return indices


def _settled(batch: pa.RecordBatch) -> list[np.ndarray]:
    """Return the columns of a batch of results, limited to the rows that have a `code` (the second column)."""
    columns = [column.to_numpy(zero_copy_only=False) for column in batch.columns]
    settled = np.flatnonzero(columns[1])
    return columns if len(settled) == len(columns[1]) else [values[settled] for values in columns]
