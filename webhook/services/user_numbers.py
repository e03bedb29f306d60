"""Exchange of a user's numbers (R20): some are taken, then others given, each step by a job (R18).

The numbers to give are checked first: if one cannot be given, all is refused and nothing taken. If one is assigned
elsewhere after this check, its job reports that, and the numbers taken to make room for it (R2) are put back (R27).
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa

from schemas.codes import Code
from schemas.http import actions, resources
from schemas.http.users import UserChange
from schemas.job_kinds import JobKind
from schemas.jobs import TERMINAL
from schemas.permissions import User, check_slot
from schemas.request_problems import RequestCode
from schemas.user_services import Service
from webhook.http import auth
from webhook.http.errors import refuse, refuse_file
from webhook.services import jobs, users
from webhook.services.actions import enter_selection
from webhook.services.job_submission import announce, submitting
from webhook.services.number_grants import NumberGrant, refuse_bad_numbers, submit_grant
from worker.accounts.users import UserView
from worker.database import tenant_scope
from worker.database.engine import transaction
from worker.phone.formatting import readable

_NEEDS_SMS = "Numbers can only be assigned for SMS while SMS service is enabled."
_HAS_NUMBERS = "SMS service can't be disabled while the user has SMS numbers."
WAIT = 5.0  # seconds to wait for each job: giving may depend on taking
_NOTHING = UserChange()


@dataclass(frozen=True)
class Exchange:
    """Numbers ("+1..") to take from a user, and to give to it.

    `to_unassign`: from voice (in any role) or, if `is_sms`, from SMS. `to_assign`: with their services. `fields`: the
    request field of each number given.
    """

    to_unassign: Sequence[str] = ()
    to_assign: Mapping[str, Service] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)
    is_sms: bool = False


@dataclass(frozen=True)
class Exchanged:
    """The result of an exchange: the numbers and the job of each step. The job is None if its step was not run."""

    to_unassign: Sequence[str] = ()
    to_assign: Sequence[str] = ()
    unassign_job: resources.Job | None = None
    assign_job: resources.Job | None = None
    undo_job: resources.Job | None = None

    @property
    def is_done(self) -> bool:
        """Whether every step that was needed has completed."""
        return all(
            job is not None and _is_done(job)
            for numbers, job in ((self.to_unassign, self.unassign_job), (self.to_assign, self.assign_job))
            if numbers
        )


def exchange(user_id: str, requested: Exchange, change: UserChange = _NOTHING, wait: float = WAIT) -> Exchanged:
    """Change the user, take numbers, then give numbers. Raises `Refused`, with nothing changed, if impossible.

    Numbers that are already as requested are skipped.
    """
    with transaction() as connection:
        view = users.apply(connection, user_id, change)
        user = tenant_scope.users_by_id(connection, [view.row.id])[view.row.id]
        to_unassign, grant = _needed(view, user, requested)
        may_create = _judge(connection, view, grant)
        if may_create and requested.is_sms:  # R21: Manage SMS creates no numbers
            raise refuse_file(Code.NOT_FOUND, field="sms_dids")
    to_assign = list(grant.wanted)
    unassign_job = _take(user_id, to_unassign, wait, is_sms=requested.is_sms) if to_unassign else None
    if unassign_job is not None and not _is_done(unassign_job):
        return Exchanged(to_unassign, to_assign, unassign_job)
    assign_job = _give(grant, wait, may_create=may_create) if to_assign else None
    undo_job = None
    if (
        unassign_job is not None
        and assign_job is not None
        and _failed(assign_job)
        and Service.VOICE in grant.wanted.values()
    ):
        undo_job = jobs.get(jobs.undo(unassign_job.id), wait)
    return Exchanged(to_unassign, to_assign, unassign_job, assign_job, undo_job)


def manage_sms(user_id: str, requested: Exchange, *, enabled: bool, wait: float = WAIT) -> Exchanged:
    """Exchange a user's SMS numbers; enable its SMS service before, or disable it once all are taken.

    Raises `Refused` like `exchange`, and if the service is to be disabled while numbers are given or left.
    """
    if enabled:
        return exchange(user_id, requested, UserChange(sms_enabled=True), wait)
    if requested.to_assign:
        raise refuse(RequestCode.INVALID_FIELD, _NEEDS_SMS, fix="Enable it too.", field="sms_enabled")
    left = set(users.get(user_id).sms_dids) - set(requested.to_unassign)
    if left:
        raise refuse(RequestCode.IN_USE, _HAS_NUMBERS, fix="Unassign them all, or leave it on.", field="sms_enabled")
    done = exchange(user_id, requested, wait=wait)
    if done.is_done:
        users.change(user_id, UserChange(sms_enabled=False))
    return done


def _needed(view: UserView, user: User, requested: Exchange) -> tuple[list[str], NumberGrant]:
    """Return the numbers still to take, and those still to give."""
    services = {
        f"+{e164}": service
        for service, numbers in view.numbers.items()
        for e164 in numbers
        if (service is Service.SMS) == requested.is_sms
    }
    to_assign = {number: service for number, service in requested.to_assign.items() if services.get(number) != service}
    # Also numbers that it has in another role: a Default DID becomes a Forwarded DID by being taken and given.
    to_unassign = [number for number in services if number in requested.to_unassign or number in to_assign]
    return to_unassign, NumberGrant(user, to_assign, requested.fields, freed=() if requested.is_sms else to_unassign)


def _judge(connection: sa.Connection, view: UserView, grant: NumberGrant) -> bool:
    """Return whether some numbers must be created. Raises `Refused` with those that cannot be given."""
    if not grant.wanted:
        return False
    claims = [number for number, service in grant.wanted.items() if service & Service.VOICE]
    own_numbers = [e164 for e164 in view.numbers.get(Service.VOICE, ()) if f"+{e164}" not in grant.freed]
    if claims and check_slot(taken=bool(own_numbers)) is not None:
        detail = f"The user now has {readable(f'+{own_numbers[0]}')}. Open the user again to change that."
        raise refuse(RequestCode.IN_USE, detail, fix="", field=grant.fields[claims[0]])
    return refuse_bad_numbers(connection, auth.actor().tenant, grant)


def _take(user_id: str, numbers: list[str], wait: float, *, is_sms: bool) -> resources.Job:
    service = "sms" if is_sms else "voice"
    body = actions.Unassignment(numbers=numbers, user_id=user_id, service=service)
    return jobs.get(enter_selection(JobKind.UNASSIGN, body), wait)


def _give(grant: NumberGrant, wait: float, *, may_create: bool) -> resources.Job:
    job = str(uuid.uuid4())
    with submitting(job), transaction() as connection:
        submit_grant(connection, auth.actor(), grant, job, may_create=may_create)
    announce(job)
    return jobs.get(job, wait)


def _is_done(job: resources.Job) -> bool:
    return job.status == "completed"


def _failed(job: resources.Job) -> bool:
    return job.status in TERMINAL and not _is_done(job)
