"""Callbacks while everything breaks: receivers that are slow, refuse, are gone or redirect; senders that are killed."""

from __future__ import annotations

from collections import Counter

from tests.chaos import files
from tests.chaos.attacks import Done, Size, attack
from tests.chaos.stand import END_SECONDS, Sent, Stand
from tests.support.servers.callback_receiver import Receiver, receiving
from tests.support.servers.service import POLL_SECONDS, Json, wait_for
from worker.config.failpoints import Failpoint

POINTS = (Failpoint.CALLBACK_CLAIMED, Failpoint.CALLBACK_ANSWERED, Failpoint.CALLBACK_COMMITTED)


def _send(stand: Stand, size: Size, receiver: Receiver) -> Sent:
    sent = stand.send(files.mixed(stand.numbers, size.rows, stand.dice), callback_url=receiver.url)
    del sent.fields["callback_url"]  # the undisturbed run tells nobody
    return sent


def _callback(stand: Stand, sent: Sent) -> Json:
    address = stand.job(sent)["links"]["callback"]
    found: Json = stand.get(address).json()
    return found


def _settled(stand: Stand, sent: Sent, state: str) -> Json:
    wait_for(lambda: _callback(stand, sent)["state"] == state, END_SECONDS, f"the callback to be {state}", POLL_SECONDS)
    return _callback(stand, sent)


def _assert_told(stand: Stand, receiver: Receiver, sent: list[Sent]) -> None:
    """Each job told at least once, always under one id, with its own end and counts, signed."""
    secret = stand.get("/v1/callbacks/secret").json()["secret"]
    ids: dict[str, set[str]] = {}
    for got in receiver.got:
        assert got.is_signed_by(secret)
        ids.setdefault(got.event["data"]["id"], set()).add(got.headers["webhook-id"])
    assert set(ids) == {one.job_id for one in sent}
    assert all(len(known) == 1 for known in ids.values())
    for one in sent:
        job = stand.job(one)
        told = next(got.event for got in receiver.got if got.event["data"]["id"] == one.job_id)
        assert (told["type"], told["data"]["counts"]) == (f"job.{job['status']}", job["counts"])


@attack(f"sender killed at {', '.join(POINTS)}")
def sender_killed(stand: Stand, size: Size) -> Done:
    """Before it sends, once it has sent, once that is noted: told at least once, and no more often than it died."""
    with receiving() as receiver:
        for point in POINTS:
            stand.arm(point)
        sent = [_send(stand, size, receiver) for _ in range(3)]
        for point in POINTS:
            stand.wait_met(point)
        for one in sent:
            _settled(stand, one, "delivered")
        _assert_told(stand, receiver, sent)
        # Whoever dies takes with it what its other threads had under way.
        assert max(Counter(receiver.ids).values()) <= 1 + len(POINTS)
    return Done(sent, len(POINTS))


def _receiver_that(name: str, mode: str | int, word: str, tries: int) -> None:
    @attack(f"callback receiver {name}")
    def bad(stand: Stand, size: Size) -> Done:
        """Its jobs end as if nothing had been; what it said is in the log, and once it is well it is told."""
        with receiving() as receiver:
            receiver.mode = mode
            receiver.headers = {"Location": receiver.url} if mode == "redirect" else {}
            sent = [_send(stand, size, receiver) for _ in range(2)]
            for one in sent:
                stand.ended(one)
                assert {entry["result"] for entry in _tried(stand, one, tries)} == {word}
            receiver.mode = "ok"
            receiver.released.set()
            for one in sent:
                if _callback(stand, one)["state"] == "failed":
                    again = stand.post(f"/v1/callbacks/{_callback(stand, one)['id']}/replay")
                    assert again is not None
                    assert again.status_code == 202, again.text
                _settled(stand, one, "delivered")
            _assert_told(stand, receiver, sent)
        return Done(sent, len(sent) * tries)


def _tried(stand: Stand, sent: Sent, tries: int) -> list[Json]:
    """What the log says of each try, once there are so many."""
    wait_for(
        lambda: len(_callback(stand, sent)["deliveries"]) >= tries, END_SECONDS, "the tries to be logged", POLL_SECONDS
    )
    found: list[Json] = _callback(stand, sent)["deliveries"]
    return found


for _name, _mode, _word, _times in (
    ("slow without end", "drip", "TIMED_OUT", 2),
    ("answering 500", 500, "HTTP_ERROR", 3),
    ("answering 410", 410, "GONE", 1),
    ("redirecting", "redirect", "REDIRECTED", 2),
):
    _receiver_that(_name, _mode, _word, _times)
