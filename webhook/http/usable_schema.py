"""Refuses requests with 503 while the database has tables of a version that this process cannot use.

This happens for a moment during an upgrade, or if a process of one release uses the database of another. Requests that
need no table are answered.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress

from flask import request
from sqlalchemy.exc import SQLAlchemyError

from schemas.request_problems import RequestCode
from webhook.http.errors import RETRY_SECONDS, refuse
from worker.database import schema_version
from worker.database.engine import transaction
from worker.database.schema_version import ProcessKind, UnusableSchemaError

SECONDS = 5.0  # that an answer holds
FIRST_SECONDS = 5.0  # that a request waits for the first answer
_WITHOUT_TABLES = frozenset({"health", "metrics", "reference", "openapi"})  # blueprints


class _Verdict:
    """Whether the tables are usable; asked again by one request at a time, while the others use the last answer."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._until = 0.0
        self._is_usable: bool | None = None  # None: not known yet

    def is_usable(self) -> bool:
        """Return the last answer; True if the database cannot be asked, which the request then finds itself."""
        # The first requests wait for the first answer, and for nothing else.
        seconds = FIRST_SECONDS if self._is_usable is None else 0
        if time.monotonic() >= self._until and self._lock.acquire(timeout=seconds):
            try:
                if time.monotonic() >= self._until:
                    self._ask()
            finally:
                self._lock.release()
        return self._is_usable is not False

    def forget(self) -> None:
        self._until = 0.0
        self._is_usable = None

    def _ask(self) -> None:
        # The request itself answers that the database is away, or not configured.
        with suppress(SQLAlchemyError, LookupError), transaction() as connection:
            try:
                schema_version.check(connection, ProcessKind.WEB)
            except UnusableSchemaError:
                self._is_usable = False
            else:
                self._is_usable = True
        # Also after an error: requests that wait here must not ask one after the other.
        self._until = time.monotonic() + (SECONDS if self._is_usable else RETRY_SECONDS)


verdict = _Verdict()


def refuse_if_not() -> None:
    """Raise the refusal. Runs before every request."""
    if request.blueprint in _WITHOUT_TABLES or (request.endpoint or "").endswith("static"):
        return
    if not verdict.is_usable():
        problem = refuse(RequestCode.UNAVAILABLE, "The service is being updated.")
        problem.headers["Retry-After"] = str(RETRY_SECONDS)
        raise problem
