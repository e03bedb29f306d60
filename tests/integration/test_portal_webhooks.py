"""Webhooks in the portal, by the forms that people without JavaScript send; the receiver is a real server."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html import unescape

import pytest
import sqlalchemy as sa
from standardwebhooks.webhooks import Webhook

from schemas.database import tables
from schemas.http.callbacks import DeliveryResult
from schemas.http.webhooks import EVENT_TEXTS, Event, MessageState
from tests.support.api_client import Door
from tests.support.factories import World
from tests.support.files import sheets
from tests.support.html_forms import follow, form_of, send
from tests.support.portal_client import Portal, signed_in, text_of, toasts_of
from tests.support.servers.callback_receiver import NETWORK, Receiver, receiving
from webhook.portal.accounts import webhooks
from worker.callbacks import send_webhooks

HOSTILE = "<script>alert('x')</script>"


@pytest.fixture
def receiver(database: sa.Engine, configure: Callable[..., None]) -> Iterator[Receiver]:  # noqa: ARG001 - settings last
    configure(callback_networks=NETWORK, callback_timeout_seconds=2, callback_backoff_scale=0)
    with receiving() as told:
        yield told


def secret_of(page: str) -> str:
    found = re.search(r'<code id="secret">([^<]+)</code>', page)
    assert found, page
    return unescape(found[1])


def made(portal: Portal, url: str, *events: str, **fields: str) -> tuple[str, str]:
    """Create a webhook with the form of the page; its address in the portal, and its secret."""
    answer = send(
        portal, form_of(portal.get("/webhooks"), "/webhooks"), "Create webhook", url=url, events=list(events), **fields
    )
    assert answer.status_code == 201, text_of(answer)
    page = answer.get_data(as_text=True)
    path = re.search(r'href="(/webhooks/[0-9a-f-]{36})"', page)
    assert path
    return path[1], secret_of(page)


def press(portal: Portal, page: str, action: str, button: str) -> str:
    """Press a button of a page that is a form of its own; the text of the page that follows."""
    return text_of(follow(portal, send(portal, form_of(portal.get(page), action), button)))


def test_a_webhook_from_creation_to_deletion(portal: Portal, api: Door, receiver: Receiver) -> None:
    assert "No webhooks yet" in text_of(portal.get("/webhooks"))
    path, secret = made(portal, receiver.url, "job.*", "number.assigned", description=HOSTILE)
    page = portal.get("/webhooks")
    assert secret not in page.get_data(as_text=True)
    assert HOSTILE not in page.get_data(as_text=True)
    for text in (receiver.url, HOSTILE, "All events about jobs", "A number was assigned", "On", "Never"):
        assert text in text_of(page)

    shown = press(portal, path, f"{path}/test", "Send a test event")
    assert "A test event is being sent." in shown
    assert "Not sent yet." in shown
    send_webhooks.send_due()
    (got,) = receiver.got
    assert Webhook(secret).verify(got.body, got.headers)["type"] == "webhook.test"
    listed = text_of(portal.get(path))
    assert "Test event" in listed
    assert "Delivered Delivered HTTP 204 1" in listed
    assert "Never" not in listed

    form = form_of(portal.get(f"{path}/edit"), f"{path}/edit")
    assert {one.value for one in form.controls if one.name == "events" and one.is_on} == {"job.*", "number.assigned"}
    answer = send(portal, form, "Save", events=["job.failed"], description="")
    assert "The webhook was saved." in toasts_of(follow(portal, answer))
    ((hook,),) = (api.get("/v1/webhooks").json["data"],)
    assert (hook["url"], hook["events"], hook["description"]) == (receiver.url, ["job.failed"], "")

    assert "The webhook is off." in press(portal, path, f"{path}/disable", "Disable")
    assert "It was switched off by an admin." in text_of(portal.get(path))
    assert "Send a test event" not in text_of(portal.get(path)).replace("Send a test event to", "")
    assert "The webhook is on." in press(portal, path, f"{path}/enable", "Enable")

    answer = send(portal, form_of(portal.get(f"{path}/secret"), f"{path}/secret"), "Replace")
    replaced = secret_of(answer.get_data(as_text=True))
    assert replaced not in {secret, portal.get(path).get_data(as_text=True)}
    assert "The old one also works until" in text_of(answer)
    receiver.got.clear()
    press(portal, path, f"{path}/test", "Send a test event")
    send_webhooks.send_due()
    Webhook(replaced).verify(receiver.got[0].body, receiver.got[0].headers)

    assert "The webhook was deleted." in press(portal, f"{path}/delete", f"{path}/delete", "Delete")
    assert portal.get(path).status_code == 404
    assert api.get("/v1/webhooks").json["data"] == []


def test_failures_are_shown_and_sent_again(
    portal: Portal, api: Door, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, _ = made(portal, receiver.url, "job.*")
    receiver.mode = 500
    job = api.upload(sheets.csv_bytes(sheets.rows(1)))
    monkeypatch.setattr(send_webhooks, "MOST_SECONDS", 0.3)
    send_webhooks.send_due()
    attempts = len(receiver.got)
    page = text_of(portal.get("/webhooks"))
    assert f"Failing {attempts} failed attempt{'' if attempts == 1 else 's'} since" in page
    shown = portal.get(path)
    assert "A job finished without errors" in text_of(shown)
    assert "Refused by your server HTTP 500" in text_of(shown)
    assert f'href="/jobs/{job["id"]}"' in shown.get_data(as_text=True)
    receiver.mode = "ok"
    send_webhooks.send_due()  # unless the schedule was over
    message = re.search(rf'href="({path}/messages/msg_[0-9a-f-]+)"', shown.get_data(as_text=True))
    assert message
    sent = len(receiver.got)
    assert "The event is being sent again." in press(portal, path, f"{message[1]}/replay", "Send again")
    refused = portal.post(f"{message[1]}/replay")  # as from a page that was shown before
    assert refused.status_code == 409
    assert "Something went wrong" in text_of(refused)
    send_webhooks.send_due()
    assert len(receiver.got) == sent + 1
    page = text_of(portal.get(message[1]))
    assert page.index("Delivered HTTP 204") < page.index("Refused by your server HTTP 500")
    assert "Failing" not in text_of(portal.get("/webhooks"))


def test_why_a_webhook_was_switched_off(portal: Portal, receiver: Receiver, database: sa.Engine) -> None:
    path, _ = made(portal, receiver.url, "job.*")
    receiver.mode = 410
    press(portal, path, f"{path}/test", "Send a test event")
    send_webhooks.send_due()
    assert "Switched off since" in text_of(portal.get("/webhooks"))
    assert "switched off automatically because your server responded that this URL is gone" in text_of(portal.get(path))
    with database.begin() as connection:
        old = sa.func.now() - sa.text("interval '121 hours'")
        connection.execute(tables.webhooks.update().values(failing_since=old))
    assert "because nothing could be delivered for 5 days" in text_of(portal.get(path))
    refused = portal.post(f"{path}/test")
    assert refused.status_code == 409
    assert "Something went wrong" in text_of(refused)


@pytest.mark.parametrize(
    ("fields", "field", "text"),
    [
        ({"url": ""}, "url", "This is required."),
        ({"url": "ftp://receiver.example"}, "url", "http"),
        ({"url": "https://user:word@receiver.example"}, "url", "password"),
        ({"events": []}, "events", "Choose at least one."),
        ({"events": ["job.started"]}, "events", "This should be"),
        ({"description": "x" * 201}, "description", "at most 200 characters"),
    ],
)
def test_what_is_wrong_is_told_beside_the_field(
    portal: Portal, fields: dict[str, object], field: str, text: str
) -> None:
    path, _ = made(portal, "https://receiver.example/hook", "job.*")
    entered = {"url": "https://receiver.example/other", "events": ["job.failed"], "description": ""} | fields
    for address in ("/webhooks", f"{path}/edit"):
        answer = portal.post(address, entered)
        assert answer.status_code == 422, address
        page = answer.get_data(as_text=True)
        found = re.search(rf'id="e-{field}">.*?<span>([^<]*)</span>', page, re.DOTALL)
        assert found, text_of(answer)
        assert text in unescape(found[1])
        assert f'href="#f-{field}"' in page
        assert f'id="f-{field}"' in page
    assert "receiver.example/hook" in text_of(portal.get("/webhooks"))
    assert "receiver.example/other" not in text_of(portal.get("/webhooks"))


def test_no_more_than_the_limit(portal: Portal, api: Door) -> None:
    for number in range(20):
        body = {"url": f"https://receiver.example/{number}", "events": ["job.*"]}
        assert api.post("/v1/webhooks", body).status_code == 201
    answer = portal.post("/webhooks", {"url": "https://receiver.example/20", "events": ["job.*"]})
    assert answer.status_code == 409
    assert "You have 20 subscriptions, the most possible." in text_of(answer)


@pytest.mark.parametrize("other", ["master", "south", "clinic"])
def test_r3_those_of_others_do_not_exist(
    portal: Portal, other: str, world: World, database: sa.Engine, api: Door
) -> None:
    path, _ = made(portal, "https://receiver.example/hook", "job.*")
    hook = path.rpartition("/")[2]
    message = api.post(f"/v1/webhooks/{hook}/test").json["id"]
    theirs = signed_in(database, getattr(world, other).tenant)
    assert "receiver.example" not in text_of(theirs.get("/webhooks"))
    pages = ("", "/edit", "/secret", "/delete", f"/messages/{message}")
    forms = ("/edit", "/enable", "/disable", "/test", "/secret", "/delete", f"/messages/{message}/replay")
    assert {theirs.get(path + page).status_code for page in pages} == {404}
    entered = {"url": "https://receiver.example/2", "events": ["job.*"]}
    assert {theirs.post(path + form, entered).status_code for form in forms} == {404}
    assert portal.get(path).status_code == 200


def test_everything_that_can_be_shown_has_words() -> None:
    values = {event.value for kind in Event.__args__ for event in kind}
    assert {event.value for event in EVENT_TEXTS} == values
    assert set(webhooks.RESULTS) == set(DeliveryResult)
    assert set(webhooks.STATES) == set(MessageState)
    assert sorted(value for _, events in webhooks.EVENT_CHOICES for value, _ in events) == sorted(values)
