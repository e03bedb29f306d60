"""TLS to the broker: the options with which redis-py and kombu verify the server's certificate and name.

By default kombu connects to `rediss://` without any verification.
"""

from __future__ import annotations

import ssl

from worker.config.settings import Settings


def is_tls(url: str) -> bool:
    """Return whether connections to this address use TLS."""
    return url.startswith(("rediss:", "sentinels:"))


def options(url: str, settings: Settings) -> dict[str, object]:
    """Return the keyword arguments of a connection to `url`; none without TLS."""
    if not is_tls(url):
        return {}
    arguments: dict[str, object] = {"ssl_cert_reqs": ssl.CERT_REQUIRED, "ssl_check_hostname": True}
    files = {
        "ssl_ca_certs": settings.redis_ca_file,
        "ssl_certfile": settings.redis_cert_file,
        "ssl_keyfile": settings.redis_key_file,
    }
    return arguments | {name: str(path) for name, path in files.items() if path is not None}
