"""Plans an undo: from what a job did to each row, and how the numbers stood before, to the rows that put them back.

Data in, data out. Whether a number may be put back is decided by `resolve`, from how it stands then.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from schemas.codes import CATALOGUE, Code, Outcome, number_of
from schemas.results import IMAGES, RESULTS, STATE, UNDO_CHUNK

_WRITTEN = [
    entry.number for entry in CATALOGUE.values() if entry.outcome in {Outcome.CREATED, Outcome.UPDATED, Outcome.DELETED}
]


@dataclass(frozen=True)
class UndoPlan:
    """How every row of the undo stands (`schemas.results.RESULTS`), and the rows to put back, by ascending number."""

    results: pa.Table
    rows: pa.Table

    def chunks(self, size: int) -> Iterator[pa.Table]:
        """The rows to put back, `size` at a time (`schemas.results.UNDO_CHUNK`)."""
        return (self.rows.slice(start, size) for start in range(0, self.rows.num_rows, size))


def plan_undo(results: pa.Table, images: Sequence[pa.Table], job_id: int) -> UndoPlan:
    """Plan to undo the job `job_id` from its `results` (RESULTS; code 0: not reached) and `images` (IMAGES).

    Rows that the job did not write have nothing to be undone: they are settled as NO_CHANGE.
    """
    row, code, faults, e164 = (results.column(name).to_numpy() for name in ("row", "code", "faults", "e164"))
    written = np.isin(code, _WRITTEN) & (faults == 0)
    zeros = np.zeros(len(row), dtype=np.int64)
    settled = {
        "row": row,
        "code": np.where(written, 0, number_of(Code.NO_CHANGE)),
        "faults": zeros,
        "warnings": zeros,
        "e164": e164,
        "duplicate_of": zeros,
    }
    place = np.flatnonzero(written)
    place = place[np.argsort(e164[place], kind="stable")]
    columns = {"place": place, "row": row[place], "warnings": zeros[place]} | _before(e164[place], images, job_id)
    return UndoPlan(
        pa.table([pa.array(settled[field.name], field.type) for field in RESULTS], schema=RESULTS),
        pa.table([pa.array(columns[field.name], field.type) for field in UNDO_CHUNK], schema=UNDO_CHUNK),
    )


def _before(e164: np.ndarray, images: Sequence[pa.Table], job_id: int) -> dict[str, np.ndarray]:
    """The image of each number (ascending); one that the job created has none: it did not exist."""
    columns = {"e164": e164, "existed": np.zeros(len(e164), np.int8), "stamp": np.full(len(e164), job_id)}
    columns |= {name: np.zeros(len(e164), np.int64) for name in STATE.names}
    if images:
        image = pa.concat_tables(images).sort_by("e164")
        at = np.searchsorted(e164, image.column("e164").to_numpy())
        for name in IMAGES.names[1:]:
            columns[name][at] = image.column(name).to_numpy()
    return columns
