"""`/v1/callbacks` and `numberyard callbacks`: what became of them, sending again, secrets, and who sees any of it."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa
from werkzeug.test import TestResponse

from schemas.jobs import Phase
from tests.support.api_client import Door, Json
from tests.support.cli_runner import Cli, run, told
from tests.support.declared_answers import followed
from tests.support.factories import World
from tests.support.files import sheets
from tests.support.servers.callback_receiver import NETWORK, Receiver, receiving
from tests.support.servers.service import wait_for
from webhook.cli.exit_codes import Exit
from worker import pipeline

NOBODY = "msg_00000000-0000-4000-8000-000000000000"
DEADLINE = 20.0


@pytest.fixture
def receiver(database: sa.Engine, configure: Callable[..., None]) -> Iterator[Receiver]:  # noqa: ARG001 - settings last
    configure(callback_networks=NETWORK, callback_backoff_scale=0)
    with receiving() as made:
        yield made


def sheet(number: int = 0) -> bytes:
    return sheets.csv_bytes([sheets.HEADER, ["1", str(12_125_550_000 + number), "TRUE", "", ""]])


def callback_of(api: Door, job: Json) -> Json:
    """A job's callback, by its link."""
    answer = api.get(job["links"]["callback"])
    assert answer.status_code == 200, answer.get_data(as_text=True)
    found: Json = answer.json
    return found


def refusal(answer: TestResponse) -> tuple[int, str]:
    return answer.status_code, answer.json["code"]


@pytest.mark.long
def test_a_job_leads_to_its_callback_and_back(api: Door, receiver: Receiver) -> None:
    job = api.upload(sheet(), callback_url=receiver.url)
    found = callback_of(api, job)
    assert (found["id"], found["job_id"], found["url"]) == (receiver.ids[0], job["id"], receiver.url)
    assert (found["state"], found["attempts"], found["next_attempt_at"], found["failed_at"]) == (
        "delivered",
        1,
        None,
        None,
    )
    assert found["delivered_at"] >= job["finished_at"]
    assert found["links"] == {"self": job["links"]["callback"], "job": job["links"]["self"]}
    (tried,) = found["deliveries"]
    assert (tried["attempt"], tried["result"], tried["status"]) == (1, "DELIVERED", 204)
    assert tried["duration_ms"] >= 0
    assert api.upload(sheet(1))["links"]["callback"] is None


@pytest.mark.long
def test_states_and_tries(api: Door, receiver: Receiver) -> None:
    job = api.send(sheet(), callback_url=receiver.url).json
    waiting = callback_of(api, job)
    assert (waiting["state"], waiting["attempts"], waiting["next_attempt_at"]) == ("waiting", 0, None)
    receiver.mode = 500
    for phase in (Phase.CHECK, Phase.WRITE, Phase.REPORT, Phase.CALLBACK):
        assert pipeline.run(phase)
    pending = callback_of(api, job)
    assert (pending["state"], pending["attempts"], bool(pending["next_attempt_at"])) == ("pending", 1, True)
    api.work_off()
    failed = callback_of(api, job)
    assert (failed["state"], failed["attempts"], failed["next_attempt_at"]) == ("failed", 11, None)
    assert [one["attempt"] for one in failed["deliveries"]] == list(range(1, 12))
    assert failed["failed_at"] >= failed["deliveries"][-1]["at"] >= failed["deliveries"][0]["at"]


@pytest.mark.long
def test_a_list_page_by_page(api: Door, receiver: Receiver) -> None:
    jobs = [api.upload(sheet(number), callback_url=receiver.url)["id"] for number in range(3)]
    api.upload(sheet(9))
    first = api.get("/v1/callbacks?limit=2")
    assert [one["job_id"] for one in first.json["data"]] == jobs[:0:-1]
    assert first.json["next_cursor"] in first.headers["Link"]
    second = api.get("/v1/callbacks", query_string={"limit": 2, "cursor": first.json["next_cursor"]}).json
    assert ([one["job_id"] for one in second["data"]], second["next_cursor"]) == (jobs[:1], None)
    assert "deliveries" not in first.json["data"][0]


@pytest.mark.long
def test_a_list_of_one_state(api: Door, receiver: Receiver) -> None:
    delivered = api.upload(sheet(), callback_url=receiver.url)
    receiver.mode = 410
    failed = api.upload(sheet(1), callback_url=receiver.url)
    waiting = api.send(sheet(2), callback_url=receiver.url).json
    wanted = {"delivered": [delivered["id"]], "failed": [failed["id"]], "waiting": [waiting["id"]], "pending": []}
    for state, ids in wanted.items():
        assert [one["job_id"] for one in api.get(f"/v1/callbacks?state={state}").json["data"]] == ids, state
    assert refusal(api.get("/v1/callbacks?state=lost")) == (422, "INVALID_FIELD")


# Sending again


@pytest.mark.parametrize("mode", ["ok", 410])
def test_a_callback_is_sent_again_under_its_id(api: Door, receiver: Receiver, mode: str | int) -> None:
    receiver.mode = mode
    found = callback_of(api, api.upload(sheet(), callback_url=receiver.url))
    receiver.mode = "ok"
    answer = api.post(f"/v1/callbacks/{found['id']}/replay")
    assert (answer.status_code, answer.json["state"], answer.json["attempts"]) == (202, "pending", 0)
    assert (answer.json["delivered_at"], answer.json["failed_at"]) == (None, None)
    api.work_off()
    again = api.get(f"/v1/callbacks/{found['id']}").json
    assert (again["state"], [one["attempt"] for one in again["deliveries"]]) == ("delivered", [1, 1])
    assert receiver.ids == [found["id"]] * 2
    assert receiver.got[0].body == receiver.got[1].body


def test_nothing_is_sent_again_before_the_job_has_ended(api: Door, receiver: Receiver) -> None:
    found = callback_of(api, api.send(sheet(), callback_url=receiver.url).json)
    answer = api.post(f"/v1/callbacks/{found['id']}/replay")
    assert refusal(answer) == (409, "JOB_NOT_ENDED")
    assert answer.json["job_status"] == "accepted"
    assert receiver.got == []


def test_sent_again_while_it_is_being_sent(api: Door, receiver: Receiver) -> None:
    """The try under way does not count any more; the receiver gets it twice, under one id."""
    job = api.send(sheet(), callback_url=receiver.url).json
    found = callback_of(api, job)
    receiver.meanwhile = lambda: (
        None if len(receiver.got) > 1 else replayed.append(api.post(f"/v1/callbacks/{found['id']}/replay").status_code)
    )
    replayed: list[int] = []
    api.work_off()
    assert replayed == [202]
    assert receiver.ids == [found["id"]] * 2
    again = api.get(f"/v1/callbacks/{found['id']}").json
    assert (again["state"], len(again["deliveries"])) == ("delivered", 1)


# Who sees it (R3)


@pytest.mark.long
@pytest.mark.parametrize("who", ["master", "south", "school", "clinic"])
def test_r3_nobody_but_its_tenant_sees_a_callback(api: Door, world: World, receiver: Receiver, who: str) -> None:
    """Above, beside and below: all answered as if there were none."""
    job = api.upload(sheet(), callback_url=receiver.url)
    found = callback_of(api, job)
    door = api.as_(getattr(world, who).token)
    for path in ("", "/replay"):
        method = door.post if path else door.get
        theirs, nobodys = (method(f"/v1/callbacks/{one}{path}") for one in (found["id"], NOBODY))
        assert (theirs.status_code, theirs.data) == (nobodys.status_code, nobodys.data)
        assert refusal(theirs) == (404, "NOT_FOUND")
    assert door.get("/v1/callbacks").json["data"] == []
    door.upload(sheet(5), callback_url=receiver.url)
    assert door.get(f"/v1/callbacks?cursor={found['id']}").json["field"] == "cursor"
    assert len(receiver.got) == 1 + len(door.get("/v1/callbacks").json["data"])
    if who == "master":
        assert door.job(job["id"])["links"]["callback"] is None
        assert "s3cret" not in door.get("/v1/jobs").get_data(as_text=True)


@pytest.mark.parametrize("name", ["x", "msg_", "msg_x", "00000000-0000-4000-8000-000000000000", "secret%00", "msg_%00"])
def test_what_is_no_id_is_not_found(api: Door, name: str) -> None:
    assert api.get(f"/v1/callbacks/{name}").status_code in {400, 404}
    assert api.get(f"/v1/callbacks?cursor={name}").status_code in {400, 422}


# The secret


def test_a_secret_is_made_at_first_look_and_stays(api: Door, world: World) -> None:
    answer = api.get("/v1/callbacks/secret")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json["previous_until"] is None
    kind, _, key = answer.json["secret"].partition("_")
    assert (kind, len(base64.b64decode(key, validate=True))) == ("whsec", 32)
    assert api.get("/v1/callbacks/secret").json == answer.json
    assert api.as_(world.master.token).get("/v1/callbacks/secret").json["secret"] != answer.json["secret"]


def test_a_replaced_secret_goes_on_for_a_while(api: Door, receiver: Receiver) -> None:
    old = api.get("/v1/callbacks/secret").json
    answer = api.post("/v1/callbacks/secret")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert answer.json["secret"] != old["secret"]
    assert answer.json["previous_until"] > answer.json["created_at"]
    assert api.get("/v1/callbacks/secret").json == answer.json
    api.upload(sheet(), callback_url=receiver.url)
    assert receiver.got[0].is_signed_by(old["secret"])
    assert receiver.got[0].is_signed_by(answer.json["secret"])


def test_a_tenant_with_a_secret_can_be_deleted(api: Door) -> None:
    made = api.post("/v1/tenants", {"name": "Short-lived", "kind": "enterprise"}).json
    token = api.post("/v1/tokens", {"name": "x", "tenant_id": made["id"]}).json["token"]
    assert api.as_(token).get("/v1/callbacks/secret").status_code == 200
    answer = api.client.delete(f"/v1/tenants/{made['id']}", headers={"Authorization": f"Bearer {api.token}"})
    assert answer.status_code == 204


def test_the_description_tells_what_a_receiver_is_sent(api: Door) -> None:
    spec = api.client.get("/openapi.json").json
    content = spec["webhooks"]["jobEnded"]["post"]["requestBody"]["content"]["application/json"]
    assert content["schema"]["$ref"].endswith("/JobEnded")
    assert set(spec["components"]["schemas"]["JobEnded"]["properties"]) == {"type", "timestamp", "data"}
    form = spec["paths"]["/v1/uploads"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert "callback_url" in followed(spec, form)["properties"]


# The commands


@pytest.mark.long
def test_commands_tell_of_callbacks_and_send_them_again(
    cli: Cli, receiver: Receiver, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("sent") / "numbers.csv"
    path.write_bytes(sheet())
    job = told(cli("upload", str(path), "--watch", "--callback-url", receiver.url, "--json"))
    wait_for(lambda: receiver.got, DEADLINE, "the callback")
    name = receiver.ids[0]

    def state() -> str:
        found: str = told(cli("callbacks", "show", name, "--json"))["state"]
        return found

    wait_for(lambda: state() == "delivered", DEADLINE, "its note")
    listed = told(cli("callbacks", "list", "--state", "delivered", "--json"))["data"]
    assert [(one["id"], one["job_id"]) for one in listed] == [(name, job["id"])]
    assert name in cli("callbacks", "list").stdout
    assert "No callbacks yet" in cli("callbacks", "list", "--state", "failed").stderr
    shown = cli("callbacks", "show", name).stdout
    assert receiver.url in shown
    assert "DELIVERED" in shown
    assert name in cli("callbacks", "replay", name).stderr
    wait_for(lambda: len(receiver.got) == 2, DEADLINE, "the callback again")
    assert told(cli("callbacks", "replay", name, "--json"))["id"] == name
    assert cli("callbacks", "replay", NOBODY).exit_code == Exit.NOT_FOUND


@pytest.mark.long
def test_an_action_is_told_where_to_tell(cli: Cli, receiver: Receiver) -> None:
    done = cli("delete", "+12125550000", "--yes", "--callback-url", receiver.url, "--json")
    assert done.exit_code == Exit.PARTLY_FAILED
    wait_for(lambda: receiver.got, DEADLINE, "the callback")
    assert receiver.got[0].event["data"]["kind"] == "delete"
    refused = cli("delete", "+12125550000", "--yes", "--callback-url", "http://10.0.0.1/")
    assert refused.exit_code == Exit.REFUSED
    assert "callback_url" in refused.stderr


@pytest.mark.long
def test_the_secret_alone_is_on_stdout(cli: Cli) -> None:
    old = cli("callbacks", "secret")
    assert (old.stdout, old.stderr) == (told(cli("callbacks", "secret", "--json"))["secret"] + "\n", "")
    new = cli("callbacks", "rotate")
    assert new.stdout == told(cli("callbacks", "secret", "--json"))["secret"] + "\n" != old.stdout
    assert "until" in new.stderr
    assert told(cli("callbacks", "rotate", "--json"))["previous_until"]


@pytest.mark.parametrize(
    "words", [("callbacks", "show"), ("callbacks", "list", "--state", "lost"), ("callbacks", "replay")]
)
def test_given_wrongly(words: tuple[str, ...]) -> None:
    assert run(*words).exit_code == Exit.USAGE
