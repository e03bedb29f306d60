"""Decide the results of undoing a job (R27).

A number and its version (`changed_job_id`) identify one state. A number is restored only if it still has the version
that the undone job left, and gets its old version back with its old state. So a chain of jobs can be undone one after
the other, and an undo can be undone like any job.
"""

from __future__ import annotations

import numpy as np

from schemas import permissions
from schemas.arrow_schemas import STATE
from schemas.codes import Code
from schemas.columns import Column
from worker.stages.resolving.model import Decisions
from worker.stages.resolving.rows import Codes, Rows, Written, groups


def undo(rows: Rows) -> Decisions:
    """Restore each row's number to its state before the job (`schemas.arrow_schemas.UNDO_CHUNK`)."""
    existed = rows.column("existed") != 0
    before = np.where(existed, rows.column("changed_job_id"), 0)
    now = np.where(rows.exists, rows.now("changed_job_id"), 0)
    as_before = now == before
    as_left = ~as_before & (now == rows.column("stamp"))
    rows.judge(~as_before & ~as_left, Column.PHONE_NUMBER, lambda: permissions.check_unchanged(unchanged=False))
    _judge_still_there(rows, as_left & existed)
    back = rows.sound & as_left
    state = {name: rows.column(name) for name in STATE.names}
    written = Written(
        create=back & existed & ~rows.exists, update=back & existed & rows.exists, delete=back & ~existed & rows.exists
    )
    return rows.decide(state, written, Codes(Code.RESTORED, created=Code.RESTORED))


def _judge_still_there(rows: Rows, back: np.ndarray) -> None:
    """Refuse numbers that cannot be restored as they were; they count as changed since.

    Their tenant, carrier or user is gone, or their user has another number now.
    """
    world = rows.world
    keys = ("holder_id", "uploader_id", "voice_carrier_id", "sms_carrier_id", "voice_user_id", "sms_user_id")
    lost = np.zeros(rows.size, dtype=bool)
    for values, places in groups(back, tuple(rows.column(name) for name in keys)):
        holder, uploader, voice_carrier, sms_carrier, voice_user, sms_user = values
        lost[places] = (
            not {holder, uploader} <= world.tenants.keys()
            or not {voice_carrier, sms_carrier} - {0} <= world.carrier_owners.keys()
            or not {voice_user, sms_user} - {0} <= world.users.keys()
            or (sms_user != 0 and not world.users[sms_user].sms_enabled)
        )
    main = back & (rows.column("voice_user_id") != 0) & (rows.column("voice_forwarded") == 0)
    for place in np.flatnonzero(main):
        number = int(rows.e164[place])
        lost[place] |= world.slots.get(int(rows.column("voice_user_id")[place]), number) != number
    rows.judge(lost, Column.PHONE_NUMBER, lambda: permissions.check_unchanged(unchanged=False))
