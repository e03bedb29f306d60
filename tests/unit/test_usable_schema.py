"""The check of the tables' version before each request, while the database does not respond."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from sqlalchemy.exc import OperationalError

from webhook.http import usable_schema

REQUESTS = 12
SECONDS = 0.2


def test_requests_wait_for_one_question_and_not_for_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them would take as long as a connection that is not accepted."""
    asked: list[None] = []

    @contextmanager
    def silent() -> Iterator[None]:
        asked.append(None)
        time.sleep(SECONDS)
        raise OperationalError("SELECT 1", {}, Exception("no response"))
        yield

    monkeypatch.setattr(usable_schema, "transaction", silent)
    verdict = usable_schema._Verdict()  # noqa: SLF001 - of its own, as in a process that starts
    with ThreadPoolExecutor(REQUESTS) as pool:
        answers = list(pool.map(lambda _: verdict.is_usable(), range(REQUESTS)))
    assert answers == [True] * REQUESTS  # the request itself then finds that the database is away
    assert len(asked) == 1
