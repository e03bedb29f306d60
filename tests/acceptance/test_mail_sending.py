"""E-mails of the whole service: a killed sender loses none, and a mail server that hangs holds nothing up."""

from __future__ import annotations

import contextlib
from pathlib import Path

import httpx

from tests.support.files import sheets
from tests.support.portal_forms import post
from tests.support.servers import service
from tests.support.servers.callback_receiver import NETWORK, Receiver, receiving
from tests.support.servers.mail_server import MailServer, serving
from tests.support.servers.service import NO_TLS, Service, wait_for

DEADLINE = 60.0
BAD_FILE = sheets.PDF  # refused: the shortest job with an e-mail
MAILS = "SELECT result, attempt FROM mails JOIN job_chunks USING (job_id) WHERE phase = 'mail'"


def signed_in(up: Service, name: str) -> httpx.Client:
    """A browser without scripts."""
    account = up.account(name)
    browser = httpx.Client(base_url=up.url, timeout=60.0, trust_env=False, verify=NO_TLS, headers={"Origin": up.url})
    post(browser, "/sign-in", "/sign-in", email=account["email"], password=account["password"])
    return browser


def test_a_killed_sender_and_a_mail_server_that_hangs(tmp_path: Path) -> None:
    with serving() as mail_server, receiving() as receiver:
        settings = mail_server.settings | {"callback_networks": NETWORK, "smtp_timeout_seconds": 60, "lease_seconds": 8}
        with service.running(tmp_path, 1, **settings) as up, contextlib.closing(signed_in(up, "Harbour")) as browser:
            attack(up, browser, mail_server, receiver)


def attack(up: Service, browser: httpx.Client, mail_server: MailServer, receiver: Receiver) -> None:
    client = up.client("Harbour")
    post(browser, "/account", "/account/e-mails", mail_failed="1")
    mail_server.answer("held")
    for number in range(3):
        post(browser, "/account", "/uploads", file=(f"{number}.csv", BAD_FILE))
    # Two threads of the sender wait for the mail server: callbacks and imports go on, to the end.
    wait_for(lambda: len(mail_server.got) == 2, DEADLINE, "two messages under way")
    job = client.upload(service.block(10), callback_url=receiver.url)
    assert client.ended(job)["status"] == "completed"
    wait_for(lambda: receiver.got, DEADLINE, "the callback")
    assert len(mail_server.got) == 2
    # Killed between sending and recording: sent again under the same ids, and the third follows.
    up.processes("upkeep")[0].kill()
    mail_server.answer("ok")
    wait_for(lambda: [row.result for row in up.ask(MAILS)] == ["sent"] * 3, DEADLINE, "every message")
    assert sorted(row.attempt for row in up.ask(MAILS)) == [1, 2, 2]
    ids = [mail.message["Message-ID"] for mail in mail_server.got]
    assert (len(ids), len(set(ids))) == (5, 3)
    assert {mail.message["Subject"] for mail in mail_server.got} == {f"Failed: upload of {n}.csv" for n in range(3)}
