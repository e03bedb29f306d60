"""Generator of the sample spreadsheet: realistic countries, spellings and faults. The same seed gives the same bytes.

Draws whole columns at a time and keeps one batch in memory. Writes no files: the caller turns the rows into CSV or a
workbook. Every number is different, except in rows that are meant to repeat an earlier row (R16).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from schemas.columns import SAMPLE_COLUMNS, name_of
from worker.sample.cells import LENGTHS, POWERS, Ints, phone_cells, placeholder
from worker.sample.faults import DUPLICATES, FAULTS, NO_BOOLEANS, UNKNOWN_COUNTRIES, Kind
from worker.sample.number_plans import PLANS, country_cells

BATCH_ROWS = 65_536
MAX_ROWS = 10_000_000
SCHEMA = pa.schema([(name_of(column), pa.string()) for column in SAMPLE_COLUMNS])

_NEAR = 40
_ROUND_KEYS = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9)
_PLAN_STEP = 1 << 40
_CAPABILITY_KEY = 0x27D4EB2F165667C5
_COUNTRY_STYLES = len(country_cells(PLANS[0]))
_OTHER_COUNTRIES = ("", "1", "44", *UNKNOWN_COUNTRIES)
_BOOLEANS = ("", "TRUE", "FALSE", "True", "False", *NO_BOOLEANS)
_EMPTY, _TRUE, _FALSE = 0, 1, 2
_PROGRAM_STYLE_SHARE = 0.03

# Voice, SMS and Fax as people order them, usual combinations several times. Voice or SMS is always on, so a row with
# Fax flipped conflicts but still has a capability.
_CAPABILITIES = np.array(
    [(_TRUE, _TRUE, _FALSE)] * 8
    + [(_TRUE, _FALSE, _FALSE)] * 5
    + [(_TRUE, _FALSE, _TRUE), (_FALSE, _TRUE, _FALSE), (_TRUE, _TRUE, _EMPTY)],
    dtype=np.int64,
)

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Batch:
    """Rows with their `kinds` of fault (uint8, `Kind` values) and `e164` (int64; meaningless if the cell has none)."""

    rows: pa.RecordBatch
    kinds: NDArray[np.uint8]
    e164: Ints


def rows(count: int, seed: int) -> Iterator[pa.RecordBatch]:
    """Return `count` rows of the five sample columns, all `pa.string()`, in batches.

    For one seed, a smaller `count` gives the first rows of a larger one. Raises `ValueError` if `count` is not in
    0..MAX_ROWS or `seed` is negative.
    """
    return (batch.rows for batch in batches(count, seed))


def batches(count: int, seed: int) -> Iterator[Batch]:
    """Return the rows of `rows` with their kinds of fault and numbers; raises the same errors."""
    if not 0 <= count <= MAX_ROWS or seed < 0:
        raise ValueError(f"count must be in 0..{MAX_ROWS} and seed not negative")
    return _batches(count, seed)


def _batches(count: int, seed: int) -> Iterator[Batch]:
    fresh, spare = np.zeros(len(PLANS), dtype=np.int64), np.zeros(len(PLANS), dtype=np.int64)
    for index, start in enumerate(range(0, count, BATCH_ROWS)):
        random = np.random.Generator(np.random.PCG64([seed, index]))
        batch = _draw(random, fresh, spare)
        size = min(BATCH_ROWS, count - start)
        yield Batch(batch.rows.slice(0, size), batch.kinds[:size], batch.e164[:size])


def _draw(random: np.random.Generator, fresh: Ints, spare: Ints) -> Batch:
    """Draw one batch; advances `fresh` and `spare`, the counts of numbers used per plan from either end."""
    kinds, plans = _kinds(random), _plans(random)
    plans = placeholder(plans, kinds)
    plans, index = _numbers(random, kinds, plans, fresh, spare)
    value = _scatter(plans, index)
    flags = _capabilities(random, kinds, plans, value)
    columns = [
        _countries(random, kinds, plans),
        phone_cells(random.random(BATCH_ROWS), kinds, plans, value),
        *(_pick(_BOOLEANS, flags[:, column]) for column in range(3)),
    ]
    e164 = _CALLING_CODES[plans] * POWERS[LENGTHS[plans]] + value
    return Batch(pa.record_batch(columns, schema=SCHEMA), kinds.astype(np.uint8), e164)


def _kinds(random: np.random.Generator) -> Ints:
    shares = np.array([FAULTS[kind].share for kind in Kind])
    shares[Kind.NONE] = 1 - shares.sum()
    kinds = _weighted(random, shares)
    first = int(_KEEPS_NUMBER[kinds].argmax())
    kinds[:first][np.isin(kinds[:first], DUPLICATES)] = Kind.NONE
    return kinds


def _plans(random: np.random.Generator) -> Ints:
    return _weighted(random, np.array([plan.weight for plan in PLANS]))


def _weighted(random: np.random.Generator, weights: NDArray[np.float64]) -> Ints:
    bounds = np.cumsum(weights) / weights.sum()
    return np.searchsorted(bounds[:-1], random.random(BATCH_ROWS), side="right")


def _below(random: np.random.Generator, limits: Ints | int) -> Ints:
    """Return a random integer in 0..limit-1 for every row."""
    return (random.random(BATCH_ROWS) * limits).astype(np.int64)


def _numbers(random: np.random.Generator, kinds: Ints, plans: Ints, fresh: Ints, spare: Ints) -> tuple[Ints, Ints]:
    """Return each row's plan and the index of its number in the plan; repeating rows take both from an earlier row."""
    repeats, far = np.isin(kinds, DUPLICATES), kinds == Kind.FAR_DUPLICATE
    counts = fresh.copy()
    index = np.zeros(BATCH_ROWS, dtype=np.int64)
    for plan, size in enumerate(_SIZES):
        kept_rows = np.flatnonzero((plans == plan) & _KEEPS_NUMBER[kinds])
        refused = np.flatnonzero((plans == plan) & ~_KEEPS_NUMBER[kinds] & ~repeats)
        index[kept_rows] = fresh[plan] + np.arange(kept_rows.size)
        index[refused] = size - 1 - spare[plan] - np.arange(refused.size)
        fresh[plan] += kept_rows.size
        spare[plan] += refused.size
    from_before = far & (counts[plans] > 0)
    source = _sources(random, kinds)
    plans = np.where(repeats & ~from_before, plans[source], plans)
    index = np.where(repeats, index[source], index)
    return plans, np.where(from_before, _below(random, counts[plans]), index)


def _sources(random: np.random.Generator, kinds: Ints) -> Ints:
    """Return for every row an earlier row of the batch with a number of its own; any of them for far duplicates."""
    owners = np.flatnonzero(_KEEPS_NUMBER[kinds])
    earlier = np.searchsorted(owners, np.arange(BATCH_ROWS))
    reach = np.where(kinds == Kind.FAR_DUPLICATE, earlier, np.minimum(earlier, _NEAR))
    sources: Ints = owners[np.maximum(earlier - 1 - _below(random, reach), 0)]
    return sources


def _mix(value: Ints, key: int) -> Ints:
    """Return a hash of every value, not negative (the finalizer of splitmix64)."""
    mixed = value.astype(np.uint64) + np.uint64(key)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return (mixed >> np.uint64(33)).astype(np.int64)


def _scatter(plans: Ints, index: Ints) -> Ints:
    """Return the national number at an index of its plan. A Feistel network keeps the numbers distinct."""
    own = plans * _PLAN_STEP
    low_size = POWERS[(_FREE[plans] + 1) // 2]
    high_size = _SIZES[plans] // low_size
    high, low = index // low_size, index % low_size
    for key in _ROUND_KEYS:
        low = (low + _mix(high + own, key)) % low_size
        high = (high + _mix(low + own, key)) % high_size
    prefix, tail = np.divmod(high * low_size + low, POWERS[_FREE[plans]])
    number: Ints = _PREFIXES[plans, prefix] * POWERS[_FREE[plans]] + tail
    return number


def _capabilities(random: np.random.Generator, kinds: Ints, plans: Ints, value: Ints) -> Ints:
    """Return indices in `_BOOLEANS`, rows x 3. They depend on the number: a plain repeat agrees with its original."""
    flags = _CAPABILITIES[_mix(value * len(PLANS) + plans, _CAPABILITY_KEY) % len(_CAPABILITIES)]
    conflicting = kinds == Kind.CONFLICTING_DUPLICATE
    flags[conflicting, 2] = np.where(flags[conflicting, 2] == _TRUE, _FALSE, _TRUE)
    flags[kinds == Kind.NO_CAPABILITY] = _FALSE
    flags[kinds == Kind.BLANK] = _EMPTY
    program_style = random.random(BATCH_ROWS) < _PROGRAM_STYLE_SHARE
    flags = np.where(program_style[:, None] & (flags != _EMPTY), flags + 2, flags)
    bad = np.flatnonzero(kinds == Kind.BAD_BOOLEAN)
    words = len(_BOOLEANS) - len(NO_BOOLEANS) + _below(random, len(NO_BOOLEANS))
    flags[bad, _below(random, 3)[bad]] = words[bad]
    return flags


def _countries(random: np.random.Generator, kinds: Ints, plans: Ints) -> pa.Array:
    cells = tuple(cell for plan in PLANS for cell in country_cells(plan))
    others = {cell: len(cells) + index for index, cell in enumerate(_OTHER_COUNTRIES)}
    picked = plans * _COUNTRY_STYLES + _below(random, _COUNTRY_STYLES)
    wrong = np.where(_CALLING_CODES[plans] == 1, others["44"], others["1"])
    picked = np.where(kinds == Kind.WRONG_COUNTRY, wrong, picked)
    unknown = others[UNKNOWN_COUNTRIES[0]] + _below(random, len(UNKNOWN_COUNTRIES))
    picked = np.where(kinds == Kind.UNKNOWN_COUNTRY, unknown, picked)
    picked = np.where(np.isin(kinds, (Kind.NO_COUNTRY, Kind.BLANK)), others[""], picked)
    return _pick((*cells, *_OTHER_COUNTRIES), picked)


def _pick(texts: tuple[str, ...], places: Ints) -> pa.Array:
    return pa.array(texts, pa.string()).take(pa.array(places))


def _prefix_table() -> Ints:
    table = np.zeros((len(PLANS), max(len(plan.prefixes) for plan in PLANS)), dtype=np.int64)
    for index, plan in enumerate(PLANS):
        table[index, : len(plan.prefixes)] = [int(prefix) for prefix in plan.prefixes]
    return table


_FREE: Ints = np.array([plan.free for plan in PLANS], dtype=np.int64)
_SIZES: Ints = np.array([plan.size for plan in PLANS], dtype=np.int64)
_CALLING_CODES: Ints = np.array([int(plan.calling_code) for plan in PLANS], dtype=np.int64)
_PREFIXES: Ints = _prefix_table()
_KEEPS_NUMBER: Bools = np.array([FAULTS[kind].keeps_number for kind in Kind])
