"""TLS to the broker: the options with which redis-py and kombu verify the server's certificate and name.

By default kombu connects to `rediss://` without any verification.
"""

from __future__ import annotations

import ssl

from worker.config.settings import Settings


def is_tls(url: str) -> bool:
    """Return whether connections to this address use TLS."""
    return url.startswith("rediss:")


def options(url: str, settings: Settings) -> dict[str, object]:
    """Return the keyword arguments of a connection to `url`; none without TLS."""
    if not is_tls(url):
        return {}
    arguments: dict[str, object] = {"ssl_cert_reqs": ssl.CERT_REQUIRED, "ssl_check_hostname": True}
    if settings.redis_ca_file is not None:
        arguments["ssl_ca_certs"] = str(settings.redis_ca_file)
    return arguments
