"""The changes of the inventory, as the actor sees them (R34)."""

from __future__ import annotations

import time

from schemas.http.changes import ChangeList, ChangesQuery
from schemas.request_problems import RequestCode
from webhook.http import auth
from webhook.http.concurrency_limits import WAITS
from webhook.http.errors import refuse
from worker.database.engine import snapshot, transaction
from worker.numbers import change_events, changes
from worker.numbers.changes import Cursor

_PAUSE = 0.5  # seconds between two queries for a new change


def page(query: ChangesQuery) -> ChangeList:
    """Return the next changes; with `wait`, once there is one, at most so many seconds later.

    Raises `Refused` if the cursor is unknown or expired, or if too many requests wait already.
    """
    found = _page(query)
    if found.data or not query.wait:
        return found
    after = Cursor.parse(found.next_cursor)
    if not WAITS.try_acquire():
        raise WAITS.refusal()
    try:
        deadline = time.monotonic() + query.wait
        while (left := deadline - time.monotonic()) > 0:
            time.sleep(min(_PAUSE, left))
            with transaction() as connection:
                if changes.last(connection, auth.actor()).position > after.position:
                    return _page(query.model_copy(update={"after": str(after)}))
        return found
    finally:
        WAITS.release()


def _page(query: ChangesQuery) -> ChangeList:
    actor = auth.actor()
    try:
        with snapshot() as connection:
            after = None if query.after is None else Cursor.parse(query.after)
            found = changes.read(connection, actor, after, query.limit)
            events = change_events.rendered(connection, actor, found.numbers)
    except changes.UnknownCursorError:
        detail = "The cursor is not one of your changes. If it once was, the database was restored from a backup since."
        raise refuse(RequestCode.CURSOR_EXPIRED, detail, field="after", value=query.after) from None
    except changes.ExpiredCursorError:
        raise refuse(RequestCode.CURSOR_EXPIRED) from None
    return ChangeList(data=events, next_cursor=str(found.end))
