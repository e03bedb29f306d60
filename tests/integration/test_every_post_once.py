"""Every POST of the API: twenty requests at once with one `Idempotency-Key` do what one request does, once."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import sqlalchemy as sa
from werkzeug.test import TestResponse

from schemas.database.tables import idempotency_keys, metadata, webhook_messages
from schemas.jobs import Phase
from tests.support.api_client import Door, application
from tests.support.factories import World
from tests.support.files import sheets
from worker.database.engine import transaction
from worker.queue import broker

Json = dict[str, Any]
AT_ONCE = 20
FILE = sheets.csv_bytes(sheets.rows(3))
FAULTY = FILE + b"1,212,TRUE,,\r\n"
SECRETS = {
    "create_token": "token",
    "create_webhook": "secret",
    "rotate_callback_secret": "secret",
    "rotate_webhook_secret": "secret",
}
NOT_COUNTED = {"idempotency_keys"}


@dataclass(frozen=True)
class Call:
    """A request: its body as JSON or as a file, and the ids in its path."""

    body: Json | None = None
    file: bytes | None = None
    ids: dict[str, str] = field(default_factory=dict)


def reviewed(api: Door) -> dict[str, str]:
    return {"job_id": api.upload(FAULTY, mode="review")["id"]}


def ended(api: Door, **fields: str) -> dict[str, str]:
    return {"job_id": api.upload(FAULTY, **fields)["id"]}


def effective(api: Door, name: str) -> dict[str, str]:
    """A job that has created a number, another one for each name."""
    number = f"212555{1000 + len(name)}"
    return {"job_id": api.upload(sheets.csv_bytes([sheets.HEADER, ("1", number, "TRUE", "", "")]))["id"]}


def rotated(api: Door) -> Call:
    """From the second time on, a rotation writes as many rows as the one before."""
    assert api.post("/v1/callbacks/secret").status_code == 200
    return Call()


def called_back(api: Door) -> dict[str, str]:
    job_id = ended(api, callback_url="https://receiver.example/")["job_id"]
    return {"callback_id": api.job(job_id)["links"]["callback"].rpartition("/")[2]}


def subscribed(api: Door) -> dict[str, str]:
    return {"webhook_id": api.post("/v1/webhooks", WEBHOOK).json["id"]}


def given_up(api: Door) -> dict[str, str]:
    """A message that is not being sent any more."""
    ids = subscribed(api)
    message = api.post(f"/v1/webhooks/{ids['webhook_id']}/test").json
    with transaction() as connection:
        connection.execute(webhook_messages.update().values(state="failed", ended_at=sa.func.now()))
    return ids | {"message_id": message["id"]}


def accepted(api: Door) -> dict[str, str]:
    return {"job_id": api.send(FILE).json["id"]}


CORRECTION = {"rules": [{"column": "Phone Number", "code": "TOO_SHORT", "set": "2125550999"}]}
WEBHOOK = {"url": "https://receiver.example/", "events": ["job.*"]}
NUMBERS = {"numbers": ["+12125550142"]}
# What each operation is called with: a new POST needs an entry here, and then takes the key like all others.
CALLS: dict[str, Callable[[Door, World, str], Call]] = {
    "create_upload": lambda _api, _world, _name: Call(file=FILE),
    "create_assignment": lambda _api, world, _name: Call(NUMBERS | {"tenant_id": world.clinic.tenant.public_id}),
    "create_unassignment": lambda _api, _world, _name: Call(NUMBERS),
    "create_capability_change": lambda _api, _world, _name: Call(NUMBERS | {"sms": True}),
    "create_deletion": lambda _api, _world, _name: Call(NUMBERS),
    "create_export": lambda _api, _world, _name: Call({"format": "csv"}),
    "create_carrier": lambda _api, _world, name: Call({"name": name, "service": "voice"}),
    "create_tenant": lambda _api, _world, name: Call({"name": name, "kind": "enterprise"}),
    "create_token": lambda _api, _world, name: Call({"name": name}),
    "create_user": lambda _api, world, name: Call(
        {"name": "A", "email": f"{name}@x.example", "kind": "pbx", "tenant_id": world.clinic.tenant.public_id}
    ),
    "create_import_profile": lambda _api, _world, name: Call({"name": name}),
    "rotate_callback_secret": lambda api, _world, _name: rotated(api),
    "replay_callback": lambda api, _world, _name: Call(ids=called_back(api)),
    "create_webhook": lambda _api, _world, name: Call(WEBHOOK | {"description": name}),
    "rotate_webhook_secret": lambda api, _world, _name: Call(ids=subscribed(api)),
    "test_webhook": lambda api, _world, _name: Call(ids=subscribed(api)),
    "replay_webhook_message": lambda api, _world, _name: Call(ids=given_up(api)),
    "cancel_job": lambda api, _world, _name: Call(ids=accepted(api)),
    "confirm_job": lambda api, _world, _name: Call(ids=reviewed(api)),
    "correct_job": lambda api, _world, _name: Call(CORRECTION, ids=reviewed(api)),
    "preview_job_correction": lambda api, _world, _name: Call(CORRECTION, ids=reviewed(api)),
    "recheck_job": lambda api, _world, _name: Call({"on_existing": "update"}, ids=reviewed(api)),
    "retry_job": lambda api, _world, _name: Call(ids=ended(api)),
    "undo_job": lambda api, _world, name: Call(ids=effective(api, name)),
}


def posts() -> dict[str, str]:
    """Every POST of the document: its id, and its path."""
    paths = application().test_client().get("/openapi.json").json["paths"]
    return {item["post"]["operationId"]: path for path, item in paths.items() if "post" in item}


POSTS = posts()


def send(api: Door, operation: str, call: Call, key: str | None) -> TestResponse:
    headers = {"Authorization": f"Bearer {api.token}"} | ({} if key is None else {"Idempotency-Key": key})
    path = POSTS[operation].format(**call.ids)
    client = api.client.application.test_client()
    if call.file is not None:
        return client.post(path, data=call.file, content_type="text/csv", headers=headers)
    return client.post(path, json=call.body, headers=headers)


def rows(database: sa.Engine) -> dict[str, int]:
    """The number of rows of each table."""
    with database.connect() as connection:
        return {
            table.name: connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
            for table in metadata.sorted_tables
            if table.name not in NOT_COUNTED
        }


def added(database: sa.Engine, act: Callable[[], object]) -> dict[str, int]:
    before = rows(database)
    act()
    return {name: count - before[name] for name, count in rows(database).items() if count != before[name]}


def at_once(act: Callable[[], TestResponse]) -> list[TestResponse]:
    """The answers to as many requests, which begin together."""
    together, answers = threading.Barrier(AT_ONCE), []

    def one() -> None:
        together.wait(60)
        answers.append(act())

    threads = [threading.Thread(target=one) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert len(answers) == AT_ONCE
    return answers


def test_every_post_is_tried() -> None:
    assert POSTS.keys() == CALLS.keys()


@pytest.fixture
def previews(monkeypatch: pytest.MonkeyPatch, work_off: Callable[..., None]) -> None:
    """A worker answers previews of corrections at once, and does nothing else."""
    monkeypatch.setattr(broker, "wake", lambda phase, *_: work_off([phase]) if phase is Phase.PREVIEW else None)


@pytest.mark.long
@pytest.mark.usefixtures("previews")
@pytest.mark.parametrize("operation", sorted(POSTS))
def test_one_key_does_one_thing(api: Door, world: World, database: sa.Engine, operation: str) -> None:
    first_ever, alone, once = (CALLS[operation](api, world, name) for name in ("first", "second", "once"))
    answers: list[TestResponse] = []
    assert send(api, operation, first_ever, None).status_code < 300
    by_one = added(database, lambda: answers.append(send(api, operation, alone, None)))
    assert answers.pop().status_code < 300
    by_all = added(database, lambda: answers.extend(at_once(lambda: send(api, operation, once, "key"))))
    assert by_all == by_one

    done = [answer for answer in answers if answer.status_code < 300]
    refused = {(answer.status_code, answer.json["code"]) for answer in answers if answer.status_code >= 300}
    assert refused <= {(409, "REQUEST_UNDER_WAY")}
    (first,) = (answer for answer in done if "Idempotent-Replayed" not in answer.headers)
    again = send(api, operation, once, "key")
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (first.status_code, "true")
    assert again.headers.get("Location") == first.headers.get("Location")
    secret = SECRETS.get(operation)
    assert again.json == first.json | ({} if secret is None else {secret: None})
    if secret is not None:
        assert first.json[secret] not in stored_answers(database)
    other = send(api, "create_carrier", Call({"name": "Other", "service": "sms"}), "key")
    assert other.json["code"] == "IDEMPOTENCY_KEY_REUSED"


@pytest.mark.parametrize("operation", ["create_carrier", "create_token", "create_user", "create_import_profile"])
def test_who_died_before_the_answer_is_answered_with_what_was_created(
    api: Door, world: World, database: sa.Engine, operation: str
) -> None:
    call = CALLS[operation](api, world, "once")
    first = send(api, operation, call, "key")
    with database.begin() as connection:
        connection.execute(idempotency_keys.update().values(answer=None))
    again = send(api, operation, call, "key")
    assert (again.status_code, again.headers["Location"]) == (201, first.headers["Location"])
    assert (again.json["id"], again.headers["Idempotent-Replayed"]) == (first.json["id"], "true")
    assert first.json.get("token", "nyk_") not in again.get_data(as_text=True)


def test_a_refusal_is_not_kept(api: Door) -> None:
    """A key is free again after a refusal, whatever its reason: the request may be corrected and sent again."""
    body = {"name": "x" * 600_000, "service": "voice"}
    assert send(api, "create_carrier", Call(body), "key").status_code == 413
    assert send(api, "create_carrier", Call({"name": "", "service": "voice"}), "key").status_code == 422
    assert send(api, "create_carrier", Call({"name": "One", "service": "voice"}), "key").status_code == 201
    assert send(api, "create_carrier", Call({"name": "One", "service": "voice"}), "other").status_code == 409


def stored_answers(database: sa.Engine) -> str:
    with database.connect() as connection:
        return json.dumps([list(row) for row in connection.execute(sa.text("SELECT answer FROM idempotency_keys"))])
