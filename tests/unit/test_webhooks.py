"""Signatures and pauses of callbacks, as the Standard Webhooks specification has them."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest

from schemas import callback_signing

SECRET = b"0123456789abcdefghijklmn"


def test_a_signature_is_that_of_the_specification() -> None:
    """The figure was made with `openssl dgst -sha256 -hmac 0123456789abcdefghijklmn -binary | base64`."""
    headers = callback_signing.signed([SECRET], "msg_1", 1614265330, b'{"test": 2432232314}')
    assert headers == {
        "webhook-id": "msg_1",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,O4vEFHuUDzu6j6rKk1+0ulBAc4Rb/WWzCG2yLYlp7AQ=",
    }


def test_the_guides_receiver_accepts_only_genuine_callbacks() -> None:
    """The lines that integrators copy."""
    guide = (Path(__file__).parents[2] / "docs" / "guides" / "callbacks.md").read_text(encoding="utf-8")
    found: dict[str, Any] = {}
    exec(re.findall(r"```python\n(.*?)```", guide, re.DOTALL)[0], found)  # noqa: S102 - our own
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
