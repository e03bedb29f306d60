"""Corrections of a review: workers killed and late, two people at once, a confirmation at the same time (R33).

The twin knows of no correction: what was written is compared with the report, put back, and that is checked.
"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import httpx

from tests.chaos.attacks import Done, Size, attack
from tests.chaos.stand import END_SECONDS, LEASE, Sent, Stand
from tests.support.api_client import table
from tests.support.files import sheets
from tests.support.servers.service import Json, wait_for
from worker.config.failpoints import Failpoint, Fault

COUNTRY = {"column": "Country Code", "code": "MISSING_VALUE", "set": "1"}
VOICE = {"column": "Voice", "equals": "perhaps", "set": "TRUE"}
CORRECT = (
    Failpoint.CORRECT_CLAIMED,
    Failpoint.CORRECT_STORED,
    Failpoint.CORRECT_ENTERED,
    Failpoint.CORRECT_COMMITTED,
)
AGAIN = (Failpoint.VALIDATE_STORED, Failpoint.VALIDATE_COMMITTED, Failpoint.CUT_CLAIMED, Failpoint.CHECK_ENTERED)


def damaged(stand: Stand, count: int) -> bytes:
    """A CSV of so many rows: each without a country, a third with a word that is no boolean."""
    first = stand.numbers.take(count)
    words = ("TRUE", "perhaps", "TRUE")
    rows = (["", str(first + place), words[place % 3], "FALSE", "FALSE"] for place in range(count))
    return sheets.csv_bytes([sheets.HEADER, *rows])


def _reviewed(stand: Stand, count: int) -> Sent:
    sent = stand.send(damaged(stand, count), judged=False, mode="review")
    _wait(stand, sent)
    return sent


def _wait(stand: Stand, sent: Sent) -> Json:
    """Wait until the job is under review again."""

    def look() -> Json | None:
        job = stand.job(sent)
        return job if job["can_correct"] else None

    found: Json = wait_for(look, END_SECONDS, "the review")
    return found


def _correct(stand: Stand, sent: Sent, *rules: Json) -> None:
    stand.send(None, f"/v1/jobs/{sent.job_id}/corrections", judged=False, rules=list(rules))


def _end(stand: Stand, sent: Sent, created: int, rows: int) -> Sent:
    """Confirm; each row must be there once, as its report says; then put everything back."""
    stand.send(None, f"/v1/jobs/{sent.job_id}/confirm", judged=False)
    _check(stand, sent, created, rows)
    undo = stand.send(None, f"/v1/jobs/{sent.job_id}/undo", judged=False)
    assert stand.ended(undo)["counts"]["deleted"] == created
    return undo


def _check(stand: Stand, sent: Sent, created: int, rows: int) -> None:
    counts = stand.ended(sent)["counts"]
    assert (counts["created"], counts["total"]) == (created, rows), counts
    lines = table(stand.get(f"/v1/jobs/{sent.job_id}/report.csv", sent.account).content)
    assert [int(line["_row"]) for line in lines] == list(range(2, rows + 2)), "rows lost or doubled"
    assert Counter(line["_result"] for line in lines)["created"] == created


@attack(f"killed at {', '.join((*CORRECT, Failpoint.PREVIEW_CLAIMED))}, and while its rows are validated again")
def killed_while_correcting(stand: Stand, size: Size) -> Done:
    """One rule is about every row. Each step of it dies once; the next correction finds all that the first one did."""
    sent = _reviewed(stand, size.rows)
    stand.arm(Failpoint.PREVIEW_CLAIMED)
    body = {"rules": [COUNTRY]}
    answer = stand.post(f"/v1/jobs/{sent.job_id}/corrections/preview", body)
    assert answer is not None
    assert answer.status_code in {200, 503}, answer.text
    stand.wait_met(Failpoint.PREVIEW_CLAIMED)
    for point in (*CORRECT, *AGAIN):
        stand.arm(point)
    _correct(stand, sent, COUNTRY)
    for point in (*CORRECT, *AGAIN):
        stand.wait_met(point)
    right = size.rows - sum(place % 3 == 1 for place in range(size.rows))
    assert _wait(stand, sent)["review"]["effect"]["created"] == right
    _correct(stand, sent, VOICE)
    _wait(stand, sent)
    return Done([sent, _end(stand, sent, size.rows, size.rows)], 1 + len(CORRECT) + len(AGAIN))


@attack("late while a correction is applied, and another one made since")
def late_while_correcting(stand: Stand, size: Size) -> Done:
    """A worker stands still for longer than a lease, with a correction in hand; it removes nothing of later ones.

    The first correction is about all rows, which are validated batch by batch; the second about few of them.
    """
    sent = _reviewed(stand, size.rows)
    points = ((Failpoint.VALIDATE_STORED, COUNTRY), (Failpoint.CORRECT_STORED, VOICE))
    for point, rule in points:
        stand.arm(point, Fault.STOP)
        _correct(stand, sent, rule)
        late = stand.wait_met(point)
        _wait(stand, sent)
        os.kill(late, signal.SIGCONT)
        time.sleep(LEASE / 2)
        stand.disarm()
    return Done([sent, _end(stand, sent, size.rows, size.rows)], len(points))


def _at_once(stand: Stand, sent: Sent, requests: Sequence[tuple[str, Json]], seen: str = "") -> list[httpx.Response]:
    """Send requests about a job at the same time, for the state that was `seen`, if that is given."""
    with stand.up.client(sent.account).http as http, ThreadPoolExecutor(len(requests)) as pool:

        def post(request: tuple[str, Json]) -> httpx.Response:
            headers = {"If-Match": seen} if seen else {}
            return http.post(f"/v1/jobs/{sent.job_id}/{request[0]}", json=request[1], headers=headers)

        return list(pool.map(post, requests))


@attack("two people correct at once")
def two_people(stand: Stand, size: Size) -> Done:
    """Of two requests with the same ETag exactly one is accepted; the other is refused, and sent with the new ETag."""
    sent = _reviewed(stand, size.rows)
    rules = [COUNTRY, VOICE]
    tried = 0
    while rules:
        seen = stand.get(f"/v1/jobs/{sent.job_id}").headers["ETag"]
        answers = _at_once(stand, sent, [("corrections", {"rules": [rule]}) for rule in rules], seen)
        statuses = [answer.status_code for answer in answers]
        assert statuses.count(202) == 1, [answer.text for answer in answers]
        assert set(statuses) <= {202, 409, 412}, statuses
        rules = [rule for rule, status in zip(rules, statuses, strict=True) if status != 202]
        tried += 1
        _wait(stand, sent)
    return Done([sent, _end(stand, sent, size.rows, size.rows)], tried)


@attack("a confirmation and a correction at once")
def confirmed_while_correcting(stand: Stand, size: Size) -> Done:
    """Whichever comes first: the job ends with the correction whole, or without any of it."""
    done: list[Sent] = []
    without = size.rows - sum(place % 3 == 1 for place in range(size.rows))
    for _ in range(min(size.times, 4)):
        sent = _reviewed(stand, size.rows)
        _correct(stand, sent, COUNTRY)
        _wait(stand, sent)
        paths: list[tuple[str, Json]] = [("corrections", {"rules": [VOICE]}), ("confirm", {})]
        stand.dice.shuffle(paths)
        answers = _at_once(stand, sent, paths)
        accepted = {path for (path, _), answer in zip(paths, answers, strict=True) if answer.status_code == 202}
        assert len(accepted) == 1, [answer.text for answer in answers]
        if "confirm" in accepted:
            _check(stand, sent, without, size.rows)
            undo = stand.send(None, f"/v1/jobs/{sent.job_id}/undo", judged=False)
            assert stand.ended(undo)["counts"]["deleted"] == without
            done += [sent, undo]
        else:
            _wait(stand, sent)
            done += [sent, _end(stand, sent, size.rows, size.rows)]
    return Done(done, len(done) // 2)
