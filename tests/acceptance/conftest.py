"""The service that tests of this folder share, unless they need one of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.servers import service
from tests.support.servers.service import Service


@pytest.fixture(scope="package")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service with the default settings; tests share it, so each works on numbers of its own."""
    with service.running(tmp_path_factory.mktemp("service"), workers=1) as found:
        yield found
