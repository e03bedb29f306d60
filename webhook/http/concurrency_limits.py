"""Concurrency limits of a web process: how many requests of a costly kind may run at a time.

A request above its limit is refused at once, with 503 and Retry-After. None waits, so no kind of request can occupy the
threads that all others need. Where callers are distinguished, the last quarter of a limit is for those who have none
running: one caller cannot have everybody else refused (R37).
"""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import contextmanager
from functools import wraps
from threading import Lock
from typing import Any, ParamSpec, TypeVar

from flask import Response

from schemas import request_problems
from schemas.request_problems import RequestCode
from webhook.http.errors import RETRY_SECONDS, Refused
from worker.config import waits
from worker.config.settings import get_settings

P = ParamSpec("P")
R = TypeVar("R")


class Holders:
    """Who holds how many slots of a limit. Not for several threads at once."""

    def __init__(self) -> None:
        self._by_caller = Counter[Hashable]()
        self._in_use = 0

    def enter(self, caller: Hashable, size: int) -> bool:
        """Take one of `size` slots if one is free for this caller; None: callers are not distinguished."""
        reserved = size // 4 if self._by_caller[caller] and caller is not None else 0
        if self._in_use >= size - reserved:
            return False
        self._in_use += 1
        self._by_caller[caller] += 1
        return True

    def leave(self, caller: Hashable) -> None:
        """Give a slot back."""
        self._in_use -= 1
        self._by_caller[caller] -= 1
        if not self._by_caller[caller]:
            del self._by_caller[caller]


class Share:
    """A limit on the requests that may run at a time in this process; a setting gives its size.

    `only_waits`: requests that hold a slot do nothing but wait.
    """

    def __init__(self, setting: str, detail: str, *, only_waits: bool = False) -> None:
        self._setting = setting
        self._detail = detail
        self._only_waits = only_waits
        self._lock = Lock()
        self._holders = Holders()

    @property
    def size(self) -> int:
        """Return the number of slots."""
        return int(getattr(get_settings(), self._setting))

    def try_acquire(self, caller: Hashable = None) -> bool:
        """Take a slot if one is free for this caller, without waiting. None: callers are not distinguished."""
        with self._lock:
            if not self._holders.enter(caller, self.size):
                return False
        if self._only_waits:
            waits.begins()
        return True

    def release(self, caller: Hashable = None) -> None:
        """Give a slot back."""
        with self._lock:
            self._holders.leave(caller)

    def acquire(self, caller: Hashable = None) -> None:
        """Take a slot. Raises `Refused` with 503 if none is free."""
        if not self.try_acquire(caller):
            raise self.refusal()

    def refusal(self) -> Refused:
        """Return the refusal of a request for which no slot is free."""
        body = request_problems.of_request(RequestCode.UNAVAILABLE, self._detail)
        return Refused(body, {"Retry-After": str(RETRY_SECONDS)})

    @contextmanager
    def held(self, caller: Hashable = None) -> Iterator[None]:
        """Hold a slot for the block. Raises `Refused` with 503 if none is free."""
        self.acquire(caller)
        try:
            yield
        finally:
            self.release(caller)

    def __call__(self, view: Callable[P, R]) -> Callable[P, R]:
        """Hold a slot while the view runs."""

        @wraps(view)
        def limited(*arguments: P.args, **options: P.kwargs) -> R:
            with self.held():
                return view(*arguments, **options)

        return limited

    def streamed(self, view: Callable[P, Response]) -> Callable[P, Response]:
        """Hold a slot while the view runs and while its response is streamed, until the stream ends or is closed."""

        @wraps(view)
        def limited(*arguments: P.args, **options: P.kwargs) -> Response:
            self.acquire()
            try:
                response = view(*arguments, **options)
            except BaseException:
                self.release()
                raise
            if response.is_sequence:  # complete already, nothing to stream
                self.release()
            else:
                # Not with `call_on_close`: Werkzeug does not call it for files that it passes through.
                response.response = _Held(response.response, self.release)
            return response

        return limited


class _Held:
    """The blocks of a response; calls `release` once, when they end or are closed."""

    def __init__(self, blocks: Iterable[Any], release: Callable[[], None]) -> None:
        self._blocks = blocks
        self._left = iter(blocks)
        self._finalizer = weakref.finalize(self, release)
        self._finalizer.atexit = False

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:  # noqa: ANN401 - a block of text or bytes
        try:
            return next(self._left)
        except BaseException:
            self._finalizer()
            raise

    def close(self) -> None:
        """Close the blocks."""
        try:
            close: Callable[[], None] | None = getattr(self._blocks, "close", None)
            if close is not None:
                close()
        finally:
            self._finalizer()


WAITS = Share("share_waits", "Too many requests are waiting for jobs.", only_waits=True)
DOWNLOADS = Share("share_downloads", "Too many files are being downloaded.")
UPLOADS = Share("share_uploads", "Too many files are being uploaded.")
PASSWORDS = Share("share_passwords", "Too many people are signing in right now.")
READINESS = Share("share_readiness", "Too many readiness requests at once.")
