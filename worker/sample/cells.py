"""Writes the phone number cells of the sample spreadsheet, whole columns at a time. Draws no number and no fault."""

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
    """Every layout once, and per plan and kind of fault which of them apply and which plan to use instead."""

    layouts: tuple[Layout, ...]
    ids: Ints
    variants: Ints
    stand_in: Ints


def phone_cells(draws: NDArray[np.float64], kinds: Ints, plans: Ints, value: Ints) -> pa.Array:
    """The phone number cells as `pa.string()`.

    `draws` (0 <= draw < 1) picks the layout, `value` is the national number. Rows of one layout are written as one
    block of bytes, then all are put back into order.
    """
    book = _book()
    chosen = book.ids[plans, kinds, (draws * book.variants[plans, kinds]).astype(np.int64)]
    order = np.argsort(chosen, kind="stable")
    bounds = np.searchsorted(chosen[order], np.arange(len(book.layouts) + 1))
    left_aligned = value * POWERS[_WIDTH - LENGTHS[plans]]
    digits = (left_aligned[order, None] // POWERS[_WIDTH - 1 :: -1][:_WIDTH] % 10).astype(np.uint8) + ord("0")
    blocks = [
        _block(layout, digits[start:end])
        for layout, start, end in zip(book.layouts, bounds[:-1], bounds[1:], strict=True)
    ]
    lengths = np.array([len(layout.text) for layout in book.layouts])[chosen[order]]
    offsets = np.concatenate(([0], np.cumsum(lengths))).astype(np.int32)
    cells = pa.StringArray.from_buffers(len(kinds), pa.py_buffer(offsets), pa.py_buffer(b"".join(blocks)))
    return cells.take(pa.array(np.argsort(order, kind="stable")))


def stand_in(plans: Ints, kinds: Ints) -> Ints:
    """Each row's plan, or the first plan its kind of fault fits where it does not fit that one."""
    found: Ints = _book().stand_in[plans, kinds]
    return found


def _block(layout: Layout, digits: NDArray[np.uint8]) -> bytes:
    """The cells of one layout behind one another; `digits` is rows x digits of ASCII."""
    block = np.empty((len(digits), len(layout.text)), dtype=np.uint8)
    block[:] = np.frombuffer(layout.text, dtype=np.uint8)
    source = np.array(layout.digits, dtype=np.int64)
    block[:, source >= 0] = digits[:, source[source >= 0]]
    return block.tobytes()


@cache
def _book() -> _Book:
    """The layouts of every plan and kind, numbered; unfit pairs point to the first plan that fits."""
    numbered: dict[Layout, int] = {}
    variants = np.zeros((len(PLANS), len(Kind)), dtype=np.int64)
    stand_in = np.zeros_like(variants)
    ids = np.zeros((*variants.shape, _MOST_VARIANTS), dtype=np.int64)
    for kind, fault in FAULTS.items():
        fitting = [fault.fits(plan) for plan in PLANS]
        for place, plan in enumerate(PLANS):
            stand_in[place, kind] = place if fitting[place] else fitting.index(True)
            made = fault.layouts(plan) if fitting[place] else ()
            variants[place, kind] = len(made)
            ids[place, kind, : len(made)] = [numbered.setdefault(layout, len(numbered)) for layout in made]
    return _Book(tuple(numbered), ids, variants, stand_in)
