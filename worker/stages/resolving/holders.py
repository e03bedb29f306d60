"""Limits on which numbers may leave their holder (R19), the same for assignments, unassignments and uploads."""

from __future__ import annotations

import numpy as np

from schemas import permissions
from schemas.columns import Column
from worker.stages.resolving.rows import Rows


def judge_holder(rows: Rows, moves: np.ndarray) -> None:
    """Refuse numbers with another holder than expected and, with `only_unassigned`, numbers that are already assigned.

    `moves` (bool, one per row): rows whose number would get another holder.
    """
    options, actor = rows.world.options, rows.world.actor
    judge_expected_holder(rows, moves)
    if options.only_unassigned:
        rows.judge_number(
            moves & rows.sound, Column.PHONE_NUMBER, lambda number: permissions.check_unassigned(actor, number)
        )


def judge_expected_holder(rows: Rows, changes: np.ndarray) -> None:
    """Refuse numbers with another holder than expected, among the rows to be changed (bool)."""
    actor, expected = rows.world.actor, rows.world.options.expected_holder_id
    rows.judge_number(
        changes & rows.sound, Column.TARGET, lambda number: permissions.check_expected_holder(actor, number, expected)
    )


def judge_other_users(rows: Rows, user: np.ndarray, gives: np.ndarray) -> None:
    """With `only_unassigned`, refuse numbers that a user other than the row's (`user`, ids) has for any service."""
    if not rows.world.options.only_unassigned:
        return
    others = np.zeros(rows.size, dtype=bool)
    for name in ("voice_user_id", "sms_user_id"):
        others |= (rows.now(name) != 0) & (rows.now(name) != user)
    rows.judge_number(gives & others & rows.sound, Column.PHONE_NUMBER, permissions.check_free)
