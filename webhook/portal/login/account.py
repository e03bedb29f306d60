"""The account of the signed-in admin: the password, e-mails about jobs, and where else the admin is signed in."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import Any

from flask import Response, render_template, request, url_for

from schemas import passwords as chosen
from schemas.mails import MailEvent
from schemas.request_problems import RequestCode
from schemas.roles import Operation
from webhook.http.access import needs
from webhook.http.concurrency_limits import PASSWORDS
from webhook.http.errors import refuse
from webhook.portal.login.sign_in import BUSY, checked
from webhook.portal.shared import cookies, flash
from webhook.portal.shared.blueprint import bp
from webhook.portal.shared.forms import Form
from webhook.portal.shared.login_required import redirect_page, session
from worker.accounts import admins, device_cookies, login_throttle, passwords, sessions
from worker.accounts.sessions import Session
from worker.config.settings import get_settings
from worker.database.engine import transaction

_CHANGED = "Your password was changed. You were signed out of all other browsers."
_WRONG = "This isn't your current password."


@bp.get("/account")
@needs(Operation.USE_OWN_ACCOUNT)
def account() -> str:
    return render_template("portal/account.html", form=Form(), **_facts(session()))


@bp.post("/account")
@PASSWORDS
@needs(Operation.USE_OWN_ACCOUNT)
def change_password() -> Any:  # noqa: ANN401 - a page or a redirect
    form, current = Form.sent(), session()
    _judge(form, current)
    if not form.errors:
        try:
            hashed = passwords.hashed(form.value("new_password"))
        except passwords.BusyError:
            form.wrong("", BUSY)
    if form.errors:
        return form.page("portal/account.html", **_facts(current))
    with transaction() as connection:
        admins.set_password(connection, current.admin_id, hashed)
        begun = sessions.begin(connection, current.admin_id)
        browser = device_cookies.remember(connection, current.admin_id, cookies.get(request, cookies.BROWSER))
        sessions.add_notice(connection, begun.id, {"text": _CHANGED, "kind": flash.SUCCESS})
    response = redirect_page(url_for("portal.start" if current.must_change_password else "portal.account"))
    cookies.put(request, response, cookies.SESSION, begun.secret)
    cookies.put(request, response, cookies.BROWSER, browser, device_cookies.KNOWN_SECONDS)
    return response


@bp.post("/account/e-mails")
@needs(Operation.USE_OWN_ACCOUNT)
def choose_mails() -> Response:
    """Choose the events that the admin gets an e-mail for."""
    if not get_settings().offers_mail:
        raise refuse(RequestCode.NOT_FOUND)
    form = Form.sent()
    events = [event for event in MailEvent if form.has(f"mail_{event}")]
    with transaction() as connection:
        admins.set_mail_events(connection, session().admin_id, events)
    text = f"E-mails will be sent to {session().email}." if events else "You will get no e-mails."
    return flash.redirect_with_flash(url_for("portal.account"), text)


def _judge(form: Form, current: Session) -> None:
    """Note why the password cannot be changed."""
    old, new, again = (form.value(name) for name in ("password", "new_password", "new_password_again"))
    fault = chosen.fault_of(new, current.email, current.tenant.name)
    if fault is None and new == old:
        fault = "Choose a password that is different from your current one."
    if fault is not None:
        form.wrong("new_password", fault)
    elif again != new:
        form.wrong("new_password_again", "The passwords don't match. Enter the new password again.")
    if not old or len(old) > chosen.LONGEST:
        form.wrong("password", "Enter your current password." if not old else _WRONG)
    elif not form.errors:
        _confirm(form, current, old)


def _confirm(form: Form, current: Session, password: str) -> None:
    """Note it if this is not the present password. Guesses are throttled, by session."""
    throttle = partial(login_throttle.begin_signed_in, email=current.email, session_id=current.id)
    if checked(form, current.email, password, _WRONG, throttle) is not None:
        with transaction() as connection:
            login_throttle.succeeded_signed_in(connection, current.email, current.id)
    elif form.status == HTTPStatus.UNPROCESSABLE_ENTITY:
        form.errors["password"] = form.errors.pop("")


def _facts(current: Session) -> dict[str, object]:
    with transaction() as connection:
        return {
            "browsers": sessions.count(connection, current.admin_id),
            "shortest": chosen.SHORTEST,
            "mail_form": Form(),
            "mail_events": admins.mail_events(connection, current.admin_id) if get_settings().offers_mail else None,
        }
