"""Confirmations (R30): said by one request, shown top right by the next page of the same browser, told once.

They wait in the session's row, so nothing has to be signed and nothing is lost on the way from a form to its page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import Response, g, redirect

from webhook.portal.shared.login_required import session
from worker.accounts import sessions
from worker.accounts.sessions import Notice
from worker.database.engine import transaction

SUCCESS, INFO, ERROR = "success", "info", "error"


@dataclass(frozen=True)
class Said:
    """A confirmation, to be said at the end of a form."""

    text: str
    kind: str = SUCCESS
    link: str = ""
    label: str = ""

    def at(self, address: str) -> Response:
        """Lead there, and say it."""
        return done(address, self.text, self.kind, link=self.link, label=self.label)


def say(text: str, kind: str = SUCCESS, *, link: str = "", label: str = "") -> None:
    """Have the next page show it. `link` and `label`: where more is told, as "See it in Activity"."""
    with transaction() as connection:
        sessions.tell(connection, session().id, {"text": text, "kind": kind, "link": link, "label": label})


def done(address: str, text: str, kind: str = SUCCESS, *, link: str = "", label: str = "") -> Response:
    """The end of a form that went well: a confirmation, shown by the page at `address`."""
    say(text, kind, link=link, label=label)
    return redirect(address, 303)  # type: ignore[return-value]


def waiting() -> Sequence[Notice]:
    """What is to be shown now; asked by the frame of a page, and only once."""
    found = g.get("session")
    if found is None or not found.has_notices or g.get("notices_shown"):
        return ()
    g.notices_shown = True
    with transaction() as connection:
        return sessions.take(connection, found.id)
