"""Decide the results of assignments, to tenants below the admin or to users (R18..R21)."""

from __future__ import annotations

import numpy as np

from schemas import permissions
from schemas.capabilities import CARRIER_FIELDS
from schemas.codes import Code
from schemas.columns import Column
from schemas.user_services import ANY_VOICE, Service, assigned_services
from worker import phone
from worker.stages.resolving.carriers import Case, carriers
from worker.stages.resolving.holders import judge_expected_holder, judge_holder, judge_other_users
from worker.stages.resolving.model import Decisions
from worker.stages.resolving.rows import Codes, Rows, Written

_UNFIT = {Code.TARGET_NOT_FOUND: Column.SERVICE, Code.CAPABILITY_REQUIRED: Column.USER}


def assign(rows: Rows) -> Decisions:
    """Assign each row's number to the tenant or user that the row, or the job, names. A chunk may contain both."""
    options, now = rows.world.options, rows.now
    target = rows.column("target_id")
    user, service = assigned_services(rows.column("user_id"), target, rows.column("service"), options)
    target = np.where(user != 0, 0, np.where(target != 0, target, options.target_id or 0))
    added = np.zeros(rows.size, dtype=bool)
    if options.may_create:
        added = (user != 0) & ~rows.exists
        _judge_added(rows, (user != 0), added)
    _judge_seen(rows, ~added)
    holder = np.where(user != 0, now("holder_id"), target)
    _to_tenants(rows, target)
    lacking = _to_users(rows, user, service, added)
    holder = np.where(added, _tenant_of(rows, user), holder)
    voice, sms = lacking & int(ANY_VOICE) != 0, lacking & int(Service.SMS) != 0
    state = {
        "holder_id": holder,
        "voice": np.where(added, voice, now("voice")).astype(bool),
        "sms": np.where(added, sms, now("sms")).astype(bool),
        "voice_user_id": np.where(voice, user, now("voice_user_id")),
        "sms_user_id": np.where(sms, user, now("sms_user_id")),
        "voice_forwarded": np.where(voice, lacking & int(Service.FORWARDED) != 0, now("voice_forwarded")).astype(bool),
    }
    writes = rows.sound & (added | (holder != now("holder_id")))
    for field in CARRIER_FIELDS:
        none = np.zeros(rows.size, dtype=np.int32)
        carrier_ids = carriers(rows, field, Case(state[field.capability], holder, none, writes))
        state[field.id_name] = np.where(writes, carrier_ids, now(field.id_name))
    update = rows.sound & rows.exists & rows.changed(state)
    state["uploader_id"] = np.where(added, rows.world.actor.id, now("uploader_id"))
    return rows.decide(state, Written(rows.sound & added, update), Codes(Code.ASSIGNED))


def _judge_seen(rows: Rows, expected: np.ndarray) -> None:
    """Treat a number outside the admin's tree like one that does not exist (R3)."""
    actor = rows.world.actor
    rows.judge(expected & ~rows.exists, Column.PHONE_NUMBER, lambda: permissions.check_seen(actor, None))
    rows.judge_number(expected & rows.sound, Column.PHONE_NUMBER, lambda number: permissions.check_seen(actor, number))


def _judge_added(rows: Rows, to_users: np.ndarray, added: np.ndarray) -> None:
    """Judge numbers that are added while a user is created (R21).

    A number that exists outside the admin's tree is only reported as taken (R17).
    """
    actor, tenants = rows.world.actor, rows.world.tenants
    rows.judge(
        to_users & rows.exists,
        Column.PHONE_NUMBER,
        lambda holder: permissions.check_existing(actor, tenants[holder]),
        rows.now("holder_id"),
    )
    rows.judge(added, Column.PHONE_NUMBER, lambda: permissions.check_upload(actor))
    if added.any():
        rows.faults[added] |= phone.faults_of_new(rows.e164[added])


def _to_tenants(rows: Rows, target: np.ndarray) -> None:
    """Judge assignments to tenants (R19).

    The target is below the admin, the number is not in use, and it stays at or below the tenant that uploaded it.
    """
    actor, tenants = rows.world.actor, rows.world.tenants
    has_target = target != 0
    rows.judge(has_target, Column.TARGET, lambda to: permissions.check_below(actor, tenants.get(to)), target)
    moves = has_target & (target != rows.now("holder_id"))
    judge_holder(rows, moves)
    rows.judge_number(
        has_target & rows.sound,
        Column.PHONE_NUMBER,
        lambda number, to: permissions.check_assign(actor, number, tenants[to]),
        target,
    )
    rows.judge(
        moves & rows.exists & rows.sound,
        Column.TARGET,
        lambda uploader, to: permissions.check_move(tenants[uploader], tenants[to]),
        rows.now("uploader_id"),
        target,
    )


def _to_users(rows: Rows, user: np.ndarray, service: np.ndarray, added: np.ndarray) -> np.ndarray:
    """Judge assignments to users (R20), and return the services (bits) that each row's user does not have yet."""
    actor, users, now = rows.world.actor, rows.world.users, rows.now
    has_user = user != 0
    rows.judge(has_user, Column.USER, lambda who: permissions.check_user(actor, users.get(who)), user)
    is_visible = has_user & np.isin(user, list(users))
    rows.judge(
        is_visible, _UNFIT, lambda who, what: permissions.check_service(users[who], Service(what)), user, service
    )
    same_role = (now("voice_forwarded") != 0) == (service & int(Service.FORWARDED) != 0)
    services_held = np.where((now("voice_user_id") == user) & same_role, int(ANY_VOICE), 0)
    services_held |= np.where(now("sms_user_id") == user, int(Service.SMS), 0)
    lacking = np.where(has_user, service & ~services_held, 0)
    judged = is_visible & rows.sound & (lacking != 0)
    judge_expected_holder(rows, judged)
    judge_other_users(rows, user, judged)
    judged &= rows.sound
    rows.judge_number(judged, Column.USER, lambda number, who: permissions.check_holds(number, users[who]), user)
    rows.judge_number(
        judged & rows.sound,
        Column.PHONE_NUMBER,
        lambda number, what: permissions.check_give(actor, number, Service(what)),
        lacking,
    )
    _judge_slots(rows, user, (judged | added) & rows.sound & (lacking & int(Service.VOICE) != 0))
    return lacking


def _judge_slots(rows: Rows, user: np.ndarray, claims: np.ndarray) -> None:
    """Refuse a second number for a PBX user, or a second Default DID for a trunk user (R2)."""
    slots = rows.world.slots
    other = np.array([slots.get(int(who), int(number)) != number for who, number in zip(
        user[claims], rows.e164[claims], strict=True)], dtype=bool)  # fmt: skip
    is_taken = np.zeros(rows.size, dtype=bool)
    is_taken[np.flatnonzero(claims)[other]] = True
    rows.judge(is_taken, Column.USER, lambda: permissions.check_slot(taken=True))


def _tenant_of(rows: Rows, user: np.ndarray) -> np.ndarray:
    """Return the enterprise (id) of each row's user, 0 if there is none."""
    tenant_ids = {who: visible_user.tenant.id for who, visible_user in rows.world.users.items()}
    return np.array([tenant_ids.get(int(who), 0) for who in user], dtype=np.int32)
