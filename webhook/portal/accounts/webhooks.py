"""Webhooks: subscriptions to events, their secrets, tests and deliveries (R35). Only one's own tenant sees them (R3).

Only the response that creates or replaces a secret shows it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import Response, render_template, request, url_for
from werkzeug.datastructures import MultiDict

from schemas.callback_signing import DAYS_TO_DISABLE
from schemas.http import webhooks as bodies
from schemas.http.callbacks import DeliveryResult
from schemas.http.tenants import PageQuery
from schemas.http.webhooks import JOB, AllEvents, MessageState
from schemas.roles import Operation
from webhook.http.access import needs
from webhook.portal.shared import flash
from webhook.portal.shared.blueprint import bp
from webhook.portal.shared.forms import Form
from webhook.portal.shared.pagination import listed
from webhook.services import webhooks

LABELS = {"url": "URL", "events": "Events", "description": "Description"}
EVENT_CHOICES = [
    (legend, [(event.value, text) for event, text in bodies.EVENT_TEXTS.items() if event.startswith(JOB) == is_job])
    for legend, is_job in (("Events about jobs", True), ("Events about phone numbers", False))
]
TYPES = {
    **{event.value: text for event, text in bodies.EVENT_TEXTS.items()},
    "number.changes": "Phone numbers changed",
    "webhook.test": "Test event",
}
STATES = {
    MessageState.PENDING: ("Sending", "busy"),
    MessageState.DELIVERED: ("Delivered", "good"),
    MessageState.FAILED: ("Failed", "bad"),
}
RESULTS = {
    DeliveryResult.DELIVERED: "Delivered",
    DeliveryResult.HTTP_ERROR: "Refused by your server",
    DeliveryResult.GONE: "Refused by your server for good",
    DeliveryResult.REDIRECTED: "Redirected: use the final URL",
    DeliveryResult.REFUSED_ADDRESS: "Private or local address: not allowed",
    DeliveryResult.NOT_REACHED: "Your server could not be reached",
    DeliveryResult.TIMED_OUT: "No response in time",
    DeliveryResult.TLS_FAILED: "No secure connection: check the certificate",
    DeliveryResult.NOT_HTTP: "Not an HTTP response",
}


@bp.get("/webhooks", endpoint="webhooks")
@needs(Operation.READ_JOBS)
def list_webhooks() -> Any:  # noqa: ANN401 - a page and its status
    return _list_page(Form.fresh(url_for("portal.make_webhook"), _new().fields))


@bp.post("/webhooks")
@needs(Operation.MANAGE_WEBHOOKS)
def make_webhook() -> Any:  # noqa: ANN401 - a page and its status
    """Show the secret in this response, not on a page after a redirect: so it is not stored anywhere."""
    form = Form.sent()
    with form.faults():
        made = webhooks.create(form.body(bodies.NewWebhook, lists=("events",)))
        return _list_page(_new(), made=made)[0], 201
    _join_errors(form)
    return _list_page(form)


@bp.get("/webhooks/<webhook_id>", endpoint="webhook")
@needs(Operation.READ_JOBS)
def show_webhook(webhook_id: str) -> Any:  # noqa: ANN401 - a page and its status
    return _detail_page(webhooks.get(webhook_id))


@bp.get("/webhooks/<webhook_id>/edit")
@needs(Operation.MANAGE_WEBHOOKS)
def edit_webhook(webhook_id: str) -> Any:  # noqa: ANN401 - a page and its status
    webhook = webhooks.get(webhook_id)
    fields = MultiDict([("url", webhook.url), ("description", webhook.description)])
    fields.setlist("events", [event.value for event in webhook.events])
    form = Form.fresh(url_for("portal.change_webhook", webhook_id=webhook_id), fields)
    return _edit_page(webhook, form)


@bp.post("/webhooks/<webhook_id>/edit")
@needs(Operation.MANAGE_WEBHOOKS)
def change_webhook(webhook_id: str) -> Any:  # noqa: ANN401 - a redirect or the form
    form, webhook = Form.sent(), webhooks.get(webhook_id)
    form.need("url")
    if not form.errors:
        with form.faults():
            description = form.value("description").strip()  # an empty one, too
            webhooks.change(webhook.id, form.body(bodies.WebhookChange, lists=("events",), description=description))
            return flash.redirect_with_flash(_address(webhook), "The webhook was saved.")
    _join_errors(form)
    return _edit_page(webhook, form)


@bp.post("/webhooks/<webhook_id>/<any(enable, disable):change>")
@needs(Operation.MANAGE_WEBHOOKS)
def switch_webhook(webhook_id: str, change: str) -> Response:
    is_on = change == "enable"
    webhook = webhooks.change(webhook_id, bodies.WebhookChange(enabled=is_on))
    text = "The webhook is on." if is_on else "The webhook is off. Nothing is sent until you enable it."
    return flash.redirect_with_flash(_address(webhook), text)


@bp.post("/webhooks/<webhook_id>/test")
@needs(Operation.MANAGE_WEBHOOKS)
def test_webhook(webhook_id: str) -> Any:  # noqa: ANN401 - a redirect or the page
    webhook, form = webhooks.get(webhook_id), Form()
    with form.faults():
        message = webhooks.test(webhook.id)
        address = url_for("portal.webhook_message", webhook_id=webhook.id, message_id=message.id)
        return flash.redirect_with_flash(address, "A test event is being sent.", flash.INFO)
    return _detail_page(webhook, form)


@bp.get("/webhooks/<webhook_id>/secret")
@needs(Operation.MANAGE_WEBHOOKS)
def ask_to_replace_secret(webhook_id: str) -> str:
    return render_template("portal/webhook_secret.html", webhook=webhooks.get(webhook_id))


@bp.post("/webhooks/<webhook_id>/secret")
@needs(Operation.MANAGE_WEBHOOKS)
def replace_secret(webhook_id: str) -> Any:  # noqa: ANN401 - a page and its status
    made = webhooks.rotate(webhook_id)
    return _detail_page(made, made=made)


@bp.get("/webhooks/<webhook_id>/delete")
@needs(Operation.MANAGE_WEBHOOKS)
def ask_to_delete_webhook(webhook_id: str) -> str:
    return render_template("portal/webhook_delete.html", webhook=webhooks.get(webhook_id))


@bp.post("/webhooks/<webhook_id>/delete")
@needs(Operation.MANAGE_WEBHOOKS)
def delete_webhook(webhook_id: str) -> Response:
    webhooks.delete(webhook_id)
    return flash.redirect_with_flash(url_for("portal.webhooks"), "The webhook was deleted.")


@bp.get("/webhooks/<webhook_id>/messages/<message_id>", endpoint="webhook_message")
@needs(Operation.READ_JOBS)
def show_message(webhook_id: str, message_id: str) -> Any:  # noqa: ANN401 - a page and its status
    return _message_page(webhook_id, message_id, Form())


@bp.post("/webhooks/<webhook_id>/messages/<message_id>/replay")
@needs(Operation.MANAGE_WEBHOOKS)
def replay_message(webhook_id: str, message_id: str) -> Any:  # noqa: ANN401 - a redirect or the page
    form = Form()
    with form.faults():
        webhooks.replay(webhook_id, message_id)
        address = url_for("portal.webhook_message", webhook_id=webhook_id, message_id=message_id)
        return flash.redirect_with_flash(address, "The event is being sent again.", flash.INFO)
    return _message_page(webhook_id, message_id, form)


def why_off(webhook: bodies.Webhook) -> str:
    """Return why a subscription is switched off, and what to do."""
    if webhook.disabled_at is None:
        return "It was switched off by an admin."
    longest = timedelta(days=DAYS_TO_DISABLE)
    is_over = webhook.failing_since is not None and webhook.disabled_at - webhook.failing_since > longest
    reason = (
        f"nothing could be delivered for {DAYS_TO_DISABLE:.0f} days"
        if is_over
        else "your server responded that this URL is gone (410)"
    )
    return f"It was switched off automatically because {reason}. Check the URL, then enable it."


def _address(webhook: bodies.Webhook) -> str:
    return url_for("portal.webhook", webhook_id=webhook.id)


def _new() -> Form:
    """Return an empty form, with all events about jobs preselected."""
    return Form(MultiDict([("events", AllEvents.JOB.value)]))


def _join_errors(form: Form) -> None:
    """Show the errors of single events beside the field."""
    texts = [form.errors.pop(field) for field in list(form.errors) if field.partition(".")[0] == "events"]
    if texts:
        form.errors["events"] = " ".join(dict.fromkeys(texts)) if form.values("events") else "Choose at least one."


def _list_page(form: Form, made: bodies.WebhookWithSecret | None = None) -> Any:  # noqa: ANN401 - a page and its status
    page = listed(Form(request.args), PageQuery, webhooks.page, "portal.webhooks")
    shown = render_template("portal/webhooks.html", form=form, page=page, made=made, **_words())
    return shown, int(form.status) if form.errors else page.status


def _edit_page(webhook: bodies.Webhook, form: Form) -> Any:  # noqa: ANN401 - a page and its status
    return form.page("portal/webhook_edit.html", webhook=webhook, **_words())


def _detail_page(
    webhook: bodies.Webhook, form: Form | None = None, made: bodies.WebhookWithSecret | None = None
) -> Any:  # noqa: ANN401 - a page and its status
    form, query = form or Form(), Form(request.args)

    def messages(found: bodies.WebhookMessagesQuery) -> bodies.WebhookMessageList:
        return webhooks.messages(webhook.id, found)

    page = listed(query, bodies.WebhookMessagesQuery, messages, "portal.webhook", webhook_id=webhook.id)
    shown = render_template("portal/webhook.html", form=form, webhook=webhook, page=page, made=made, **_words())
    return shown, int(form.status) if form.errors else page.status


def _message_page(webhook_id: str, message_id: str, form: Form) -> Any:  # noqa: ANN401 - a page and its status
    webhook, message = webhooks.get(webhook_id), webhooks.message(webhook_id, message_id)
    return form.page("portal/webhook_message.html", webhook=webhook, message=message, **_words())


def _words() -> dict[str, Any]:
    """Return what the templates say of events, states and results."""
    return {
        "labels": LABELS,
        "event_choices": EVENT_CHOICES,
        "types": TYPES,
        "states": STATES,
        "results": RESULTS,
        "why_off": why_off,
    }
