"""The rules as a small program in memory: what every job does to the inventory, row by row.

Written from the domain, it shares nothing with the service: `tests/integration/test_ruleset.py` has both do the same
things and compares them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

WRITTEN = ("CREATED", "UPDATED", "ASSIGNED", "UNASSIGNED", "DELETED", "RESTORED")
# Of several things wrong with one row, the first of these is its code.
_TELLING = ("TARGET_NOT_FOUND", "NO_CAPABILITY", "CARRIER_MISSING", "NOT_FOUND", "NOT_UPLOADER", "ASSIGNED_IN_USE")
Flags = tuple[bool | None, bool | None, bool | None]  # voice, sms, fax; None leaves them


@dataclass(frozen=True)
class Tenant:
    """A tenant by name; `path` are the names from the root down to itself, `defaults` its own default carriers."""

    name: str
    path: tuple[str, ...]
    defaults: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class User:
    """A user by name."""

    name: str
    tenant: str
    is_trunk: bool
    has_sms: bool


@dataclass(frozen=True)
class Number:
    """How a number stands. `stamp` is the job that brought it into this state."""

    holder: str
    uploader: str
    voice: bool
    sms: bool
    fax: bool
    voice_carrier: str | None = None
    sms_carrier: str | None = None
    voice_user: str | None = None
    sms_user: str | None = None
    forwarded: bool = False
    stamp: int = 0

    @property
    def in_use(self) -> bool:
        return self.voice_user is not None or self.sms_user is not None


@dataclass(frozen=True)
class Effect:
    """What a job did to one row's number: how it stood before, and the stamp it was left with (None: gone)."""

    e164: int
    before: Number | None
    stamp: int | None


@dataclass(frozen=True)
class Done:
    """A job as it went: who did it, every row's code, its effect if it had one, and the job that it undid."""

    actor: str
    codes: list[str]
    effects: list[Effect | None]
    undid: Done | None = None


Decision = tuple[str, Number | None]  # a code and, if it is one of WRITTEN, how the number stands then (None: gone)
Decide = Callable[[int, int], Decision]


class Refused(Exception):  # noqa: N818 - the row's fault, not an error
    """A row that fails, with everything that is wrong with it."""

    def __init__(self, *codes: str) -> None:
        super().__init__(*codes)
        self.code = min(codes, key=lambda code: _TELLING.index(code) if code in _TELLING else 0)


class Rules:
    """The inventory and the rules."""

    def __init__(self, tenants: Sequence[Tenant], owners: dict[str, str]) -> None:
        self.tenants = {tenant.name: tenant for tenant in tenants}
        self.owners = owners  # carrier -> the tenant that defined it
        self.numbers: dict[int, Number] = {}
        self.jobs: list[Done] = []

    def within(self, tenant: str, other: str) -> bool:
        """Whether a tenant is `other` or below it (R1)."""
        return other in self.tenants[tenant].path

    def seen(self, actor: str) -> dict[int, Number]:
        """R3."""
        return {e164: number for e164, number in self.numbers.items() if self.within(number.holder, actor)}

    def run(self, actor: str, rows: Sequence[int | None], decide: Decide, *, abort: bool = False) -> Done:
        """Do a job: `decide` is asked for each row (its place and number) in file order.

        A row of None fails by itself. Of rows with one number the first counts (R16).
        """
        codes: list[str] = ["INVALID_CHARACTER" if number is None else "DUPLICATE_IN_FILE" for number in rows]
        effects: list[Effect | None] = [None] * len(rows)
        failed, stamp = [number is None for number in rows], len(self.jobs) + 1
        decisions: dict[int, Decision] = {}
        for place, number in enumerate(rows):
            if number is None or number in rows[:place]:
                continue
            try:
                decisions[place] = decide(place, number)
                codes[place] = decisions[place][0]
            except Refused as refused:
                codes[place], failed[place] = refused.code, True
        for place, (code, after) in decisions.items():
            if code in WRITTEN and abort and any(failed):
                codes[place] = "ABORTED"
            elif code in WRITTEN:
                number = rows[place] or 0
                effects[place] = Effect(number, self.numbers.pop(number, None), None if after is None else stamp)
                if after is not None:
                    self.numbers[number] = replace(after, stamp=stamp)
        self.jobs.append(Done(actor, codes, effects))
        return self.jobs[-1]

    def undo(self, job: Done) -> Done:
        """R27: one row per row of the job; what has changed since is left alone."""
        found = [("NO_CHANGE", None) if effect is None else self._undo_one(effect) for effect in job.effects]
        for effect, (_, done) in zip(job.effects, found, strict=True):
            if effect is not None and done is not None:
                self.numbers.pop(effect.e164, None)
                if effect.before is not None:
                    self.numbers[effect.e164] = effect.before
        self.jobs.append(Done(job.actor, [code for code, _ in found], [done for _, done in found], job))
        return self.jobs[-1]

    def left(self, job: Done) -> int:
        """R27: how many rows of a job are not put back, or are no longer."""
        wrote = sum(effect is not None for effect in job.effects)
        return wrote - sum(self.left(undo) for undo in self.jobs if undo.undid is job)

    def _undo_one(self, effect: Effect) -> tuple[str, Effect | None]:
        now, before = self.numbers.get(effect.e164), effect.before
        stamp, old = (None if number is None else number.stamp for number in (now, before))
        if stamp == old:
            return "NO_CHANGE", None
        if stamp != effect.stamp or (before is not None and self._slot_is_taken(effect.e164, before)):
            return "CHANGED_SINCE", None
        return ("DELETED" if before is None else "RESTORED"), Effect(effect.e164, now, old)

    def _slot_is_taken(self, e164: int, number: Number) -> bool:
        """R2: whether another number is what the user of this one has as its own."""
        others = (other for found, other in self.numbers.items() if found != e164 and not other.forwarded)
        return (
            number.voice_user is not None
            and not number.forwarded
            and any(other.voice_user == number.voice_user for other in others)
        )

    def _own(self, actor: str, e164: int) -> Number:
        """R3: the number, if the actor may know of it."""
        number = self.numbers.get(e164)
        if number is None or not self.within(number.holder, actor):
            raise Refused("NOT_FOUND")
        return number

    def _default(self, tenant: str, service: str) -> str:
        """R7."""
        for name in reversed(self.tenants[tenant].path):
            if service in self.tenants[name].defaults:
                return self.tenants[name].defaults[service]
        raise Refused("CARRIER_MISSING")

    def _with_carriers(self, before: Number | None, after: Number, chosen: str | None = None) -> Number:
        """R13, R7: the chosen one, the number's own if its new holder knows it, or the holder's default.

        R23: another one than before only while no user has the number. `chosen` is a voice carrier.
        """
        carriers: dict[str, str | None] = {"voice": None, "sms": None}
        for service in ("voice", "sms"):
            own = None if before is None else getattr(before, f"{service}_carrier")
            knows = before is not None and own is not None and (
                before.holder == after.holder or self.owners[own] in self.tenants[after.holder].path
            )  # fmt: skip
            if getattr(after, service):
                wished = chosen if service == "voice" else None
                carriers[service] = wished or (own if knows else None) or self._default(after.holder, service)
            if before is not None and before.in_use and own and carriers[service] not in {None, own}:
                raise Refused("ASSIGNED_IN_USE")
        return replace(after, voice_carrier=carriers["voice"], sms_carrier=carriers["sms"])

    def upload(self, actor: str, flags: Flags, on_existing: str, target: str | None, chosen: str | None) -> Decide:
        """R10, R13, R17, R23."""

        def decide(_place: int, e164: int) -> Decision:
            now = self.numbers.get(e164)
            if now is None:
                voice, sms, fax = (bool(flag) for flag in flags)
                if not (voice or sms or fax):
                    raise Refused("NO_CAPABILITY")
                return "CREATED", self._with_carriers(None, Number(target or actor, actor, voice, sms, fax), chosen)
            if not self.within(now.holder, actor):
                raise Refused("NUMBER_EXISTS_ELSEWHERE")
            if on_existing == "error":
                raise Refused("ALREADY_EXISTS")
            if on_existing == "skip":
                return "ALREADY_EXISTS", None
            faults = []
            if target is not None and target != now.holder:
                faults += [] if self.within(target, now.uploader) else ["TARGET_NOT_FOUND"]
                faults += ["ASSIGNED_IN_USE"] if now.in_use else []
            return self._changed(now, replace(now, holder=target or now.holder), flags, chosen, faults)

        return decide

    def change(self, actor: str, flags: Flags, chosen: str | None) -> Decide:
        """R23."""

        def decide(_place: int, e164: int) -> Decision:
            now = self._own(actor, e164)
            return self._changed(now, now, flags, chosen, [])

        return decide

    def _changed(self, now: Number, moved: Number, flags: Flags, chosen: str | None, faults: list[str]) -> Decision:
        voice, sms, fax = (
            old if flag is None else flag for old, flag in zip((now.voice, now.sms, now.fax), flags, strict=True)
        )
        if (now.voice_user and not voice) or (now.sms_user and not sms):
            faults = [*faults, "ASSIGNED_IN_USE"]
        if faults:
            raise Refused(*faults)
        after = self._with_carriers(now, replace(moved, voice=voice, sms=sms, fax=fax), chosen)
        return ("NO_CHANGE", None) if after == now else ("UPDATED", after)

    def assign(self, actor: str, target: str) -> Decide:
        """R19."""

        def decide(_place: int, e164: int) -> Decision:
            now = self._own(actor, e164)
            if now.holder == target:
                return "NO_CHANGE", None
            if now.in_use:
                raise Refused("ASSIGNED_IN_USE")
            if not self.within(target, now.uploader):
                raise Refused("TARGET_NOT_FOUND")
            return "ASSIGNED", self._with_carriers(now, replace(now, holder=target))

        return decide

    def give(self, actor: str, user: User, services: frozenset[str]) -> Decide:
        """R2, R20. Of one file, the first row that claims a user's one number has the claim."""
        claimed: list[int] = []

        def decide(place: int, e164: int) -> Decision:
            claimed.extend([place] if "voice" in services else [])
            if claimed and claimed[0] != place:
                raise Refused("ASSIGNED_IN_USE")
            now = self._own(actor, e164)
            has = {"forwarded" if now.forwarded else "voice"} if now.voice_user == user.name else set()
            lacking = services - has - ({"sms"} if now.sms_user == user.name else set())
            return self._given(e164, now, user, lacking) if lacking else ("NO_CHANGE", None)

        return decide

    def _given(self, e164: int, now: Number, user: User, lacking: frozenset[str]) -> Decision:
        for_voice, for_sms = bool(lacking & {"voice", "forwarded"}), "sms" in lacking
        after = now
        if for_voice:
            after = replace(after, voice_user=user.name, forwarded="forwarded" in lacking)
        if for_sms:
            after = replace(after, sms_user=user.name)
        if now.holder != user.tenant:
            raise Refused("TARGET_NOT_FOUND")
        if (for_voice and not now.voice) or (for_sms and not now.sms):
            raise Refused("CAPABILITY_REQUIRED")
        if (for_voice and now.voice_user) or (for_sms and now.sms_user):
            raise Refused("ASSIGNED_IN_USE")
        if "voice" in lacking and self._slot_is_taken(e164, after):
            raise Refused("ASSIGNED_IN_USE")
        return "ASSIGNED", after

    def unassign(self, actor: str, service: str | None, user: str | None) -> Decide:
        """R19: from users where a service or user is named, else level by level."""

        def decide(_place: int, e164: int) -> Decision:
            now = after = self._own(actor, e164)
            if service is None and user is None and now.holder != actor:
                if now.in_use:
                    raise Refused("ASSIGNED_IN_USE")
                if now.holder != now.uploader:
                    after = replace(now, holder=self.tenants[now.holder].path[-2])
            else:
                if service != "sms" and user in {None, now.voice_user}:
                    after = replace(after, voice_user=None, forwarded=False)
                if service in {None, "sms"} and user in {None, now.sms_user}:
                    after = replace(after, sms_user=None)
            return ("NO_CHANGE", None) if after == now else ("UNASSIGNED", after)

        return decide

    def delete(self, actor: str) -> Decide:
        """R24, R25."""

        def decide(_place: int, e164: int) -> Decision:
            now = self._own(actor, e164)
            if now.uploader != actor:
                raise Refused("NOT_UPLOADER")
            if now.in_use or now.holder != now.uploader:
                raise Refused("ASSIGNED_IN_USE")
            return "DELETED", None

        return decide
