"""Numbers that others hold move only as far as the request says (R19): by list, filter, file, upload; in any race."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from schemas.arrow_schemas import CHUNK
from schemas.database.tables import phone_numbers, users
from schemas.job_kinds import JobKind
from schemas.jobs import JobOptions, OnExisting, Phase
from tests.support import factories
from tests.support.api_client import Door, Json
from tests.support.cli_runner import Cli, told
from tests.support.factories import World
from tests.support.files import sheets
from tests.unit.small_world import rows_of
from webhook.cli.exit_codes import Exit
from worker import pipeline
from worker.database.engine import transaction
from worker.numbers import inventory
from worker.stages.resolve import Decisions, resolve
from worker.stages.write import write
from worker.steps.chunk_facts import Job, facts_for_chunk

FIRST = 12_125_550_100
FREE, CLINICS, USED, SOUTHS = (FIRST + place for place in range(4))
HEADER = [*sheets.HEADER, "Enterprises and Resellers"]
Holders = Callable[[], dict[int, int]]
ROUNDS = 6


@pytest.fixture
def holders(world: World, database: sa.Engine) -> Holders:
    """A free number of `north`, two of its clinic (a user has one), one of `south`; answers who holds which."""
    voice = {"voice_carrier_id": world.carriers["North voice"]}
    with database.begin() as connection:
        user = factories.user(connection, world.clinic.tenant, name="Ada")
        factories.number(connection, FREE, world.north.tenant, **voice)
        for e164, columns in ((CLINICS, {}), (USED, {"voice_user_id": user})):
            factories.number(connection, e164, world.clinic.tenant, uploader_id=world.north.id, **voice, **columns)
        factories.number(connection, SOUTHS, world.south.tenant)

    def now() -> dict[int, int]:
        with database.connect() as connection:
            found = connection.execute(sa.select(phone_numbers.c.e164, phone_numbers.c.holder_id))
            return {row.e164: row.holder_id for row in found}

    return now


def listed(*numbers: int) -> list[str]:
    return [f"+{number}" for number in numbers]


def sheet(*numbers: int, target: str = "") -> bytes:
    return sheets.csv_bytes([HEADER, *(["1", str(number)[1:], "TRUE", "", "", target] for number in numbers)])


def codes(api: Door, job: Json) -> dict[int, str]:
    return {int(number): code for number, code in api.codes(job["id"]).items()}


BY = ("list", "filter", "file")


def send(api: Door, by: str, **fields: object) -> Json:
    """The four numbers, assigned; south's is out of reach of a filter."""
    if by == "file":
        columns = sheets.csv_bytes([["Phone Number"], *([number] for number in listed(FREE, CLINICS, USED, SOUTHS))])
        return api.upload(columns, to="assignments", **{name: str(value).lower() for name, value in fields.items()})
    if by == "filter":
        return api.act("assignments", {"filter": {"q": "+1 212"}, "expected_count": 3, **fields})
    return api.act("assignments", {"numbers": listed(FREE, CLINICS, USED, SOUTHS), **fields})


@pytest.mark.parametrize("by", BY)
def test_r19_only_unassigned_numbers_are_assigned(api: Door, world: World, holders: Holders, by: str) -> None:
    before = holders()
    job = send(api, by, tenant_id=world.hotel.tenant.public_id, only_unassigned=True)
    expected = {FREE: "ASSIGNED", CLINICS: "ASSIGNED_IN_USE", USED: "ASSIGNED_IN_USE"}
    assert codes(api, job) == expected | ({} if by == "filter" else {SOUTHS: "NOT_FOUND"})
    assert holders() == before | {FREE: world.hotel.id}
    row = next(row for row in api.rows(job["id"]) if row["code"] == "ASSIGNED_IN_USE")
    assert (row["message"], row["fix"]) == ("The number is assigned to a customer or a user.", "Unassign it first.")


@pytest.mark.parametrize("by", BY)
def test_r19_numbers_move_only_from_the_expected_holder(api: Door, world: World, holders: Holders, by: str) -> None:
    before = holders()
    expected = {"expected_holder_id": world.clinic.tenant.public_id}
    job = send(api, by, tenant_id=world.hotel.tenant.public_id, **expected)
    found = {FREE: "CHANGED_SINCE", CLINICS: "ASSIGNED", USED: "ASSIGNED_IN_USE"}
    assert codes(api, job) == found | ({} if by == "filter" else {SOUTHS: "NOT_FOUND"})
    assert holders() == before | {CLINICS: world.hotel.id}
    row = next(row for row in api.rows(job["id"]) if row["code"] == "CHANGED_SINCE")
    assert row["column"] == "Enterprises and Resellers"
    assert "expected enterprise or reseller no longer has the number" in row["message"]


def test_v1_without_a_word_numbers_are_taken_as_before(api: Door, world: World, holders: Holders) -> None:
    """The API's default stays: programs rely on it."""
    job = send(api, "list", tenant_id=world.hotel.tenant.public_id)
    assert codes(api, job)[CLINICS] == "ASSIGNED"
    assert holders()[CLINICS] == world.hotel.id


@pytest.mark.parametrize("action", ["assignments", "unassignments", "uploads"])
def test_r3_an_expected_holder_elsewhere_answers_as_one_that_does_not_exist(
    api: Door, world: World, holders: Holders, action: str
) -> None:
    before, answers = holders(), []
    for holder in (world.south.tenant.public_id, world.master.tenant.public_id, str(uuid.uuid4()), "none"):
        fields = {"expected_holder_id": holder}
        if action == "uploads":
            answer = api.send(sheet(FREE), **fields)
        else:
            to = {"tenant_id": world.hotel.tenant.public_id} if action == "assignments" else {}
            answer = api.post(f"/v1/{action}", {"numbers": listed(FREE), **to, **fields})
        answers.append((answer.status_code, answer.get_data(as_text=True).replace(holder, "-")))
    assert len(set(answers)) == 1
    assert answers[0][0] == 422
    assert '"code":"TARGET_NOT_FOUND"' in answers[0][1].replace(" ", "")
    assert '"field":"expected_holder_id"' in answers[0][1].replace(" ", "")
    assert holders() == before


@pytest.mark.parametrize("value", ["perhaps", 7, [], {}])
def test_only_unassigned_is_true_or_false(api: Door, world: World, value: object) -> None:
    body = {"numbers": listed(FREE), "tenant_id": world.hotel.tenant.public_id, "only_unassigned": value}
    answer = api.post("/v1/assignments", body)
    assert (answer.status_code, answer.json["code"]) == (422, "INVALID_FIELD")
    assert "only_unassigned" in answer.json["detail"]


def test_r19_taking_back_twice_does_not_go_up_two_levels(api: Door, world: World, database: sa.Engine) -> None:
    with database.begin() as connection:
        factories.number(connection, FREE, world.clinic.tenant, uploader_id=world.master.id)
    master = api.as_(world.master.token)
    body = {"numbers": listed(FREE), "expected_holder_id": world.clinic.tenant.public_id}
    assert codes(master, master.act("unassignments", body)) == {FREE: "UNASSIGNED"}
    assert codes(master, master.act("unassignments", body)) == {FREE: "CHANGED_SINCE"}
    with database.connect() as connection:
        assert connection.execute(sa.select(phone_numbers.c.holder_id)).scalar_one() == world.north.id


def test_r27_what_was_assigned_so_is_undone_like_any_other(api: Door, world: World, holders: Holders) -> None:
    before = holders()
    limits = {"only_unassigned": True, "expected_holder_id": world.north.tenant.public_id}
    job = send(api, "list", tenant_id=world.hotel.tenant.public_id, **limits)
    assert holders() == before | {FREE: world.hotel.id}
    undone = api.done(api.post(f"/v1/jobs/{job['id']}/undo"))
    assert undone["counts"]["updated"] == 1
    assert holders() == before


# Uploads


@pytest.mark.parametrize("by", ["form", "column"])
def test_r19_an_upload_leaves_numbers_with_their_customers(
    api: Door, world: World, holders: Holders, database: sa.Engine, by: str
) -> None:
    """R17: the row says so, and nothing else of the number is changed."""
    hotel, before = world.hotel.tenant, holders()
    to = {"assign_to": hotel.public_id} if by == "form" else {}
    content = sheet(FREE, CLINICS, USED, FIRST + 9, target="" if by == "form" else hotel.name)
    content = content.replace(b"TRUE,,,", b"TRUE,,TRUE,")
    job = api.upload(content, on_existing="update", only_unassigned="true", **to)
    assert codes(api, job) == {
        FREE: "UPDATED", CLINICS: "ASSIGNED_IN_USE", USED: "ASSIGNED_IN_USE", FIRST + 9: "CREATED",
    }  # fmt: skip
    assert holders() == before | {FREE: world.hotel.id, FIRST + 9: world.hotel.id}
    with database.connect() as connection:
        faxing = connection.execute(sa.select(phone_numbers.c.e164).where(phone_numbers.c.fax)).scalars().all()
    assert sorted(faxing) == [FREE, FIRST + 9]
    taken = api.upload(content, on_existing="update", **to)
    assert codes(api, taken)[CLINICS] == "UPDATED"
    assert holders()[CLINICS] == world.hotel.id


def test_r19_an_upload_with_an_expected_holder(api: Door, world: World, holders: Holders) -> None:
    before, north = holders(), world.north.tenant.public_id
    to = {"assign_to": world.hotel.tenant.public_id, "on_existing": "update"}
    job = api.upload(sheet(FREE, CLINICS), expected_holder_id=north, **to)
    assert codes(api, job) == {FREE: "UPDATED", CLINICS: "CHANGED_SINCE"}
    assert holders() == before | {FREE: world.hotel.id}


def test_r19_a_review_says_from_whom_numbers_would_be_taken(
    api: Door, world: World, holders: Holders, database: sa.Engine
) -> None:
    """Own numbers are not taken from anybody; what a user has stays."""
    with database.begin() as connection:
        factories.number(connection, FIRST + 7, world.hotel.tenant, uploader_id=world.north.id)
        third = factories.tenant(connection, world.north.tenant, world.hotel.tenant.kind, name="Third Enterprise")
    before = holders()
    for action in ("upload", "assign"):
        if action == "upload":
            fields = {"assign_to": third.public_id, "on_existing": "update", "mode": "review"}
            job = api.upload(sheet(FREE, CLINICS, USED, FIRST + 7), **fields)
        else:
            body = {"numbers": listed(FREE, CLINICS, USED, FIRST + 7), "tenant_id": third.public_id}
            job = api.act("assignments", body | {"mode": "review"})
        taken = [(source["tenant"]["name"], source["count"]) for source in job["review"]["taken_from"]]
        assert sorted(taken) == [("Clinic Enterprise", 1), ("Hotel Enterprise", 1)]
    assert holders() == before


def test_r19_a_review_without_numbers_of_others_names_no_one(api: Door, world: World, holders: Holders) -> None:
    del holders
    body = {"numbers": listed(FREE, CLINICS), "tenant_id": world.hotel.tenant.public_id, "only_unassigned": True}
    job = api.act("assignments", body | {"mode": "review"})
    assert job["review"]["taken_from"] == []
    assert job["review"]["effect"]["updated"] == 1


@pytest.mark.long
def test_r19_what_was_taken_between_a_review_and_its_confirmation_stays(
    api: Door, world: World, holders: Holders
) -> None:
    limits = {"expected_holder_id": world.north.tenant.public_id}
    body = {"numbers": listed(FREE), "tenant_id": world.hotel.tenant.public_id, "mode": "review", **limits}
    reviewed = api.act("assignments", body)
    assert reviewed["review"]["effect"]["updated"] == 1
    api.act("assignments", {"numbers": listed(FREE), "tenant_id": world.clinic.tenant.public_id, **limits})
    job = api.done(api.post(f"/v1/jobs/{reviewed['id']}/confirm"))
    assert codes(api, job) == {FREE: "CHANGED_SINCE"}
    assert holders()[FREE] == world.clinic.id


# Races


@pytest.mark.long
@pytest.mark.parametrize("limit", ["only_unassigned", "expected_holder_id"])
def test_r19_of_two_jobs_at_once_exactly_one_gets_the_number(
    api: Door, world: World, holders: Holders, database: sa.Engine, limit: str
) -> None:
    """R29: two workers, the same number, two customers; whoever comes second leaves it alone, every time."""
    limits = {"only_unassigned": True, "expected_holder_id": world.north.tenant.public_id}
    for _ in range(ROUNDS):
        with database.begin() as connection:
            connection.execute(
                phone_numbers.update().where(phone_numbers.c.e164 == FREE).values(holder_id=world.north.id)
            )
        jobs = {}
        for target in (world.clinic, world.hotel):
            body = {"numbers": listed(FREE), "tenant_id": target.tenant.public_id, limit: limits[limit]}
            jobs[target.id] = api.post("/v1/assignments", body).json["id"]
            assert pipeline.run(Phase.CHECK)
        together = threading.Barrier(2, timeout=30)

        def work(together: threading.Barrier = together) -> None:
            together.wait()
            pipeline.run(Phase.WRITE)

        workers = [threading.Thread(target=work) for _ in jobs]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(30)
        api.work_off()
        results = {target: next(iter(api.codes(job).values())) for target, job in jobs.items()}
        winners = [target for target, code in results.items() if code == "ASSIGNED"]
        refused = "ASSIGNED_IN_USE" if limit == "only_unassigned" else "CHANGED_SINCE"
        assert sorted(results.values()) == sorted(["ASSIGNED", refused]), results
        assert winners == [holders()[FREE]]


def decided(connection: sa.Connection, kind: JobKind, world: World, options: JobOptions, job_id: int) -> Decisions:
    job = Job(job_id, kind, world.north.tenant, options)
    chunk = rows_of(CHUNK, {"row": 2, "e164": FREE, "voice": -1, "sms": -1, "fax": -1})
    return resolve(chunk, facts_for_chunk(connection, job, chunk))


def test_r19_an_assignment_is_decided_while_it_holds_the_number(world: World, holders: Holders) -> None:
    """The second waits for the first, and decides about what that has left."""
    second: list[Decisions] = []
    to_hotel = JobOptions(target_id=world.hotel.id, expected_holder_id=world.north.id)
    to_clinic = JobOptions(target_id=world.clinic.id, expected_holder_id=world.north.id)

    def come_second() -> None:
        with transaction() as connection:
            second.append(decided(connection, JobKind.ASSIGN, world, to_hotel, 72))
            write(connection, second[0], 72)

    with transaction() as connection:
        write(connection, decided(connection, JobKind.ASSIGN, world, to_clinic, 71), 71)
        waiting = threading.Thread(target=come_second)
        waiting.start()
        waiting.join(0.3)
        assert second == []
    waiting.join(30)
    assert len(second[0].update) == 0
    assert holders()[FREE] == world.clinic.id


def test_r19_an_upload_decides_anew_where_the_number_was_taken_meanwhile(world: World, holders: Holders) -> None:
    moving = JobOptions(on_existing=OnExisting.UPDATE, target_id=world.hotel.id, only_unassigned=True)
    with transaction() as connection:
        first = decided(connection, JobKind.UPLOAD, world, moving, 72)
        assert len(first.update) == 1
        with transaction() as other:
            taking = JobOptions(target_id=world.clinic.id)
            write(other, decided(other, JobKind.ASSIGN, world, taking, 71), 71)
        with pytest.raises(inventory.ConflictError):
            write(connection, first, 72)
        connection.rollback()
    with transaction() as connection:
        assert len(decided(connection, JobKind.UPLOAD, world, moving, 72).update) == 0
    assert holders()[FREE] == world.clinic.id


@pytest.mark.long
def test_r20_of_two_users_who_are_given_a_number_the_first_keeps_it(
    api: Door, world: World, holders: Holders, database: sa.Engine
) -> None:
    """Two tabs, two users: refused in any case, whatever was said of holders."""
    del holders
    clinic = api.as_(world.clinic.token)
    with database.begin() as connection:
        people = [factories.user(connection, world.clinic.tenant, name=name) for name in ("Bela", "Cora")]
        bela, cora = (factories.public_id(connection, users, person) for person in people)
    assert codes(api, clinic.act("assignments", {"numbers": listed(CLINICS), "user_id": bela})) == {CLINICS: "ASSIGNED"}
    second = clinic.act("assignments", {"numbers": listed(CLINICS), "user_id": cora})
    assert codes(api, second) == {CLINICS: "ASSIGNED_IN_USE"}
    taken = clinic.act("unassignments", {"numbers": listed(CLINICS), "user_id": cora})
    assert codes(api, taken) == {CLINICS: "NO_CHANGE"}
    with database.connect() as connection:
        query = sa.select(phone_numbers.c.voice_user_id).where(phone_numbers.c.e164 == CLINICS)
        assert connection.execute(query).scalar_one() == people[0]


# The command line


@pytest.mark.long
def test_r19_the_command_line_says_the_same(cli: Cli, world: World, holders: Holders) -> None:
    before = holders()
    numbers = listed(FREE, CLINICS)
    job = told(cli("assign", *numbers, "--to", "hotel enterprise", "--only-unassigned", "--json"), Exit.PARTLY_FAILED)
    assert (job["counts"]["updated"], job["counts"]["failed"]) == (1, 1)
    assert holders() == before | {FREE: world.hotel.id}
    expecting = ("--expected-holder", "Northern Reseller")
    moved = told(cli("assign", *numbers, "--to", "hotel enterprise", *expecting, "--json"), Exit.PARTLY_FAILED)
    assert (moved["counts"]["unchanged"], moved["counts"]["failed"]) == (1, 1)
    taken = told(cli("unassign", *numbers, "--expected-holder", "Hotel Enterprise", "--json"), Exit.PARTLY_FAILED)
    assert (taken["counts"]["updated"], taken["counts"]["failed"]) == (1, 1)
    assert holders() == before
    shown = cli("assign", *numbers, "--to", "hotel enterprise", "--review")
    assert "Taken from\n  Clinic Enterprise: 1\n" in shown.stdout, shown.stdout


def test_r19_the_command_line_uploads_without_taking(
    cli: Cli, world: World, holders: Holders, tmp_path_factory: pytest.TempPathFactory
) -> None:
    before = holders()
    path = tmp_path_factory.mktemp("upload") / "numbers.csv"
    path.write_bytes(sheet(FREE, CLINICS))
    words = ("upload", str(path), "--assign-to", "Hotel Enterprise", "--on-existing", "update", "--only-unassigned")
    job = told(cli(*words, "--watch", "--json"), Exit.PARTLY_FAILED)
    assert job["error_summary"][0]["code"] == "ASSIGNED_IN_USE"
    assert holders() == before | {FREE: world.hotel.id}
