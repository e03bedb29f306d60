"""Plan an undo: from a job's results and before-images, derive the rows that restore its numbers.

No database access. `resolve` decides whether a number may be restored, from its state at that time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from schemas.arrow_schemas import IMAGES, RESULTS, STATE, UNDO_CHUNK, first_lines
from schemas.codes import Code, number_of
from worker.stages.number_ranges import cuts


@dataclass(frozen=True)
class UndoPlan:
    """The result of every row (`schemas.arrow_schemas.RESULTS`), and the rows to restore, by ascending number."""

    results: pa.Table
    rows: pa.Table

    def chunks(self, size: int) -> Iterator[pa.Table]:
        """Yield the rows to restore in chunks of about `size` numbers (`schemas.arrow_schemas.UNDO_CHUNK`)."""
        first = np.flatnonzero(first_lines(self.rows))
        bounds = np.append(first, self.rows.num_rows)
        for part in cuts(np.diff(bounds), size):
            yield self.rows.slice(bounds[part.start], bounds[part.stop] - bounds[part.start])


def plan_undo(results: pa.Table, images: Sequence[pa.Table], job_id: int) -> UndoPlan:
    """Plan to undo the job `job_id` from its `results` (RESULTS; code 0: not reached) and before-images (IMAGES).

    Rows that the job did not write need no undo: they are settled as NO_CHANGE.
    """
    row, e164, numbers = (results.column(name).to_numpy() for name in ("row", "e164", "numbers"))
    written = results.column("written").to_numpy() > 0
    zeros = np.zeros(len(row), dtype=np.int64)
    settled = {
        "row": row,
        "code": np.where(written, 0, number_of(Code.NO_CHANGE)),
        "faults": zeros,
        "warnings": zeros,
        "e164": e164,
        "duplicate_of": zeros,
    }
    image = pa.concat_tables(images).sort_by("e164") if images else IMAGES.empty_table()
    row_index, number = _numbers_of(np.flatnonzero(written), e164, numbers, image)
    settled |= {"numbers": numbers, "written": zeros}
    columns = {"place": row_index, "row": row[row_index], "warnings": zeros[row_index]} | _before(number, image, job_id)
    return UndoPlan(
        pa.table([pa.array(settled[field.name], field.type) for field in RESULTS], schema=RESULTS),
        pa.table([pa.array(columns[field.name], field.type) for field in UNDO_CHUNK], schema=UNDO_CHUNK),
    )


def _numbers_of(
    row_index: np.ndarray, e164: np.ndarray, numbers: np.ndarray, image: pa.Table
) -> tuple[np.ndarray, np.ndarray]:
    """Return the row indices and the numbers of rows, one line per number, ascending.

    Of a block (R12), only numbers with a before-image are included: the job did not change the others.
    """
    blocks = row_index[numbers[row_index] > 1]
    row_index = row_index[numbers[row_index] <= 1]
    changed = image.column("e164").to_numpy()
    begin, end = (np.searchsorted(changed, e164[blocks] + offset) for offset in (0, numbers[blocks]))
    places = np.concatenate([row_index, np.repeat(blocks, end - begin)])
    inside = [changed[first:last] for first, last in zip(begin, end, strict=True)]
    numbers_found = np.concatenate([e164[row_index], *inside])
    order = np.argsort(numbers_found, kind="stable")
    return places[order], numbers_found[order]


def _before(e164: np.ndarray, image: pa.Table, job_id: int) -> dict[str, np.ndarray]:
    """Return the before-image of each number (ascending). A number that the job created has none: it did not exist."""
    columns = {"e164": e164, "existed": np.zeros(len(e164), np.int8), "stamp": np.full(len(e164), job_id)}
    columns |= {name: np.zeros(len(e164), np.int64) for name in STATE.names}
    at = np.searchsorted(e164, image.column("e164").to_numpy())
    for name in IMAGES.names[1:]:
        columns[name][at] = image.column(name).to_numpy()
    return columns
