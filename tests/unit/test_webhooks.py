"""Signatures and pauses of callbacks, as the Standard Webhooks specification has them."""

from __future__ import annotations

import json
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import WebhookVerificationError

import webhook.reference
from schemas import callback_signing
from tests.support.node import NODE

GUIDE = Path(webhook.reference.__file__).parent / "guides" / "webhooks.md"
SECRET = b"0123456789abcdefghijklmn"


def test_a_signature_is_that_of_the_specification() -> None:
    """The figure was made with `openssl dgst -sha256 -hmac 0123456789abcdefghijklmn -binary | base64`."""
    headers = callback_signing.signed([SECRET], "msg_1", 1614265330, b'{"test": 2432232314}')
    assert headers == {
        "webhook-id": "msg_1",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,O4vEFHuUDzu6j6rKk1+0ulBAc4Rb/WWzCG2yLYlp7AQ=",
    }


def sample(language: str, part: str) -> str:
    """The lines of the guide with this part."""
    found: list[str] = re.findall(rf"```{language}\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    return next(text for text in found if part in text)


def test_the_library_accepts_only_genuine_callbacks() -> None:
    found: dict[str, Any] = {}
    exec(sample("python", "standardwebhooks"), found)  # noqa: S102 - our own
    secret, now = callback_signing.shown_secret(SECRET), int(time.time())
    headers = callback_signing.signed([b"x" * 32, SECRET], "msg_1", now, b'{"type": "job.completed"}')
    assert found["event_of"](secret, headers, b'{"type": "job.completed"}') == {"type": "job.completed"}
    with pytest.raises(WebhookVerificationError):
        found["event_of"](secret, headers, b'{"type": "job.failed"}')
    with pytest.raises(WebhookVerificationError):
        found["event_of"](secret, callback_signing.signed([SECRET], "msg_1", now - 400, b"{}"), b"{}")


@pytest.mark.long
def test_the_guides_javascript_accepts_only_genuine_callbacks(tmp_path: Path) -> None:
    """On the Node.js of a Python package."""
    now = int(time.time())
    genuine = callback_signing.signed([b"x" * 32, SECRET], "msg_1", now, b"{}")
    cases = [
        (genuine, "{}", True),
        (genuine, "{ }", False),
        (genuine | {"webhook-id": "msg_2"}, "{}", False),
        (genuine | {"webhook-signature": "v1,\u00e4"}, "{}", False),
        (callback_signing.signed([SECRET], "msg_1", now - 400, b"{}"), "{}", False),
    ]
    (tmp_path / "verify.mjs").write_text(sample("javascript", "isGenuine"), encoding="utf-8")
    (tmp_path / "cases.json").write_text(json.dumps([[headers, body] for headers, body, _ in cases]), encoding="utf-8")
    program = """
    import { readFileSync } from "node:fs";
    import { isGenuine } from "./verify.mjs";
    const cases = JSON.parse(readFileSync("cases.json"));
    console.log(JSON.stringify(cases.map(([headers, body]) => isGenuine(process.argv[2], headers, Buffer.from(body)))));
    """
    (tmp_path / "run.mjs").write_text(program, encoding="utf-8")
    secret = callback_signing.shown_secret(SECRET)
    done = subprocess.run([NODE, "run.mjs", secret], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [expected for *_, expected in cases]


def test_the_guides_receiver_accepts_only_genuine_callbacks() -> None:
    """The lines that integrators copy."""
    found: dict[str, Any] = {}
    exec(sample("python", "def is_genuine"), found)  # noqa: S102 - our own
    is_genuine, secret, now = found["is_genuine"], callback_signing.shown_secret(SECRET), int(time.time())
    headers = callback_signing.signed([b"x" * 32, SECRET], "msg_1", now, b"{}")
    assert is_genuine(secret, headers, b"{}")
    assert not is_genuine(secret, headers, b"{ }")
    assert not is_genuine(secret, headers | {"webhook-id": "msg_2"}, b"{}")
    assert not is_genuine(callback_signing.shown_secret(b"y" * 32), headers, b"{}")
    assert not is_genuine(secret, callback_signing.signed([SECRET], "msg_1", now - 400, b"{}"), b"{}")


def test_two_secrets_make_two_signatures() -> None:
    one = callback_signing.signed([SECRET], "msg_1", 1, b"{}")["webhook-signature"]
    other = callback_signing.signed([b"x" * 32], "msg_1", 1, b"{}")["webhook-signature"]
    assert callback_signing.signed([b"x" * 32, SECRET], "msg_1", 1, b"{}")["webhook-signature"] == f"{other} {one}"


def test_a_secret_is_shown_as_the_specification_has_it() -> None:
    assert callback_signing.shown_secret(SECRET) == "whsec_MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1u"


def test_the_tries_go_over_a_day() -> None:
    pauses = [callback_signing.pause_after(attempt, 0.0) for attempt in range(1, 20)]
    assert pauses[:10] == list(callback_signing.SCHEDULE)
    assert set(pauses[10:]) == {None}
    assert 23 * 3600 < sum(callback_signing.SCHEDULE) < 25 * 3600


def test_pauses_are_spread_by_a_tenth() -> None:
    assert callback_signing.pause_after(3, 1.0) == pytest.approx(132)
    assert callback_signing.pause_after(3, -1.0) == pytest.approx(108)


@pytest.mark.parametrize(
    ("attempt", "asked", "pause"), [(1, 60, 60), (1, 1, 5), (1, 1e9, 3600), (9, 60, 28_800), (11, 60, None)]
)
def test_a_receiver_may_ask_for_more_time_up_to_an_hour(attempt: int, asked: float, pause: float | None) -> None:
    assert callback_signing.pause_after(attempt, 0.0, asked) == pause
