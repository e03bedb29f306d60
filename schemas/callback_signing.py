"""Signature and retry schedule of callbacks, by the Standard Webhooks specification. No I/O.

https://www.standardwebhooks.com: the signature is an HMAC-SHA256 over id, timestamp and body, joined by full stops.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence

ID_PREFIX = "msg_"
SECRET_PREFIX = "whsec_"  # noqa: S105 - the prefix of all secrets
SECRET_BYTES = 32  # the specification requires 24 to 64

# Seconds from a failed attempt to the next: eleven attempts in a day. The first two or three cover a restart of the
# receiver, the last ones give a person until the next morning to repair it.
SCHEDULE = (5, 30, 120, 600, 1800, 3600, 7200, 14_400, 28_800, 28_800)
TRIES = len(SCHEDULE) + 1
JITTER = 0.1  # share of a pause, either way: callbacks that failed together are not all retried together
DAYS_TO_DISABLE = 5.0  # without any delivery; then a subscription is switched off
LONGEST_RETRY_AFTER = 3600.0  # limit in seconds for the receiver's `Retry-After`


def message_id(public_id: str) -> str:
    """Return the `webhook-id` of a callback; it is the same for every attempt."""
    return ID_PREFIX + public_id


def shown_secret(secret: bytes) -> str:
    """Return a secret in its published form."""
    return SECRET_PREFIX + base64.b64encode(secret).decode()


def signed(secrets: Sequence[bytes], message: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the three headers, with a signature by each secret, so that both verify during a rotation."""
    content = b".".join((message.encode(), str(timestamp).encode(), body))
    signatures = (hmac.new(secret, content, hashlib.sha256).digest() for secret in secrets)
    return {
        "webhook-id": message,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{base64.b64encode(signature).decode()}" for signature in signatures),
    }


def pause_after(attempt: int, jitter: float, retry_after: float | None = None) -> float | None:
    """Return the seconds from the end of an attempt (1 is the first) to the next; None after the last attempt.

    `jitter` is between -1 and 1. A receiver may ask for a longer pause (`Retry-After`), up to an hour.
    """
    if attempt >= TRIES:
        return None
    pause = SCHEDULE[attempt - 1] * (1 + JITTER * jitter)
    return max(pause, min(retry_after or 0.0, LONGEST_RETRY_AFTER))
