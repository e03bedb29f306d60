"""Flash messages (R30): added by one request, shown top right by the next page of the same browser, once.

They are stored in the session's row, so nothing has to be signed, and nothing is lost between a form and its page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import Response, g, redirect

from webhook.portal.shared.login_required import session
from worker.accounts import sessions
from worker.accounts.sessions import Notice
from worker.database.engine import transaction

SUCCESS, INFO, WARNING, ERROR = "success", "info", "warning", "error"  # warning: a part was done, a part failed


@dataclass(frozen=True)
class FlashMessage:
    """A flash message for the end of a form."""

    text: str
    kind: str = SUCCESS
    link: str = ""
    label: str = ""

    def at(self, address: str) -> Response:
        """Redirect to `address` with this flash message."""
        return redirect_with_flash(address, self.text, self.kind, link=self.link, label=self.label)


def flash(text: str, kind: str = SUCCESS, *, link: str = "", label: str = "") -> None:
    """Add a flash message for the next page. `link` and `label`: where to read more, such as "See it in Activity"."""
    with transaction() as connection:
        sessions.add_notice(connection, session().id, {"text": text, "kind": kind, "link": link, "label": label})


def redirect_with_flash(address: str, text: str, kind: str = SUCCESS, *, link: str = "", label: str = "") -> Response:
    """Redirect to `address` with a flash message, at the end of a successful form."""
    flash(text, kind, link=link, label=label)
    return redirect(address, 303)  # type: ignore[return-value]


def pending_messages() -> Sequence[Notice]:
    """Return the flash messages to show now. Called by the layout of a page; they are returned only once."""
    current_session = g.get("session")
    if current_session is None or not current_session.has_notices or g.get("notices_shown"):
        return ()
    g.notices_shown = True
    with transaction() as connection:
        return sessions.take(connection, current_session.id)
