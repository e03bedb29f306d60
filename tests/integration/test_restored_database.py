"""A database that is restored from a backup (pg_dump, pg_restore) while clients follow its changes (R34).

Changes since the backup are lost. A client that has read them gets 410: it neither misses changes without notice, nor
gets new changes under ids that it has already processed.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.support.api_client import Door, Json
from tests.support.files import sheets
from tests.support.followed_changes import Copy
from tests.support.process_caches import forget
from tests.support.servers.callback_receiver import NETWORK, Receiver, receiving
from worker.callbacks import send_webhooks
from worker.runtime.embedded import binaries
from worker.runtime.processes.child import RunAs

pytestmark = pytest.mark.long

Backup = Callable[[], Callable[[], None]]


@pytest.fixture
def receiver(database: sa.Engine, configure: Callable[..., None]) -> Iterator[Receiver]:  # noqa: ARG001 - settings last
    configure(callback_networks=NETWORK, callback_timeout_seconds=2, callback_backoff_scale=0)
    with receiving() as told:
        yield told


@pytest.fixture
def back_up(database: sa.Engine, tmp_path: Path) -> Backup:
    """Makes a backup; what it returns restores it."""
    url = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
    programs, file = binaries.postgres_home(RunAs()) / "bin", tmp_path / "backup"

    def run(program: str, *words: str) -> None:
        done = subprocess.run([programs / program, *words], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def restore() -> None:
        database.dispose()
        forget()
        run("pg_restore", "--clean", "--if-exists", "--single-transaction", f"--dbname={url}", str(file))

    def dump() -> Callable[[], None]:
        run("pg_dump", "--format=custom", f"--file={file}", url)
        return restore

    return dump


def upload(api: Door, first: int) -> None:
    api.upload(sheets.csv_bytes(sheets.rows(2, first=first)))


def next_changes(api: Door, after: str) -> Any:  # noqa: ANN401 - a response
    return api.get("/v1/changes", query_string={"after": after})


def numbers_of(data: Json) -> list[str]:
    return [change["e164"] for change in data["changes"]]


def test_a_client_ahead_of_the_backup_is_told_to_export(api: Door, back_up: Backup) -> None:
    upload(api, 0)
    behind, ahead = Copy(), Copy()
    behind.follow(api)
    restore = back_up()
    upload(api, 10)
    ahead.follow(api)
    within = next_changes(api, behind.cursor).json["data"][0]["id"]
    restore()
    upload_is_lost = next_changes(api, ahead.cursor)
    assert (upload_is_lost.status_code, upload_is_lost.json["code"]) == (410, "CURSOR_EXPIRED")
    assert "restored from a backup" in upload_is_lost.json["detail"]
    for first in (20, 30):  # the lost position is given out again, and one more
        upload(api, first)
        for cursor in (ahead.cursor, within):
            answer = next_changes(api, cursor)
            assert (answer.status_code, answer.json["code"]) == (410, "CURSOR_EXPIRED")
    behind.follow(api)  # what it has is in the backup
    assert behind.numbers == Copy.of_inventory(api)
    assert "+12125550010" not in behind.numbers


def test_a_subscription_ahead_of_the_backup_is_told_that_changes_are_missing(
    api: Door, receiver: Receiver, back_up: Backup
) -> None:
    answer = api.post("/v1/webhooks", {"url": receiver.url, "events": ["number.*"]})
    upload(api, 0)
    send_webhooks.send_due()
    receiver.mode = 500
    upload(api, 10)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(send_webhooks, "MOST_SECONDS", 0.2)
        send_webhooks.send_due()  # waits at the backup
    restore = back_up()
    receiver.mode = "ok"
    send_webhooks.send_due()
    upload(api, 20)
    send_webhooks.send_due()
    data = [got.event["data"] for got in receiver.got if got.event]
    seen = {change["id"] for each in data for change in each["changes"]}
    last = data[-1]
    assert numbers_of(last) == ["+12125550020", "+12125550021"]
    assert last["after"] == data[-2]["next_cursor"]  # one after the other
    waiting = receiver.ids[-2]
    restore()
    receiver.got.clear()
    upload(api, 30)
    send_webhooks.send_due()
    again, after = receiver.got
    assert again.headers["webhook-id"] == waiting  # known to the receiver
    assert numbers_of(again.event["data"]) == ["+12125550010", "+12125550011"]
    assert after.headers["webhook-id"] not in {waiting, *[got.headers["webhook-id"] for got in receiver.got[:1]]}
    assert numbers_of(after.event["data"]) == ["+12125550030", "+12125550031"]
    assert after.event["data"]["after"] != last["next_cursor"]  # so the receiver takes an export
    assert not {change["id"] for change in after.event["data"]["changes"]} & seen
    assert api.get(f"/v1/webhooks/{answer.json['id']}").json["cursor"] == after.event["data"]["next_cursor"]


def test_messages_follow_each_other_also_past_changes_that_are_not_wanted(api: Door, receiver: Receiver) -> None:
    """`after` of each is `next_cursor` of the one before, although others are between; after a gap it is not."""
    api.post("/v1/webhooks", {"url": receiver.url, "events": ["number.changed"]})
    upload(api, 0)
    for fax in ("enable", "disable"):
        send_webhooks.send_due()
        api.act("capability-changes", {"numbers": ["+12125550000"], "fax": fax})
        upload(api, 10 if fax == "enable" else 20)
    send_webhooks.send_due()
    data = [got.event["data"] for got in receiver.got]
    assert [numbers_of(each) for each in data] == [["+12125550000"]] * 2
    assert data[0]["after"] == "0"
    assert data[1]["after"] == data[0]["next_cursor"]
