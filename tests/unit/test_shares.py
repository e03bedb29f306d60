"""A slot of a share is given back however its request ends; a request that finds none free is refused at once."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator

import pytest
from apiflask import APIFlask
from flask import Flask, Response, send_file

from webhook.http import errors
from webhook.http.concurrency_limits import DOWNLOADS, Share
from webhook.http.downloads import StoredFile, sent_stored
from webhook.http.errors import Refused
from worker.storage.files import StoreError

CONTENT = b"content"
SLOTS = 2


class TwoSlots(Share):
    """A share whose size is no setting."""

    @property
    def size(self) -> int:
        return SLOTS


@pytest.fixture
def share() -> Share:
    return TwoSlots("", "Too many.")


def left(share: Share) -> int:
    """The number of free slots."""
    taken = 0
    while share.try_acquire():
        taken += 1
    for _ in range(taken):
        share.release()
    return taken


def blocks() -> Response:
    def made() -> Iterator[bytes]:
        yield CONTENT
        yield CONTENT

    return Response(made())


def file() -> Response:
    return send_file(io.BytesIO(CONTENT), mimetype="text/plain")


def whole() -> Response:
    return Response(CONTENT)


def failing() -> Response:
    raise ValueError


@pytest.mark.parametrize("view", [blocks, file, whole, failing])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("is_read", [True, False])
def test_every_end_gives_the_slot_back(share: Share, view: Callable[[], Response], method: str, is_read: bool) -> None:
    app = Flask(__name__)
    app.add_url_rule("/", view_func=share.streamed(view))
    for _ in range(SLOTS + 1):
        response = app.test_client().open("/", method=method)
        assert response.status_code == (500 if view is failing else 200)
        if is_read:
            response.get_data()
        response.close()
        assert left(share) == SLOTS


def test_a_stream_holds_its_slot(share: Share) -> None:
    """Until it has ended, not only until the view has returned."""
    view = share.streamed(blocks)
    streams = [view().iter_encoded() for _ in range(SLOTS)]
    assert left(share) == 0
    with pytest.raises(Refused) as refused:
        view()
    assert (refused.value.body["status"], refused.value.headers["Retry-After"]) == (503, "2")
    assert b"".join(streams[0]) == CONTENT * 2
    assert left(share) == 1
    view()


class Opened(io.BytesIO):
    """A file of the storage; counts those that are open."""

    count = 0

    def __init__(self) -> None:
        super().__init__(CONTENT)
        Opened.count += 1

    def close(self) -> None:
        Opened.count -= not self.closed
        super().close()


def stored() -> Response:
    return sent_stored(StoredFile(lambda: (Opened(), len(CONTENT)), "a.xlsx", "text/plain", "tag"))


def unreadable() -> Response:
    def fail() -> tuple[io.BytesIO, int]:
        raise StoreError("a fault of the test's")

    return sent_stored(StoredFile(fail, "a.xlsx", "text/plain", "tag"))


@pytest.mark.parametrize(
    ("view", "asked", "status"),
    [
        (stored, {}, 200),
        (stored, {"Range": "bytes=2-3"}, 206),
        (stored, {"If-None-Match": '"tag"'}, 304),
        (stored, {"If-Match": '"other"'}, 412),
        (stored, {"Range": "bytes=99-"}, 416),
        (unreadable, {}, 503),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("is_read", [True, False])
def test_every_end_of_a_stored_file_gives_the_slot_back(
    view: Callable[[], Response], asked: dict[str, str], status: int, method: str, is_read: bool
) -> None:
    """And closes the file; a client that leaves closes the response before its end."""
    app = APIFlask(__name__)
    errors.register(app)
    app.add_url_rule("/", view_func=view)
    response = app.test_client().open("/", method=method, headers=asked)
    assert response.status_code == (200 if method == "HEAD" and "Range" in asked else status)
    if is_read:
        response.get_data()
    response.close()
    assert (left(DOWNLOADS), Opened.count) == (DOWNLOADS.size, 0)


def test_a_stored_file_is_not_opened_without_a_slot() -> None:
    with contextlib.ExitStack() as held:
        for _ in range(DOWNLOADS.size):
            held.enter_context(DOWNLOADS.held())
        with pytest.raises(Refused):
            stored()
        assert Opened.count == 0
