"""Decide the results of changes to capabilities or carriers (R13, R23)."""

from __future__ import annotations

import numpy as np

from schemas import permissions
from schemas.capabilities import CAPABILITY_NAMES
from schemas.codes import Code
from schemas.columns import Column
from worker.stages.resolving.carriers import selected_carriers
from worker.stages.resolving.model import Decisions
from worker.stages.resolving.rows import Codes, Rows, Written
from worker.stages.resolving.upload import judge_switched_off


def change(rows: Rows) -> Decisions:
    """Change each row's number as the row, or else the job, specifies. Values that neither names stay as they are."""
    actor = rows.world.actor
    rows.judge(~rows.exists, Column.PHONE_NUMBER, lambda: permissions.check_seen(actor, None))
    rows.judge_number(rows.exists, Column.PHONE_NUMBER, lambda number: permissions.check_change(actor, number))
    writes = rows.sound
    capability = {name: _capability(rows, name) for name in CAPABILITY_NAMES}
    judge_switched_off(rows, writes, capability)
    state = capability | selected_carriers(rows, capability, rows.now("holder_id"), writes)
    update = rows.sound & rows.exists & rows.changed(state)
    return rows.decide(state, Written(update=update), Codes(Code.UPDATED))


def _capability(rows: Rows, name: str) -> np.ndarray:
    """Return the row's value, else the job's, else the current one (R23: three-valued)."""
    in_row, for_all_rows = rows.column(name), getattr(rows.world.options, name)
    otherwise = rows.now(name) if for_all_rows is None else np.full(rows.size, for_all_rows)
    return np.where(in_row >= 0, in_row, otherwise).astype(bool)
