"""Makes cells safe to open in a spreadsheet program, and takes that back when the file returns (DESIGN section 5).

Whole columns at a time. Knows nothing of files: report writer and reader each use their half of the pair.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

# A spreadsheet runs a cell that begins with one of these (OWASP, CSV injection). Apostrophes before it are counted in
# so that a text which already looks neutralised gets one more, and `restore` gives back exactly what was there.
_FIRST = np.zeros(256, np.bool_)
_FIRST[list(b"'=+-@\t\r\n\xef")] = True  # 0xEF begins the full-width signs and the byte order mark
_SIGNS = r"[=+\-@\t\r\n\x{FEFF}\x{FF1D}\x{FF0B}\x{FF0D}\x{FF20}]"
_RUNS = rf"^'*{_SIGNS}"
_NEUTRALISED = rf"^'+{_SIGNS}"
_PLAIN_NUMBER = r"^\+[1-9]\d{6,14}$"


def neutralise(cells: pa.Array) -> pa.Array:
    """Text cells (`pa.string()`) with a leading `'` where a spreadsheet would run them; strict E.164 is left alone."""
    return _changed(
        cells,
        lambda some: pc.and_not(pc.match_substring_regex(some, _RUNS), pc.match_substring_regex(some, _PLAIN_NUMBER)),
        lambda some: pc.binary_join_element_wise("'", some, ""),
    )


def restore(cells: pa.Array) -> pa.Array:
    """The inverse of `neutralise`, exact for every text: `restore(neutralise(x)) == x`. Nulls stay null."""
    return _changed(
        cells,
        lambda some: pc.match_substring_regex(some, _NEUTRALISED),
        lambda some: pc.utf8_slice_codeunits(some, 1),
    )


def _changed(
    cells: pa.StringArray, concerns: Callable[[pa.StringArray], pa.Array], change: Callable[[pa.StringArray], pa.Array]
) -> pa.StringArray:
    """The cells, those changed that it concerns. Only cells with a telling first byte are looked at: hardly any."""
    suspects = _FIRST[_first_bytes(cells)]
    if not suspects.any():
        return cells
    rows = np.flatnonzero(suspects)
    some = cells.take(pa.array(rows))
    concerned = pc.fill_null(concerns(some), False).to_numpy(zero_copy_only=False)  # noqa: FBT003 - Arrow's signature
    suspects[rows] = concerned
    return pc.replace_with_mask(cells, pa.array(suspects), change(some.filter(pa.array(concerned))))


def _first_bytes(cells: pa.StringArray) -> NDArray[np.uint8]:
    """The first byte of each cell, 0 for an empty one."""
    _, places, data = cells.buffers()
    first = np.zeros(len(cells), np.uint8)
    if places is None or data is None:
        return first
    offsets = np.frombuffer(places, np.int32)[cells.offset : cells.offset + len(cells) + 1]
    filled = offsets[1:] > offsets[:-1]
    first[filled] = np.frombuffer(data, np.uint8)[offsets[:-1][filled]]
    return first
