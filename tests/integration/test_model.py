"""The whole domain against `tests.model`: random jobs by random admins, inventory and model compared after every step.

Each sequence starts with an empty inventory in one small tree, so that numbers, users and carriers get into each
other's way. A failing sequence is told as the calls that lead to it. `NUMBERYARD_HYPOTHESIS=nightly` runs more of them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any, TypeVar, cast

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from werkzeug.test import TestResponse

from schemas import tables
from schemas.permissions import TenantKind
from tests import factories, model, sheets
from tests.door import Door, Json
from tests.factories import World
from tests.model import Order, Row, Terse

PARTS = 3  # tests that share the sequences, so that several processes can
SEQUENCES = {"default": 30, "nightly": 200}
STEPS = 14
NOBODY = "00000000-0000-4000-8000-000000000000"

# The tree, as the model sees it. Without a default for SMS at the top some numbers have no carrier to fall back on.
MASTER = model.Tenant("Meridian Master", "master_reseller", defaults={"voice": "Master Voice"})
NORTH = model.Tenant("Northern Reseller", "reseller", MASTER, defaults={"sms": "North sms"})
SOUTH = model.Tenant("Southern Reseller", "reseller", MASTER, defaults={"voice": "South voice"})
CLINIC = model.Tenant("Clinic Enterprise", "enterprise", NORTH, external=True)
HOTEL = model.Tenant("Hotel Enterprise", "enterprise", NORTH)
SCHOOL = model.Tenant("School Enterprise", "enterprise", SOUTH, external=True)
MUSEUM = model.Tenant("Museum Enterprise", "enterprise", SOUTH)
TENANTS = (MASTER, NORTH, SOUTH, CLINIC, HOTEL, SCHOOL, MUSEUM)
CARRIERS = {
    "Master Voice": model.Carrier("voice", MASTER),
    "Master SMS": model.Carrier("sms", MASTER),
    "North voice": model.Carrier("voice", NORTH),
    "North sms": model.Carrier("sms", NORTH),
    "South voice": model.Carrier("voice", SOUTH),
    "South sms": model.Carrier("sms", SOUTH),
}
USERS = (
    model.User("ann@example.org", CLINIC, "pbx", sms=True, serial=1),
    model.User("bob@example.org", CLINIC, "pbx", serial=2),
    model.User("tom@example.org", CLINIC, "trunk", sms=True, serial=3),
    model.User("hal@example.org", HOTEL, "pbx", sms=True, serial=4),
    model.User("tim@example.org", HOTEL, "trunk", serial=5),
    model.User("sue@example.org", SCHOOL, "trunk", sms=True, serial=6),
    model.User("max@example.org", MUSEUM, "pbx", sms=True, serial=7),
)
NEWCOMERS = (
    model.User("new@example.org", CLINIC, "pbx", sms=True),
    model.User("nan@example.org", CLINIC, "trunk", sms=True),
    model.User("ned@example.org", HOTEL, "trunk", sms=True),
    model.User("nim@example.org", SCHOOL, "pbx"),
)
PEOPLE = (*USERS, *NEWCOMERS)

# Numbers: few, so that jobs meet. And what cells of country and number are refused for: for a file with countries, for
# a list of numbers.
POOL = {
    **{12_125_550_140 + last: ("1", f"{2_125_550_140 + last}") for last in range(9)},
    442079460958: ("44", "020 7946 0958"),
    4930901820: ("DE", "030 901820"),
    41446681800: ("CH", "+41 44 668 18 00"),
}
ABSENT = 12_125_550_199
BAD_PAIRS = {
    "MISSING_VALUE": ("", "2125550142"),
    "INVALID_COUNTRY_CODE": ("999", "2125550142"),
    "INVALID_CHARACTER": ("1", "ask Bob"),
    "TOO_SHORT": ("1", "21255"),
    "COUNTRY_MISMATCH": ("44", "+12125550142"),
    "INVALID_NUMBER": ("1", "1125550142"),
}
BAD_TEXTS = {
    "MISSING_VALUE": "",
    "INVALID_CHARACTER": "ask Bob",
    "TOO_SHORT": "+1 212",
    "TOO_LONG": "+1234567890123456",
}
PREFIXES = ("+", "", "00")  # ways to write an international number
DOORS = {"assign": "assignments", "unassign": "unassignments", "change": "capability-changes", "delete": "deletions"}
COLUMNS = ("Voice Carrier Name", "SMS Carrier Profile", "Enterprises and Resellers", "User", "Service")
COUNTED = ("created", "updated", "deleted", "unchanged", "skipped", "failed", "unprocessed")


# What is asked for

Value = TypeVar("Value")


def mostly(usual: st.SearchStrategy[Value], rare: st.SearchStrategy[Value]) -> st.SearchStrategy[Value]:
    """One of ten is rare."""
    return st.integers(0, 9).flatmap(lambda lot: rare if lot == 9 else usual)


actors = st.sampled_from([NORTH, CLINIC, NORTH, MASTER, CLINIC, HOTEL, SOUTH, SCHOOL, MUSEUM])
names = actors.map(lambda actor: actor.name)
numbers = st.sampled_from(sorted(POOL))
flags = st.sampled_from([True, None, False, True])
maybe = st.sampled_from([None, True, False])
ways = st.sampled_from([{"voice"}, {"sms"}, {"voice", "sms"}, {"forwarded"}, {"forwarded", "sms"}]).map(frozenset)
errors = mostly(st.just("skip"), st.just("abort")) | st.sampled_from(["skip", "abort"])
modes = mostly(st.just("apply"), st.just("review")) | st.just("apply")


def carriers_for(actor: model.Tenant, service: str) -> st.SearchStrategy[str | None]:
    usable = [name for name, carrier in CARRIERS.items() if carrier.service == service and carrier.is_usable_by(actor)]
    return mostly(st.none() | st.none() | st.sampled_from(usable), st.sampled_from(sorted(CARRIERS)))


def targets_for(actor: model.Tenant) -> st.SearchStrategy[str]:
    below = [tenant.name for tenant in TENANTS if tenant.is_within(actor)]
    return mostly(st.sampled_from(below[1:] or below), st.sampled_from([tenant.name for tenant in TENANTS]))


def users_for(actor: model.Tenant) -> st.SearchStrategy[str]:
    here = [user.email for user in PEOPLE if user.home.is_within(actor)]
    everybody = [user.email for user in PEOPLE]
    return mostly(st.sampled_from(here or everybody), st.sampled_from(everybody))


def rows_of(sound: st.SearchStrategy[Row], faults: Collection[str], *, by_file: bool) -> st.SearchStrategy[list[Row]]:
    """Some sound rows, and a bad one here and there, or (in a file) a blank one."""
    bad = st.sampled_from(sorted(faults)).map(lambda code: Row(fault=code))
    return st.lists(mostly(sound, st.just(Row(blank=True)) | bad if by_file else bad), min_size=1, max_size=6)


@st.composite
def uploads(draw: st.DrawFn) -> Order:
    actor = draw(actors)
    sound = st.builds(
        Row,
        number=numbers,
        voice=flags,
        sms=flags,
        fax=maybe,
        voice_carrier=carriers_for(actor, "voice"),
        sms_carrier=carriers_for(actor, "sms"),
        target=st.none() | targets_for(actor),
    )
    chosen = st.builds(
        Row,
        voice_carrier=carriers_for(actor, "voice"),
        sms_carrier=carriers_for(actor, "sms"),
        target=st.none() | targets_for(actor),
    )
    rows = draw(rows_of(sound, BAD_PAIRS, by_file=True))
    on_existing = draw(st.sampled_from(["update", "skip", "error", "update"]))
    return Order("upload", actor.name, rows, draw(chosen), on_existing, draw(errors), draw(modes))


@dataclass(frozen=True, repr=False)
class Listed(Terse):
    """An action on numbers by list, or by a file whose rows may say more."""

    order: Order
    by_file: bool


def action(
    kind: str,
    by_row: Callable[[model.Tenant], st.SearchStrategy[Row]],
    beside: Callable[[model.Tenant], st.SearchStrategy[Row]],
) -> st.SearchStrategy[Listed]:
    """`by_row` is what a row of a file may say of its number, `beside` what is chosen for all of them."""

    @st.composite
    def actions(draw: st.DrawFn) -> Listed:
        actor, by_file = draw(actors), draw(st.booleans())
        said = by_row(actor) if by_file else st.just(Row())
        number = mostly(numbers, st.just(ABSENT))
        sound = st.builds(lambda row, e164: replace(row, number=e164), said, number)
        # A row of a file with nothing in it is blank, an item of a list lacks its number.
        rows = draw(rows_of(sound, BAD_TEXTS.keys() - ({"MISSING_VALUE"} if by_file else set()), by_file=by_file))
        chosen = beside(actor)
        if by_file:
            chosen = chosen | st.just(Row())
        order = Order(kind, actor.name, rows, draw(chosen), "skip", draw(errors), draw(modes))
        return Listed(order, by_file)

    return actions()


def to_tenant(actor: model.Tenant) -> st.SearchStrategy[Row]:
    return st.builds(Row, target=targets_for(actor))


def to_user(actor: model.Tenant) -> st.SearchStrategy[Row]:
    return st.builds(Row, user=users_for(actor), ways=ways)


def anywhere(actor: model.Tenant) -> st.SearchStrategy[Row]:
    return st.just(Row()) | to_tenant(actor) | to_user(actor)


def from_users(actor: model.Tenant) -> st.SearchStrategy[Row]:
    return st.builds(Row, user=st.none() | users_for(actor), ways=st.none() | ways)


def otherwise(actor: model.Tenant) -> st.SearchStrategy[Row]:
    voice, sms = carriers_for(actor, "voice"), carriers_for(actor, "sms")
    return st.builds(Row, voice=maybe, sms=maybe, fax=maybe, voice_carrier=voice, sms_carrier=sms)


def changing(actor: model.Tenant) -> st.SearchStrategy[Row]:
    return otherwise(actor).filter(lambda row: row != Row())


def nothing(_actor: model.Tenant) -> st.SearchStrategy[Row]:
    return st.just(Row())


@dataclass(frozen=True, repr=False)
class Selected(Terse):
    """An action on whatever a filter finds, the rows of `order` being found when it is its turn."""

    order: Order
    by: str  # a filter's field
    value: str
    seen: int = 0  # how many more numbers the caller believes to be there


@st.composite
def selections(draw: st.DrawFn) -> Selected:
    actor = draw(actors)
    kinds = {"assign": to_tenant, "unassign": from_users, "change": changing, "delete": nothing}
    kind = draw(st.sampled_from(sorted(kinds)))
    by, value = draw(
        st.just(("", ""))
        | st.tuples(st.just("tenant_id"), targets_for(actor))
        | st.tuples(st.just("user_id"), users_for(actor))
        | st.tuples(st.just("status"), st.sampled_from(["assigned", "unassigned"]))
        | st.tuples(st.just("capability"), st.sampled_from(model.CAPABILITIES))
        | st.tuples(st.just("carrier"), st.sampled_from(sorted(CARRIERS)))
        | st.tuples(st.just("q"), st.sampled_from(["+1 212", "44", "121255501451"]))
    )
    order = Order(kind, actor.name, [], draw(kinds[kind](actor)), "skip", draw(errors), draw(modes))
    return Selected(order, by, value, draw(mostly(st.just(0), st.sampled_from([-1, 1]))))


@st.composite
def newcomers(draw: st.DrawFn) -> tuple[str, model.User, dict[int, frozenset[str]]]:
    """Who makes whom, with which numbers."""
    user = draw(st.sampled_from(NEWCOMERS))
    line = [tenant.name for tenant in user.home.line]
    actor = draw(mostly(st.sampled_from([line[0], *line]), st.just(HOTEL.name)))
    voice = ["voice", "forwarded"] if user.kind == "trunk" else ["voice"]
    services = [{way} for way in voice] + ([{"sms"}] + [{way, "sms"} for way in voice] if user.sms else [])
    wanted = draw(st.dictionaries(numbers, st.sampled_from(services).map(frozenset), max_size=3))
    mains = [e164 for e164, found in wanted.items() if "voice" in found]
    return actor, user, {e164: found for e164, found in wanted.items() if e164 not in mains[1:]}


# The service


class Yard:
    """The service under test, and which of its ids stand for what the model speaks of."""

    def __init__(self, api: Door, world: World, engine: sa.Engine) -> None:
        self.api, self.engine = api, engine
        accounts = {
            account.tenant.name: account for account in vars(world).values() if isinstance(account, factories.Account)
        }
        with engine.begin() as connection:
            museum = factories.tenant(connection, world.south.tenant, TenantKind.ENTERPRISE, name=MUSEUM.name)
            accounts[MUSEUM.name] = factories.Account(museum, factories.token(connection, museum))
            for tenant in TENANTS:
                for service in model.SERVICES:
                    default = world.carriers.get(tenant.defaults.get(service, ""))
                    factories.set_default(connection, accounts[tenant.name].tenant, service, default)
        self.accounts = accounts
        self.tenants = {account.id: name for name, account in accounts.items()}
        self.carriers = {found: name for name, found in world.carriers.items()}
        self.jobs: list[str] = []  # public ids, in the order of the model's jobs
        self.users: dict[str, model.User] = {}  # by public id
        self.user_ids: dict[str, str] = {}  # public id by address, of those who are there

    def clear(self) -> None:
        """Back to an empty inventory and the first users."""
        self.jobs, self.users, self.user_ids = [], {}, {}
        with self.engine.begin() as connection:
            connection.execute(sa.text("TRUNCATE phone_numbers, number_events, job_chunks, jobs, users"))
            for user in USERS:
                columns = {"name": user.email, "email": user.email, "kind": user.kind, "sms_enabled": user.sms}
                home = self.accounts[user.home.name].id
                inserted = tables.users.insert().values(tenant_id=home, **columns).returning(tables.users.c.public_id)
                self.know(user, connection.execute(inserted).scalar_one())

    def know(self, user: model.User, public_id: str) -> None:
        self.users[public_id], self.user_ids[user.email] = user, public_id

    def as_(self, actor: str) -> Door:
        return self.api.as_(self.accounts[actor].token)

    def tenant_id(self, name: str) -> str:
        return self.accounts[name].tenant.public_id

    def user_id(self, email: str) -> str:
        return self.user_ids.get(email, NOBODY)

    # Requests

    def upload(self, order: Order) -> TestResponse:
        chosen = order.chosen
        fields = {
            "voice_carrier": chosen.voice_carrier,
            "sms_carrier_profile": chosen.sms_carrier,
            "assign_to": chosen.target and self.tenant_id(chosen.target),
            "on_existing": order.on_existing,
            "on_error": order.on_error,
            "mode": order.mode,
        }
        lines = [(*sheets.HEADER, *COLUMNS[:3]), *(_upload_cells(row) for row in order.rows)]
        given = {name: value for name, value in fields.items() if value is not None}
        return self.as_(order.actor).send(sheets.csv_bytes(lines), **given)

    def action(self, order: Order, more: Json) -> Json:
        """The body of an action, or the fields beside its file."""
        chosen = order.chosen
        fields = {
            "tenant_id": chosen.target and self.tenant_id(chosen.target),
            "user_id": chosen.user and self.user_id(chosen.user),
            "service": chosen.ways and "+".join(sorted(chosen.ways)),
            "voice": chosen.voice,
            "sms": chosen.sms,
            "fax": chosen.fax,
            "voice_carrier": chosen.voice_carrier,
            "sms_carrier_profile": chosen.sms_carrier,
            "on_error": order.on_error,
            "mode": order.mode,
        }
        return {name: value for name, value in fields.items() if value is not None} | more

    def by_list(self, order: Order) -> TestResponse:
        texts = [_number_text(row, place) for place, row in enumerate(order.rows)]
        return self.as_(order.actor).post(f"/v1/{DOORS[order.kind]}", self.action(order, {"numbers": texts}))

    def by_file(self, order: Order) -> TestResponse:
        header = ("Phone Number", *(COLUMNS[2:] if order.kind == "assign" else COLUMNS[3:]))
        if order.kind in {"change", "delete"}:
            header = (
                ("Phone Number", *sheets.HEADER[2:], *COLUMNS[:2])
                if order.kind == "change"
                else ("Phone Number", "Note")
            )
        lines = [header, *(_action_cells(row, place, header) for place, row in enumerate(order.rows))]
        fields = {
            name: str(value).lower() if isinstance(value, bool) else value
            for name, value in self.action(order, {}).items()
        }
        return self.as_(order.actor).send(sheets.csv_bytes(lines), to=DOORS[order.kind], **fields)

    def by_filter(self, selected: Selected, expected: int) -> TestResponse:
        value = selected.value
        if selected.by in {"tenant_id", "user_id"}:
            value = self.tenant_id(value) if selected.by == "tenant_id" else self.user_id(value)
        body = self.action(
            selected.order, {"filter": {selected.by: value} if value else {}, "expected_count": expected}
        )
        return self.as_(selected.order.actor).post(f"/v1/{DOORS[selected.order.kind]}", body)

    def make_user(self, actor: str, user: model.User, wanted: Mapping[int, frozenset[str]]) -> TestResponse:
        def having(way: str) -> list[str]:
            return [f"+{e164}" for e164, found in wanted.items() if way in found]

        main = {"phone_number" if user.kind == "pbx" else "default_did": number for number in having("voice")}
        body = {
            "name": user.email,
            "email": user.email,
            "kind": user.kind,
            "tenant_id": self.tenant_id(user.home.name),
            "sms_enabled": user.sms,
            "sms_dids": having("sms"),
            "forwarded_dids": having("forwarded"),
            **main,
        }
        return self.as_(actor).post("/v1/users", body, headers={"Prefer": "wait=0"})

    # What is there

    def inventory(self) -> dict[int, model.Number]:
        """Every number, in the model's words."""
        with self.engine.connect() as connection:
            jobs = {row.id: self.jobs.index(row.public_id) + 1 for row in connection.execute(sa.select(tables.jobs))}
            users = {row.id: self.users[row.public_id] for row in connection.execute(sa.select(tables.users))}
            return {
                row.e164: model.Number(
                    holder=_tenant(self.tenants[row.holder_id]),
                    uploader=_tenant(self.tenants[row.uploader_id]),
                    capabilities=frozenset(name for name in model.CAPABILITIES if getattr(row, name)),
                    voice_carrier=self.carriers.get(row.voice_carrier_id),
                    sms_carrier=self.carriers.get(row.sms_carrier_id),
                    voice_user=row.voice_user_id and users[row.voice_user_id],
                    sms_user=row.sms_user_id and users[row.sms_user_id],
                    forwarded=row.voice_forwarded,
                    stamp=jobs[row.changed_job_id],
                    born=jobs[row.created_job_id],
                )
                for row in connection.execute(sa.select(tables.phone_numbers))
            }

    def events(self) -> set[tuple[int, int]]:
        query = sa.select(tables.number_events.c.e164, tables.jobs.c.public_id).join(
            tables.jobs, tables.jobs.c.id == tables.number_events.c.job_id
        )
        with self.engine.connect() as connection:
            return {(row.e164, self.jobs.index(row.public_id) + 1) for row in connection.execute(query)}

    def shown(self, actor: str) -> list[Json]:
        """What `GET /v1/numbers` shows an admin."""
        answer = self.as_(actor).get("/v1/numbers", query_string={"limit": 500})
        return [_shown(entry) for entry in answer.json["data"]]


def _tenant(name: str) -> model.Tenant:
    return next(tenant for tenant in TENANTS if tenant.name == name)


def _text(flag: bool | None) -> str:
    return "" if flag is None else str(flag).upper()


def _upload_cells(row: Row) -> tuple[str, ...]:
    if row.blank:
        return ("",) * 8
    pair = BAD_PAIRS[row.fault] if row.fault else POOL[row.number or 0]
    named = (row.voice_carrier or "", row.sms_carrier or "", row.target or "")
    return (*pair, _text(row.voice), _text(row.sms), _text(row.fax), *named)


def _number_text(row: Row, place: int) -> str:
    return BAD_TEXTS[row.fault] if row.fault else f"{PREFIXES[place % len(PREFIXES)]}{row.number}"


def _action_cells(row: Row, place: int, header: Sequence[str]) -> list[str]:
    cells = {
        "Phone Number": _number_text(row, place),
        "Voice": _text(row.voice),
        "SMS": _text(row.sms),
        "Fax": _text(row.fax),
        "Voice Carrier Name": row.voice_carrier or "",
        "SMS Carrier Profile": row.sms_carrier or "",
        "Enterprises and Resellers": row.target or "",
        "User": row.user or "",
        "Service": " + ".join(sorted(row.ways or ())),
        "Note": "kept",
    }
    return ["" if row.blank else cells[name] for name in header]


def _shown(entry: Json) -> Json:
    """An entry of the list, without what the model does not speak of."""
    plain = {name: entry[name] for name in ("voice", "sms", "fax", "voice_carrier", "sms_carrier_profile", "status")}
    having = {
        name: user and (user["email"], user["service"])
        for name, user in (("voice_user", entry["voice_user"]), ("sms_user", entry["sms_user"]))
    }
    names = {"tenant": entry["tenant"]["name"], "uploaded_by": entry["uploaded_by"]["name"]}
    can = {"can_change": entry["can"]["change"], "can_delete": entry["can"]["delete"]}
    return {"number": int(entry["e164"]), **plain, **having, **names, **can}


def _expected(e164: int, number: model.Number, actor: str) -> Json:
    free = not number.in_use and number.holder == number.uploader
    return {
        "number": e164,
        **{name: name in number.capabilities for name in model.CAPABILITIES},
        "voice_carrier": number.voice_carrier,
        "sms_carrier_profile": number.sms_carrier,
        "status": "unassigned" if free else "assigned",
        "voice_user": number.voice_user and (number.voice_user.email, "forwarded" if number.forwarded else "voice"),
        "sms_user": number.sms_user and (number.sms_user.email, "sms"),
        "tenant": number.holder.name,
        "uploaded_by": number.uploader.name,
        "can_change": True,
        "can_delete": free and number.uploader.name == actor,
    }


class Numberyard(RuleBasedStateMachine):
    """One sequence of jobs."""

    def __init__(self, yard: Yard) -> None:
        super().__init__()
        self.yard = yard
        self.yard.clear()
        self.model = model.Platform(TENANTS, CARRIERS, USERS)

    # Jobs

    @initialize(
        capabilities=st.lists(st.tuples(flags, flags), min_size=9, max_size=9),
        holders=st.lists(st.sampled_from([CLINIC.name, HOTEL.name, None, CLINIC.name]), min_size=9, max_size=9),
    )
    def numbers_are_there(self, capabilities: list[tuple[bool | None, bool | None]], holders: list[str | None]) -> None:
        rows = [
            Row(e164, voice=voice, sms=sms, fax=True, target=target)
            for e164, (voice, sms), target in zip(sorted(POOL)[3:], capabilities, holders, strict=True)
        ]
        self.upload(Order("upload", NORTH.name, rows, Row(voice_carrier="North voice")))

    @rule(order=uploads())
    def upload(self, order: Order) -> None:
        self._enter(lambda: self.model.submit(order), lambda: self.yard.upload(order))

    @rule(listed=action("assign", anywhere, to_tenant))
    def assign_to_tenant(self, listed: Listed) -> None:
        self._act(listed)

    @rule(listed=action("assign", anywhere, to_user))
    def assign_to_user(self, listed: Listed) -> None:
        self._act(listed)

    @rule(listed=action("unassign", from_users, from_users))
    def unassign(self, listed: Listed) -> None:
        self._act(listed)

    @rule(listed=action("unassign", nothing, nothing))
    def take_back(self, listed: Listed) -> None:
        self._act(listed)

    @rule(listed=action("change", otherwise, changing))
    def change(self, listed: Listed) -> None:
        self._act(listed)

    @rule(listed=action("delete", nothing, nothing))
    def delete(self, listed: Listed) -> None:
        self._act(listed)

    @rule(selected=selections())
    def act_on_selection(self, selected: Selected) -> None:
        found = [
            e164
            for e164, number in self.model.seen(selected.order.actor).items()
            if self._matches(selected, number, e164)
        ]
        order = replace(selected.order, rows=[Row(e164) for e164 in sorted(found)])
        expected = max(len(found) + selected.seen, 0)

        def enter() -> model.Job:
            if expected != len(found):
                raise model.Refused("COUNT_CHANGED", *self._door_codes(order))
            if not found:
                raise model.Refused("INVALID_FIELD", *self._door_codes(order))
            return self.model.submit(order)

        self._enter(enter, lambda: self.yard.by_filter(selected, expected))

    @precondition(lambda self: self.model.jobs)
    @rule(which=st.integers(0, 30), actor=st.none() | names)
    def undo(self, which: int, actor: str | None) -> None:
        job, name = self._job(which, actor)
        self._enter(lambda: self.model.undo(name, job), lambda: self._decide(job, name, "undo"))

    @precondition(lambda self: self.model.jobs)
    @rule()
    def undo_the_last(self) -> None:
        self.undo(0, None)

    @precondition(lambda self: any(job.status == "review" for job in self.model.jobs))
    @rule(which=st.integers(0, 30), actor=st.none() | names, confirmed=st.sampled_from([True, True, False]))
    def decide_about_review(self, which: int, actor: str | None, confirmed: bool) -> None:
        reviewed = [job for job in self.model.jobs if job.status == "review"]
        job = reviewed[which % len(reviewed)]
        name = actor or job.order.actor
        decide = self.model.confirm if confirmed else self.model.cancel
        answer = self._decide(job, name, "confirm" if confirmed else "cancel")
        if self._agreed(answer, 202, lambda: decide(name, job)):
            self.yard.api.work_off()
            self._compare(job)

    # Users

    @rule(newcomer=newcomers())
    def make_user(self, newcomer: tuple[str, model.User, dict[int, frozenset[str]]]) -> None:
        actor, user, wanted = newcomer
        answer = self.yard.make_user(actor, user, wanted)
        if self._agreed(answer, 201, lambda: self.model.make_user(actor, user, wanted)):
            self.yard.know(self.model.users[user.email], answer.json["id"])
            if answer.json["job_id"]:
                self._done(answer.json["job_id"])

    @rule(email=st.sampled_from([user.email for user in PEOPLE]), actor=st.none() | names, on=st.booleans())
    def enable_sms(self, email: str, actor: str | None, on: bool) -> None:
        name = self._admin_of(email, actor)
        answer = self._user_request("patch", email, name, json={"sms_enabled": on})
        self._agreed(answer, 200, lambda: self.model.enable_sms(name, email, on=on))

    @rule(email=st.sampled_from([user.email for user in PEOPLE]), actor=st.none() | names)
    def delete_user(self, email: str, actor: str | None) -> None:
        name = self._admin_of(email, actor)
        answer = self._user_request("delete", email, name)
        self._agreed(answer, 204, lambda: self.model.delete_user(name, email))
        if email not in self.model.users:
            self.yard.user_ids.pop(email, None)

    # What must hold

    @invariant()
    def inventory_is_the_models(self) -> None:
        found = self.yard.inventory()
        wanted = self.model.numbers
        assert not {e164: (found.get(e164), wanted.get(e164)) for e164 in POOL if found.get(e164) != wanted.get(e164)}
        assert found.keys() == wanted.keys()
        assert self.yard.events() == self.model.events
        slots = [number.voice_user for number in found.values() if number.voice_user and not number.forwarded]
        assert len(slots) == len(set(slots))  # R2
        for number in found.values():
            assert number.holder.is_within(number.uploader)
            assert all(user.home == number.holder for user in (number.voice_user, number.sms_user) if user)
            for service in model.SERVICES:
                carrier = number.carrier(service)
                assert (carrier is not None) == (service in number.capabilities)  # R13
                assert carrier is None or CARRIERS[carrier].is_usable_by(number.holder)  # R7
                assert number.user(service) is None or service in number.capabilities  # R20, R23

    @invariant()
    def everybody_sees_its_own(self) -> None:
        """R3: one admin after the other, each every seventh step."""
        actor = TENANTS[len(self.yard.jobs) % len(TENANTS)].name
        seen = self.model.seen(actor)
        assert self.yard.shown(actor) == [_expected(e164, seen[e164], actor) for e164 in sorted(seen)]

    def teardown(self) -> None:
        for tenant in TENANTS:
            seen = self.model.seen(tenant.name)
            assert self.yard.shown(tenant.name) == [_expected(e164, seen[e164], tenant.name) for e164 in sorted(seen)]

    # How it is done

    def _act(self, listed: Listed) -> None:
        send = self.yard.by_file if listed.by_file else self.yard.by_list
        self._enter(lambda: self.model.submit(listed.order), lambda: send(listed.order))

    def _enter(self, enter: Callable[[], model.Job], send: Callable[[], TestResponse]) -> None:
        """Model and service take the same request; if it becomes a job they agree about every row."""
        answer = send()
        if self._agreed(answer, 202, enter):
            self._done(answer.json["id"])

    def _agreed(self, answer: TestResponse, status: int, step: Callable[[], object]) -> bool:
        """Whether model and service let a request through; that they agree about it, and about the reason if not."""
        refused: frozenset[str] = frozenset()
        try:
            step()
        except model.Refused as refusal:
            refused = refusal.codes
        if refused:
            assert answer.json["code"] in refused, answer.json
            assert answer.status_code >= HTTPStatus.BAD_REQUEST
        else:
            assert answer.status_code == status, answer.json
        return not refused

    def _done(self, public_id: str) -> None:
        """Have the model's last job done by the service, too."""
        self.yard.jobs.append(public_id)
        self.yard.api.work_off()
        self._compare(self.model.jobs[-1])

    def _compare(self, job: model.Job) -> None:
        door, public_id = self.yard.as_(job.order.actor), self.yard.jobs[job.id - 1]
        rows = door.rows(public_id)
        assert len(rows) == len(job.verdicts)
        assert not [
            (row["row"], row["result"], row["code"], verdict.outcome, *verdict.codes, said)
            for row, verdict, said in zip(rows, job.verdicts, job.order.rows, strict=True)
            if row["result"] != verdict.outcome or row["code"] not in verdict.codes
        ]
        told = door.job(public_id)
        assert told["status"] == job.status
        counts = {name: job.counts()[name] for name in COUNTED}
        if job.status == "review":
            assert told["review"]["effect"] == counts
        else:
            assert {name: told["counts"][name] for name in COUNTED} == counts
        assert told["counts"]["total"] == len(rows) == sum(told["counts"][name] for name in COUNTED)  # R28

    def _decide(self, job: model.Job, actor: str, decision: str) -> TestResponse:
        return self.yard.as_(actor).post(f"/v1/jobs/{self.yard.jobs[job.id - 1]}/{decision}")

    def _job(self, which: int, actor: str | None) -> tuple[model.Job, str]:
        """A job, counted from the last one, and who decides about it: its own tenant, unless another is named."""
        job = self.model.jobs[-1 - which % len(self.model.jobs)]
        return job, actor or job.order.actor

    def _matches(self, selected: Selected, number: model.Number, e164: int) -> bool:
        told = _expected(e164, number, "")
        having = [user.email for user in (number.voice_user, number.sms_user) if user]
        matches: dict[str, bool] = {
            "": True,
            "tenant_id": number.holder.name == selected.value,
            "user_id": selected.value in having,
            "status": told["status"] == selected.value,
            "capability": selected.value in number.capabilities,
            "carrier": selected.value in {number.voice_carrier, number.sms_carrier},
            "q": str(e164).startswith(selected.value.lstrip("+").replace(" ", "")),
        }
        return matches[selected.by]

    def _door_codes(self, order: Order) -> set[str]:
        return set(self.model.refusals(order))

    def _admin_of(self, email: str, actor: str | None) -> str:
        home = next(user.home for user in PEOPLE if user.email == email)
        return actor or home.name

    def _user_request(self, method: str, email: str, actor: str, **more: Any) -> TestResponse:  # noqa: ANN401
        door = self.yard.as_(actor)
        headers = {"Authorization": f"Bearer {door.token}"}
        found: TestResponse = getattr(door.client, method)(
            f"/v1/users/{self.yard.user_id(email)}", headers=headers, **more
        )
        return found


class Maker:
    """Begins sequences; hypothesis wants something that it can call, and note a seed on."""

    def __init__(self, yard: Yard) -> None:
        self.yard = yard

    def __call__(self) -> Numberyard:
        return Numberyard(self.yard)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("part", range(PARTS))
def test_inventory_and_model_agree(
    api: Door,
    world: World,
    database: sa.Engine,
    configure: Callable[..., None],
    caplog: pytest.LogCaptureFixture,
    part: int,
) -> None:
    """R6 to R29 together, in jobs of several chunks."""
    caplog.set_level(logging.WARNING)  # what every job of every sequence says of itself helps nobody
    configure(rows_per_chunk=2 + part)
    yard = Yard(api, world, database)
    profile = settings.get_current_profile_name()
    chosen = settings(
        max_examples=SEQUENCES.get(profile, SEQUENCES["default"]) // PARTS + 1,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    machine = Maker(yard)
    if profile != "nightly":
        seed(part)(machine)  # the same sequences in every run; the nightly ones are new every time
    run_state_machine_as_test(cast("type[RuleBasedStateMachine]", machine), settings=chosen)
