"""Subscriptions: what is sent, to whom, in which order, and what becomes of a receiver that fails."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from schemas.database.tables import number_changes, webhook_messages, webhooks
from schemas.http.callbacks import JobEnded
from schemas.http.webhooks import NumbersChanged
from tests.support.api_client import Door, Json
from tests.support.factories import World
from tests.support.files import sheets
from tests.support.followed_changes import Copy
from tests.support.servers.callback_receiver import NETWORK, Got, Receiver, receiving
from tests.support.servers.service import wait_for
from worker.callbacks import send_webhooks
from worker.jobs import webhook_messages as queue
from worker.maintenance import cleaner, rescuer
from worker.queue import broker

URL = "https://receiver.example/hook"
NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def receiver(database: sa.Engine, configure: Callable[..., None]) -> Iterator[Receiver]:  # noqa: ARG001 - settings last
    """A receiver that messages are allowed to reach; failed ones are due again at once."""
    configure(callback_networks=NETWORK, callback_timeout_seconds=2, callback_backoff_scale=0)
    with receiving() as told:
        yield told


def subscribed(door: Door, url: str, *events: str, **fields: Any) -> Json:  # noqa: ANN401 - fields of the body
    answer = door.post("/v1/webhooks", {"url": url, "events": list(events), **fields})
    assert answer.status_code == 201, answer.text
    found: Json = answer.json
    assert answer.headers["Cache-Control"] == "no-store"
    return found


def send() -> None:
    send_webhooks.send_due()


def verified(got: Got, secret: str) -> Json:
    """The payload, if the official library accepts its signature."""
    payload: Json = Webhook(secret).verify(got.body, got.headers)
    return payload


def get(door: Door, subscription: Json, path: str = "") -> Json:
    answer = door.get(f"/v1/webhooks/{subscription['id']}{path}")
    assert answer.status_code == 200, answer.text
    found: Json = answer.json
    return found


def messages(door: Door, subscription: Json, **query: str | int) -> list[Json]:
    answer = door.get(f"/v1/webhooks/{subscription['id']}/messages", query_string=query)
    assert answer.status_code == 200, answer.text
    found: list[Json] = answer.json["data"]
    return found


def test_jobs_and_changes_are_sent_and_signed(api: Door, receiver: Receiver) -> None:
    subscription = subscribed(api, receiver.url, "job.*", "number.*", description="Billing")
    job = api.upload(sheets.csv_bytes(sheets.rows(3)))
    send()
    payloads = {got.event["type"]: verified(got, subscription["secret"]) for got in receiver.got}
    assert payloads.keys() == {"job.completed", "number.changes"}
    assert JobEnded.model_validate(payloads["job.completed"]).data.id == job["id"]
    changes = api.get("/v1/changes").json["data"]
    data = {"after": "0", "changes": changes, "next_cursor": changes[-1]["id"]}
    assert payloads["number.changes"]["data"] == data
    NumbersChanged.model_validate(payloads["number.changes"])
    for got in receiver.got:
        with pytest.raises(WebhookVerificationError):
            verified(got, "whsec_" + "A" * 43 + "=")
    shown = get(api, subscription)
    delivered_at = shown["last_delivery_at"]
    assert delivered_at is not None
    changed = {"cursor": changes[-1]["id"], "last_delivery_at": delivered_at}
    assert shown == {name: value for name, value in subscription.items() if name in shown} | changed
    assert "secret" not in shown
    assert [message["state"] for message in messages(api, subscription)] == ["delivered"] * 2
    assert {message["id"] for message in messages(api, subscription)} == set(receiver.ids)
    assert {message["job_id"] for message in messages(api, subscription)} == {job["id"], None}
    for message in messages(api, subscription):
        assert message["last_attempt"]["result"] == "DELIVERED"
        assert message["last_attempt"]["status"] == 204
    send()
    assert len(receiver.got) == 2


@pytest.mark.parametrize(
    ("events", "types"),
    [
        (["job.completed"], ["job.completed"]),
        (["job.failed"], []),
        (["number.created"], ["number.changes"]),
        (["number.deleted"], []),
    ],
)
def test_only_what_was_asked_for_is_sent(api: Door, receiver: Receiver, events: list[str], types: list[str]) -> None:
    subscription = subscribed(api, receiver.url, *events)
    api.upload(sheets.csv_bytes(sheets.rows(2)))
    api.act("capability-changes", {"numbers": ["+12125550000"], "fax": "enable"})
    send()
    assert sorted({got.event["type"] for got in receiver.got}) == types
    if events[0].startswith("number."):  # what it does not want is behind it, too
        assert get(api, subscription)["cursor"].startswith("2-")
        sent = [change["type"] for got in receiver.got for change in got.event["data"]["changes"]]
        assert set(sent) <= set(events)


def test_only_the_tenants_above_are_told(api: Door, receiver: Receiver, world: World) -> None:
    everybody = {name: api.as_(getattr(world, name).token) for name in ("master", "south", "clinic", "school")}
    for door in everybody.values():
        subscribed(door, receiver.url, "job.*", "number.*")
    api.upload(sheets.csv_bytes(sheets.rows(2)))
    send()
    assert len(receiver.got) == 2  # the master's
    receiver.got.clear()
    api.act("assignments", {"numbers": ["+12125550000"], "tenant_id": world.clinic.tenant.public_id})
    send()
    told = sorted(got.event["type"] for got in receiver.got)
    assert told == ["job.completed", "number.changes", "number.changes"]  # the clinic did not start the job
    for secret in world.secrets_of_south:
        assert secret not in str([got.body for got in receiver.got])


def test_changes_arrive_in_order_and_in_batches(
    api: Door, receiver: Receiver, configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(rows_per_chunk=4)
    monkeypatch.setattr(queue, "MOST_EVENTS", 10)
    subscription = subscribed(api, receiver.url, "number.*")
    receiver.mode = 500
    api.upload(sheets.csv_bytes(sheets.rows(25)))
    threads = [threading.Thread(target=send) for _ in range(3)]
    for thread in threads:
        thread.start()
    wait_for(lambda: len(receiver.got) >= 3, 30, "three attempts")
    receiver.mode = "ok"
    for thread in threads:
        thread.join()
    send()
    copy, seen = Copy(), set[str]()
    for got in receiver.got:
        if got.headers["webhook-id"] not in seen:
            for change in got.event["data"]["changes"]:
                copy.apply(change)
        seen.add(got.headers["webhook-id"])
        assert len(got.event["data"]["changes"]) <= 10
    assert copy.numbers == Copy.of_inventory(api)
    assert len(seen) == 3
    assert get(api, subscription)["failing_since"] is None


def test_a_message_that_fails_is_tried_again_and_shown(api: Door, receiver: Receiver) -> None:
    subscription = subscribed(api, receiver.url, "job.*")
    receiver.mode = 500
    api.upload(sheets.csv_bytes(sheets.rows(1)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(send_webhooks, "MOST_SECONDS", 0.5)
        send()
    (message,) = messages(api, subscription, state="pending") or messages(api, subscription, state="failed")
    assert message["attempts"] >= 1
    assert (message["last_attempt"]["result"], message["last_attempt"]["status"]) == ("HTTP_ERROR", 500)
    assert message["last_attempt"]["attempt"] == message["attempts"]
    failing = get(api, subscription)
    assert failing["failing_since"] is not None
    assert (failing["failures"], failing["last_delivery_at"]) == (message["attempts"], None)
    receiver.mode = "ok"
    if message["state"] == "failed":
        assert api.post(f"/v1/webhooks/{subscription['id']}/messages/{message['id']}/replay").status_code == 202
    send()
    shown = get(api, subscription, f"/messages/{message['id']}")
    assert shown["state"] == "delivered"
    assert [each["result"] for each in shown["deliveries"]][-2:] == ["HTTP_ERROR", "DELIVERED"]
    assert set(receiver.ids) == {message["id"]}
    working = get(api, subscription)
    assert (working["failing_since"], working["failures"]) == (None, 0)
    assert working["last_delivery_at"] is not None
    sent = len(receiver.got)
    assert api.post(f"/v1/webhooks/{subscription['id']}/messages/{message['id']}/replay").status_code == 202
    refused = api.post(f"/v1/webhooks/{subscription['id']}/messages/{message['id']}/replay")
    assert (refused.status_code, refused.json["code"]) == (409, "MESSAGE_PENDING")
    send()
    assert len(receiver.got) == sent + 1


def test_changes_are_never_given_up_but_the_subscription_is_switched_off(
    api: Door, receiver: Receiver, database: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscription = subscribed(api, receiver.url, "number.*")
    receiver.mode = "drop"
    api.upload(sheets.csv_bytes(sheets.rows(2)))
    monkeypatch.setattr(send_webhooks, "MOST_SECONDS", 0.5)

    def is_tried_often() -> bool:
        send()
        return len(receiver.got) > 11  # more than the schedule has attempts

    wait_for(is_tried_often, 60, "attempts beyond the schedule")
    assert [message["state"] for message in messages(api, subscription)] == ["pending"]
    with database.begin() as connection:
        old = sa.func.now() - sa.text("interval '121 hours'")
        connection.execute(webhooks.update().values(failing_since=old))
    send()
    shown = get(api, subscription)
    assert not shown["enabled"]
    assert shown["disabled_at"] is not None
    sent = len(receiver.got)
    send()
    rescuer.rescue()
    assert len(receiver.got) == sent
    test = api.post(f"/v1/webhooks/{subscription['id']}/test")
    assert (test.status_code, test.json["code"]) == (409, "WEBHOOK_DISABLED")
    receiver.mode = "ok"
    receiver.got.clear()
    again = api.patch(f"/v1/webhooks/{subscription['id']}", {"enabled": True}).json
    assert (again["enabled"], again["disabled_at"], again["failing_since"], again["failures"]) == (True, None, None, 0)
    send()
    assert [change["e164"] for got in receiver.got for change in got.event["data"]["changes"]] == [
        "+12125550000",
        "+12125550001",
    ]


def test_a_message_that_is_sent_again_has_the_same_changes(api: Door, receiver: Receiver) -> None:
    """What has changed meanwhile is in the next one, once."""
    subscribed(api, receiver.url, "number.*")
    receiver.mode = 500
    api.upload(sheets.csv_bytes(sheets.rows(2)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(send_webhooks, "MOST_SECONDS", 0.2)
        send()
    first = receiver.got[0].event["data"]
    api.upload(sheets.csv_bytes(sheets.rows(2, first=10)))
    receiver.mode = "ok"
    receiver.got.clear()
    send()
    again, following = (got.event["data"] for got in receiver.got)
    assert again == first
    assert [change["e164"] for change in following["changes"]] == ["+12125550010", "+12125550011"]
    assert following["after"] == first["next_cursor"]


def test_a_receiver_that_is_gone_gets_nothing_more(api: Door, receiver: Receiver) -> None:
    subscription = subscribed(api, receiver.url, "job.*", "number.*")
    receiver.mode = 410
    api.upload(sheets.csv_bytes(sheets.rows(1)))
    send()
    assert len(receiver.got) == 1
    assert not get(api, subscription)["enabled"]


def test_a_test_message(api: Door, receiver: Receiver) -> None:
    subscription = subscribed(api, receiver.url, "job.failed")
    answer = api.post(f"/v1/webhooks/{subscription['id']}/test")
    assert (answer.status_code, answer.json["state"]) == (202, "pending")
    send()
    (got,) = receiver.got
    payload = verified(got, subscription["secret"])
    assert payload["type"] == "webhook.test"
    assert payload["data"] == {"webhook_id": subscription["id"]}
    assert got.headers["webhook-id"] == answer.json["id"]


def test_while_a_secret_is_replaced_both_sign(api: Door, receiver: Receiver) -> None:
    first = subscribed(api, receiver.url, "job.*")
    second = api.post(f"/v1/webhooks/{first['id']}/secret").json
    assert second["secret"] != first["secret"]
    assert second["previous_until"] is not None
    api.post(f"/v1/webhooks/{first['id']}/test")
    send()
    for secret in (first["secret"], second["secret"]):
        verified(receiver.got[-1], secret)
    third = api.post(f"/v1/webhooks/{first['id']}/secret").json
    api.post(f"/v1/webhooks/{first['id']}/test")
    send()
    with pytest.raises(WebhookVerificationError):
        verified(receiver.got[-1], first["secret"])
    for secret in (second["secret"], third["secret"]):
        verified(receiver.got[-1], secret)


def test_subscriptions_are_managed_by_their_own_tenant(api: Door, world: World) -> None:
    made = [subscribed(api, URL, "job.*", description=f"{number}") for number in range(3)]
    listed = api.get("/v1/webhooks?limit=2").json
    assert [each["description"] for each in listed["data"]] == ["0", "1"]
    rest = api.get("/v1/webhooks", query_string={"limit": 2, "cursor": listed["next_cursor"]}).json
    assert [each["description"] for each in rest["data"]] == ["2"]
    changed = api.patch(f"/v1/webhooks/{made[0]['id']}", {"events": ["number.*", "number.*"], "enabled": False}).json
    assert (changed["events"], changed["enabled"], changed["cursor"]) == (["number.*"], False, "0")
    for door in (api.as_(world.master.token), api.as_(world.clinic.token), api.as_(world.south.token)):
        assert door.get("/v1/webhooks").json["data"] == []
        for path in ("", "/messages", f"/messages/{NOBODY}"):
            assert door.get(f"/v1/webhooks/{made[0]['id']}{path}").status_code == 404
        for path in ("/secret", "/test", f"/messages/{NOBODY}/replay"):
            assert door.post(f"/v1/webhooks/{made[0]['id']}{path}").status_code == 404
        assert door.patch(f"/v1/webhooks/{made[0]['id']}", {"enabled": True}).status_code == 404
        assert door.delete(f"/v1/webhooks/{made[0]['id']}").status_code == 404
    assert api.delete(f"/v1/webhooks/{made[0]['id']}").status_code == 204
    assert api.get(f"/v1/webhooks/{made[0]['id']}").status_code == 404
    for _ in range(18):
        subscribed(api, URL, "job.*")
    full = api.post("/v1/webhooks", {"url": URL, "events": ["job.*"]})
    assert (full.status_code, full.json["code"], full.json["limit"]) == (409, "LIMIT_REACHED", 20)


@pytest.mark.parametrize(
    "body",
    [
        {"url": URL},
        {"url": URL, "events": []},
        {"url": URL, "events": ["job.begun"]},
        {"url": "ftp://receiver.example", "events": ["job.*"]},
        {"url": "http://10.0.0.1/", "events": ["job.*"]},
        {"url": "https://user:word@receiver.example", "events": ["job.*"]},
        {"url": URL, "events": ["job.*"], "description": "x" * 201},
        {"url": URL, "events": ["job.*"], "secret": "whsec_x"},
    ],
)
def test_a_subscription_that_is_none_is_refused(api: Door, body: Json) -> None:
    answer = api.post("/v1/webhooks", body)
    assert (answer.status_code, answer.json["code"]) == (422, "INVALID_FIELD")
    assert api.get("/v1/webhooks").json["data"] == []


def test_changes_that_are_no_longer_kept_are_left_out(api: Door, receiver: Receiver, database: sa.Engine) -> None:
    subscription = subscribed(api, receiver.url, "number.*", enabled=False)
    api.upload(sheets.csv_bytes(sheets.rows(2)))
    with database.begin() as connection:
        connection.execute(number_changes.update().values(at=sa.func.now() - sa.text("interval '31 days'")))
    cleaner.expire_changes()
    api.upload(sheets.csv_bytes(sheets.rows(2, first=10)))
    api.patch(f"/v1/webhooks/{subscription['id']}", {"enabled": True})
    send()
    numbers = [change["e164"] for got in receiver.got for change in got.event["data"]["changes"]]
    assert numbers == ["+12125550010", "+12125550011"]


def test_a_cursor_from_before_a_restore_stops_no_other_subscription(
    api: Door, receiver: Receiver, database: sa.Engine
) -> None:
    subscription = subscribed(api, receiver.url, "number.*")
    with database.begin() as connection:
        connection.execute(webhooks.update().values(cursor_position=99, cursor_count=3))
    subscribed(api, receiver.url, "number.*")
    api.upload(sheets.csv_bytes(sheets.rows(2)))
    send()
    assert len(receiver.got) == 1  # the other one's
    assert get(api, subscription)["cursor"].startswith("1-")


def test_old_messages_are_removed(api: Door, receiver: Receiver, database: sa.Engine) -> None:
    subscription = subscribed(api, receiver.url, "job.*")
    for part in range(2):
        api.upload(sheets.csv_bytes(sheets.rows(1, first=part)))
    send()
    with database.begin() as connection:
        first = sa.select(sa.func.min(webhook_messages.c.id)).scalar_subquery()
        old = sa.func.now() - sa.text("interval '31 days'")
        connection.execute(webhook_messages.update().where(webhook_messages.c.id == first).values(ended_at=old))
    assert cleaner.forget_messages() == 1
    assert len(messages(api, subscription)) == 1


def test_the_rescue_round_announces_what_is_due(api: Door, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    woken: list[bool] = []
    monkeypatch.setattr(broker, "wake_webhooks", lambda: woken.append(True))
    rescuer.rescue()
    assert not woken
    subscribed(api, receiver.url, "job.*", "number.*")
    rescuer.rescue()
    assert not woken
    api.upload(sheets.csv_bytes(sheets.rows(1)))
    rescuer.rescue()
    assert woken
    send()
    woken.clear()
    rescuer.rescue()
    assert not woken
    assert len(receiver.got) == 2


def test_two_that_send_at_once_do_not_record_twice(api: Door, receiver: Receiver, database: sa.Engine) -> None:
    subscription = subscribed(api, receiver.url, "job.*")
    api.upload(sheets.csv_bytes(sheets.rows(1)))

    def lose() -> None:
        """As if this process had stood still for longer than its claim, and another one had sent the message."""
        receiver.meanwhile = lambda: None
        with database.begin() as connection:
            connection.execute(webhook_messages.update().values(lease_until=sa.func.now() - sa.text("interval '1 s'")))
        send()

    receiver.meanwhile = lose
    send()
    assert len(receiver.got) == 2
    assert len(set(receiver.ids)) == 1
    (message,) = messages(api, subscription)
    assert message["state"] == "delivered"
    assert len(get(api, subscription, f"/messages/{message['id']}")["deliveries"]) == 1
