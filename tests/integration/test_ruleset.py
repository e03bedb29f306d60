"""Random jobs against the service and against a model of the rules: both must agree, row by row and number by number.

30 sequences in `make test-long`, 200 in `make nightly`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from schemas.database import tables
from tests.support import factories, followed_changes
from tests.support.api_client import Door, Json
from tests.support.factories import World
from tests.support.files import sheets
from tests.support.property_tests import NIGHTLY
from tests.support.ruleset import Decide, Done, Number, Rules, Tenant, User
from tests.support.servers import databases

POOL = [12125550100 + place for place in range(9)]
ENDED = {"completed", "completed_with_errors"}
SERVICES = {
    "voice": frozenset({"voice"}),
    "sms": frozenset({"sms"}),
    "forwarded": frozenset({"forwarded"}),
    "voice+sms": frozenset({"voice", "sms"}),
}
TENANTS = ("master", "north", "south", "clinic", "hotel", "school")
MAY_UPLOAD = ("master", "north", "south", "clinic", "school")  # R8, R9: hotel has no Allow External Numbers
USERS = (
    User("pbx", "clinic", is_trunk=False, has_sms=True),
    User("trunk", "clinic", is_trunk=True, has_sms=True),
    User("silent", "clinic", is_trunk=False, has_sms=False),
    User("teacher", "school", is_trunk=False, has_sms=True),
)

flags = st.tuples(*(st.sampled_from([True, True, False, None]) for _ in range(3)))
rows = st.lists(st.sampled_from([*POOL, *POOL, *POOL, None]), min_size=1, max_size=7)
shown = st.sampled_from(["apply", "apply", "apply", "review", "discard"])
carrier_of = st.sampled_from([None, None, "Master Voice", "North voice"])


class Jobs(RuleBasedStateMachine):
    """One sequence of jobs on an empty inventory."""

    def __init__(self, api: Door, world: World, database: sa.Engine, users: dict[str, str]) -> None:
        super().__init__()
        self.api, self.world, self.database, self.users = api, world, database, users
        self.names = {getattr(world, name).id: name for name in TENANTS}
        paths = {name: tuple(self.names[found] for found in getattr(world, name).tenant.path) for name in TENANTS}
        defaults = {"master": {"voice": "Master Voice", "sms": "Master SMS"}, "north": {"voice": "North voice"}}
        tenants = [Tenant(name, paths[name], defaults.get(name, {})) for name in TENANTS]
        self.model = Rules(tenants, {"Master Voice": "master", "Master SMS": "master", "North voice": "north"})
        self.ids: list[str] = []  # the jobs' ids, as the model numbers them
        self.cancelled: set[int] = set()
        with database.begin() as connection:
            connection.execute(
                sa.text(
                    "TRUNCATE phone_numbers, number_events, number_counts, number_changes, number_change_positions, "
                    "job_chunks, jobs CASCADE"
                )
            )

    # The ways of sending rows

    def _as(self, actor: str) -> Door:
        return self.api.as_(getattr(self.world, actor).token)

    def _id(self, tenant: str) -> str:
        return str(getattr(self.world, tenant).tenant.public_id)

    def _below(self, actor: str) -> list[str]:
        return [name for name in TENANTS if name != actor and self.model.within(name, actor)]

    def _sent(self, actor: str, path: str, body: Json, numbers: Sequence[int | None]) -> str:
        """Send rows as a list; answers the job's id."""
        listed = ["no number" if number is None else f"+{number}" for number in numbers]
        note(f"{actor}: POST {path} {body} {listed}")
        answer = self._as(actor).post(f"/v1/{path}", body | {"numbers": listed})
        assert answer.status_code == 202, answer.get_data(as_text=True)
        return str(answer.json["id"])

    def _compare(
        self,
        actor: str,
        job_id: str,
        numbers: Sequence[int | None],
        decide: Decide,
        how: str,
        on_error: str = "skip",
    ) -> None:
        """Have the job done, in the model too unless it is discarded after review, and compare its rows."""
        door = self._as(actor)
        door.work_off()
        if how != "apply":
            review = door.job(job_id)
            assert review["status"] == "review", review
            before = dict(self.model.numbers)
            would = self.model.run(actor, numbers, decide, abort=on_error == "abort")
            self.model.jobs.pop()
            self.model.numbers = before
            assert [row["code"] for row in door.rows(job_id)] == would.codes
            door.post(f"/v1/jobs/{job_id}/{'confirm' if how == 'review' else 'cancel'}")
            door.work_off()
        if how == "discard":
            job = door.job(job_id)
            assert job["status"] == "cancelled", job
            self.model.jobs.append(Done(actor, ["CANCELLED"] * len(numbers), [None] * len(numbers)))
            self.cancelled.add(len(self.ids))
        else:
            done = self.model.run(actor, numbers, decide, abort=on_error == "abort")
            self._check_rows(door, job_id, done)
        self.ids.append(job_id)

    def _check_rows(self, door: Door, job_id: str, done: Done) -> None:
        job = door.job(job_id)
        assert job["status"] in ENDED, job
        found = door.rows(job_id)
        assert [row["code"] for row in found] == done.codes
        counts = job["counts"]
        outcomes = [row["result"] for row in found]
        assert counts["total"] == len(found)
        assert all(counts[name] == outcomes.count(name) for name in counts if name not in {"total", "warnings"})

    # The rules

    @rule(
        actor=st.sampled_from(MAY_UPLOAD),
        numbers=rows,
        capabilities=flags,
        on_existing=st.sampled_from(["skip", "update", "error"]),
        goes_to=st.integers(0, 6),
        carrier=carrier_of,
        on_error=st.sampled_from(["skip", "skip", "abort"]),
        how=shown,
    )
    def upload(
        self,
        actor: str,
        numbers: list[int | None],
        capabilities: tuple[bool | None, ...],
        on_existing: str,
        goes_to: int,
        carrier: str | None,
        on_error: str,
        how: str,
    ) -> None:
        below = [actor, *self._below(actor)]
        to = below[goes_to] if goes_to < len(below) else None
        if carrier is not None and self.model.owners[carrier] not in self.model.tenants[actor].path:
            carrier = None
        cells = ["" if flag is None else str(flag).upper() for flag in capabilities]
        lines = [("1", "no number" if number is None else str(number - 10**10), *cells) for number in numbers]
        form = {"on_existing": on_existing, "on_error": on_error, "mode": "apply" if how == "apply" else "review"}
        form |= {} if to is None else {"assign_to": self._id(to)}
        form |= {} if carrier is None else {"voice_carrier": carrier}
        note(f"{actor}: upload {lines} {form}")
        answer = self._as(actor).send(sheets.csv_bytes([sheets.HEADER, *lines]), **form)
        assert answer.status_code == 202, answer.get_data(as_text=True)
        decide = self.model.upload(actor, capabilities, on_existing, to, carrier)  # type: ignore[arg-type]
        self._compare(actor, answer.json["id"], numbers, decide, how, on_error)

    @rule(
        actor=st.sampled_from(("master", "north", "south")),
        numbers=rows,
        goes_to=st.integers(0, 9),
        how=shown,
        on_error=st.sampled_from(["skip", "skip", "abort"]),
    )
    def assign(self, actor: str, numbers: list[int | None], goes_to: int, how: str, on_error: str) -> None:
        below = self._below(actor)
        to = below[goes_to % len(below)]
        body = {"tenant_id": self._id(to), "mode": "apply" if how == "apply" else "review", "on_error": on_error}
        job = self._sent(actor, "assignments", body, numbers)
        self._compare(actor, job, numbers, self.model.assign(actor, to), how, on_error)

    @rule(
        actor=st.sampled_from(("clinic", "clinic", "school", "north")),
        numbers=rows,
        user=st.sampled_from(USERS),
        service=st.sampled_from(list(SERVICES)),
    )
    def give(self, actor: str, numbers: list[int | None], user: User, service: str) -> None:
        unfit = ("forwarded" in service and not user.is_trunk) or ("sms" in service and not user.has_sms)
        body = {"user_id": self.users[user.name], "service": service}
        if unfit or not self.model.within(user.tenant, actor):
            answer = self._as(actor).post("/v1/assignments", body | {"numbers": ["+12125550100"]})
            assert answer.status_code == 422
            return
        job = self._sent(actor, "assignments", body, numbers)
        self._compare(actor, job, numbers, self.model.give(actor, user, SERVICES[service]), "apply")

    @rule(
        actor=st.sampled_from(TENANTS),
        numbers=rows,
        service=st.sampled_from([None, None, "voice", "sms"]),
        user=st.sampled_from([None, None, *USERS]),
    )
    def unassign(self, actor: str, numbers: list[int | None], service: str | None, user: User | None) -> None:
        if user is not None and not self.model.within(user.tenant, actor):
            user = None
        body = {} if service is None else {"service": service}
        body |= {} if user is None else {"user_id": self.users[user.name]}
        job = self._sent(actor, "unassignments", body, numbers)
        decide = self.model.unassign(actor, service, None if user is None else user.name)
        self._compare(actor, job, numbers, decide, "apply")

    @rule(actor=st.sampled_from(TENANTS), numbers=rows, capabilities=flags, carrier=carrier_of, how=shown)
    def change(
        self,
        actor: str,
        numbers: list[int | None],
        capabilities: tuple[bool | None, bool | None, bool | None],
        carrier: str | None,
        how: str,
    ) -> None:
        if carrier is not None and self.model.owners[carrier] not in self.model.tenants[actor].path:
            carrier = None
        if capabilities == (None, None, None) and carrier is None:
            return
        body: Json = dict(zip(("voice", "sms", "fax"), capabilities, strict=True))
        body |= {"mode": "apply" if how == "apply" else "review"} | (
            {} if carrier is None else {"voice_carrier": carrier}
        )
        job = self._sent(actor, "capability-changes", body, numbers)
        self._compare(actor, job, numbers, self.model.change(actor, capabilities, carrier), how)

    @rule(actor=st.sampled_from(TENANTS), numbers=rows, on_error=st.sampled_from(["skip", "abort"]))
    def delete(self, actor: str, numbers: list[int | None], on_error: str) -> None:
        job = self._sent(actor, "deletions", {"on_error": on_error}, numbers)
        self._compare(actor, job, numbers, self.model.delete(actor), "apply", on_error)

    @rule(actor=st.sampled_from(TENANTS))
    def delete_all_that_is_seen(self, actor: str) -> None:
        """By filter: what is seen is what happens, and any other count is refused."""
        seen = sorted(self.model.seen(actor))
        wrong = self._as(actor).post("/v1/deletions", {"filter": {}, "expected_count": len(seen) + 1})
        assert wrong.status_code == 409
        if seen:
            note(f"{actor}: deletes all of {seen}")
            answer = self._as(actor).post("/v1/deletions", {"filter": {}, "expected_count": len(seen)})
            self._compare(actor, answer.json["id"], seen, self.model.delete(actor), "apply")

    @precondition(lambda self: self.ids)
    @rule(which=st.integers(0, 50), from_end=st.booleans())
    def undo(self, which: int, from_end: bool) -> None:
        place = len(self.ids) - 1 - which % 3 if from_end else which % len(self.ids)
        place = max(place, 0)
        if place in self.cancelled:
            return
        job = self.model.jobs[place]
        for other in TENANTS:
            if other != job.actor:
                answer = self._as(other).post(f"/v1/jobs/{self.ids[place]}/undo")
                assert answer.status_code == (403 if self.model.within(job.actor, other) else 404)
        note(f"{job.actor}: undoes job {place} {job.codes}")
        door = self._as(job.actor)
        answer = door.post(f"/v1/jobs/{self.ids[place]}/undo")
        if not self.model.left(job):
            assert answer.json["code"] == "NOTHING_TO_UNDO"
            return
        assert answer.status_code == 202, answer.get_data(as_text=True)
        door.work_off()
        done = self.model.undo(job)
        self._check_rows(door, answer.json["id"], done)
        self.ids.append(answer.json["id"])

    # What holds after every step

    @invariant()
    def the_inventory_is_the_models(self) -> None:
        assert self._inventory() == {
            e164: (
                number.holder, number.uploader, number.voice, number.sms, number.fax, number.voice_carrier,
                number.sms_carrier, number.voice_user, number.sms_user, number.forwarded,
            )
            for e164, number in self.model.numbers.items()
        }  # fmt: skip

    @invariant()
    def nothing_impossible_stands(self) -> None:
        mains = [n.voice_user for n in self.model.numbers.values() if n.voice_user and not n.forwarded]
        assert len(set(mains)) == len(mains)
        assert all(self._is_possible(number) for number in self.model.numbers.values())

    def _is_possible(self, number: Number) -> bool:
        users = [user for user in USERS if user.name in {number.voice_user, number.sms_user}]
        return (
            self.model.within(number.holder, number.uploader)
            and number.voice == (number.voice_carrier is not None)
            and number.sms == (number.sms_carrier is not None)
            and all(user.tenant == number.holder for user in users)
        )

    def teardown(self) -> None:
        """R3: everybody sees its own part, and no more."""
        for actor in TENANTS:
            found = self._as(actor).get("/v1/numbers?limit=500").json["data"]
            assert [number["e164"] for number in found] == [f"+{e164}" for e164 in sorted(self.model.seen(actor))]

    def _inventory(self) -> dict[int, tuple[Any, ...]]:
        with self.database.begin() as connection:
            carriers = {row.id: row.name for row in connection.execute(sa.select(tables.carriers))}
            users = {row.id: row.name for row in connection.execute(sa.select(tables.users))}
            found = connection.execute(sa.select(tables.phone_numbers)).all()
            assert databases.miscounted(connection) == 0
            assert not followed_changes.untold(connection)
        return {
            row.e164: (
                self.names[row.holder_id], self.names[row.uploader_id], row.voice, row.sms, row.fax,
                carriers.get(row.voice_carrier_id), carriers.get(row.sms_carrier_id), users.get(row.voice_user_id),
                users.get(row.sms_user_id), row.voice_forwarded,
            )
            for row in found
        }  # fmt: skip


@pytest.fixture
def users(world: World, database: sa.Engine) -> dict[str, str]:
    """The model's users in the database: name -> public id. North gets a default carrier of its own."""
    found = {}
    with database.begin() as connection:
        factories.set_default(connection, world.north.tenant, "voice", world.carriers["North voice"])
        for user in USERS:
            kind, home = "trunk" if user.is_trunk else "pbx", getattr(world, user.tenant).tenant
            made = factories.user(connection, home, kind, sms_enabled=user.has_sms)
            connection.execute(tables.users.update().where(tables.users.c.id == made).values(name=user.name))
            found[user.name] = factories.public_id(connection, tables.users, made)
    return found


@pytest.mark.long
@pytest.mark.timeout(1800 if NIGHTLY else 900)  # hundreds of jobs, on a machine that may be busy
@pytest.mark.parametrize("part", range(2))
def test_service_and_model_agree(
    part: int,
    api: Door,
    world: World,
    database: sa.Engine,
    users: dict[str, str],
    configure: Callable[..., None],
) -> None:
    """R3, R10, R13, R16 to R29, in any order: two halves, so that two processes share the time."""
    configure(rows_per_chunk=3)
    profile = settings(
        max_examples=(200 if NIGHTLY else 30) // 2,
        stateful_step_count=20 if NIGHTLY else 12,
        deadline=None,
        # The same sequences every time in `make test-long`, so that a red run can be run again; new ones every night.
        derandomize=not NIGHTLY,
        database=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
        # A shorter example is not worth the minutes it takes to find: the notes tell every step.
        phases=[Phase.generate],
    )

    class Part(Jobs):
        def __init__(self) -> None:
            super().__init__(api, world, database, users)

    Part.__name__ = f"Part{part}"  # what the derandomised sequences are drawn from
    Part.__qualname__ = Part.__name__
    run_state_machine_as_test(Part, settings=profile)
