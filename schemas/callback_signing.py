"""How callbacks are signed, and when one that failed is sent again: the Standard Webhooks specification. Pure.

https://www.standardwebhooks.com: the signature is an HMAC-SHA256 over id, timestamp and body, with full stops between.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence

ID_PREFIX = "msg_"
SECRET_PREFIX = "whsec_"  # noqa: S105 - what all secrets begin with
SECRET_BYTES = 32  # the specification wants 24 to 64

# Seconds from a failed try to the next: eleven tries in a day. The first two or three meet a restart of the receiver,
# the last ones a person who has slept.
SCHEDULE = (5, 30, 120, 600, 1800, 3600, 7200, 14_400, 28_800, 28_800)
TRIES = len(SCHEDULE) + 1
JITTER = 0.1  # of a pause, either way: what failed together need not come back together
LONGEST_RETRY_AFTER = 3600.0  # seconds that a receiver may ask for


def message_id(public_id: str) -> str:
    """What a callback is called outside: the `webhook-id`, the same with every try."""
    return ID_PREFIX + public_id


def shown_secret(secret: bytes) -> str:
    """A secret as it is handed out."""
    return SECRET_PREFIX + base64.b64encode(secret).decode()


def signed(secrets: Sequence[bytes], message: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers; a signature by each secret, so that either one verifies while it is being changed."""
    content = b".".join((message.encode(), str(timestamp).encode(), body))
    signatures = (hmac.new(secret, content, hashlib.sha256).digest() for secret in secrets)
    return {
        "webhook-id": message,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{base64.b64encode(signature).decode()}" for signature in signatures),
    }


def pause_after(attempt: int, jitter: float, retry_after: float | None = None) -> float | None:
    """Seconds from the end of this try (1 is the first) to the next; None if it was the last one.

    `jitter` from -1 to 1. A receiver may ask for more (`Retry-After`), up to an hour.
    """
    if attempt >= TRIES:
        return None
    pause = SCHEDULE[attempt - 1] * (1 + JITTER * jitter)
    return max(pause, min(retry_after or 0.0, LONGEST_RETRY_AFTER))
