"""R28: rows that the database refuses fail alone, at once, and cost hardly more than others; sound rows are written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from schemas.jobs import Phase
from tests.support import factories
from tests.support.api_client import Door, Json, table
from tests.support.factories import World
from tests.support.files import sheets
from tests.support.job_rows import FIRST, Ledger, checked, finish, held_up, sheet
from worker import pipeline
from worker.steps import failures

ROWS = 20
SETTLED = ("created", "updated", "deleted", "unchanged", "skipped", "failed", "unprocessed")
REFUSED = [3, 4, 16]
WAYS = {
    "a check": None,
    "a trigger before, 22": ("BEFORE", "22023"),
    "a trigger after, 23": ("AFTER", "23514"),
    "a trigger without a code of its own": ("BEFORE", "P0001"),
    "a trigger that says unique": ("BEFORE", "23505"),
}
# All numbers, but not which undo restored them.
STOCK = "SELECT to_jsonb(phone_numbers) - 'restored_job_id' AS number FROM phone_numbers ORDER BY e164"


@pytest.fixture
def ledger(database: sa.Engine) -> Ledger:
    return Ledger(database)


def one_of(places: list[int]) -> str:
    return f"$.e164 IN ({', '.join(str(FIRST + place) for place in places)})"


def assert_whole(api: Door, job: Json) -> list[str]:
    """The report has each row once, in file order, and adds up to the counts; return the rows' codes."""
    lines, counts = table(api.report(job["id"])), job["counts"]
    first = int(lines[0]["_row"])
    assert first in {1, 2}  # of a list, of a file with a header
    assert [int(line["_row"]) for line in lines] == list(range(first, counts["total"] + first))
    assert Counter(line["_result"] for line in lines) == {name: counts[name] for name in SETTLED if counts[name]}
    assert [row["code"] for row in api.rows(job["id"])] == [line["_code"] for line in lines]
    return [line["_code"] for line in lines]


def expected(code: str, refused: list[int], rows: int = ROWS) -> list[str]:
    return ["INTERNAL_ERROR" if place in refused else code for place in range(rows)]


# At once, and alone


@pytest.mark.long
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_r28_refused_rows_fail_at_once(
    api: Door, ledger: Ledger, configure: Callable[..., None], way: tuple[str, str] | None
) -> None:
    """In one try, whatever the database calls it; the others are written, and the job can be undone."""
    configure(rows_per_chunk=8)
    if way is None:
        ledger.run(f"ALTER TABLE phone_numbers ADD CONSTRAINT odd CHECK (NOT {one_of(REFUSED).replace('$.', '')})")
    else:
        ledger.refuse(one_of(REFUSED), *way)
    job = api.upload(sheet(ROWS))
    assert ledger.chunks() == [("done", 1)] * 3
    assert assert_whole(api, job) == expected("CREATED", REFUSED)
    assert ledger.numbers() == [FIRST + place for place in range(ROWS) if place not in REFUSED]
    assert job["error_summary"] == [{"code": "INTERNAL_ERROR", "count": 3, "first_row": REFUSED[0] + 2}]
    undo = api.done(api.post(f"/v1/jobs/{job['id']}/undo"))
    assert (undo["counts"]["deleted"], undo["counts"]["unchanged"], ledger.numbers()) == (ROWS - 3, 3, [])
    assert_whole(api, undo)


@pytest.mark.long
@pytest.mark.parametrize("refused", [[], [0], [19], list(range(20))], ids=["none", "first", "last", "all"])
def test_r28_whichever_rows_are_refused(api: Door, ledger: Ledger, refused: list[int]) -> None:
    ledger.refuse(one_of(refused) if refused else "false")
    job = api.upload(sheet(ROWS))
    assert assert_whole(api, job) == expected("CREATED", refused)
    assert len(ledger.numbers()) == ROWS - len(refused)


@pytest.mark.long
@pytest.mark.parametrize("when", ["BEFORE", "AFTER"])
def test_r28_every_kind_of_job_writes_its_sound_rows(api: Door, world: World, ledger: Ledger, when: str) -> None:
    """Updated, assigned, taken back, changed, deleted; and each is undone as far as it was done."""
    api.upload(sheet(ROWS))
    numbers = [f"+{FIRST + place}" for place in range(ROWS)]
    before = ledger.ask(STOCK)
    ledger.refuse(one_of(REFUSED), when, "22000")
    fax = sheets.csv_bytes([sheets.HEADER, *(["1", number, "TRUE", "", "TRUE"] for number in numbers)])
    jobs = [
        (api.upload(fax, on_existing="update"), "UPDATED"),
        (api.act("capability-changes", {"numbers": numbers, "sms": True}), "UPDATED"),
        (api.act("assignments", {"numbers": numbers, "tenant_id": world.clinic.tenant.public_id}), "ASSIGNED"),
    ]
    for job, code in jobs:
        assert assert_whole(api, job) == expected(code, REFUSED)
    assert {state for state, tries in ledger.chunks() if tries == 1} == {"done"}
    for job, _ in reversed(jobs):
        undo = api.done(api.post(f"/v1/jobs/{job['id']}/undo"))
        assert (undo["counts"]["updated"], undo["counts"]["unchanged"], undo["counts"]["failed"]) == (ROWS - 3, 3, 0)
    assert ledger.ask(STOCK) == before
    deleted = api.act("deletions", {"numbers": numbers})
    assert assert_whole(api, deleted) == expected("DELETED", REFUSED)
    assert ledger.numbers() == [FIRST + place for place in REFUSED]
    restored = api.done(api.post(f"/v1/jobs/{deleted['id']}/undo"))
    assert (restored["counts"]["updated"], restored["counts"]["failed"]) == (ROWS - 3, 0)
    assert ledger.ask(STOCK) == before


@pytest.mark.long
def test_r28_an_undo_that_is_refused_leaves_those_rows(api: Door, ledger: Ledger) -> None:
    job = api.upload(sheet(ROWS))
    ledger.refuse(one_of(REFUSED))
    undo = api.done(api.post(f"/v1/jobs/{job['id']}/undo"))
    assert assert_whole(api, undo) == expected("DELETED", REFUSED)
    ledger.mend()
    again = api.done(api.post(f"/v1/jobs/{job['id']}/undo"))
    assert (again["counts"]["deleted"], ledger.numbers()) == (3, [])


@pytest.mark.long
def test_r12_of_a_block_the_other_numbers_are_written_and_undone(api: Door, ledger: Ledger) -> None:
    """R28: the row fails and says how many of its numbers were written."""
    ledger.refuse(one_of([3, 15]))
    header = ("Country Code", "Phone Number", "End Number", "Voice", "SMS")
    blocks = [("2125550000", "009"), ("2125550015", ""), ("2125550020", "029")]
    lines = [("1", first, last, "TRUE", "") for first, last in blocks]
    job = api.upload(sheets.csv_bytes([header, *lines]))
    assert assert_whole(api, job) == ["INTERNAL_ERROR", "INTERNAL_ERROR", "CREATED"]
    assert [row["written"] for row in api.rows(job["id"])] == [9, 0, 10]
    assert ledger.numbers() == [FIRST + place for place in (0, 1, 2, *range(4, 10), *range(20, 30))]
    undo = api.done(api.post(f"/v1/jobs/{job['id']}/undo"))
    assert (ledger.numbers(), undo["counts"]["failed"]) == ([], 0)


@pytest.mark.long
def test_all_or_nothing_with_a_refused_row_writes_nothing(api: Door, ledger: Ledger) -> None:
    """The row is named, the others say that they are fine; undo has nothing to do."""
    ledger.refuse(one_of(REFUSED))
    job = api.upload(sheet(ROWS), on_error="abort")
    assert assert_whole(api, job) == expected("ABORTED", REFUSED)
    assert (ledger.numbers(), ledger.chunks()) == ([], [("done", 1)])
    assert {"code": "INTERNAL_ERROR", "count": 3, "first_row": 5} in job["error_summary"]
    assert api.post(f"/v1/jobs/{job['id']}/undo").json["code"] == "NOTHING_TO_UNDO"


def test_all_or_nothing_does_not_try_what_cannot_matter(
    api: Door, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some refused rows are named, however many there are: nothing is written anyway."""
    monkeypatch.setattr("worker.steps.write_chunk.MOST_NAMED", 10)
    ledger.refuse("true")
    job = api.upload(sheet(100), on_error="abort")
    counts = job["counts"]
    assert (counts["failed"] + counts["unprocessed"], ledger.numbers()) == (100, [])
    assert 10 <= counts["failed"] < 50
    assert_whole(api, job)


# Together with what others do


@pytest.mark.long
def test_r6_a_number_that_exists_meanwhile_is_no_refusal(api: Door, world: World, ledger: Ledger) -> None:
    """Another upload creates one while a chunk with refused rows is written: decided anew, nothing is lost."""
    ledger.refuse(one_of([0]))
    job_id = checked(api, 5)
    with held_up(ledger, FIRST + 3, world.south.id) as other:
        other.commit()
    job = finish(api, ledger, job_id)
    assert assert_whole(api, job) == ["INTERNAL_ERROR", "CREATED", "CREATED", "NUMBER_EXISTS_ELSEWHERE", "CREATED"]
    assert ledger.chunks() == [("done", 1)]


@pytest.mark.long
def test_r6_another_unique_index_refuses_rows_like_any_constraint(api: Door, world: World, ledger: Ledger) -> None:
    """It is no conflict over a number, after which everything would be decided anew without end."""
    with ledger.engine.begin() as connection:
        factories.number(connection, FIRST + 500, world.north.tenant)
    ledger.run("CREATE UNIQUE INDEX odd ON phone_numbers ((e164 % 500))")
    job = api.upload(sheet(5))
    assert assert_whole(api, job) == ["INTERNAL_ERROR", *["CREATED"] * 4]
    assert ledger.chunks() == [("done", 1)]


# What it costs


@pytest.mark.long
def test_refused_rows_cost_hardly_more_than_sound_ones(
    api: Door, ledger: Ledger, configure: Callable[..., None]
) -> None:
    """300 among 100,000 in small, by what the server does: no row is tried more than three times on average."""
    rows = 3_000
    configure(rows_per_chunk=1_000)
    # A sequence counts what is rolled back, too.
    ledger.run("CREATE SEQUENCE tried")
    ledger.refuse("nextval('tried') > 0 AND $.e164 % 333 = 0", "BEFORE", "22003")
    job = api.upload(sheet(rows))
    assert (job["counts"]["created"], job["counts"]["failed"]) == (rows - 9, 9)
    tried = ledger.ask("SELECT last_value FROM tried")[0].last_value
    assert tried < 2 * rows
    assert ledger.chunks() == [("done", 1)] * 3


# Where the database does not say which row it is


def run_without_waiting(ledger: Ledger) -> tuple[int, int]:
    """Work on until no chunk is left; return how often the next try had to be waited for, and the tries."""
    waits = tries = 0
    while any(state == "pending" for state, _ in ledger.chunks()):
        while pipeline.run(Phase.WRITE):
            tries += 1
        waits += 1
        ledger.due()
    return waits - 1, tries


@pytest.mark.long
def test_r28_what_fails_in_the_same_way_again_is_halved_without_pauses(
    api: Door, ledger: Ledger, configure: Callable[..., None]
) -> None:
    """A constraint that is checked at the commit only: the chunk waits once, and none of its halves does."""
    configure(rows_per_chunk=64, max_attempts=3)
    ledger.refuse(one_of([5, 40]), "AFTER", "23514")
    ledger.run("DROP TRIGGER refusal ON phone_numbers")
    ledger.run(
        "CREATE CONSTRAINT TRIGGER refusal AFTER INSERT ON phone_numbers DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION refuse()"
    )
    job_id = checked(api, 64)
    waits, _ = run_without_waiting(ledger)
    assert waits == 1
    job = finish(api, ledger, job_id)
    assert assert_whole(api, job) == expected("CREATED", [5, 40], 64)


@pytest.mark.long
def test_what_fails_in_another_way_is_waited_for(api: Door, ledger: Ledger, configure: Callable[..., None]) -> None:
    """Only the same again is no accident."""
    configure(max_attempts=5)
    job_id = checked(api, 3)
    for sqlstate in ("XX000", "42501", "XX001"):
        ledger.fail("INSERT ON phone_numbers", sqlstate)
        ledger.due()
        assert pipeline.run(Phase.WRITE)
        assert not pipeline.run(Phase.WRITE)
        ledger.mend()
    assert finish(api, ledger, job_id)["counts"]["created"] == 3


@pytest.mark.long
def test_r28_no_sound_row_is_given_up_where_too_many_fail(
    api: Door, ledger: Ledger, configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job ends as our failure: what is written stays, and what was not reached is unprocessed, not failed."""
    monkeypatch.setattr(failures, "MOST_HALVED", 10)
    configure(rows_per_chunk=40, max_attempts=1)
    ledger.refuse("$.e164 % 2 = 0", "BEFORE", "XX000")
    job = finish(api, ledger, checked(api, 120))
    assert (job["status"], job["problem"]["code"]) == ("failed", "INTERNAL_ERROR")
    assert (job["counts"]["failed"], job["counts"]["created"]) == (0, len(ledger.numbers()))
    assert job["counts"]["unprocessed"] == 120 - job["counts"]["created"]
    assert [state for state, _ in ledger.chunks()].count("dead") == 10


@pytest.mark.long
def test_r28_every_failing_row_is_found_however_many_there_are(
    api: Door, ledger: Ledger, configure: Callable[..., None]
) -> None:
    """Each other row, without the database saying which: all sound rows are written."""
    configure(rows_per_chunk=16, max_attempts=1)
    ledger.refuse("$.e164 % 2 = 0", "BEFORE", "XX000")
    job = finish(api, ledger, checked(api, 32))
    assert assert_whole(api, job) == expected("CREATED", list(range(0, 32, 2)), 32)
