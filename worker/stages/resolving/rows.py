"""The rows of a chunk while they are decided: their values, the state of their numbers, and their faults.

Rules are asked once per distinct combination of facts, never per row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from schemas.arrow_schemas import CHUNK_RESULTS, IMAGES, STATE, first_code, first_lines
from schemas.codes import Code, fault_bit, number_of, warning_bit
from schemas.columns import Column
from schemas.permissions import NumberFacts
from worker.arrays.distinct import numbered
from worker.stages.resolving.model import ChunkFacts, Decisions, Numbers

DEFAULT_USED = np.uint32(warning_bit(Code.DEFAULT_CARRIER_USED))
_FACTS = ("holder_id", "uploader_id", "voice", "sms", "voice_user_id", "sms_user_id")
_SIXTEEN_BITS = 1 << 16
Where = Column | Mapping[Code, Column]


@dataclass(frozen=True)
class Written:
    """The rows (bool, one per row of the chunk) whose numbers are created, updated or deleted; None: no row."""

    create: np.ndarray | None = None
    update: np.ndarray | None = None
    delete: np.ndarray | None = None


@dataclass(frozen=True)
class Codes:
    """The codes of rows that are updated (`done`), created, and left as they are (`untouched`)."""

    done: Code
    created: Code = Code.CREATED
    untouched: Code = Code.NO_CHANGE


class Rows:
    """One chunk being decided: every array is as long as the chunk."""

    def __init__(self, chunk: pa.Table, world: ChunkFacts) -> None:
        self.world = world
        self.chunk = chunk
        self.size = chunk.num_rows
        self.e164 = self.column("e164")
        self.faults = np.zeros(self.size, dtype=np.uint64)
        self.warnings = self.column("warnings").copy()
        existing = world.existing.e164
        self._at = np.minimum(np.searchsorted(existing, self.e164), max(len(existing) - 1, 0))
        self.exists = np.zeros(self.size, dtype=bool)
        if len(existing):
            self.exists = existing[self._at] == self.e164

    @property
    def sound(self) -> np.ndarray:
        """The rows (bool) without a fault so far."""
        is_sound: np.ndarray = self.faults == 0
        return is_sound

    def column(self, name: str) -> np.ndarray:
        """Return a column of the chunk."""
        values: np.ndarray = self.chunk.column(name).to_numpy()
        return values

    def now(self, name: str) -> np.ndarray:
        """Return a column of `schemas.arrow_schemas.STATE` for the rows' numbers: the current state, 0 for new ones."""
        values = self.world.existing.state[name]
        return np.where(self.exists, values[self._at], 0) if len(values) else np.zeros(self.size, values.dtype)

    def fail(self, rows: np.ndarray, code: Code, column: Column) -> None:
        """Add a fault to some rows (bool)."""
        self.faults[rows] |= np.uint64(fault_bit(code, column))

    def judge(self, rows: np.ndarray, where: Where, rule: Callable[..., Code | None], *keys: np.ndarray) -> None:
        """Ask a rule about some rows (bool), once per distinct combination of `keys`, and add the faults it returns.

        `where` is the column that the fault is reported for, or that column for each code.
        """
        for values, places in groups(rows, keys):
            code = rule(*values)
            if code is not None:
                self.fail(places, code, where if isinstance(where, Column) else where[code])

    def judge_number(self, rows: np.ndarray, where: Where, rule: Callable[..., Code | None], *keys: np.ndarray) -> None:
        """Ask a rule like `judge`, about numbers that exist: the rule's first argument is the facts of the number."""
        self.judge(
            rows & self.exists, where, lambda *values: rule(self.facts_of(values), *values[len(_FACTS) :]),
            *self.fact_keys(), *keys,
        )  # fmt: skip

    def fact_keys(self) -> list[np.ndarray]:
        """Return the arrays that distinguish the facts of one number from those of another."""
        keys = [self.now(name) for name in _FACTS]
        return [key != 0 if name.endswith("user_id") else key for name, key in zip(_FACTS, keys, strict=True)]

    def facts_of(self, values: tuple[int, ...]) -> NumberFacts:
        """Return the facts at the start of a combination of `fact_keys`."""
        holder, uploader, voice, sms, voice_user, sms_user = values[: len(_FACTS)]
        tenants = self.world.tenants
        return NumberFacts(tenants[holder], tenants[uploader], bool(voice), bool(sms), bool(voice_user), bool(sms_user))

    def changed(self, state: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return rows whose new state differs from the current one."""
        differs = np.zeros(self.size, dtype=bool)
        for name, values in state.items():
            differs |= values != self.now(name)
        return differs

    def decide(self, state: Mapping[str, np.ndarray], written: Written, codes: Codes) -> Decisions:
        """Return the decisions: `state` holds the new values of STATE columns, for the rows in `written`."""
        nothing = np.zeros(self.size, dtype=bool)
        create, update, delete = (
            nothing if rows is None else rows for rows in (written.create, written.update, written.delete)
        )
        self.warnings = np.where(create | update, self.warnings, self.warnings & ~DEFAULT_USED)
        job = np.full(self.size, self.world.job_id, dtype=np.int64)
        after = {"created_job_id": np.where(self.exists, self.now("created_job_id"), job), "changed_job_id": job}
        after |= {name: self.now(name) for name in STATE.names if name not in after} | dict(state)
        code = np.full(self.size, number_of(codes.untouched), dtype=np.uint8)
        for rows, result_code in ((create, codes.created), (update, codes.done), (delete, Code.DELETED)):
            code[rows] = number_of(result_code)
        code = np.where(self.sound, code, first_code(self.faults))
        in_chunk = (self.column("place"), self.column("row"))
        columns = (*in_chunk, code, self.faults, self.warnings, create | update | delete)
        lines = pa.table(
            [pa.array(c, f.type) for c, f in zip(columns, CHUNK_RESULTS, strict=True)], schema=CHUNK_RESULTS
        )
        # Without before-images, an undo could not determine which numbers of a block were new.
        again = create & (self._in_block() if codes.created is Code.CREATED else True)
        return Decisions(
            self._numbers(create, after),
            self._numbers(update, after),
            self.e164[delete],
            a_line_for_each_row(lines),
            self._images(update | again, delete, after["changed_job_id"]),
            held=self.world.held,
        )

    def _in_block(self) -> np.ndarray:
        """Return lines of rows that stand for several numbers."""
        first = first_lines(self.chunk)
        is_in_block: np.ndarray = ~first | ~np.concatenate([first[1:], [True]])[: self.size]
        return is_in_block

    def _numbers(self, rows: np.ndarray, state: Mapping[str, np.ndarray]) -> Numbers:
        if not rows.any():
            return Numbers.none()
        return Numbers(self.e164[rows], {name: values[rows] for name, values in state.items()})

    def _images(self, kept: np.ndarray, delete: np.ndarray, stamp: np.ndarray) -> pa.Table:
        """Return the before-images (`schemas.arrow_schemas.IMAGES`) of the rows in `kept` or `delete`."""
        rows = kept | delete
        if not rows.any():
            return IMAGES.empty_table()
        values = {"e164": self.e164, "existed": self.exists, "stamp": np.where(delete, 0, stamp)}
        values |= {name: self.now(name) for name in STATE.names}
        return pa.table([pa.array(values[field.name][rows], field.type) for field in IMAGES], schema=IMAGES)


def a_line_for_each_row(lines: pa.Table) -> pa.Table:
    """Combine results per number (`CHUNK_RESULTS`) into results per row, with all faults and warnings.

    A row whose numbers have different results gets the code of the written ones.
    """
    starts = np.flatnonzero(first_lines(lines))
    if len(starts) == lines.num_rows:
        return lines
    values = {name: lines.column(name).to_numpy() for name in CHUNK_RESULTS.names}
    faults = np.bitwise_or.reduceat(values["faults"], starts)
    # Written numbers first, then by number.
    rank = np.where(values["written"] > 0, 0, lines.num_rows) + np.arange(lines.num_rows)
    telling = np.minimum.reduceat(rank, starts) % lines.num_rows
    columns = {
        "place": values["place"][starts],
        "row": values["row"][starts],
        "code": np.where(faults != 0, first_code(faults), values["code"][telling]).astype(np.uint8),
        "faults": faults,
        "warnings": np.bitwise_or.reduceat(values["warnings"], starts),
        "written": np.add.reduceat(values["written"], starts),
    }
    return pa.table([pa.array(columns[field.name], field.type) for field in CHUNK_RESULTS], schema=CHUNK_RESULTS)


def groups(rows: np.ndarray, keys: tuple[np.ndarray, ...]) -> Iterator[tuple[tuple[int, ...], np.ndarray]]:
    """Yield the distinct combinations of `keys` among some rows (bool), as (values, indices of their rows)."""
    places = np.flatnonzero(rows)
    if not len(places):
        return
    groups_so_far, combined = 1, np.zeros(len(places), dtype=np.int64)
    for key in keys:
        distinct, which = numbered(key[places])
        if distinct > 1:
            # Renumbered after each key, so that many keys do not overflow.
            groups_so_far, combined = numbered(combined * distinct + which)
    if groups_so_far == 1:
        yield tuple(int(key[places[0]]) for key in keys), places
        return
    # NumPy sorts 16-bit integers by radix sort.
    order = np.argsort(combined.astype(np.uint16) if groups_so_far <= _SIXTEEN_BITS else combined, kind="stable")
    for part in np.split(places[order], np.flatnonzero(np.diff(combined[order])) + 1):
        yield tuple(int(key[part[0]]) for key in keys), part
