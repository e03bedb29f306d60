"""SMTP client: sends one message to one address over a connection of its own, within a time limit.

The server's host is the operator's setting. With TLS its certificate is verified, and nothing is sent before.
"""

from __future__ import annotations

import smtplib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from email.message import EmailMessage
from enum import StrEnum
from pathlib import Path

from schemas.mail_addresses import PORTS, SmtpTls
from worker.config import tls

CONNECT_SECONDS = 10.0  # for each address of the host, and for each step of the handshake
QUIT_SECONDS = 1.0
PERMANENT = range(500, 600)  # replies that another attempt does not change (RFC 5321, section 4.2.1)
FAILURES = (smtplib.SMTPException, OSError, ValueError)  # ValueError: reads from a connection that was cut


class Fault(StrEnum):
    """Why a message was not sent. Only REFUSED is permanent: an operator can correct the others within a day."""

    NOT_REACHED = "not_reached"
    TIMED_OUT = "timed_out"
    TLS_FAILED = "tls_failed"
    SIGN_IN_FAILED = "sign_in_failed"
    NOT_OFFERED = "not_offered"  # the server has no STARTTLS, no sign-in, or no addresses beyond ASCII
    BUSY = "busy"  # the server refuses the message for now, or refuses us
    REFUSED = "refused"  # the server refuses the recipient or the content for good


_FAULTS: tuple[tuple[type[Exception], Fault], ...] = (
    (smtplib.SMTPAuthenticationError, Fault.SIGN_IN_FAILED),
    (ssl.SSLError, Fault.TLS_FAILED),
    (smtplib.SMTPResponseException, Fault.BUSY),
    (smtplib.SMTPNotSupportedError, Fault.NOT_OFFERED),
)


@dataclass(frozen=True)
class Server:
    """A mail server. `own_host`: the name that the client gives (EHLO). `seconds`: for everything after connecting."""

    host: str
    port: int | None
    tls: SmtpTls
    user: str | None
    password: str | None
    ca_file: Path | None
    own_host: str
    seconds: float


def send(server: Server, message: EmailMessage, sender: str, recipient: str) -> Fault | None:
    """Send the message; return None once the server has accepted it, else the fault.

    If the server's last reply is lost, the message may have been accepted: it is then sent again with the same
    Message-ID.
    """
    return _talk(server, lambda client: client.send_message(message, sender, [recipient]))


def try_out(server: Server, seconds: float) -> Fault | None:
    """Connect, encrypt and sign in within this time, and send nothing; return None if the server accepts all that."""
    return _talk(replace(server, seconds=seconds), lambda _client: None)


def _talk(server: Server, act: Callable[[smtplib.SMTP], object]) -> Fault | None:
    """Connect, encrypt and sign in, and act; return what failed, if anything did."""
    try:
        client = _client(server)
    except FAILURES:  # the certificates to trust cannot be read
        return Fault.TLS_FAILED
    with _limited(client, server.seconds) as limit:
        try:
            _open(client, server)
            act(client)
        except FAILURES as error:
            return Fault.TIMED_OUT if limit.is_set() or _is_timeout(error) else _fault_of(error)
        finally:
            _close(client)
    return None


def _client(server: Server) -> smtplib.SMTP:
    """Return a client that is not connected yet, so that the time limit covers the greeting, too."""
    seconds = min(CONNECT_SECONDS, server.seconds)
    if server.tls is SmtpTls.TLS:
        context = tls.client_context(server.ca_file)
        client: smtplib.SMTP = smtplib.SMTP_SSL(local_hostname=server.own_host, timeout=seconds, context=context)
    else:
        client = smtplib.SMTP(local_hostname=server.own_host, timeout=seconds)
    client._host = server.host  # type: ignore[attr-defined]  # noqa: SLF001 - the name to verify; set only by connecting
    return client


def _open(client: smtplib.SMTP, server: Server) -> None:
    """Connect, encrypt and sign in."""
    code, reply = client.connect(server.host, server.port or PORTS[server.tls])
    if code != 220:  # noqa: PLR2004 - "service ready"
        raise smtplib.SMTPConnectError(code, reply)
    if client.sock is not None:
        client.sock.settimeout(server.seconds)
    if server.tls is SmtpTls.STARTTLS:
        client.starttls(context=tls.client_context(server.ca_file))
    if server.user is not None and server.password is not None:
        client.login(server.user, server.password)


@contextmanager
def _limited(client: smtplib.SMTP, seconds: float) -> Iterator[threading.Event]:
    """Cut the connection after this time, whatever it is doing: each byte of a slow server restarts a time-out.

    The event is set once the time is over.
    """
    is_over = threading.Event()

    def cut() -> None:
        is_over.set()
        if client.sock is not None:
            with suppress(OSError):
                # Not the method of a TLS socket, which would make the reading thread go on without encryption.
                socket.socket.shutdown(client.sock, socket.SHUT_RDWR)

    timer = threading.Timer(CONNECT_SECONDS + seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield is_over
    finally:
        timer.cancel()


def _close(client: smtplib.SMTP) -> None:
    with suppress(*FAILURES):
        if client.sock is not None:
            client.sock.settimeout(QUIT_SECONDS)
            client.quit()
    client.close()


def _is_timeout(error: BaseException) -> bool:
    """Return whether a time-out is the cause; smtplib replaces it by a lost connection."""
    return isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError)


def _fault_of(error: Exception) -> Fault:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        codes = [code for code, _ in error.recipients.values()]
        return Fault.REFUSED if codes and all(code in PERMANENT for code in codes) else Fault.BUSY
    if isinstance(error, smtplib.SMTPDataError):
        return Fault.REFUSED if error.smtp_code in PERMANENT else Fault.BUSY
    return next((fault for kind, fault in _FAULTS if isinstance(error, kind)), Fault.NOT_REACHED)
