"""The service that tests of clients and of the proxy share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.servers import service
from tests.support.servers.service import Service

MIB = 1024 * 1024
METRICS_TOKEN = "of-the-tests-alone"  # noqa: S105


@pytest.fixture(scope="package")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Behind a proxy, with metrics and a limit for uploads. Tests share it: each works on numbers of its own."""
    settings = {"trust_forwarded": True, "max_upload_bytes": 64 * MIB, "metrics_token": METRICS_TOKEN}
    with service.running(tmp_path_factory.mktemp("service"), workers=1, **service.CALM, **settings) as found:
        yield found
