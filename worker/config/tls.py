"""TLS for connections to external servers: certificates are always verified."""

from __future__ import annotations

import ssl
from functools import lru_cache
from pathlib import Path

import certifi


@lru_cache(maxsize=4)
def client_context(ca_file: Path | None) -> ssl.SSLContext:
    """Return the TLS context: verifies against the public authorities and the operator's (`ca_file`, PEM)."""
    context = ssl.create_default_context(cafile=certifi.where())
    if ca_file is not None:
        context.load_verify_locations(cafile=ca_file)
    return context
