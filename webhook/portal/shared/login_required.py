"""Portal authentication: the cookie identifies a session and its admin (R4). Sets `g.actor`, as tokens do."""

from __future__ import annotations

from flask import Response, g, redirect, request, url_for

from schemas.permissions import Actor
from schemas.request_problems import RequestCode
from schemas.roles import ALL_SCOPES
from webhook.http import request_logs
from webhook.http.errors import refuse
from webhook.portal.shared import cookies, kept_forms
from webhook.portal.shared.content_negotiation import READING, came_from, is_htmx, local, wants_json
from worker.accounts import sessions
from worker.accounts.sessions import Over, Session
from worker.database.engine import transaction

_SIGNED_OUT = "You are signed out. Sign in, then try again."
_MUST_CHANGE = "Choose your own password first."
CHANGING = frozenset({"portal.account", "portal.change_password", "portal.sign_out", "portal.sign_out_everywhere"})


def load() -> None:
    """Load the session: sets `g.session`, None if not signed in, and `g.over`, why a former session has ended."""
    g.session, g.over = None, None
    secret = cookies.get(request, cookies.SESSION)
    if secret is None:
        return
    with transaction() as connection:
        current_session = sessions.find(connection, secret)
    if isinstance(current_session, Session):
        g.session = current_session
        g.actor = Actor(
            current_session.tenant,
            current_session.email,
            current_session.admin_id,
            role=current_session.role,
            scopes=ALL_SCOPES,
        )
        request_logs.bind_actor(g.actor)
    else:
        g.over = current_session


def session() -> Session:
    """Return the session of this request, on a page that needs one."""
    current_session: Session = g.session
    return current_session


def require_admin() -> Response | None:
    """Return a redirect if the admin has to sign in or to change a one-time password first; else None."""
    if g.session is None:
        return _sign_in_first()
    if g.session.must_change_password and request.endpoint not in CHANGING:
        if wants_json(request):
            raise refuse(RequestCode.FORBIDDEN, _MUST_CHANGE)
        return redirect_page(url_for("portal.account"))
    return None


def redirect_page(address: str) -> Response:
    """Redirect to another page, whether a browser requests a page or htmx a part of one."""
    if is_htmx(request):
        return Response(status=204, headers={"HX-Redirect": address})
    return redirect(address, 303)  # type: ignore[return-value]


def _sign_in_first() -> Response:
    if wants_json(request):
        raise refuse(RequestCode.UNAUTHENTICATED, _SIGNED_OUT)
    back, kept = kept_forms.page_of(came_from(request)), None
    if request.method not in READING:
        kept = "1" if kept_forms.keep() else None
    elif not is_htmx(request):
        back = local(request.full_path.rstrip("?"))
    over: Over | None = g.over
    back_to, why = None if back == "/" else back, None if over is None else over.value
    # Parameters that are None are left out.
    return redirect_page(url_for("portal.sign_in", next=back_to, why=why, kept=kept))
