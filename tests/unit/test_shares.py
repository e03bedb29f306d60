"""A slot of a share is given back however its request ends; a request that finds none free is refused at once."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator

import pytest
from flask import Flask, Response, send_file

from webhook.errors import Refused
from webhook.shares import Share

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
