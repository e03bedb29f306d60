"""Sign-in and sign-out (R4). Failures give the same response after the same time, whether or not the account exists."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import sqlalchemy as sa
from flask import Response, g, render_template, request, url_for

from schemas import passwords as chosen
from schemas.roles import Operation
from webhook.http import refusals
from webhook.http.access import needs
from webhook.http.auth import client_address
from webhook.http.concurrency_limits import PASSWORDS
from webhook.portal.shared import cookies
from webhook.portal.shared.blueprint import bp, open_to_all
from webhook.portal.shared.content_negotiation import local
from webhook.portal.shared.durations import duration
from webhook.portal.shared.forms import Form
from webhook.portal.shared.login_required import redirect_page, session
from worker.accounts import admins, device_cookies, kept_forms, login_throttle, passwords, sessions
from worker.accounts.admins import Admin
from worker.accounts.login_throttle import Attempt, Reason
from worker.accounts.sessions import Over
from worker.config.settings import get_settings
from worker.database.engine import transaction

LONGEST_EMAIL = 254
WRONG = "The e-mail address or password is incorrect. Check both, then try again."
BUSY = "Many people are signing in right now. Try again in a few seconds."
EXPIRED = "This temporary password has expired. Ask the person who gave it to you for a new one."
WAIT = {
    Reason.ADDRESS: "Too many failed attempts for this e-mail address. Wait {time}, then try again. "
    "Browsers in which you have signed in before don't have to wait.",
    Reason.NETWORK: "Too many failed attempts from your network. Wait {time}, then try again.",
}
_STRANGERS = "strangers"  # all browsers that are not known, in the limit of people who sign in at a time


@bp.get("/")
@needs(Operation.USE_OWN_ACCOUNT)
def start() -> Response:
    return redirect_page("/overview")


@bp.get("/sign-in")
@open_to_all
def sign_in() -> Any:  # noqa: ANN401 - a page or a redirect
    if g.session is not None:
        return redirect_page(local(request.args.get("next")))
    return _page(Form({"next": local(request.args.get("next"))}))


@bp.post("/sign-in")
@open_to_all
def enter() -> Any:  # noqa: ANN401 - a page or a redirect
    form = Form.sent()
    email, password = admins.folded(form.value("email")), form.value("password")
    admin = None
    form.need("email", "password")
    if form.errors:
        pass
    elif len(email) > LONGEST_EMAIL or not email.isprintable() or len(password) > chosen.LONGEST:
        form.wrong("", WRONG)
    else:
        admin = _signed_in(form, email, password)
    return _page(form) if admin is None else _let_in(form, admin)


@bp.post("/sign-out")
@needs(Operation.USE_OWN_ACCOUNT)
def sign_out() -> Response:
    secret = cookies.get(request, cookies.SESSION) or ""
    with transaction() as connection:
        sessions.end(connection, secret)
    return _out("out")


@bp.post("/account/sign-out-everywhere")
@needs(Operation.USE_OWN_ACCOUNT)
def sign_out_everywhere() -> Response:
    with transaction() as connection:
        sessions.end_all(connection, session().admin_id)
    return _out("everywhere")


def checked(
    form: Form, email: str, password: str, wrong: str, throttle: Callable[[sa.Connection], Attempt]
) -> Admin | None:
    """Return the admin with a folded e-mail address and this password; else note the reason and return None.

    `throttle` counts the attempt. Call `login_throttle.succeeded` or `succeeded_signed_in` after a success.
    """
    with transaction() as connection:
        attempt = throttle(connection)
        admin = admins.by_email(connection, email)
    if attempt.wait:
        form.wrong("", WAIT[attempt.reason].format(time=duration(attempt.wait)))
        form.status = 429
        refusals.send_late()
        form.retry_after = attempt.wait
        return None
    try:
        if not passwords.matches(password, None if admin is None else admin.password_hash) or admin is None:
            _failed(form, attempt, wrong)
            return None
        if admin.is_expired:
            _failed(form, attempt, EXPIRED)
            return None
        fresh = passwords.hashed(password) if passwords.is_outdated(admin.password_hash) else None
    except passwords.BusyError:
        form.wrong("", BUSY)
        form.status = 503
        refusals.send_late()
        return None
    if fresh is not None:
        with transaction() as connection:
            admins.rehash(connection, admin, fresh)
    return admin


def _signed_in(form: Form, email: str, password: str) -> Admin | None:
    """Return the admin, as `checked`. Browsers that are known do not wait for those of strangers (R37)."""
    source, browser = client_address(), cookies.get(request, cookies.BROWSER)
    if browser is not None:
        with transaction() as connection:
            browser = browser if device_cookies.is_valid(connection, browser, email) else None
    refusals.send_late(is_late=browser is None)
    with PASSWORDS.held(browser or _STRANGERS):
        refusals.send_late(is_late=False)
        throttle = partial(login_throttle.begin, email=email, source=source, browser=browser)
        admin = checked(form, email, password, WRONG, throttle)
    if admin is not None:
        with transaction() as connection:
            login_throttle.succeeded(connection, email, source)
    return admin


def _failed(form: Form, attempt: Attempt, wrong: str) -> None:
    wait = attempt.wait_after
    form.wrong("", f"{wrong} {WAIT[attempt.reason].format(time=duration(wait))}" if wait else wrong)


def _let_in(form: Form, admin: Admin) -> Response:
    """Start a new session, whatever the browser had before (session fixation)."""
    old = cookies.get(request, cookies.SESSION)
    with transaction() as connection:
        begun = sessions.begin(connection, admin.id)
        browser = device_cookies.remember(connection, admin.id, cookies.get(request, cookies.BROWSER))
        if old is not None:
            kept_forms.hand_over(connection, old, admin.id, begun.id)
            sessions.end(connection, old)
    response = redirect_page(local(form.value("next")))
    cookies.put(request, response, cookies.SESSION, begun.secret)
    cookies.put(request, response, cookies.BROWSER, browser, device_cookies.KNOWN_SECONDS)
    cookies.drop(request, response, cookies.FORM)
    return response


def _out(why: str) -> Response:
    response = redirect_page(url_for("portal.sign_in", why=why))
    cookies.drop(request, response, cookies.SESSION)
    return response


def _page(form: Form) -> Any:  # noqa: ANN401 - Flask has no type for what a view returns
    page = render_template(
        "portal/sign_in.html", form=form, why=_why(request.args.get("why")), is_kept=request.args.get("kept")
    )
    if not form.errors:
        return page
    return page, int(form.status), {"Retry-After": str(form.retry_after)} if form.retry_after else {}


def _why(reason: str | None) -> str:
    """Return why the admin has to sign in, in words; "" if there is nothing to explain."""
    settings = get_settings()
    return {
        Over.IDLE.value: f"You were signed out after {duration(settings.session_idle_minutes * 60)} of inactivity. "
        "Sign in to continue.",
        Over.AGE.value: f"You were signed out after {duration(settings.session_hours * 3600)}. Sign in to continue.",
        Over.ENDED.value: "You were signed out. Sign in to continue.",
        "out": "You are signed out.",
        "everywhere": "You are signed out of all browsers.",
    }.get(reason or "", "")
