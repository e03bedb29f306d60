"""E-mails to the admins of a tenant whose subscription was switched off, because its receiver accepted nothing."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import DBAPIError

from worker.config.errors import reason_of
from worker.config.settings import Settings, get_settings
from worker.database.engine import transaction
from worker.jobs import webhooks
from worker.mail import message as texts
from worker.mail import smtp_client
from worker.mail.deliver import server_of
from worker.mail.smtp_client import Fault

log = structlog.get_logger(__name__)

MOST = 5  # subscriptions in one round


def notify_admins() -> int:
    """Send the e-mails that are due, once for each switching off; return for how many subscriptions.

    If the mail server is not reached, a later round sends them.
    """
    settings = get_settings()
    if not settings.offers_mail:
        return 0
    try:
        with transaction() as connection:
            due = webhooks.unnotified(connection, MOST)
    except DBAPIError as error:
        log.warning("mail_not_sent", error=type(error).__name__, reason=reason_of(error))
        return 0
    for subscription in due:
        faults = {_send(address, subscription, settings) for address in subscription.addresses}
        if faults - {None, Fault.REFUSED}:
            log.warning("mail_not_sent", faults=sorted(str(fault) for fault in faults))
        if faults and not faults & {None, Fault.REFUSED}:
            with transaction() as connection:
                webhooks.notify_again(connection, subscription.id)
    return len(due)


def _send(address: str, subscription: sa.Row[Any], settings: Settings) -> Fault | None:
    envelope = texts.envelope(settings.smtp_sender or "", settings.smtp_reply_to, settings.public_url or "")
    try:
        message = texts.compose_switched_off(address, subscription, envelope)
    except ValueError:  # an address that no mail server can deliver to
        return Fault.REFUSED
    return smtp_client.send(server_of(settings), message, envelope.sender.addr_spec, address)
