"""Makes cells safe to open in a spreadsheet program, and takes that back when the file returns (DESIGN section 5).

Whole columns at a time. Knows nothing of files: report writer and reader each use their half of the pair.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

# A spreadsheet runs a cell that begins with one of these (OWASP, CSV injection). Apostrophes before it are counted in
# so that a text which already looks neutralised gets one more, and `restore` gives back exactly what was there.
_RUNS = r"^'*[=+\-@\t\r]"
_NEUTRALISED = r"^'+[=+\-@\t\r]"
_PLAIN_NUMBER = r"^\+[1-9]\d{6,14}$"


def neutralise(cells: pa.Array) -> pa.Array:
    """Text cells (`pa.string()`) with a leading `'` where a spreadsheet would run them; strict E.164 is left alone."""
    runs = pc.match_substring_regex(cells, _RUNS)
    if not pc.any(runs).as_py():
        return cells
    unsafe = pc.and_not(runs, pc.match_substring_regex(cells, _PLAIN_NUMBER))
    return pc.if_else(unsafe, pc.binary_join_element_wise("'", cells, ""), cells)


def restore(cells: pa.Array) -> pa.Array:
    """The inverse of `neutralise`, exact for every text: `restore(neutralise(x)) == x`. Nulls stay null."""
    if not pc.any(pc.starts_with(cells, "'")).as_py():
        return cells
    safe = pc.match_substring_regex(cells, _NEUTRALISED)
    return pc.if_else(safe, pc.utf8_slice_codeunits(cells, 1), cells)
