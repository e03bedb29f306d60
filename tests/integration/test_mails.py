"""E-mails about jobs, sent to a real SMTP server: to the person who started the job and chose them, and to no other."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa

from schemas import callback_signing
from schemas.jobs import Phase
from schemas.metrics import MAILS, PENDING
from schemas.permissions import Tenant
from tests.support.api_client import Door
from tests.support.factories import World
from tests.support.files import sheets
from tests.support.job_rows import Ledger
from tests.support.metrics_scrape import scrape
from tests.support.portal_client import Portal, signed_in, text_of
from tests.support.servers.callback_receiver import silent_port
from tests.support.servers.mail_server import MailServer, serving
from worker import pipeline
from worker.config.settings import Settings, get_settings
from worker.mail import switched_off
from worker.maintenance import rescuer
from worker.queue import broker, leases
from worker.runtime.processes.ports import free_port

pytestmark = pytest.mark.xdist_group("mail server")

ADA = "ada@north.example"
SOUND = sheets.csv_bytes(sheets.rows(3))
DAMAGED = sheets.csv_bytes(
    [*sheets.rows(3), *[["1", "ask Bob", "TRUE", "", ""]] * 2, ["1", "2125559999", "maybe", "", ""]]
)


@pytest.fixture(scope="module")
def running() -> Iterator[MailServer]:
    with serving() as server:
        yield server


@pytest.fixture
def server(running: MailServer, database: sa.Engine, configure: Callable[..., None]) -> MailServer:  # noqa: ARG001 - settings last
    """The mail server, and the settings that have the service use it."""
    running.forget()
    configure(**running.settings)
    return running


@pytest.fixture
def ledger(database: sa.Engine) -> Ledger:
    return Ledger(database)


@dataclass
class Person(Portal):
    """A person in the portal."""

    email: str = ""

    def choose(self, *events: str) -> str:
        """Choose e-mails on the account page; what the next page says."""
        answer = self.post("/account/e-mails", {f"mail_{event}": "1" for event in events})
        assert answer.status_code == 303, answer.get_data(as_text=True)
        return text_of(self.get("/account"))

    def send(self, content: bytes = SOUND, name: str = "numbers.csv") -> str:
        """Upload a file; the address of its page."""
        answer = self.post("/uploads", {"file": (io.BytesIO(content), name)})
        assert answer.status_code == 303, answer.get_data(as_text=True)
        return urlsplit(answer.headers["Location"]).path

    def failed(self, name: str = "colors.csv") -> str:
        """Upload a file that is refused, the shortest job with an e-mail; the address of its page."""
        path = self.send(sheets.PDF, name)
        work()
        return path

    def imported(self, content: bytes = SOUND, name: str = "numbers.csv") -> str:
        """Upload a file and confirm it; its e-mails are not sent yet."""
        path = self.send(content, name)
        work()
        assert self.post(f"{path}/confirm").status_code == 303
        work()
        return path


@pytest.fixture
def enter(database: sa.Engine) -> Callable[[Tenant, str], Person]:
    """A person of a tenant, signed in."""
    return lambda tenant, email: Person(signed_in(database, tenant, email).client, email=email)


@pytest.fixture
def ada(
    world: World,
    enter: Callable[[Tenant, str], Person],
    server: MailServer,  # noqa: ARG001 - settings first
    database: sa.Engine,
) -> Person:
    """A person of `north` who gets every e-mail."""
    person = enter(world.north.tenant, ADA)
    Ledger(database).run("UPDATE admins SET mail_finished = true, mail_failed = true, mail_review = true")
    return person


def work() -> None:
    """Do all work but that of e-mails."""
    while any([pipeline.run(phase) for phase in Phase if phase is not Phase.MAIL]):  # noqa: C419 - each has its turn
        pass


def sent() -> None:
    """Do the work of e-mails that is due."""
    while pipeline.run(Phase.MAIL):
        pass


def results(ledger: Ledger) -> list[tuple[str, str | None]]:
    return [
        (row.event, row.result) for row in ledger.ask("SELECT event, result FROM mails ORDER BY job_id, created_at")
    ]


# What is sent


def test_the_result_is_sent_to_who_started_the_job(ada: Person, server: MailServer, ledger: Ledger) -> None:
    ada.choose("finished", "failed")
    path = ada.imported(DAMAGED)
    sent()
    (mail,) = server.got
    assert (mail.sender, mail.recipients) == ("no-reply@numbers.example", [ADA])
    assert (mail.greeting, mail.is_encrypted, mail.is_signed_in) == ("numbers.example", True, True)
    message = mail.message
    assert message["Subject"] == "Completed with errors: upload of numbers.csv"
    assert (message["From"], message["To"]) == ("Numberyard <no-reply@numbers.example>", ADA)
    assert (message["Reply-To"], message["Auto-Submitted"]) == ("help@numbers.example", "auto-generated")
    job_id = path.rpartition("/")[2]
    assert message["Message-ID"] == f"<{job_id}.finished@numbers.example>"
    for kind in ("plain", "html"):
        text = mail.text(kind)
        assert "3 created · 3 failed (6 rows)" in text
        assert "2 rows, first in row 5" in text
        assert f"https://numbers.example/jobs/{job_id}" in text
        assert "https://numbers.example/account" in text
        assert "Northern Reseller" in text
    assert all(line.isascii() for line in mail.content.splitlines())
    assert results(ledger) == [("finished", "sent")]
    assert "E-mail to you Sent" in text_of(ada.get(path))
    assert ledger.chunks("mail") == [("done", 1)]


@pytest.mark.long
def test_a_review_asks_for_confirmation_and_its_end_is_another_mail(
    ada: Person, server: MailServer, ledger: Ledger
) -> None:
    path = ada.send(DAMAGED)
    work()
    sent()
    (mail,) = server.got
    assert mail.message["Subject"] == "Waiting for you: upload of numbers.csv"
    assert "Nothing has been imported yet. Confirm by 20" in mail.text()
    assert "Expected: 3 created · 3 failed (6 rows)" in mail.text()
    ada.post(f"{path}/confirm")
    work()
    sent()
    assert [one.message["Subject"].partition(":")[0] for one in server.got] == [
        "Waiting for you",
        "Completed with errors",
    ]
    assert results(ledger) == [("review", "sent"), ("finished", "sent")]


@pytest.mark.long
def test_a_refused_file_says_why(ada: Person, server: MailServer) -> None:
    ada.send(sheets.PDF, "colors.csv")
    work()
    sent()
    (mail,) = server.got
    assert mail.message["Subject"] == "Failed: upload of colors.csv"
    assert "PDF" in mail.text()
    assert "Most frequent causes" not in mail.text()


@pytest.mark.long
def test_a_file_whose_columns_are_not_settled_asks_for_them(ada: Person, server: MailServer) -> None:
    ada.send(b"Name,Color\nAda,blue\n", "colors.csv")
    work()
    sent()
    (mail,) = server.got
    assert mail.message["Subject"] == "Waiting for you: upload of colors.csv"
    assert "Please choose which column of the file is which. Choose by 20" in mail.text()
    assert "The columns are missing: “Phone Number”" in mail.text()
    assert "Choose the columns: https://numbers.example/jobs/" in mail.text()


@pytest.mark.long
def test_an_action_and_its_undo(ada: Person, server: MailServer, ledger: Ledger) -> None:
    """Jobs without a file."""
    ada.choose("finished")
    path = ada.imported()
    assert ada.post(f"{path}/undo").status_code == 303
    work()
    sent()
    assert [one.message["Subject"] for one in server.got] == [
        "Completed: upload of numbers.csv",
        "Completed: undo of the upload of numbers.csv",
    ]
    assert "3 deleted" in server.got[1].text()
    assert len(results(ledger)) == 2


@pytest.mark.long
@pytest.mark.parametrize(
    "name",
    [
        "a\r\nBcc: eve@evil.example.csv",
        "a\nBcc: eve@evil.example\n\n<b>hello</b>.csv",
        "a\u2028Bcc: eve@evil.example.csv",
        "\u202efdp.exe.csv",
        "<script>alert(1)</script>&amp;.csv",
        f"{'long ' * 45}.csv",
        "=?utf-8?q?a=0ABcc:_eve@evil.example?=.csv",
        "Zahlen für März 📞.csv",
    ],
)
def test_a_hostile_file_name_stays_a_name(ada: Person, server: MailServer, ledger: Ledger, name: str) -> None:
    ada.failed()
    ledger.run("UPDATE jobs SET file_name = :name", name=name)  # also what the reception of a file would have mended
    sent()
    (mail,) = server.got
    message = mail.message
    assert message.keys().count("To") == 1
    assert not {"Bcc", "Cc"} & set(message.keys())
    assert (mail.recipients, message["To"]) == ([ADA], ADA)
    assert len(message["Subject"]) < 200
    assert "\u202e" not in message["Subject"]
    assert mail.text().splitlines()[0].replace("=?", "= ?") == message["Subject"]
    html = mail.text("html")
    assert "<script" not in html
    assert "<b>" not in html
    if name.startswith("Zahlen"):
        assert name in message["Subject"]


@pytest.mark.long
@pytest.mark.parametrize(
    "address",
    ["jörg@münchen.example", "ada+jobs@north.example", "o'brien@north.example", "=?utf-8?q?=0ABcc?=@x.example"],
)
def test_unusual_addresses(ada: Person, server: MailServer, ledger: Ledger, address: str) -> None:
    """One that could be read as something else is refused, not sent."""
    ada.failed()
    ledger.run("UPDATE admins SET email = :address", address=address)
    sent()
    if address.startswith("="):
        assert (server.got, results(ledger)) == ([], [("failed", "refused")])
        return
    (mail,) = server.got
    assert mail.recipients == [address]
    assert mail.message["To"] == address


# To whom


def test_without_settings_nothing_is_offered(portal: Portal, ledger: Ledger) -> None:
    assert "E-mails" not in text_of(portal.get("/account"))
    assert portal.post("/account/e-mails", {"mail_finished": "1"}).status_code == 404
    ledger.run("UPDATE admins SET mail_finished = true, mail_review = true")
    Person(portal.client).imported()
    assert ledger.ask("SELECT 1 FROM mails") == []
    assert not pipeline.run(Phase.MAIL)


@pytest.mark.long
@pytest.mark.parametrize("missing", ["public_url", "smtp_sender", "smtp_host"])
def test_settings_that_are_needed(server: MailServer, configure: Callable[..., None], missing: str) -> None:
    assert get_settings().offers_mail
    configure(**server.settings | {missing: ""})
    assert not get_settings().offers_mail


@pytest.mark.long
def test_nothing_is_sent_unless_it_is_chosen(
    world: World, enter: Callable[[Tenant, str], Person], server: MailServer, ledger: Ledger
) -> None:
    bob = enter(world.north.tenant, "bob@north.example")
    page = bob.get("/account").get_data(as_text=True)
    assert page.count('type="checkbox"') == 3
    assert not re.search(r"<input[^>]* checked", page)
    bob.imported()
    assert ledger.ask("SELECT 1 FROM mails") == []
    assert "E-mails will be sent to bob@north.example." in bob.choose("failed")
    page = bob.get("/account").get_data(as_text=True)
    assert re.findall(r'<input[^>]* name="(\w+)"[^>]* checked', page) == ["mail_failed"]
    bob.imported()
    sent()
    assert server.got == []
    assert "You will get no e-mails." in bob.choose()


@pytest.mark.long
def test_two_people_get_their_own(
    ada: Person, world: World, enter: Callable[[Tenant, str], Person], server: MailServer
) -> None:
    bob, carl = enter(world.north.tenant, "bob@north.example"), enter(world.clinic.tenant, "carl@clinic.example")
    bob.choose("failed")
    carl.choose("failed")
    path, other = ada.failed("ada.csv"), bob.failed("bob.csv")
    sent()
    assert {(one.message["To"], one.message["Subject"]) for one in server.got} == {
        (ADA, "Failed: upload of ada.csv"),
        ("bob@north.example", "Failed: upload of bob.csv"),
    }
    assert "E-mail to you" not in text_of(ada.get(other))
    assert "E-mail to you" not in text_of(bob.get(path))


@pytest.mark.long
@pytest.mark.usefixtures("ada")
def test_tokens_have_no_address(api: Door, ledger: Ledger) -> None:
    """Even if a token bears the name of a person: names are free."""
    ledger.run("UPDATE tokens SET name = :name", name=ADA)
    job = api.upload(SOUND)
    assert job["created_by"]["name"] == ADA
    assert ledger.ask("SELECT 1 FROM mails") == []


@pytest.mark.long
@pytest.mark.parametrize(
    "change", ["DELETE FROM admins", "UPDATE admins SET mail_failed = false", "UPDATE jobs SET status = 'completed'"]
)
def test_what_is_outdated_is_not_sent(ada: Person, server: MailServer, ledger: Ledger, change: str) -> None:
    """A removed person gets no mail, nor who has changed the choice meanwhile."""
    ada.failed()
    ledger.run(change)
    sent()
    assert server.got == []
    assert results(ledger) == [("failed", "outdated")]


@pytest.mark.long
def test_a_review_that_is_over_is_not_told(ada: Person, server: MailServer, ledger: Ledger) -> None:
    ada.imported()
    sent()
    assert [one.message["Subject"] for one in server.got] == ["Completed: upload of numbers.csv"]
    assert results(ledger) == [("review", "outdated"), ("finished", "sent")]


@pytest.mark.long
def test_a_cancelled_job_sends_nothing(ada: Person, server: MailServer, ledger: Ledger) -> None:
    ada.choose("finished", "failed")
    path = ada.send()
    work()
    ada.post(f"{path}/cancel")
    work()
    sent()
    assert server.got == []
    assert ledger.ask("SELECT status FROM jobs")[0].status == "cancelled"


# Failures of the mail server


@pytest.mark.long
@pytest.mark.parametrize("mode", ["busy", "close"])
def test_another_attempt_follows_later(ada: Person, server: MailServer, ledger: Ledger, mode: str) -> None:
    path = ada.failed()
    server.answer(mode)
    sent()
    assert ledger.chunks("mail") == [("pending", 1)]
    assert "E-mail to you Being sent" in text_of(ada.get(path))
    assert not pipeline.run(Phase.MAIL)  # not before its time
    (pause,) = ledger.ask("SELECT next_attempt_at - now() AS left FROM job_chunks WHERE phase = 'mail'")
    assert timedelta(0) < pause.left < timedelta(seconds=2 * callback_signing.SCHEDULE[0])
    ledger.due()
    server.answer("ok")
    sent()
    assert len(server.got) == 1
    assert results(ledger) == [("failed", "sent")]


@pytest.mark.long
@pytest.mark.parametrize("mode", ["refused", "spam"])
def test_a_refusal_for_good_is_not_repeated(ada: Person, server: MailServer, ledger: Ledger, mode: str) -> None:
    path = ada.failed()
    server.answer(mode)
    sent()
    ledger.due()
    sent()
    assert (server.got, results(ledger), ledger.chunks("mail")) == ([], [("failed", "refused")], [("dead", 1)])
    assert "Not delivered: the mail server refused" in text_of(ada.get(path))


@pytest.mark.long
def test_it_is_given_up_after_a_day(ada: Person, server: MailServer, ledger: Ledger) -> None:
    path = ada.failed()
    server.answer("busy")
    for _ in range(callback_signing.TRIES):
        ledger.due()
        sent()
    assert results(ledger) == [("failed", "given_up")]
    assert ledger.chunks("mail") == [("dead", callback_signing.TRIES)]
    assert "didn't accept it for a day" in text_of(ada.get(path))


@pytest.mark.long
@pytest.mark.parametrize(
    "change",
    [
        {"smtp_password": "wrong"},
        {"smtp_ca_file": ""},  # the certificate is not by a public authority
        {"smtp_host": "localhost"},  # nor for this name
        {"smtp_tls": "none", "smtp_user": "", "smtp_password": ""},  # the server requires TLS
        {"smtp_tls": "tls"},  # and not from the first byte
    ],
    ids=lambda change: next(iter(change)),
)
def test_wrong_settings_send_nothing_and_can_be_corrected(
    ada: Person, server: MailServer, ledger: Ledger, configure: Callable[..., None], change: dict[str, str]
) -> None:
    ada.failed()
    configure(**server.settings | change, smtp_timeout_seconds=2)
    sent()
    assert ledger.chunks("mail") == [("pending", 1)]
    assert server.got == []
    configure(**server.settings)
    ledger.due()
    sent()
    assert len(server.got) == 1


@pytest.mark.long
@pytest.mark.parametrize("tls", ["tls", "none"])
def test_other_kinds_of_connection(
    ada: Person, configure: Callable[..., None], ledger: Ledger, server: MailServer, tls: str
) -> None:
    ada.failed()
    with serving(tls=tls) as other:
        users = {} if tls == "tls" else {"smtp_user": "", "smtp_password": ""}
        configure(**other.settings | users | {"smtp_tls": tls})
        sent()
        assert [one.is_encrypted for one in other.got] == [tls == "tls"]
    assert server.got == []
    assert results(ledger) == [("failed", "sent")]


@pytest.mark.long
def test_a_server_that_hangs_is_left(
    ada: Person, server: MailServer, ledger: Ledger, configure: Callable[..., None]
) -> None:
    ada.failed()
    server.answer("hang")
    configure(smtp_timeout_seconds=0.5)
    sent()
    assert ledger.chunks("mail") == [("pending", 1)]


@pytest.mark.long
def test_a_server_that_never_says_a_word_and_one_that_is_not_there(
    ada: Person, ledger: Ledger, configure: Callable[..., None]
) -> None:
    ada.failed()
    with silent_port() as port:
        configure(smtp_port=port, smtp_timeout_seconds=0.5)
        sent()
    assert ledger.chunks("mail") == [("pending", 1)]
    ledger.due()
    configure(smtp_port=free_port())
    sent()
    assert ledger.chunks("mail") == [("pending", 2)]


# Once


@pytest.mark.long
def test_a_lost_reply_repeats_the_message_under_the_same_id(ada: Person, server: MailServer, ledger: Ledger) -> None:
    ada.failed()
    server.answer("lost")
    sent()
    ledger.due()
    server.answer("ok")
    sent()
    ids = [one.message["Message-ID"] for one in server.got]
    assert len(ids) == 2
    assert len(set(ids)) == 1
    assert results(ledger) == [("failed", "sent")]


@pytest.mark.long
def test_a_worker_that_lost_its_lease_sends_nothing(ada: Person, server: MailServer, ledger: Ledger) -> None:
    """One that was suspended after its claim, while another one sent the message."""
    ada.failed()
    late = ledger.claim(Phase.MAIL)
    ledger.expire()
    sent()
    with pytest.raises(leases.LostLeaseError):
        pipeline.STEPS[Phase.MAIL](late)
    assert len(server.got) == 1


@pytest.mark.long
def test_the_same_state_is_told_once(ada: Person, server: MailServer, ledger: Ledger) -> None:
    """Also of a job that is checked again: its second review is no news."""
    path = ada.send()
    work()
    sent()
    ledger.run("UPDATE jobs SET status = 'checking'")
    ledger.run("DELETE FROM job_chunks WHERE phase <> 'check' AND phase <> 'mail'")
    ledger.run("UPDATE job_chunks SET state = 'pending' WHERE phase = 'check'")
    work()
    assert ledger.ask("SELECT status FROM jobs")[0].status == "review"
    sent()
    assert len(server.got) == 1
    assert ada.get(path).status_code == 200


# Limits


@pytest.mark.long
def test_a_tenant_has_a_limit_by_the_hour(
    ada: Person,
    world: World,
    enter: Callable[[Tenant, str], Person],
    server: MailServer,
    ledger: Ledger,
    configure: Callable[..., None],
) -> None:
    """Attempts do not count, only messages; another tenant's are not affected; an hour later there is room again."""
    configure(mails_per_hour=2)
    south = enter(world.south.tenant, "sue@south.example")
    south.choose("failed")
    server.answer("busy")
    ada.failed()
    sent()
    ledger.due()
    sent()
    server.answer("ok")
    paths = [ada.failed(), ada.failed()]
    south.failed()
    ledger.due()
    sent()
    assert sorted(one.message["To"] for one in server.got) == [ADA, ADA, "sue@south.example"]
    assert sorted(result or "" for _, result in results(ledger)) == ["over_limit", "sent", "sent", "sent"]
    pages = [text_of(ada.get(path)) for path in paths]
    assert sum("your company's limit of e-mails in an hour was reached" in page for page in pages) == 1
    assert scrape(ada.client).nonzero(MAILS) == {("sent",): 3, ("over_limit",): 1}
    ledger.run("UPDATE mails SET counted_at = counted_at - interval '61 minutes'")
    ada.failed()
    sent()
    assert len(server.got) == 4


@pytest.mark.long
def test_workers_at_once_keep_the_limit(
    ada: Person, server: MailServer, ledger: Ledger, configure: Callable[..., None]
) -> None:
    configure(mails_per_hour=3)
    for _ in range(6):
        ada.failed()
    threads = [threading.Thread(target=sent) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(server.got) == 3
    assert sorted(result or "" for _, result in results(ledger)) == ["over_limit"] * 3 + ["sent"] * 3


@pytest.mark.long
def test_mail_never_delays_a_job_and_is_announced_by_the_rescue_round(
    ada: Person, api: Door, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[object, ...]] = []
    ada.failed()
    assert ledger.ask("SELECT status FROM jobs")[0].status == "failed"
    assert scrape(api.client).nonzero(PENDING) == {("mail",): 1}
    ledger.run("UPDATE job_chunks SET hint_due_at = now() WHERE phase = 'mail'")
    monkeypatch.setattr(broker, "wake", lambda *args: told.append(args))
    rescuer.rescue()
    assert [(phase, count) for phase, _, count in told] == [(Phase.MAIL, 1)]
    assert broker.QUEUES[Phase.MAIL] in broker.QUEUES_OF_UPKEEP


@pytest.mark.long
def test_a_waiting_mail_of_a_review_stops_no_cancellation(ada: Person, ledger: Ledger) -> None:
    path = ada.send()
    work()
    ledger.claim(Phase.MAIL)
    ada.post(f"{path}/cancel")
    work()
    assert ledger.ask("SELECT status FROM jobs")[0].status == "cancelled"


# Settings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("smtp_sender", "nobody"),
        ("smtp_sender", "Eve\r\nBcc: x@y.example <a@b.example>"),
        ("smtp_reply_to", "a b@example.com"),
        ("public_url", "numbers.example"),
        ("public_url", "https://numbers.example/portal"),
        ("public_url", "https://user:word@numbers.example"),
        ("public_url", "javascript://numbers.example"),
        ("smtp_tls", "sometimes"),
    ],
)
def test_settings_that_make_no_sense_are_refused(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=name):
        Settings.model_validate({name: value})


def test_a_password_is_never_sent_in_clear_nor_shown() -> None:
    values = {"smtp_user": "ada", "smtp_password": "s3cret", "smtp_tls": "none"}
    with pytest.raises(ValueError, match="smtp_user") as refused:
        Settings.model_validate(values)
    assert "s3cret" not in str(refused.value)
    assert "s3cret" not in repr(Settings.model_validate(values | {"smtp_tls": "tls"}))


# Subscriptions


def test_admins_are_told_that_their_subscription_was_switched_off(
    api: Door, ada: Person, server: MailServer, enter: Callable[[Tenant, str], Person], world: World, ledger: Ledger
) -> None:
    enter(world.north.tenant, "bob@north.example")
    enter(world.clinic.tenant, "carl@clinic.example")
    body = {"url": "https://receiver.example/hook?key=s3cret", "events": ["job.*"], "description": "Billing"}
    subscription = api.post("/v1/webhooks", body).json
    assert switched_off.notify_admins() == 0
    off = "UPDATE webhooks SET is_enabled = false, disabled_at = now(), failing_since = now() - interval '5 days'"
    ledger.run(off)
    server.answer("busy")
    assert switched_off.notify_admins() == 1
    assert not server.got
    server.answer("ok")
    assert switched_off.notify_admins() == 1
    assert sorted(address for mail in server.got for address in mail.recipients) == [ada.email, "bob@north.example"]
    for mail in server.got:
        text = mail.message.get_content()
        assert "Billing" in mail.message["Subject"]
        assert f"numberyard webhooks update {subscription['id']} --on" in text
        assert "receiver.example" in text
        assert "s3cret" not in text
    server.forget()
    assert switched_off.notify_admins() == 0
    api.patch(f"/v1/webhooks/{subscription['id']}", {"enabled": True})
    assert switched_off.notify_admins() == 0
    ledger.run(off)
    assert switched_off.notify_admins() == 1
    assert len(server.got) == 2
