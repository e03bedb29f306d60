"""SIGKILL at every named point, and at random; SIGSTOP longer than a lease; rows and files that kill their worker."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import psutil

from schemas.jobs import Phase
from tests.chaos import files
from tests.chaos.attacks import FEW, Done, Size, attack
from tests.chaos.stand import END_SECONDS, LEASE, MAX_ATTEMPTS, Sent, Stand
from tests.support.files import sheets
from tests.support.servers.service import POLL_SECONDS, Json, wait_for
from worker.config.failpoints import Failpoint, Fault

# Points that uploads pass, those of one batch or those of several; of each row of the table one is met at a time, by
# three files at once.
PASSED_BY_UPLOADS = {
    phases: [
        point
        for point in Failpoint
        if point.value.partition(".")[0] in phases.split()
        and point not in {Failpoint.WRITE_IMAGE_STORED, Failpoint.WRITE_REFUSED}
    ]
    for phases in ("accept", "check", "read validate cut", "write", "report", "merge render")
}
ROUNDS = max(map(len, PASSED_BY_UPLOADS.values()))


def of_round(number: int) -> list[Failpoint]:
    """The points that are met together."""
    return [points[number] for points in PASSED_BY_UPLOADS.values() if number < len(points)]


def _points(number: int) -> None:
    points = of_round(number)

    @attack(f"killed at {', '.join(points)}")
    def killed(stand: Stand, size: Size) -> Done:
        """Each process dies at its point, once; the client sends again what was not answered."""
        for point in points:
            stand.arm(point)
        rows = (size.rows, size.rows, stand.rows_per_batch)
        sent = stand.send_at_once([files.mixed(stand.numbers, count, stand.dice) for count in rows])
        for point in points:
            stand.wait_met(point)
        return Done(sent, len(points))


for _number in range(ROUNDS):
    _points(_number)


@attack("killed at write.image-stored")
def killed_with_images(stand: Stand, size: Size) -> Done:
    """A file that changes numbers that are there: their images stand in the storage, nothing is committed."""
    first = stand.numbers.take(size.rows)
    made = stand.send(files.sound_from(first, size.rows))
    stand.ended(made)
    stand.arm(Failpoint.WRITE_IMAGE_STORED)
    changed = stand.send(files.sound_from(first, size.rows, sms=True), on_existing="update")
    stand.wait_met(Failpoint.WRITE_IMAGE_STORED)
    return Done([made, changed], 1)


@attack("rows that the database refuses; killed at write.refused")
def killed_with_refused_rows(stand: Stand, size: Size) -> Done:
    """They are found and the others written, and the worker dies before its commit: all of it is done again."""
    first = stand.numbers.take(size.rows)
    refused = [files.e164(first + place) for place in range(7, size.rows, 100)]
    stand.arm(Failpoint.WRITE_REFUSED, times=size.times)
    with _refusing(stand, refused):
        sent = stand.send(files.sound_from(first, size.rows), judged=False)
        counts = stand.ended(sent)["counts"]
    killed = len(stand.met(Failpoint.WRITE_REFUSED))
    stand.disarm()
    assert (counts["failed"], counts["created"]) == (len(refused), size.rows - len(refused))
    # The twin knows of no constraint: what was written is put back, and that is checked.
    undo = stand.send(None, f"/v1/jobs/{sent.job_id}/undo", judged=False)
    assert stand.ended(undo)["counts"]["deleted"] == counts["created"]
    return Done([sent, undo], killed)


@contextlib.contextmanager
def _refusing(stand: Stand, numbers: Sequence[int]) -> Iterator[None]:
    """The database refuses some numbers for as long as the block."""
    listed = ", ".join(map(str, numbers))
    with stand.engine.begin() as connection:
        connection.exec_driver_sql(f"ALTER TABLE phone_numbers ADD CONSTRAINT odd CHECK (e164 NOT IN ({listed}))")
    try:
        yield
    finally:
        with stand.engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE phone_numbers DROP CONSTRAINT odd")


@attack("killed at refuse.committed")
def killed_while_refusing(stand: Stand, size: Size) -> Done:  # noqa: ARG001 - a refused file has one size
    """The file is refused, and its worker dies before it can clear up."""
    stand.arm(Failpoint.REFUSE_COMMITTED)
    sent = stand.send(sheets.PDF, judged=False)
    assert stand.ended(sent)["problem"]["code"] == "UNSUPPORTED_TYPE"
    stand.wait_met(Failpoint.REFUSE_COMMITTED)
    return Done([sent], 1)


@attack("killed at sweep.entered, sweep.committed")
def killed_while_sweeping(stand: Stand, size: Size) -> Done:
    """Whoever frees what others left dies of it, before and after its commit."""
    stand.arm(Failpoint.WRITE_CLAIMED)
    sent = stand.send(files.mixed(stand.numbers, size.rows, stand.dice))
    for point in (Failpoint.SWEEP_ENTERED, Failpoint.SWEEP_COMMITTED):
        stand.arm(point)
        stand.wait_met(point)
    return Done([sent], 2)


@attack("killed at decision.committed")
def killed_while_deciding(stand: Stand, size: Size) -> Done:
    """The confirmation of a review is committed, and nobody hears of it."""
    sent = stand.send(files.mixed(stand.numbers, size.rows, stand.dice), mode="review")
    wait_for(lambda: stand.job(sent)["status"] == "review", END_SECONDS, "the review", POLL_SECONDS)
    stand.arm(Failpoint.DECISION_COMMITTED)
    confirmed = stand.send(None, f"/v1/jobs/{sent.job_id}/confirm", judged=False)
    assert (confirmed.job_id, len(stand.met(Failpoint.DECISION_COMMITTED))) == (sent.job_id, 1)
    del sent.fields["mode"]  # what comes of it is what comes of a file that is applied at once
    return Done([sent], 1)


@attack("killed while checking again")
def killed_while_checking_again(stand: Stand, size: Size) -> Done:
    """A review is checked again twice, and each time its workers are killed; the last check is confirmed."""
    sent = stand.send(files.mixed(stand.numbers, size.rows, stand.dice), mode="review")
    rounds = (
        (Failpoint.CHECK_CLAIMED, Failpoint.READ_COMMITTED),
        (Failpoint.VALIDATE_STORED, Failpoint.CHECK_ENTERED),
    )
    for points in rounds:
        wait_for(lambda: stand.job(sent)["can_confirm"], END_SECONDS, "the review")
        for point in points:
            stand.arm(point)
        stand.send(None, f"/v1/jobs/{sent.job_id}/recheck", judged=False, accept="valid")
        for point in points:
            stand.wait_met(point)
    wait_for(lambda: stand.job(sent)["can_confirm"], END_SECONDS, "the last review")
    stand.send(None, f"/v1/jobs/{sent.job_id}/confirm", judged=False)
    del sent.fields["mode"]  # what comes of it is what comes of a file that is applied at once
    return Done([sent], sum(map(len, rounds)))


@attack("a row that kills whoever writes it; killed at halve.entered, halve.committed, give-up.committed")
def poison_row(stand: Stand, size: Size) -> Done:  # noqa: ARG001 - every halving costs some leases
    """It is found by halving and fails as our error; the rows beside it are written."""
    count = 2
    first = stand.numbers.take(count)
    points = (Failpoint.HALVE_ENTERED, Failpoint.HALVE_COMMITTED, Failpoint.GIVE_UP_COMMITTED)
    for point in points:
        stand.arm(point)
    stand.arm(Failpoint.WRITE_RESOLVED, times=100, number=files.e164(first + 1))
    sent = stand.send(files.sound_from(first, count), judged=False)
    stand.ended(sent)
    rows = stand.get(f"/v1/jobs/{sent.job_id}/rows").json()["data"]
    killed = len(stand.met(Failpoint.WRITE_RESOLVED))
    stand.disarm()
    assert [row["code"] for row in rows] == ["CREATED", "INTERNAL_ERROR"]
    # The one row that was written would be one too many in the inventory: put it back, and have that checked.
    undo = stand.send(None, f"/v1/jobs/{sent.job_id}/undo", judged=False)
    assert stand.ended(undo)["counts"]["deleted"] == 1
    return Done([sent, undo], killed + len(points))


@attack("a workbook whose reading kills the worker every time")
def poison_workbook(stand: Stand, size: Size) -> Done:  # noqa: ARG001 - it is never read
    """As when memory runs out: after its tries the job ends as our failure, and no other job has noticed."""
    tries = MAX_ATTEMPTS
    stand.arm(Failpoint.CHECK_READ, times=tries)
    poison = stand.send(sheets.xlsx_bytes(sheets.rows(5)), judged=False)
    wait_for(lambda: len(stand.met(Failpoint.CHECK_READ)) == tries, END_SECONDS, "all tries to be used up")
    other = stand.send(files.mixed(stand.numbers, 200, stand.dice))
    assert stand.ended(poison)["problem"]["code"] == "INTERNAL_ERROR"
    return Done([poison, other], tries)


@attack("a workbook that asks for more memory than there is")
def huge_workbook(stand: Stand, size: Size) -> Done:  # noqa: ARG001 - its size is its point
    """The reading child dies of its limit; a reader of less memory takes over; the worker lives."""
    before = wait_for(lambda: _workers(stand), END_SECONDS, "all workers to be there")
    huge = stand.send(sheets.huge_range(last_row=50_000), judged=False)
    broken = stand.send(sheets.broken_xml(), judged=False)
    assert stand.ended(broken)["problem"]["code"] == "UNREADABLE_FILE"
    counts = stand.ended(huge)["counts"]
    assert (counts["created"], counts["failed"]) == (2, 1), counts  # the last row holds a cell far right
    wait_for(lambda: _workers(stand) == before, END_SECONDS, "the same workers to be there")
    undo = stand.send(None, f"/v1/jobs/{huge.job_id}/undo", judged=False)
    assert stand.ended(undo)["counts"]["deleted"] == counts["created"]
    return Done([huge, broken, undo], 2)


def _workers(stand: Stand) -> set[int]:
    """The worker's processes, once all of them are there: the parent and those that do the work."""
    found = {one.pid for one in stand.up.processes("worker")}
    return found if len(found) == 1 + stand.workers else set()


@dataclass(frozen=True)
class Late:
    """Where a worker stands still, its work done or before it, and with which piece in hand.

    `kept_at`: where the one that got its work is kept, so that the job has not ended when the late one comes to its
    commit: the lease alone can hold it back then.
    """

    phase: Phase
    point: Failpoint
    kept_at: Failpoint
    one_batch: bool = False  # the file


# Within a transaction: phases, points, and whether the file is of one batch.
STOPPED = (
    (Phase.VALIDATE, Failpoint.VALIDATE_ENTERED, False),
    (Phase.CHECK, Failpoint.CHECK_ENTERED, True),
    (Phase.WRITE, Failpoint.WRITE_ENTERED, False),
    (Phase.CUT, Failpoint.CHECK_ENTERED, False),
    (Phase.RENDER, Failpoint.RENDER_ENTERED, False),
    (Phase.REPORT, Failpoint.REPORT_ENTERED, True),
    (Phase.CHECK, Failpoint.READ_ENTERED, False),
    (Phase.REPORT, Failpoint.MERGE_ENTERED, False),
)


@attack("stopped for longer than a lease within the transaction that ends a piece")
def stopped(stand: Stand, size: Size) -> Done:
    """A worker stands still, its work is done by another, then it goes on: too late."""
    sent = []
    places = STOPPED[:6:2] if size.times < FEW else STOPPED
    for phase, point, one_batch in places:
        stand.arm(point, Fault.STOP)
        sent.append(_send(stand, size, one_batch=one_batch))
        standing = stand.wait_met(point)
        stand.ended(sent[-1])
        piece = _taken_away(stand, sent[-1], phase)
        late = stand.events(sent[-1])
        os.kill(standing, signal.SIGCONT)
        _is_told(stand, sent[-1], *piece)
        assert stand.events(sent[-1]) == late, "a late commit was taken"
        stand.disarm()  # of two places at one point, each is met by another process
    return Done(sent, len(places))


def _send(stand: Stand, size: Size, *, one_batch: bool) -> Sent:
    rows = stand.rows_per_batch if one_batch else size.rows
    return stand.send(files.mixed(stand.numbers, rows, stand.dice))


# Outside a transaction.
LATE = (
    Late(Phase.VALIDATE, Failpoint.VALIDATE_STORED, Failpoint.CUT_CLAIMED),
    Late(Phase.CHECK, Failpoint.CHECK_READ, Failpoint.WRITE_CLAIMED, one_batch=True),
    Late(Phase.CUT, Failpoint.CUT_CLAIMED, Failpoint.WRITE_CLAIMED),
    Late(Phase.WRITE, Failpoint.WRITE_CLAIMED, Failpoint.REPORT_CLAIMED),
    Late(Phase.RENDER, Failpoint.RENDER_STORED, Failpoint.RENDER_STORED),
    Late(Phase.REPORT, Failpoint.REPORT_STORED, Failpoint.REPORT_STORED, one_batch=True),
    Late(Phase.CHECK, Failpoint.CHECK_ROWS_STORED, Failpoint.VALIDATE_CLAIMED),
    Late(Phase.REPORT, Failpoint.REPORT_MERGED, Failpoint.RENDER_CLAIMED),
)


@attack("late at its commit, the job being under way")
def late_at_commit(stand: Stand, size: Size) -> Done:
    """No transaction was cut and no job has ended: the late one does all its work, and its commit is refused."""
    sent = []
    places = LATE[:6:2] if size.times < FEW else LATE
    for place in places:
        stand.arm(place.point, Fault.STOP)
        sent.append(_send(stand, size, one_batch=place.one_batch))
        late = stand.wait_met(place.point)
        if place.kept_at is place.point:
            _wait_for_one_left(stand, sent[-1], place.phase)  # others of its phase pass there, too
        stand.arm(place.kept_at, Fault.STOP)
        other = stand.wait_met(place.kept_at, late)
        phase, number = _taken_away(stand, sent[-1], place.phase)
        before = stand.events(sent[-1])
        os.kill(late, signal.SIGCONT)
        _is_told(stand, sent[-1], phase, number)
        since = [event for event in stand.events(sent[-1])[len(before) :] if event.piece[1:] == (phase, number)]
        assert not since or since[0].ran_out_at is not None, f"a late commit was taken: {since}"
        os.kill(other, signal.SIGCONT)
        stand.ended(sent[-1])
        stand.disarm()
    return Done(sent, len(places))


def _taken_away(stand: Stand, sent: Sent, phase: Phase) -> tuple[str, int]:
    """The piece of a phase whose holder fell silent: phase and number."""
    found = {event.number for event in stand.events(sent) if event.phase == phase and event.ran_out_at is not None}
    assert len(found) == 1, f"pieces of {phase} that were taken away: {found}"
    return phase.value, found.pop()


def _wait_for_one_left(stand: Stand, sent: Sent, phase: Phase) -> None:
    def is_left() -> bool:
        last = {event.number: event.state for event in stand.events(sent) if event.phase == phase}
        return sum(state != "done" for state in last.values()) == 1

    wait_for(is_left, END_SECONDS, f"one piece of {phase} to be left")


def _is_told(stand: Stand, sent: Sent, phase: str, number: int) -> None:
    """Wait until the first holder of a piece is through with it; it must have been told that it is late."""

    def is_its(line: Json) -> bool:
        return (line["phase"], line["item"], line.get("attempt", 1)) == (phase, number, 1)

    wait_for(lambda: any(map(is_its, stand.logged(sent, "work_item"))), END_SECONDS, "the late one to be through")
    assert any(map(is_its, stand.logged(sent, "lease_lost"))), "a late one was not told"


@attack("random SIGKILL of worker child, worker parent, group, beat, web")
def killed_at_random(stand: Stand, size: Size) -> Done:
    """Whatever is killed, and whenever: files keep coming in, and every one of them ends as if nothing had been."""
    sent: list[Sent] = []
    tried = 0
    while tried < size.times:
        under_way = [one for one in sent if stand.job(one)["status"] not in {"completed", "completed_with_errors"}]
        if len(under_way) < 3:
            sent.append(stand.send(files.mixed(stand.numbers, size.rows, stand.dice)))
        tried += _kill_one(stand)
        time.sleep(stand.dice.uniform(0.05, 1.0))
    return Done(sent, tried)


def _kill_one(stand: Stand) -> int:
    """Kill one process, or one group of them, that is chosen by chance; answers how many times something was killed."""
    role = stand.dice.choice(("worker child", "worker child", "worker", "group", "beat", "web child", "web", "upkeep"))
    found = stand.up.processes(role.partition(" ")[0] if role != "group" else "worker")
    if not found or (role.endswith("child") and not found[1:]):
        return 0
    victim = stand.dice.choice(found[1:]) if role.endswith("child") else found[0]
    with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
        if role == "group":
            os.killpg(os.getpgid(victim.pid), signal.SIGKILL)
        else:
            victim.kill()
        return 1
    return 0


@attack("a killed worker's chunk is running again within two leases")
def running_again(stand: Stand, size: Size) -> Done:
    """The promise of time, measured by the database's clock from the last sign of life."""
    sent = []
    for _ in range(size.times):
        since = stand.history.now()
        stand.arm(Failpoint.WRITE_RESOLVED)
        sent.append(stand.send(files.sound(stand.numbers, size.rows)))
        stand.ended(sent[-1])
        took = stand.history.slowest_return(since, LEASE)
        assert 0 < took <= 2 * LEASE, f"{took:.1f} s, with leases of {LEASE} s"
    return Done(sent, size.times)
