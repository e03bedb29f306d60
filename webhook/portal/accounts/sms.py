"""Manage SMS: whether a user has SMS service, and with which numbers (R20)."""

from __future__ import annotations

from typing import Any

from schemas.http.users import User
from webhook.portal.accounts import user_numbers
from webhook.portal.accounts.user_numbers import BOX_SEARCH
from webhook.portal.accounts.users import list_of
from webhook.portal.shared.blueprint import bp
from webhook.portal.shared.forms import Form
from webhook.services import user_numbers as user_number_service
from webhook.services import users

LABELS = {"sms_enabled": "Enable SMS Service", "sms_dids": "Unassigned DIDs"}


@bp.get("/users/<user_id>/sms", endpoint="sms")
def manage_sms(user_id: str) -> Any:  # noqa: ANN401 - a page and its status
    return _page(Form(), users.get(user_id))


@bp.post("/users/<user_id>/sms")
def submit_sms(user_id: str) -> Any:  # noqa: ANN401 - a redirect or the form
    form, user = Form.sent(), users.get(user_id)
    if user_numbers.is_search(form):
        return _page(form, user)
    with form.faults():
        enabled = form.has("sms_enabled")
        done = user_number_service.manage_sms(user_id, user_numbers.sms_exchange(form), enabled=enabled)
        state = f"SMS is {'now on' if enabled else 'now off' if done.is_done else 'still on'} for {user.name}."
        return user_numbers.exchange_message(user.name, done, state).at(list_of(user))
    user_numbers.blame_typed(form, user.kind)
    return _page(form, user)


def _page(form: Form, user: User) -> Any:  # noqa: ANN401 - a page and its status
    free = user_numbers.free(user.tenant.id, "sms", BOX_SEARCH, form.value(BOX_SEARCH))
    return form.page("portal/sms.html", user=user, free=free, back=list_of(user), labels=LABELS)
