"""The rules of the domain once more, number by number and in plain Python, for tests to hold the service against.

Written from the domain's rules, not from the service: it shares no code with it, knows no chunks, no tables and no
HTTP, and is meant to be read. Codes and outcomes are those of the catalogue, as text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from typing import Any

SERVICES = ("voice", "sms")  # what has a carrier; fax has none
CAPABILITIES = ("voice", "sms", "fax")
EVERY_WAY = frozenset({"voice", "forwarded", "sms"})  # in which a user may have a number (R2)


class Terse:
    """A dataclass that tells of itself only what is not as usual: failing examples are read by people."""

    def __repr__(self) -> str:
        usual = {known.name: known.default for known in fields(self) if known.default is not MISSING}  # type: ignore[arg-type]
        said = {name: value for name, value in vars(self).items() if name not in usual or value != usual[name]}
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in said.items())})"

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:  # noqa: ANN401 - hypothesis, when it shows an example
        printer.text(repr(self))


# Who (R1, R2, R7)


@dataclass(frozen=True, repr=False)
class Tenant:
    """A tenant. `defaults` are its own default carriers: service -> name."""

    name: str
    kind: str  # "master_reseller", "reseller" or "enterprise"
    parent: Tenant | None = None
    external: bool = False  # Allow External Numbers
    defaults: Mapping[str, str] = field(default_factory=dict, hash=False, compare=False)

    def __repr__(self) -> str:
        return repr(self.name)

    @property
    def line(self) -> list[Tenant]:
        """The tenant itself and those above it, upwards."""
        return [self, *(self.parent.line if self.parent else ())]

    def is_within(self, other: Tenant) -> bool:
        return other in self.line

    def default(self, service: str) -> str | None:
        """R7: its own default carrier, else that of the nearest tenant above that names one."""
        return next((tenant.defaults[service] for tenant in self.line if service in tenant.defaults), None)

    @property
    def may_upload(self) -> bool:
        """R8, R9."""
        return self.kind != "enterprise" or self.external


@dataclass(frozen=True)
class Carrier:
    """A voice carrier or an SMS carrier profile. R7: for the tenant that defined it and those below."""

    service: str
    owner: Tenant

    def is_usable_by(self, tenant: Tenant) -> bool:
        return tenant.is_within(self.owner)


@dataclass(frozen=True, repr=False)
class User(Terse):
    """A user of an enterprise. `serial` tells it from one of the same address that was deleted."""

    email: str
    home: Tenant
    kind: str  # "pbx" or "trunk"
    sms: bool = field(default=False, compare=False)  # Enable SMS Service, which may change
    serial: int = 0


# What (R5)


@dataclass(frozen=True, repr=False)
class Number(Terse):
    """How a number stands. `stamp` is the job that brought it into this state, `born` the one that created it (R27)."""

    holder: Tenant
    uploader: Tenant
    capabilities: frozenset[str]
    voice_carrier: str | None = None
    sms_carrier: str | None = None
    voice_user: User | None = None
    sms_user: User | None = None
    forwarded: bool = False
    stamp: int = 0
    born: int = 0

    def carrier(self, service: str) -> str | None:
        return self.voice_carrier if service == "voice" else self.sms_carrier

    def user(self, service: str) -> User | None:
        return self.voice_user if service == "voice" else self.sms_user

    @property
    def in_use(self) -> bool:
        return self.voice_user is not None or self.sms_user is not None

    def ways_of(self, user: User | None) -> frozenset[str]:
        """In which ways a user has it; None means whoever has it."""
        ways = set()
        if self.voice_user is not None and user in {None, self.voice_user}:
            ways.add("forwarded" if self.forwarded else "voice")
        if self.sms_user is not None and user in {None, self.sms_user}:
            ways.add("sms")
        return frozenset(ways)

    def says_the_same_as(self, other: Number) -> bool:
        return self == replace(other, stamp=self.stamp, born=self.born)


# What is asked for


@dataclass(frozen=True, repr=False)
class Row(Terse):
    """One row, or (with no number) what was chosen beside the rows. What is None was left empty.

    `fault` is what the cells of country and number are refused for, `blank` a row in which nothing stands.
    """

    number: int | None = None
    fault: str | None = None
    blank: bool = False
    voice: bool | None = None
    sms: bool | None = None
    fax: bool | None = None
    voice_carrier: str | None = None
    sms_carrier: str | None = None
    target: str | None = None  # the name of a tenant
    user: str | None = None  # an e-mail address
    ways: frozenset[str] | None = None

    def capability(self, name: str) -> bool | None:
        return {"voice": self.voice, "sms": self.sms, "fax": self.fax}[name]

    def carrier(self, service: str) -> str | None:
        return self.voice_carrier if service == "voice" else self.sms_carrier


@dataclass(frozen=True, repr=False)
class Order(Terse):
    """What becomes a job: `kind` is upload, assign, unassign, change, delete or undo."""

    kind: str
    actor: str
    rows: Sequence[Row]
    chosen: Row = Row()
    on_existing: str = "skip"
    on_error: str = "skip"
    mode: str = "apply"
    may_create: bool = False
    undone: int | None = None

    def wanted(self, row: Row) -> Row:
        """R12: what stands in the row wins over what was chosen beside it."""
        values = {name: getattr(row, name) for name in Row.__dataclass_fields__}
        return replace(self.chosen, **{name: value for name, value in values.items() if value is not None})


# What becomes of it (R28)


@dataclass(frozen=True, repr=False)
class Verdict(Terse):
    """What becomes of a row. Of several faults any may be the row's code. `after` is how the number then stands.

    Only a verdict that `writes` changes anything; with `after` None it removes the number.
    """

    codes: frozenset[str]
    outcome: str
    writes: bool = False
    after: Number | None = None


def failed(*codes: str) -> Verdict:
    return Verdict(frozenset(codes), "failed")


def passed_over(code: str, outcome: str) -> Verdict:
    return Verdict(frozenset({code}), outcome)


def written(code: str, outcome: str, after: Number | None) -> Verdict:
    return Verdict(frozenset({code}), outcome, writes=True, after=after)


NO_CHANGE = passed_over("NO_CHANGE", "unchanged")


@dataclass
class Job:
    """A job: what checking settled (None: goes on), what became of its rows, and the numbers as they were before."""

    id: int
    order: Order
    settled: list[Verdict | None]
    users: Mapping[str, User]  # whom the addresses in it meant when it was checked
    status: str = "review"
    verdicts: list[Verdict] = field(default_factory=list)
    before: dict[int, Number | None] = field(default_factory=dict)
    left: dict[int, int | None] = field(default_factory=dict)  # number -> stamp it was left with, None if removed

    def counts(self) -> Counter[str]:
        return Counter(verdict.outcome for verdict in self.verdicts)


class Refused(Exception):  # noqa: N818 - as the doors call it
    """A request that becomes no job; any of `codes` may be the reason given."""

    def __init__(self, *codes: str) -> None:
        super().__init__(*codes)
        self.codes = frozenset(codes)


class Platform:
    """The inventory, and what jobs make of it."""

    def __init__(self, tenants: Sequence[Tenant], carriers: Mapping[str, Carrier], users: Sequence[User]) -> None:
        self.tenants = {tenant.name: tenant for tenant in tenants}
        self.carriers = dict(carriers)
        self.users = {user.email: user for user in users}
        self.serial = max((user.serial for user in users), default=0)
        self.numbers: dict[int, Number] = {}
        self.jobs: list[Job] = []
        self.events: set[tuple[int, int]] = set()  # numbers, and the jobs that changed them after they were created

    def seen(self, actor: str) -> dict[int, Number]:
        """R3: the numbers that an admin sees: those held in its tree."""
        tenant = self.tenants[actor]
        return {e164: number for e164, number in self.numbers.items() if number.holder.is_within(tenant)}

    def may_see(self, actor: str, job: Job) -> bool:
        return self.tenants[job.order.actor].is_within(self.tenants[actor])

    # Jobs

    def submit(self, order: Order) -> Job:
        """A job, carried out at once unless it is to be reviewed. `Refused` at the door."""
        refused = set(self.refusals(order))
        if refused:
            raise Refused(*refused)
        job = Job(len(self.jobs) + 1, order, self._check(order), dict(self.users))
        self.jobs.append(job)
        if order.mode == "review":
            job.verdicts = self._decide_all(job)
        else:
            self._carry_out(job)
        return job

    def confirm(self, actor: str, job: Job) -> None:
        """Carry out what was reviewed: decided anew, by how the numbers stand now."""
        self._may_decide(actor, job)
        if job.status != "review":
            raise Refused("NOT_IN_REVIEW")
        self._carry_out(job)

    def cancel(self, actor: str, job: Job) -> None:
        """A reviewed job that is not carried out: what checking settled is told, the rest was not processed."""
        self._may_decide(actor, job)
        if job.status != "review":
            raise Refused("JOB_HAS_ENDED")
        job.verdicts = [verdict or passed_over("CANCELLED", "unprocessed") for verdict in job.settled]
        job.status = "cancelled"

    def undo(self, actor: str, job: Job) -> Job:
        """R27: by the tenant that the job acted for, once it has ended, if it has written anything."""
        self._may_decide(actor, job)
        if job.status == "review":
            raise Refused("JOB_NOT_ENDED")
        if not job.before:
            raise Refused("NOTHING_TO_UNDO")
        return self.submit(Order("undo", actor, job.order.rows, undone=job.id))

    def _may_decide(self, actor: str, job: Job) -> None:
        if not self.may_see(actor, job):
            raise Refused("NOT_FOUND")
        if actor != job.order.actor:
            raise Refused("FORBIDDEN")

    # Users (R2, R20, R21)

    def make_user(self, actor: str, user: User, wanted: Mapping[int, frozenset[str]]) -> Job | None:
        """A user, and a job that gives it numbers: number -> ways. `Refused` if one of them cannot be given."""
        if not user.home.is_within(self.tenants[actor]):
            raise Refused("NOT_FOUND")
        if user.email in self.users:
            raise Refused("NAME_TAKEN")
        refused = {
            code for e164, ways in wanted.items() for code in self._first_numbers_faults(actor, user, e164, ways)
        }
        if refused:
            raise Refused(*refused)
        self.serial += 1
        self.users[user.email] = replace(user, serial=self.serial)
        rows = [Row(e164, ways=ways) for e164, ways in wanted.items()]
        return self.submit(Order("assign", actor, rows, Row(user=user.email), may_create=True)) if rows else None

    def _first_numbers_faults(self, actor: str, user: User, e164: int, ways: frozenset[str]) -> Iterator[str]:
        """R21: a number that the admin does not see is one to be added."""
        number, tenant = self.numbers.get(e164), self.tenants[actor]
        needed = {"sms" if way == "sms" else "voice" for way in ways}
        if number is None or not number.holder.is_within(tenant):
            if not tenant.may_upload:
                yield "EXTERNAL_NOT_ALLOWED"
            elif number is not None:
                yield "NUMBER_EXISTS_ELSEWHERE"
            return
        if number.holder != user.home:
            yield "TARGET_NOT_FOUND"
        if not needed <= number.capabilities:
            yield "CAPABILITY_REQUIRED"
        if any(number.user(service) is not None for service in needed):
            yield "ASSIGNED_IN_USE"

    def enable_sms(self, actor: str, email: str, *, on: bool) -> None:
        """R20. `Refused` while the user has numbers for SMS."""
        user = self._user_of(actor, email)
        if not on and any(number.sms_user == user for number in self.numbers.values()):
            raise Refused("IN_USE")
        self.users[email] = replace(user, sms=on)

    def delete_user(self, actor: str, email: str) -> None:
        """`Refused` while the user has numbers."""
        user = self._user_of(actor, email)
        if any(number.ways_of(user) for number in self.numbers.values()):
            raise Refused("IN_USE")
        del self.users[email]

    def _user_of(self, actor: str, email: str) -> User:
        user = self.users.get(email)
        if user is None or not user.home.is_within(self.tenants[actor]):
            raise Refused("NOT_FOUND")
        return user

    def _carry_out(self, job: Job) -> None:
        job.verdicts = self._decide_all(job)
        job.status = "completed_with_errors" if job.counts()["failed"] else "completed"
        for row, verdict in zip(job.order.rows, job.verdicts, strict=True):
            if not verdict.writes or row.number is None:
                continue
            job.before[row.number] = self.numbers.get(row.number)
            job.left[row.number] = None if verdict.after is None else verdict.after.stamp
            if verdict.codes != {"CREATED"}:
                self.events.add((row.number, job.id))
            if verdict.after is None:
                del self.numbers[row.number]
            else:
                self.numbers[row.number] = verdict.after

    def _decide_all(self, job: Job) -> list[Verdict]:
        pairs = zip(job.order.rows, job.settled, strict=True)
        verdicts = [settled or self._decide(job, row) for row, settled in pairs]
        if job.order.on_error == "abort" and any(verdict.outcome == "failed" for verdict in verdicts):
            aborted = passed_over("ABORTED", "unprocessed")
            verdicts = [aborted if verdict.writes else verdict for verdict in verdicts]
        return verdicts

    # At the door: what was chosen for all rows

    def refusals(self, order: Order) -> Iterator[str]:
        actor, chosen = self.tenants[order.actor], order.chosen
        if order.kind == "upload" and not actor.may_upload:
            yield "EXTERNAL_NOT_ALLOWED"
        yield from self._unknown_names(order, chosen)
        if order.kind == "assign" and chosen.target == order.actor:  # R19: below the admin
            yield "TARGET_NOT_FOUND"
        user = self.users.get(chosen.user or "")
        if order.kind == "assign" and user is not None and not order.may_create:
            yield from _unfit(user, chosen.ways or frozenset({"voice"}))

    # By themselves: what can be told of rows without the inventory

    def _check(self, order: Order) -> list[Verdict | None]:
        if order.kind == "undo":
            return self._check_undo(order)
        settled: list[Verdict | None] = []
        first: dict[int | None, Row] = {}
        for row in order.rows:
            faults = set(self._faults(order, row))
            if row.blank:
                settled.append(passed_over("BLANK_ROW", "skipped"))
            elif faults:
                settled.append(failed(*faults))
            elif row.number in first:  # R16: the first sound row in file order wins
                same = _cells(order, row) == _cells(order, first[row.number])
                duplicate = passed_over("DUPLICATE_IN_FILE", "skipped")
                settled.append(duplicate if same else failed("CONFLICTING_DUPLICATE"))
            else:
                first[row.number] = row
                settled.append(None)
        if order.kind == "assign":
            self._keep_slots_single(order, settled)
        return settled

    def _faults(self, order: Order, row: Row) -> Iterator[str]:
        if row.fault:
            yield row.fault
        yield from self._unknown_names(order, row)
        wanted = order.wanted(row)
        if order.kind == "assign" and wanted.target is None and wanted.user is None:
            yield "MISSING_VALUE"

    def _unknown_names(self, order: Order, row: Row) -> Iterator[str]:
        """R3, R7: names mean carriers at the admin's level or above, tenants and users at its level or below."""
        actor = self.tenants[order.actor]
        for service in SERVICES:
            name = row.carrier(service)
            carrier = self.carriers.get(name or "")
            if name and (carrier is None or carrier.service != service or not carrier.is_usable_by(actor)):
                yield "CARRIER_NOT_FOUND"
        if row.target and not self.tenants[row.target].is_within(actor):
            yield "TARGET_NOT_FOUND"
        if row.user and (row.user not in self.users or not self.users[row.user].home.is_within(actor)):
            yield "TARGET_NOT_FOUND"

    def _keep_slots_single(self, order: Order, settled: list[Verdict | None]) -> None:
        """R2: of rows that give one user its number, or its Default DID, the first in file order goes on."""
        claimed = set()
        for place, row in enumerate(order.rows):
            if settled[place] is not None:
                continue
            user, ways, _ = self._receiver(order, row, self.users)
            if user is None or "voice" not in ways:
                continue
            if user in claimed:
                settled[place] = failed("ASSIGNED_IN_USE")
            claimed.add(user)

    def _receiver(
        self, order: Order, row: Row, users: Mapping[str, User]
    ) -> tuple[User | None, frozenset[str], Tenant | None]:
        """Who gets the number: a user, in some ways, or a tenant. A row's word wins, and in a row the user's (R12)."""
        for said in (row, order.chosen):
            if said.user is not None:
                return users[said.user], order.wanted(row).ways or frozenset({"voice"}), None
            if said.target is not None:
                return None, frozenset(), self.tenants[said.target]
        return None, frozenset(), None

    # By how the numbers stand

    def _decide(self, job: Job, row: Row) -> Verdict:
        order, number = job.order, self.numbers.get(row.number or 0)
        if order.kind == "undo":
            return self._undo(job, row)
        if order.kind == "upload":
            return self._upload(job, row, number)
        actor = self.tenants[order.actor]
        if order.may_create and (number is None or not number.holder.is_within(actor)):
            return self._add(job, row, number)
        if number is None or not number.holder.is_within(actor):
            # R3: nothing else is said of the number; who was to get it is another matter.
            return failed("NOT_FOUND", *(self._receivers_faults(job, row) if order.kind == "assign" else ()))
        act = {"assign": self._assign, "unassign": self._unassign, "change": self._change, "delete": self._delete}
        return act[order.kind](job, row, number)

    def _upload(self, job: Job, row: Row, number: Number | None) -> Verdict:
        order, actor = job.order, self.tenants[job.order.actor]
        wanted = order.wanted(row)
        target = self.tenants[wanted.target] if wanted.target else None
        if number is None:
            on = frozenset(name for name in CAPABILITIES if row.capability(name))
            if not on:
                return failed("NO_CAPABILITY")
            blank = Number(target or actor, actor, on, born=job.id)
            return self._settle(job, None, blank, wanted, [], "CREATED")
        if not number.holder.is_within(actor):
            return failed("NUMBER_EXISTS_ELSEWHERE")  # R17
        if order.on_existing != "update":
            return passed_over("ALREADY_EXISTS", "skipped" if order.on_existing == "skip" else "failed")
        faults = list(self._move_faults(number, target)) if target else []
        faults += self._switch_faults(number, wanted)
        changed = replace(number, holder=target or number.holder, capabilities=_switched(number, wanted))
        return self._settle(job, number, changed, wanted, faults, "UPDATED")

    def _add(self, job: Job, row: Row, number: Number | None) -> Verdict:
        """R21: numbers that come to the platform while a user is made."""
        actor = self.tenants[job.order.actor]
        if not actor.may_upload:
            return failed("EXTERNAL_NOT_ALLOWED")
        if number is not None:
            return failed("NUMBER_EXISTS_ELSEWHERE")
        user, ways, _ = self._receiver(job.order, row, job.users)
        assert user is not None
        on = frozenset("sms" if way == "sms" else "voice" for way in ways)
        faults = list(_unfit(user, ways))
        if "voice" in ways and self._main_number(user) is not None:
            faults.append("ASSIGNED_IN_USE")
        blank = Number(user.home, actor, on, born=job.id)
        return self._settle(job, None, _given(blank, user, ways), Row(), faults, "CREATED")

    def _assign(self, job: Job, row: Row, number: Number) -> Verdict:
        user, ways, target = self._receiver(job.order, row, job.users)
        if user is not None:
            return self._give(job, row, number, user, ways)
        assert target is not None
        faults = [*self._receivers_faults(job, row), *self._move_faults(number, target)]
        if target == number.holder and target.name != job.order.actor:
            return NO_CHANGE
        return self._settle(job, number, replace(number, holder=target), Row(), faults, "ASSIGNED")

    def _give(self, job: Job, row: Row, number: Number, user: User, ways: frozenset[str]) -> Verdict:
        """R20: to a user of the enterprise that holds it; a service needs the capability and must be free."""
        faults = self._receivers_faults(job, row)
        if number.holder != user.home:
            faults.append("TARGET_NOT_FOUND")
        missing = ways - number.ways_of(user)
        needed = {"sms" if way == "sms" else "voice" for way in missing}
        if not needed <= number.capabilities:
            faults.append("CAPABILITY_REQUIRED")
        if any(number.user(service) is not None for service in needed):
            faults.append("ASSIGNED_IN_USE")
        if "voice" in missing and self._main_number(user) is not None:  # R2
            faults.append("ASSIGNED_IN_USE")
        if faults:
            return failed(*faults)
        return written("ASSIGNED", "updated", _stamped(_given(number, user, missing), job)) if missing else NO_CHANGE

    def _receivers_faults(self, job: Job, row: Row) -> list[str]:
        """What is wrong with who is to get a number, whichever number it is."""
        user, ways, target = self._receiver(job.order, row, job.users)
        if user is None:
            return ["TARGET_NOT_FOUND"] if target and target.name == job.order.actor else []  # R19: below the admin
        now = self.users.get(user.email)
        return ["TARGET_NOT_FOUND"] if now != user else list(_unfit(now, ways))  # deleted since, or unfit

    def _unassign(self, job: Job, row: Row, number: Number) -> Verdict:
        """R19: level by level, and refused while a user has the number; or from users, if they are meant."""
        actor, wanted = self.tenants[job.order.actor], job.order.wanted(row)
        from_users = wanted.user is not None or wanted.ways is not None
        if from_users or (number.holder == actor and actor.kind == "enterprise"):
            user = job.users[wanted.user] if wanted.user else None
            taken = number.ways_of(user) & (wanted.ways or EVERY_WAY)
            return written("UNASSIGNED", "updated", _stamped(_taken(number, taken), job)) if taken else NO_CHANGE
        if number.in_use:
            return failed("ASSIGNED_IN_USE")
        if number.holder in {actor, number.uploader}:
            return NO_CHANGE
        return self._settle(job, number, replace(number, holder=number.holder.parent), Row(), [], "UNASSIGNED")

    def _change(self, job: Job, row: Row, number: Number) -> Verdict:
        wanted = job.order.wanted(row)
        changed = replace(number, capabilities=_switched(number, wanted))
        return self._settle(job, number, changed, wanted, self._switch_faults(number, wanted), "UPDATED")

    def _delete(self, job: Job, _row: Row, number: Number) -> Verdict:
        """R25: only the level that uploaded it. R24: only while nobody was given it."""
        if number.uploader.name != job.order.actor:
            return failed("NOT_UPLOADER")
        if number.in_use or number.holder != number.uploader:
            return failed("ASSIGNED_IN_USE")
        return written("DELETED", "deleted", None)

    # Undo (R27)

    def _check_undo(self, order: Order) -> list[Verdict | None]:
        """Rows that the undone job did not write have nothing to be undone."""
        return [None if verdict.writes else NO_CHANGE for verdict in self.jobs[(order.undone or 0) - 1].verdicts]

    def _undo(self, job: Job, row: Row) -> Verdict:
        undone = self.jobs[(job.order.undone or 0) - 1]
        assert row.number is not None
        before, now = undone.before[row.number], self.numbers.get(row.number)
        if (before and before.stamp) == (now and now.stamp):
            return NO_CHANGE
        if (now and now.stamp) != undone.left[row.number]:
            return failed("CHANGED_SINCE")
        if before is None:
            return written("DELETED", "deleted", None)
        if not self._still_fits(row.number, before):
            return failed("CHANGED_SINCE")
        return written("RESTORED", "updated", before)

    def _still_fits(self, e164: int, before: Number) -> bool:
        """Whether the users whom the number would go back to are still there and have room for it (R2, R20)."""
        for user in (before.voice_user, before.sms_user):
            if user is not None and self.users.get(user.email) != user:
                return False
        if before.sms_user is not None and not self.users[before.sms_user.email].sms:
            return False
        if before.voice_user is None or before.forwarded:
            return True
        return self._main_number(before.voice_user) in {None, e164}

    # What several of them ask

    def _main_number(self, user: User) -> int | None:
        """R2: a PBX user's number, or a trunk user's Default DID."""
        has = (e164 for e164, number in self.numbers.items() if number.voice_user == user and not number.forwarded)
        return next(has, None)

    def _move_faults(self, number: Number, target: Tenant) -> Iterator[str]:
        """R3, R19: it stays at or below the level that uploaded it, and where it is while a user has it."""
        if not target.is_within(number.uploader):
            yield "TARGET_NOT_FOUND"
        if target != number.holder and number.in_use:
            yield "ASSIGNED_IN_USE"

    def _switch_faults(self, number: Number, wanted: Row) -> list[str]:
        """R23: no capability in use is switched off, and no carrier changed while a user has the number."""
        faults = []
        on = _switched(number, wanted)
        for service in SERVICES:
            if number.user(service) is not None and service not in on:
                faults.append("ASSIGNED_IN_USE")
            chosen, own = wanted.carrier(service), number.carrier(service)
            if service in on and chosen and own and chosen != own and number.in_use:
                faults.append("ASSIGNED_IN_USE")
        return faults

    def _settle(
        self, job: Job, before: Number | None, after: Number, wanted: Row, faults: Sequence[str], code: str
    ) -> Verdict:
        """R13: with its carriers set, and told whether anything changed at all."""
        found, faults = {}, list(faults)
        for service in SERVICES:
            own = after.carrier(service)
            carrier = wanted.carrier(service) or (own if own and self._usable(own, after.holder) else None)
            carrier = carrier or after.holder.default(service)
            if service not in after.capabilities:
                carrier = None
            elif carrier is None:
                faults.append("CARRIER_MISSING")
            found[service] = carrier
        if faults:
            return failed(*faults)
        after = replace(after, voice_carrier=found["voice"], sms_carrier=found["sms"])
        if before is not None and after.says_the_same_as(before):
            return NO_CHANGE
        return written(code, "created" if before is None else "updated", _stamped(after, job))

    def _usable(self, carrier: str, holder: Tenant) -> bool:
        return self.carriers[carrier].is_usable_by(holder)


def _stamped(number: Number, job: Job) -> Number:
    return replace(number, stamp=job.id)


def _switched(number: Number, wanted: Row) -> frozenset[str]:
    """The capabilities once those are switched that the row says anything about (R10, R23)."""
    says = {name: wanted.capability(name) for name in CAPABILITIES}
    return frozenset(name for name, on in says.items() if (name in number.capabilities if on is None else on))


def _unfit(user: User, ways: frozenset[str]) -> Iterator[str]:
    """R2, R20: ways in which a user cannot have a number."""
    if "forwarded" in ways and user.kind != "trunk":
        yield "TARGET_NOT_FOUND"
    if "sms" in ways and not user.sms:
        yield "CAPABILITY_REQUIRED"


def _given(number: Number, user: User, ways: frozenset[str]) -> Number:
    if ways & {"voice", "forwarded"}:
        number = replace(number, voice_user=user, forwarded="forwarded" in ways)
    return replace(number, sms_user=user) if "sms" in ways else number


def _taken(number: Number, ways: frozenset[str]) -> Number:
    if ways & {"voice", "forwarded"}:
        number = replace(number, voice_user=None, forwarded=False)
    return replace(number, sms_user=None) if "sms" in ways else number


def _cells(order: Order, row: Row) -> Row:
    """What two rows of one number must agree in (R16). Empty is FALSE where it does not mean "leave as it is" (R10)."""
    if order.kind == "upload" and order.on_existing != "update":
        return replace(row, voice=bool(row.voice), sms=bool(row.sms), fax=bool(row.fax))
    return row
