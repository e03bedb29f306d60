"""The numbers that a user has, exchanged (R20): some are taken, then others given, each by a job (R18).

Given are only numbers that, as far as can be seen, can be had: else all is refused and nothing taken. If one goes to
somebody else in that moment, its job tells so, and a user's only number (R2) is put back (R27).
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa

from schemas import actions, api
from schemas.codes import Code
from schemas.jobs import TERMINAL
from schemas.permissions import User, check_slot
from schemas.problems import RequestCode
from schemas.services import Service
from schemas.users import UserChange
from webhook import auth
from webhook.errors import refuse, refuse_file
from webhook.operations import jobs, users
from webhook.operations.actions import UNASSIGN, enter_selection
from webhook.operations.entering import announce, entering
from webhook.operations.giving import Gift, accept, refuse_bad_numbers
from worker.infra import scope
from worker.infra.db import transaction
from worker.infra.users import UserView

_NEEDS_SMS = "Numbers are assigned for SMS only while Enable SMS Service is on."
_HAS_NUMBERS = "SMS service cannot be turned off while the user has SMS numbers."
_TAKE_ALL = "Take all of them back first, or leave it on."
WAIT = 5.0  # seconds that each job is waited for: what is given may need what is taken


@dataclass(frozen=True)
class Exchange:
    """Numbers ("+1..") to be taken from a user, for voice (of whichever role) or for SMS; and to be given, what for.

    `fields`: where in the request each of the latter stands.
    """

    taken: Sequence[str] = ()
    given: Mapping[str, Service] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)
    is_sms: bool = False


@dataclass(frozen=True)
class Exchanged:
    """What came of it: the jobs, as they stand, of what was taken, given and put back; None where none was needed.

    With `is_held_up` taking takes long, and so nothing was given.
    """

    taking: api.Job | None = None
    giving: api.Job | None = None
    putting_back: api.Job | None = None
    is_held_up: bool = False

    @property
    def is_done(self) -> bool:
        """Whether all is as it was wanted."""
        return not self.is_held_up and all(_is_done(job) for job in (self.taking, self.giving) if job is not None)


def exchange(user_id: str, wanted: Exchange, wait: float = WAIT) -> Exchanged:
    """Take and give. `Refused`, and nothing is changed, if a number that is to be given cannot be.

    What the user has, or has not, as wanted already, is left out: it was so before.
    """
    with transaction() as connection:
        view = users.find(connection, user_id)
        user = scope.users_by_id(connection, [view.row.id])[view.row.id]
        taken, gift = _needed(view, user, wanted)
        may_create = _judge(connection, view, gift)
    taking = _take(user_id, taken, wait, is_sms=wanted.is_sms) if taken else None
    if taking is not None and not _is_done(taking):
        return Exchanged(taking=taking, is_held_up=taking.status not in TERMINAL)
    if not gift.wanted:
        return Exchanged(taking=taking)
    giving = _give(gift, wait, may_create=may_create)
    back = None
    if taking is not None and giving.status in TERMINAL and not _is_done(giving) and Service.VOICE in _roles(gift):
        back = jobs.one(jobs.undo(taking.id), wait)
    return Exchanged(taking, giving, back)


def manage_sms(user_id: str, wanted: Exchange, *, enabled: bool, wait: float = WAIT) -> Exchanged:
    """Exchange a user's SMS numbers, with its SMS service enabled before, or disabled after all is taken.

    `Refused` as `exchange`; and if the service is to end while there are numbers to be given, or others left.
    """
    if wanted.given and not enabled:
        raise refuse(RequestCode.INVALID_FIELD, _NEEDS_SMS, fix="", field="sms_enabled")
    with transaction() as connection:
        view = users.find(connection, user_id)
        user = scope.users_by_id(connection, [view.row.id])[view.row.id]
        taken, gift = _needed(view, user, wanted)
        _judge(connection, view, gift)
    if not enabled and set(view.numbers.get(Service.SMS, ())) - {int(number) for number in taken}:
        raise refuse(RequestCode.IN_USE, _HAS_NUMBERS, fix=_TAKE_ALL, field="sms_enabled")
    if enabled and not view.row.sms_enabled:
        users.change(user_id, UserChange(sms_enabled=True))
    done = exchange(user_id, wanted, wait)
    if not enabled and done.is_done and view.row.sms_enabled:
        users.change(user_id, UserChange(sms_enabled=False))
    return done


def _needed(view: UserView, user: User, wanted: Exchange) -> tuple[list[str], Gift]:
    """What is still to be taken, and to be given."""
    roles = {service: numbers for service, numbers in view.numbers.items() if _fits(service, wanted)}
    has = {f"+{e164}": service for service, numbers in roles.items() for e164 in numbers}
    given = {number: service for number, service in wanted.given.items() if has.get(number) != service}
    # Of what it has in another role, too: a Default DID becomes a Forwarded DID by being taken and given.
    taken = [number for number in has if number in wanted.taken or number in given]
    return taken, Gift(user, given, wanted.fields, freed=() if wanted.is_sms else taken)


def _fits(service: Service, wanted: Exchange) -> bool:
    return (service is Service.SMS) == wanted.is_sms


def _roles(gift: Gift) -> set[Service]:
    return set(gift.wanted.values())


def _judge(connection: sa.Connection, view: UserView, gift: Gift) -> bool:
    """Whether some are to be added; `Refused` with those that cannot be given."""
    if not gift.wanted:
        return False
    claims = [number for number, service in gift.wanted.items() if service & Service.VOICE]
    kept = [e164 for e164 in view.numbers.get(Service.VOICE, ()) if f"+{e164}" not in gift.freed]
    if claims and check_slot(taken=bool(kept) or len(claims) > 1) is not None:
        raise refuse_file(Code.ASSIGNED_IN_USE, "The user has another number by now.", field=gift.fields[claims[0]])
    return refuse_bad_numbers(connection, auth.actor().tenant, gift)


def _take(user_id: str, numbers: list[str], wait: float, *, is_sms: bool) -> api.Job:
    service = "sms" if is_sms else "voice"
    body = actions.Unassignment(numbers=numbers, user_id=user_id, service=service)
    return jobs.one(enter_selection(UNASSIGN, body), wait)


def _give(gift: Gift, wait: float, *, may_create: bool) -> api.Job:
    job = str(uuid.uuid4())
    with entering(job), transaction() as connection:
        accept(connection, auth.actor(), gift, job, may_create=may_create)
    announce(job)
    return jobs.one(job, wait)


def _is_done(job: api.Job) -> bool:
    return job.status == "completed"
