"""Sending of e-mails: claim, send outside any transaction, record the result in one that only the lease holder commits.

An e-mail is sent once for each job and event. Only a process that dies, or loses the server's reply, between sending
and recording makes it be sent again, with the same Message-ID. One that cannot be sent is retried for a day, then given
up. Addresses, file names and replies of the server are never logged.
"""

from __future__ import annotations

import random
from urllib.parse import urlsplit

import structlog

from schemas import callback_signing
from schemas.mails import MailResult
from worker.config.failpoints import Failpoint, hit
from worker.config.settings import Settings, get_settings
from worker.database.engine import transaction
from worker.jobs import mails
from worker.jobs.mails import JobMail
from worker.mail import message as texts
from worker.mail import smtp_client
from worker.mail.smtp_client import Fault, Server
from worker.queue import leases

log = structlog.get_logger(__name__)


def deliver(lease: leases.Lease) -> None:
    """Send an e-mail once and record the result. `LostLeaseError` if another worker has the work item now."""
    settings = get_settings()
    hit(Failpoint.MAIL_CLAIMED)
    with transaction() as connection:
        mail = mails.prepare(connection, lease, settings)
    if isinstance(mail, MailResult):
        log.info("mail_not_sent", result=mail.value)
        return
    fault = _send(mail, settings)
    hit(Failpoint.MAIL_SENT)
    pause = None if fault in {None, Fault.REFUSED} else _pause(lease.attempt, settings)
    with transaction() as connection:
        if fault in {None, Fault.REFUSED}:
            mails.end(connection, lease, MailResult.SENT if fault is None else MailResult.REFUSED)
        else:
            mails.retry(connection, lease, pause)
    hit(Failpoint.MAIL_COMMITTED)
    (log.info if fault is None else log.warning)("mail_tried", fault=fault, again_in=pause)


def _send(mail: JobMail, settings: Settings) -> Fault | None:
    envelope = texts.envelope(settings.smtp_sender or "", settings.smtp_reply_to, settings.public_url or "")
    try:
        message = texts.compose(mail, envelope)
    except ValueError:  # an address that no mail server can deliver to
        return Fault.REFUSED
    return smtp_client.send(server_of(settings), message, envelope.sender.addr_spec, mail.address)


def server_of(settings: Settings) -> Server:
    """Return the mail server of the settings."""
    password = settings.smtp_password
    return Server(
        host=settings.smtp_host or "",
        port=settings.smtp_port,
        tls=settings.smtp_tls,
        user=settings.smtp_user,
        password=None if password is None else password.get_secret_value(),
        ca_file=settings.smtp_ca_file,
        own_host=urlsplit(settings.public_url or "").hostname or "localhost",
        seconds=settings.smtp_timeout_seconds,
    )


def _pause(attempt: int, settings: Settings) -> float | None:
    """Return the seconds until the next attempt; None after the last. The schedule is that of callbacks."""
    jitter = random.uniform(-1.0, 1.0)  # noqa: S311 - spreads load, protects no secret
    pause = callback_signing.pause_after(attempt, jitter)
    return None if pause is None else pause * settings.callback_backoff_scale
