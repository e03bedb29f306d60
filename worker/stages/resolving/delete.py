"""Decide the results of deletions (R24, R25)."""

from __future__ import annotations

from schemas import permissions
from schemas.codes import Code
from schemas.columns import Column
from worker.stages.resolving.model import Decisions
from worker.stages.resolving.rows import Codes, Rows, Written


def delete(rows: Rows) -> Decisions:
    """Delete each row's number."""
    actor = rows.world.actor
    rows.judge(~rows.exists, Column.PHONE_NUMBER, lambda: permissions.check_seen(actor, None))
    rows.judge_number(rows.exists, Column.PHONE_NUMBER, lambda number: permissions.check_delete(actor, number))
    return rows.decide({}, Written(delete=rows.sound & rows.exists), Codes(Code.DELETED))
