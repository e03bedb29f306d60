"""Decide the results of unassignments, from users or one level up (R19, R20)."""

from __future__ import annotations

import numpy as np

from schemas import permissions
from schemas.codes import Code
from schemas.columns import Column
from schemas.user_services import ANY_VOICE, Service
from worker.stages.resolving.holders import judge_expected_holder
from worker.stages.resolving.model import Decisions
from worker.stages.resolving.rows import Codes, Rows, Written, groups


def unassign(rows: Rows) -> Decisions:
    """Unassign each row's number: from its user if a service or a user is named, else one level up."""
    options, actor, now = rows.world.options, rows.world.actor, rows.now
    rows.judge(~rows.exists, Column.PHONE_NUMBER, lambda: permissions.check_seen(actor, None))
    rows.judge_number(rows.exists, Column.PHONE_NUMBER, lambda number: permissions.check_seen(actor, number))
    user = np.where(rows.column("user_id") != 0, rows.column("user_id"), options.user_id or 0)
    service = np.where(rows.column("service") != 0, rows.column("service"), int(options.service))
    by_level = (user == 0) & (service == 0)
    # A number that the admin holds has already been returned, so another expected holder is no fault.
    judge_expected_holder(rows, ~(by_level & (now("holder_id") == actor.id)))
    rows.judge_number(
        by_level & rows.sound, Column.PHONE_NUMBER, lambda number: permissions.check_unassign(actor, number)
    )
    # For the holder's own admin, unassigning means from its users.
    from_users = ~by_level | (now("holder_id") == actor.id)
    service = np.where(service == 0, int(ANY_VOICE | Service.SMS), service)
    voice = _is_to_unassign(from_users & (service & int(ANY_VOICE) != 0), now("voice_user_id"), user)
    sms = _is_to_unassign(from_users & (service & int(Service.SMS) != 0), now("sms_user_id"), user)
    state = {
        "holder_id": _holder(rows, by_level & rows.sound),
        "voice_user_id": np.where(voice, 0, now("voice_user_id")),
        "sms_user_id": np.where(sms, 0, now("sms_user_id")),
        "voice_forwarded": np.where(voice, 0, now("voice_forwarded")).astype(bool),
    }
    update = rows.sound & rows.exists & rows.changed(state)
    return rows.decide(state, Written(update=update), Codes(Code.UNASSIGNED))


def _is_to_unassign(rows: np.ndarray, current_user: np.ndarray, user: np.ndarray) -> np.ndarray:
    """Return rows whose number is in use by a user: by the named user if there is one."""
    is_taken: np.ndarray = rows & (current_user != 0) & ((user == 0) | (current_user == user))
    return is_taken


def _holder(rows: Rows, moved: np.ndarray) -> np.ndarray:
    """Return the holder after unassignment (R19)."""
    holder = rows.now("holder_id").copy()
    for values, places in groups(moved & rows.exists, tuple(rows.fact_keys())):
        holder[places] = permissions.takes_back_to(rows.world.actor, rows.facts_of(values))
    return holder
