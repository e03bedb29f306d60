"""Decide the results of uploaded rows: new numbers and existing ones (R10..R13, R17)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from schemas import permissions
from schemas.capabilities import CAPABILITY_NAMES
from schemas.codes import Code
from schemas.columns import Column
from schemas.jobs import OnExisting
from schemas.user_services import Service
from worker.stages.resolving.carriers import selected_carriers
from worker.stages.resolving.holders import judge_holder
from worker.stages.resolving.model import Decisions
from worker.stages.resolving.rows import Codes, Rows, Written


def upload(rows: Rows) -> Decisions:
    """Create numbers, and update existing ones if `on_existing` is UPDATE."""
    may_update = rows.world.options.on_existing is OnExisting.UPDATE
    _meet_existing(rows)
    # A refused number is not judged further: more faults would disclose its state (R17).
    writes = rows.sound & (~rows.exists | may_update)
    holder = _holder(rows, writes)
    capability = {name: _capability(rows, name) for name in CAPABILITY_NAMES}
    nothing_on = ~np.logical_or.reduce(list(capability.values()))
    rows.fail(~rows.exists & nothing_on, Code.NO_CAPABILITY, Column.VOICE)
    judge_switched_off(rows, writes, capability)
    state = {"holder_id": holder, **capability, **selected_carriers(rows, capability, holder, writes)}
    create = rows.sound & ~rows.exists
    update = rows.sound & rows.exists & writes & rows.changed(state)
    state["uploader_id"] = np.where(rows.exists, rows.now("uploader_id"), rows.world.actor.id)
    untouched = Code.NO_CHANGE if may_update else Code.ALREADY_EXISTS
    return rows.decide(state, Written(create, update), Codes(Code.UPDATED, untouched=untouched))


def judge_switched_off(rows: Rows, writes: np.ndarray, capability: Mapping[str, np.ndarray]) -> None:
    """Refuse to switch off a capability that a user needs (R23)."""
    for service, column in ((Service.VOICE, Column.VOICE), (Service.SMS, Column.SMS)):
        name = column.name.lower()
        off = writes & (rows.now(name) != 0) & ~capability[name]
        rows.judge_number(off, column, lambda number, service=service: permissions.check_switch_off(number, service))


def _meet_existing(rows: Rows) -> None:
    """Judge numbers that exist (R17): outside the tree as taken; inside it according to `on_existing`."""
    actor, tenants = rows.world.actor, rows.world.tenants
    rows.judge(
        rows.exists,
        Column.PHONE_NUMBER,
        lambda holder: permissions.check_existing(actor, tenants[holder]),
        rows.now("holder_id"),
    )
    if rows.world.options.on_existing is OnExisting.ERROR:
        rows.fail(rows.exists & rows.sound, Code.ALREADY_EXISTS, Column.PHONE_NUMBER)


def _holder(rows: Rows, writes: np.ndarray) -> np.ndarray:
    """Return the row's target, else the job's, else the current holder, else the uploader (R11, R12)."""
    actor, tenants = rows.world.actor, rows.world.tenants
    target, now = rows.column("target_id"), rows.now("holder_id")
    target_ids = np.where(target != 0, target, rows.world.options.target_id or 0)
    has_target = writes & (target_ids != 0)
    rows.judge(has_target, Column.TARGET, lambda to: permissions.check_target(actor, tenants.get(to)), target_ids)
    moves = has_target & rows.exists & (target_ids != now) & rows.sound
    rows.judge(
        moves,
        Column.TARGET,
        lambda uploader, to: permissions.check_move(tenants[uploader], tenants[to]),
        rows.now("uploader_id"),
        target_ids,
    )
    rows.judge_number(moves, Column.TARGET, permissions.check_free)
    judge_holder(rows, moves)
    return np.where(target_ids != 0, target_ids, np.where(rows.exists, now, actor.id))


def _capability(rows: Rows, name: str) -> np.ndarray:
    """Return the capability: an empty cell is FALSE for a new number, and keeps the value of an existing one (R10)."""
    values = rows.column(name)
    return np.where(values < 0, rows.now(name), values).astype(bool)
