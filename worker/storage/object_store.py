"""The client of the object store: part size, time-outs, retries, a limit on concurrent calls, and its error messages.

Every call ends: obstore retries server errors (503 SlowDown included), connection errors and time-outs with back-off,
for at most `RETRY_SECONDS` plus the request in progress. After that, the work item is given back and retried.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from obstore.store import ObjectStore, from_url

from worker.config.settings import Settings

log = structlog.get_logger(__name__)

PART_SIZE = 8 * 1024 * 1024  # bytes; S3 refuses parts below 5 MiB, and takes 10,000 of them
PARTS_AT_ONCE = 2  # of one upload; with the part being filled, 24 MiB of memory
CONNECT_SECONDS = 3.0
MAX_RETRIES = 8  # if 30 % of all requests are refused, 1 of 50,000 calls fails
RETRY_SECONDS = 15.0
PROBE_SECONDS = 1.5  # per request of the readiness check; a refused request is retried, an unanswered one is not
PROBE_RETRIES = 3
LONGEST_MESSAGE = 300  # characters
_LOCAL = ("file:", "memory:")
_XML = {name: re.compile(rf"<{name}>\s*([^<]*?)\s*</{name}>") for name in ("Code", "Message", "RequestId")}
_STATUS = re.compile(r"status code: (\d{3})")
# Texts in the library's errors if the store sent no error document -> our code.
_KINDS = {
    "kind: Timeout": "TIME_OUT",
    "kind: Connect": "CONNECTION_REFUSED",
    "kind: Interrupted": "CONNECTION_LOST",
    "error sending request": "NO_ANSWER",  # all that writers report
}
MISSING_OBJECT = ("NoSuchKey", "BlobNotFound")  # any other 404 (no bucket, wrong address) says nothing about the file
EMPTY_OBJECT = "InvalidRange"  # S3's error for the first bytes of an empty object


class StoreError(Exception):
    """The store fails at the moment: it is full, or does not respond. The file is not the cause; a retry may succeed.

    `code` and `request_id` are the store's own, empty if it sent none.
    """

    def __init__(self, message: str, code: str = "", request_id: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.request_id = request_id

    @property
    def log_reason(self) -> str:
        """The text for logs: keys of files and the store's own message."""
        return str(self)


class StoreBusyError(StoreError):
    """This process has reached its limit of concurrent store calls."""


@dataclass(frozen=True)
class Failure:
    """The parts of the store's response to a call that failed."""

    code: str
    message: str
    request_id: str

    def __str__(self) -> str:
        text = ": ".join(part for part in (self.code, self.message) if part)
        return text[:LONGEST_MESSAGE] + (f" (request {self.request_id})" if self.request_id else "")


def failure_of(error: Exception) -> Failure:
    """Return the store's own code, message and request id, as far as the error contains them."""
    text = str(error).partition("Debug source:")[0]
    code, message, request_id = (
        match[1] if (match := pattern.search(text)) is not None else "" for pattern in _XML.values()
    )
    status = _STATUS.search(text)
    code = code or next((name for sign, name in _KINDS.items() if sign in str(error)), status[1] if status else "")
    return Failure(code, message or " ".join(text.split("<?xml")[0].split()), request_id)


def as_store_error(key: str, error: Exception) -> StoreError:
    """Return the error for callers of the storage, and log the store's response."""
    failure = failure_of(error)
    log.warning("store_call_failed", key=key, code=failure.code, request=failure.request_id, reason=failure.message)
    return StoreError(f"{key}: {failure}", failure.code, failure.request_id)


def connect(settings: Settings, *, probing: bool = False) -> ObjectStore:
    """Return a client of the configured store; with `probing`, one that gives up within `PROBE_SECONDS`."""
    url = settings.files_url
    if url.startswith("file:"):
        return from_url(url, mkdir=True, automatic_cleanup=True)
    if is_local(url):
        return from_url(url)
    return from_url(
        url,
        client_options=_client(settings, probing),
        retry_config=_retries(probing),
        config=_location_options(settings),
    )


def is_local(url: str) -> bool:
    """Return whether the files are on this machine."""
    return url.startswith(_LOCAL)


def _client(settings: Settings, probing: bool) -> Any:  # noqa: ANN401, FBT001 - obstore has no names for these types at run time
    """Return the options of the HTTP client. `timeout` covers a whole request: sending a part and the response."""
    seconds = PROBE_SECONDS if probing else settings.storage_timeout_seconds
    options: dict[str, Any] = {
        "connect_timeout": timedelta(seconds=min(CONNECT_SECONDS, seconds)),
        "timeout": timedelta(seconds=seconds),
        "allow_http": (settings.storage_endpoint or "").startswith("http://"),
    }
    if settings.storage_ca_file is not None:
        options["root_certificate"] = settings.storage_ca_file.read_bytes()
    return options


def _retries(probing: bool) -> Any:  # noqa: ANN401, FBT001 - obstore has no names for these types at run time
    return {
        "max_retries": PROBE_RETRIES if probing else MAX_RETRIES,
        "retry_timeout": timedelta(seconds=PROBE_SECONDS / 2 if probing else RETRY_SECONDS),
        "backoff": {
            "init_backoff": timedelta(milliseconds=100),
            "max_backoff": timedelta(seconds=3),
            "base": 2,
        },
    }


def _location_options(settings: Settings) -> Any:  # noqa: ANN401 - each provider has a type of its own
    """Return endpoint and region, if set; credentials come from the provider's own environment variables."""
    options = {"endpoint": settings.storage_endpoint, "region": settings.storage_region}
    return {name: value for name, value in options.items() if value is not None}


class Calls:
    """A limit on the concurrent store calls of this process.

    With it, a store that does not respond uses up only a share of a web process's threads.
    """

    def __init__(self, most: int) -> None:
        self._free = threading.BoundedSemaphore(most)

    @contextmanager
    def slot(self, wait: float) -> Iterator[None]:
        """Occupy a slot during the block. `StoreBusyError` if none is free within `wait` seconds."""
        if not self._free.acquire(timeout=wait):
            raise StoreBusyError("too many calls of the storage are under way")
        try:
            yield
        finally:
            self._free.release()
