"""Subscriptions whose sender is killed: every job and every change is sent, changes in their order."""

from __future__ import annotations

from tests.chaos import files
from tests.chaos.attacks import Done, Size, attack
from tests.chaos.stand import END_SECONDS, Stand
from tests.support.servers.callback_receiver import Receiver, receiving
from tests.support.servers.service import POLL_SECONDS, Json, wait_for
from worker.config.failpoints import Failpoint

POINTS = (Failpoint.WEBHOOK_CLAIMED, Failpoint.WEBHOOK_ANSWERED, Failpoint.WEBHOOK_COMMITTED)


@attack(f"sender of a subscription killed at {', '.join(POINTS)}")
def subscription_killed(stand: Stand, size: Size) -> Done:
    """Before it sends, once it has sent, once that is recorded."""
    with receiving() as receiver:
        answer = stand.post("/v1/webhooks", {"url": receiver.url, "events": ["job.*", "number.*"]})
        assert answer is not None
        subscription = answer.json()
        for point in POINTS:
            stand.arm(point)
        sent = [stand.send(files.mixed(stand.numbers, size.rows, stand.dice)) for _ in range(3)]
        for one in sent:
            stand.ended(one)
        for point in POINTS:
            stand.wait_met(point)
        expected = _changes(stand, subscription["cursor"])

        def is_sent() -> bool:
            jobs = {got.event["data"]["id"] for got in receiver.got if got.event["type"].startswith("job.")}
            return {one.job_id for one in sent} <= jobs and len(_received(receiver)) >= len(expected)

        wait_for(is_sent, END_SECONDS, "all jobs and changes to be sent", POLL_SECONDS)
        assert _received(receiver) == expected
        assert all(got.is_signed_by(subscription["secret"]) for got in receiver.got)
        stand.delete(f"/v1/webhooks/{subscription['id']}")
    return Done(sent, len(POINTS))


def _received(receiver: Receiver) -> list[str]:
    """The ids of the changes in the order in which they first arrived."""
    changes = [got.event["data"]["changes"] for got in receiver.got if got.event["type"] == "number.changes"]
    return list(dict.fromkeys(change["id"] for several in changes for change in several))


def _changes(stand: Stand, after: str) -> list[str]:
    found: list[Json] = []
    while True:
        page = stand.get("/v1/changes", after=after, limit="1000").json()
        if not page["data"]:
            return [change["id"] for change in found]
        found += page["data"]
        after = page["next_cursor"]
