"""A real SMTP server (aiosmtpd) in a process of its own, for tests: it answers as it is told and keeps what it got.

It offers STARTTLS with a certificate for 127.0.0.1 by an authority that is made with it, and takes mail only over TLS
and from those who sign in. Parent and server share a folder: `mode` (see `MODES`), `password`, `got` (a file for each
message).
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import trustme

from tests.support.servers.service import wait_for
from worker.runtime.processes.ports import free_port

USER, PASSWORD = "numberyard", "s3cret words"
START_SECONDS = 30.0
# "lost": the message is taken, and the connection ends without an answer. "held": it is answered when the mode changes.
MODES = ("ok", "busy", "refused", "spam", "hang", "close", "lost", "held")


@dataclass(frozen=True)
class Mail:
    """A message as it came."""

    sender: str
    recipients: list[str]
    greeting: str
    is_encrypted: bool
    is_signed_in: bool
    content: bytes

    @property
    def message(self) -> EmailMessage:
        found = message_from_bytes(self.content, policy=policy.default)
        assert isinstance(found, EmailMessage)
        return found

    def text(self, kind: str = "plain") -> str:
        """A part of the message, "plain" or "html"."""
        part = self.message.get_body((kind,))
        assert part is not None
        return str(part.get_content()).replace("\r\n", "\n")


@dataclass(frozen=True)
class MailServer:
    """The running server."""

    folder: Path
    port: int

    @property
    def ca_file(self) -> Path:
        return self.folder / "authority.pem"

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that have the service use it."""
        return {
            "public_url": "https://numbers.example",
            "smtp_host": "127.0.0.1",
            "smtp_port": self.port,
            "smtp_tls": "starttls",
            "smtp_user": USER,
            "smtp_password": PASSWORD,
            "smtp_sender": "Numberyard <no-reply@numbers.example>",
            "smtp_reply_to": "help@numbers.example",
            "smtp_ca_file": self.ca_file,
        }

    @property
    def got(self) -> list[Mail]:
        """What it has taken so far, oldest first."""
        return [_read(path) for path in sorted((self.folder / "got").glob("*.json"))]

    def answer(self, mode: str) -> None:
        assert mode in MODES
        part = self.folder / ".mode"
        part.write_text(mode)
        part.rename(self.folder / "mode")

    def change_password(self, password: str) -> None:
        """Refuse every other password from now on."""
        part = self.folder / ".password"
        part.write_text(password)
        part.rename(self.folder / "password")

    def forget(self) -> None:
        for path in (self.folder / "got").glob("*.json"):
            path.unlink()
        self.answer("ok")


def _read(path: Path) -> Mail:
    fields = json.loads(path.read_text())
    return Mail(**fields | {"content": fields["content"].encode("latin-1")})


@contextmanager
def serving(*, tls: str = "starttls") -> Iterator[MailServer]:
    """A server for the length of a block. `tls`: "starttls", "tls" or "none" (then without sign-in)."""
    with TemporaryDirectory() as name:
        server = MailServer(Path(name), free_port())
        (server.folder / "got").mkdir()
        server.answer("ok")
        server.change_password(PASSWORD)
        _certify(server)
        command = [sys.executable, "-m", "tests.support.servers.mail_server", name, str(server.port), tls]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        try:
            wait_for(lambda: (server.folder / "ready").exists() or process.poll() is not None, START_SECONDS, "server")
            assert process.poll() is None
            yield server
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(START_SECONDS)


def _certify(server: MailServer) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(server.ca_file))
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(server.folder / "server.pem"))


class Handler:
    """The server's side: called by aiosmtpd for each step of a conversation."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0

    def _mode(self) -> str:
        return (self._folder / "mode").read_text()

    async def handle_RCPT(self, *given: Any) -> str:  # noqa: ANN401, N802 - aiosmtpd's
        envelope, address = given[2], given[3]
        if self._mode() == "refused":
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: ANN401, N802 - aiosmtpd's
        mode = self._mode()
        if mode == "hang":
            await asyncio.sleep(3600)
        if mode == "close":
            server.transport.abort()
        if mode in {"ok", "lost", "held"}:
            self._keep(server, session, envelope)
        if mode == "lost":
            server.transport.abort()
        while mode == "held" and self._mode() == "held":  # noqa: ASYNC110 - the mode is in a file
            await asyncio.sleep(0.02)
        return {"busy": "451 4.3.0 try later", "spam": "554 5.7.1 looks like spam"}.get(mode, "250 OK")

    def _keep(self, server: Any, session: Any, envelope: Any) -> None:  # noqa: ANN401 - aiosmtpd's
        self._count += 1
        fields = {
            "sender": envelope.mail_from,
            "recipients": envelope.rcpt_tos,
            "greeting": session.host_name,
            "is_encrypted": server.transport.get_extra_info("ssl_object") is not None,
            "is_signed_in": bool(session.authenticated),
            "content": envelope.content.decode("latin-1"),
        }
        part = self._folder / f".{self._count}"
        part.write_text(json.dumps(fields))
        part.rename(self._folder / "got" / f"{self._count:06}.json")


def main(folder: Path, port: int, tls: str) -> None:
    from aiosmtpd.controller import Controller  # noqa: PLC0415 - only the server's process needs it
    from aiosmtpd.smtp import AuthResult  # noqa: PLC0415

    def judge(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> Any:  # noqa: ANN401
        expected = (USER.encode(), (folder / "password").read_bytes())
        # Not handled: the server itself answers a refusal.
        return AuthResult(success=(data.login, data.password) == expected, handled=False)

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    options: dict[str, Any] = {"hostname": "127.0.0.1", "port": port}
    if tls != "none":
        options |= {"authenticator": judge, "auth_required": True, "auth_require_tls": tls == "starttls"}
    if tls == "starttls":
        options |= {"tls_context": context, "require_starttls": True}
    if tls == "tls":
        options["ssl_context"] = context
    controller = Controller(Handler(folder), **options)
    controller.start()
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    (folder / "ready").touch()
    while not over.wait(1.0) and os.getppid() != 1:  # ends with the tests, too, if they were killed
        pass
    os._exit(0)  # conversations that hang are not waited for


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
