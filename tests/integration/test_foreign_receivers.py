"""Callbacks and subscriptions, received by other frameworks with the official libraries, each a program of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa

from tests.support import node as node_packages
from tests.support.api_client import Door, Json
from tests.support.files import sheets
from tests.support.receivers import flask_receiver
from tests.support.servers.callback_receiver import NETWORK
from tests.support.servers.service import NO_TLS, wait_for
from worker.callbacks import send_webhooks
from worker.runtime.processes.ports import free_port

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("clients")]  # which has installed the packages of Node.js

SECONDS = 60.0
Start = Callable[[int, str], AbstractContextManager[Callable[[], list[Json]]]]
FOREIGN = "whsec_" + "A" * 43 + "="


@pytest.fixture(params=["Flask", "Express"])
def start(request: pytest.FixtureRequest, database: sa.Engine, configure: Callable[..., None], tmp_path: Path) -> Start:
    """Starts a receiver on a port, with a secret."""
    del database
    configure(callback_networks=NETWORK, callback_timeout_seconds=20, callback_backoff_scale=0)
    if request.param == "Flask":
        command, folder = [sys.executable, flask_receiver.__file__], tmp_path
    else:
        node: node_packages.Node = request.getfixturevalue("node")
        command, folder = [str(node_packages.NODE), "receiver.js"], node.folder

    @contextmanager
    def started(port: int, secret: str) -> Iterator[Callable[[], list[Json]]]:
        with (tmp_path / "receiver.log").open("ab") as log:
            process = subprocess.Popen(
                [*command, str(port), secret], cwd=folder, stdout=log, stderr=log, env=os.environ
            )
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, verify=NO_TLS) as client:

            def answers() -> bool:
                try:
                    return client.get("/").status_code == 200
                except httpx.TransportError:
                    return process.poll() is not None

            def accepted() -> list[Json]:
                found: list[Json] = client.get("/").raise_for_status().json()
                return found

            try:
                wait_for(answers, SECONDS, "the receiver to answer")
                assert process.poll() is None, (tmp_path / "receiver.log").read_text()
                yield accepted
            finally:
                process.terminate()
                process.wait(SECONDS)

    return started


def test_a_subscription_is_received(api: Door, start: Start) -> None:
    """Of jobs and of numbers, with all kinds of letters; during a rotation both secrets verify, another does not."""
    port = free_port()
    body = {"url": f"http://127.0.0.1:{port}/hook", "events": ["job.*", "number.*"]}
    made = api.post("/v1/webhooks", body).json
    carrier = api.post("/v1/carriers", {"name": "Überland 電話 “🦷”", "service": "voice"}).json
    with start(port, made["secret"]) as accepted:
        job = api.upload(sheets.csv_bytes(sheets.rows(40)), voice_carrier=carrier["name"])
        send_webhooks.send_due()
        events = {each["event"]["type"]: each["event"] for each in accepted()}
        assert events.keys() == {"job.completed", "number.changes"}
        assert events["job.completed"]["data"]["id"] == job["id"]
        assert events["number.changes"]["data"]["changes"] == api.get("/v1/changes").json["data"]
        assert events["number.changes"]["data"]["changes"][0]["voice_carrier"] == carrier["name"]
        second = api.post(f"/v1/webhooks/{made['id']}/secret").json["secret"]
        api.post(f"/v1/webhooks/{made['id']}/test")
        send_webhooks.send_due()
        assert accepted()[-1]["event"]["type"] == "webhook.test"
        before = len(accepted())
    for secret, count in ((second, 1), (FOREIGN, 0)):
        with start(port, secret) as accepted:
            message = api.post(f"/v1/webhooks/{made['id']}/test").json["id"]
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(send_webhooks, "MOST_SECONDS", 0.3)
                send_webhooks.send_due()
            assert len(accepted()) == count
            attempt = api.get(f"/v1/webhooks/{made['id']}/messages/{message}").json["last_attempt"]
            assert (attempt["result"], attempt["status"]) == (("DELIVERED", 204) if count else ("HTTP_ERROR", 400))
    assert before == 3


def test_a_callback_is_received(api: Door, start: Start) -> None:
    port, secret = free_port(), api.get("/v1/callbacks/secret").json["secret"]
    with start(port, secret) as accepted:
        job = api.upload(sheets.csv_bytes(sheets.rows(2)), callback_url=f"http://127.0.0.1:{port}/hook")
        api.work_off()
        (received,) = accepted()
        assert received["event"]["data"]["id"] == job["id"]
        callback = api.get(job["links"]["callback"]).json
        assert (callback["id"], callback["state"]) == (received["id"], "delivered")
