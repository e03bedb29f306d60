"""Grants of numbers to a user: checked all at once, before the job, by the rules that the job applies (R20, R21).

This check is read-only. The job checks again, since anything may have changed by then.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import sqlalchemy as sa

from schemas import permissions
from schemas.codes import Code, faults_of, text_of
from schemas.columns import Column
from schemas.job_kinds import JobKind
from schemas.jobs import JobOptions
from schemas.permissions import Actor, NumberFacts, Tenant, User
from schemas.user_services import Service, name_of
from webhook.http.errors import refuse_file
from worker import phone
from worker.database import tenant_scope
from worker.jobs import submit
from worker.numbers import inventory
from worker.storage import number_lists


@dataclass(frozen=True)
class NumberGrant:
    """Numbers ("+1..") for a user, with the service and the request field of each.

    `freed`: voice numbers of the user that are taken from it first.
    """

    user: User
    wanted: Mapping[str, Service]
    fields: Mapping[str, str]
    freed: Collection[str] = ()


def submit_grant(connection: sa.Connection, actor: Actor, grant: NumberGrant, job: str, *, may_create: bool) -> None:
    """Submit the job (with this public id) that assigns the numbers: always a job (R18), one for all services."""
    services = [name_of(service) for service in grant.wanted.values()]
    number_lists.put(job, {Column.PHONE_NUMBER: list(grant.wanted), Column.SERVICE: services})
    options = JobOptions(user_id=grant.user.id, may_create=may_create)
    order = submit.NewJob(job, actor.tenant.id, actor.name, JobKind.ASSIGN, options, admin_id=actor.admin_id)
    submit.submit(connection, order)


def refuse_bad_numbers(connection: sa.Connection, actor: Tenant, grant: NumberGrant) -> bool:
    """Raise `Refused` with every number that cannot be assigned; else return whether some must be created."""
    services, fields, user = grant.wanted, grant.fields, grant.user
    e164 = np.array(sorted(int(number) for number in services), dtype=np.int64)
    facts_by_number = _facts(connection, e164)
    for number in grant.freed:
        if int(number) in facts_by_number:
            facts_by_number[int(number)] = replace(facts_by_number[int(number)], voice_user=False)
    errors = []
    for number, service in services.items():
        facts = facts_by_number.get(int(number))
        code = _check_new(actor, int(number)) if facts is None else _check_existing(actor, facts, user, service)
        if code is not None:
            text = text_of(*code).with_value(number)
            errors.append(
                {
                    "field": fields[number],
                    "value": number,
                    "code": code[0].value,
                    "message": text.message,
                    "fix": text.fix,
                }
            )
    if errors:
        first: dict[str, Any] = errors[0]
        raise refuse_file(Code(first["code"]), f"{first['value']}: {first['message']}", errors=errors)
    return len(facts_by_number) < len(services)


def _check_existing(actor: Tenant, facts: NumberFacts, user: User, service: Service) -> tuple[Code, Column] | None:
    """Return why an existing number cannot be assigned; None if it can.

    A number outside the actor's tree is treated as absent, unless the actor may add numbers (R3, R21).
    """
    if permissions.check_seen(actor, facts) is not None:
        code = permissions.check_upload(actor) or permissions.check_existing(actor, facts.holder)
        return None if code is None else (code, Column.PHONE_NUMBER)
    code = permissions.check_holds(facts, user)
    if code is not None:
        return code, Column.USER
    code = permissions.check_give(actor, facts, service)
    return None if code is None else (code, Column.PHONE_NUMBER)


def _check_new(actor: Tenant, e164: int) -> tuple[Code, Column] | None:
    """Return why a number cannot be created (R21, R15); None if it can."""
    code = permissions.check_upload(actor)
    if code is not None:
        return code, Column.PHONE_NUMBER
    faults = faults_of(int(phone.faults_of_new(np.array([e164], dtype=np.int64))[0]))
    return None if not faults else (faults[0].code, Column.PHONE_NUMBER)


def _facts(connection: sa.Connection, e164: np.ndarray) -> dict[int, NumberFacts]:
    """Return the facts of the numbers that exist, wherever: input for the rules, never to be shown."""
    state = inventory.look_up(connection, e164, lock=False)
    ids = {int(value) for name in ("holder_id", "uploader_id") for value in state[name]}
    tenants = tenant_scope.tenants_by_id(connection, sorted(ids))
    columns = ("e164", "holder_id", "uploader_id", "voice", "sms", "voice_user_id", "sms_user_id")
    facts = {}
    for number, holder, uploader, voice, sms, voice_user, sms_user in zip(
        *(state[name].tolist() for name in columns), strict=True
    ):
        facts[number] = NumberFacts(
            tenants[holder], tenants[uploader], bool(voice), bool(sms), bool(voice_user), bool(sms_user)
        )
    return facts
