"""`python -m worker.queue.healthcheck`: exit code 0 if another process here holds a connection to the broker.

The health check of worker, upkeep and beat containers, which have no HTTP endpoint. Changes nothing, starts nothing.
"""

from __future__ import annotations

import sys

import redis

from worker.config.settings import get_settings
from worker.queue import redis_client

TIMEOUT = 3  # seconds


def connected(url: str) -> bool:
    """Return whether the broker at `url` has another client with this client's address. `redis.RedisError`."""
    with redis_client.connect(url, get_settings(), TIMEOUT) as client:
        addresses = {str(entry["id"]): str(entry["addr"]).rpartition(":")[0] for entry in client.client_list()}
        ours = str(client.client_id())
    return any(address == addresses.get(ours) for number, address in addresses.items() if number != ours)


def main() -> int:
    """Return the exit code; if it is not 0, write the reason to standard error, where the container engine keeps it."""
    url = get_settings().redis_url
    if url is None:
        sys.stderr.write("NUMBERYARD_REDIS_URL is not set\n")
        return 1
    try:
        is_connected = connected(url.get_secret_value())
    except (redis.RedisError, OSError) as error:
        sys.stderr.write(f"broker_unreachable: {type(error).__name__}\n")
        return 1
    if not is_connected:
        sys.stderr.write("not connected to the broker\n")
    return 0 if is_connected else 1


if __name__ == "__main__":
    sys.exit(main())
