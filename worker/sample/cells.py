"""Phone number cells of the sample spreadsheet, written by whole columns. The numbers and faults are arguments."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from worker.sample.faults import FAULTS, Kind
from worker.sample.number_plans import PLANS, Layout

Ints = NDArray[np.int64]

_WIDTH = max(plan.length for plan in PLANS)
POWERS: Ints = 10 ** np.arange(_WIDTH + 1, dtype=np.int64)
LENGTHS: Ints = np.array([plan.length for plan in PLANS], dtype=np.int64)
_MOST_VARIANTS = 32


@dataclass(frozen=True)
class _Book:
    """All distinct layouts, and for each plan and kind of fault the layouts that apply and the plan to use instead."""

    layouts: tuple[Layout, ...]
    ids: Ints
    variants: Ints
    stand_in: Ints


def phone_cells(draws: NDArray[np.float64], kinds: Ints, plans: Ints, value: Ints) -> pa.Array:
    """Return the phone number cells as `pa.string()`.

    `draws` (0 <= draw < 1) selects the layout; `value` is the national number. Writes the rows of each layout as one
    block of bytes, then restores the order of the rows.
    """
    book = _book()
    layout_ids = book.ids[plans, kinds, (draws * book.variants[plans, kinds]).astype(np.int64)]
    order = np.argsort(layout_ids, kind="stable")
    bounds = np.searchsorted(layout_ids[order], np.arange(len(book.layouts) + 1))
    left_aligned = value * POWERS[_WIDTH - LENGTHS[plans]]
    digits = (left_aligned[order, None] // POWERS[_WIDTH - 1 :: -1][:_WIDTH] % 10).astype(np.uint8) + ord("0")
    blocks = [
        _block(layout, digits[start:end])
        for layout, start, end in zip(book.layouts, bounds[:-1], bounds[1:], strict=True)
    ]
    lengths = np.array([len(layout.text) for layout in book.layouts])[layout_ids[order]]
    offsets = np.concatenate(([0], np.cumsum(lengths))).astype(np.int32)
    cells = pa.StringArray.from_buffers(len(kinds), pa.py_buffer(offsets), pa.py_buffer(b"".join(blocks)))
    return cells.take(pa.array(np.argsort(order, kind="stable")))


def placeholder(plans: Ints, kinds: Ints) -> Ints:
    """Return each row's plan, or the first plan that fits the row's kind of fault where its own plan does not."""
    stand_ins: Ints = _book().stand_in[plans, kinds]
    return stand_ins


def _block(layout: Layout, digits: NDArray[np.uint8]) -> bytes:
    """Return the cells of one layout, concatenated; `digits` is rows x digits of ASCII."""
    block = np.empty((len(digits), len(layout.text)), dtype=np.uint8)
    block[:] = np.frombuffer(layout.text, dtype=np.uint8)
    source = np.array(layout.digits, dtype=np.int64)
    block[:, source >= 0] = digits[:, source[source >= 0]]
    return block.tobytes()


@cache
def _book() -> _Book:
    """Return the numbered layouts of every plan and kind; a plan that does not fit points to the first that does."""
    numbered: dict[Layout, int] = {}
    variants = np.zeros((len(PLANS), len(Kind)), dtype=np.int64)
    stand_in = np.zeros_like(variants)
    ids = np.zeros((*variants.shape, _MOST_VARIANTS), dtype=np.int64)
    for kind, fault in FAULTS.items():
        fitting = [fault.fits(plan) for plan in PLANS]
        for index, plan in enumerate(PLANS):
            stand_in[index, kind] = index if fitting[index] else fitting.index(True)
            layouts = fault.layouts(plan) if fitting[index] else ()
            variants[index, kind] = len(layouts)
            ids[index, kind, : len(layouts)] = [numbered.setdefault(layout, len(numbered)) for layout in layouts]
    return _Book(tuple(numbered), ids, variants, stand_in)
