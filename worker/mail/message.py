"""The text of an e-mail about a job, as plain text and as HTML. No I/O.

File names and problems come from untrusted clients: in headers they are one line, in HTML they are escaped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from html import escape
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa

from schemas import mail_addresses
from schemas.codes import Code, Outcome
from schemas.job_kinds import JOB_KINDS, JobKind
from schemas.jobs import JobStatus, Tally, counts_of, error_summary
from schemas.mails import MailEvent
from schemas.printable_text import printable
from worker.jobs.mails import JobMail
from worker.reports import job_words

MOST_CAUSES = 5
LONGEST_NAME = 120  # characters
LONGEST_TEXT = 500
# Quoted-printable, so that every mail server takes it; CRLF.
_POLICY = policy.SMTP.clone(cte_type="7bit")
_ENCODED_WORD = "=?"  # the beginning of an encoded word (RFC 2047), which could stand for any characters
_CTE = "quoted-printable"
_BUTTON = (
    "display:inline-block;padding:10px 18px;border-radius:7px;background:#2453c7;color:#ffffff;text-decoration:none"
)


@dataclass(frozen=True)
class Envelope:
    """What the settings give: sender, address for replies, and the URL of the portal."""

    sender: Address
    reply_to: Address | None
    public_url: str


@dataclass(frozen=True)
class _Content:
    """The parts of the text: a heading, sentences, a list of causes, and the link with its label."""

    heading: str
    sentences: Sequence[str]
    causes: Sequence[str]
    label: str
    url: str
    footer: str
    choices_url: str


def compose(mail: JobMail, envelope: Envelope) -> EmailMessage:
    """Return the message. `ValueError` if the recipient's address cannot be in a header."""
    content = _content(mail, envelope.public_url)
    # The same id for every attempt: of a message that was sent twice, mail programs show one.
    message = _addressed(mail.address, content.heading, f"{mail.job.public_id}.{mail.event}", envelope)
    message.set_content(_plain(content), cte=_CTE)
    message.add_alternative(_html(content), subtype="html", cte=_CTE)
    return message


def compose_switched_off(address: str, subscription: sa.Row[Any], envelope: Envelope) -> EmailMessage:
    """Return the message that a subscription was switched off. `ValueError` as for `compose`.

    The URL may contain secrets of the receiver, so only its host is named.
    """
    host = _line(urlsplit(subscription.url).hostname or "")
    name = _line(subscription.description) or host
    lines = [
        f"The subscription “{name}” was switched off at {_time(subscription.disabled_at)}.",
        f"{host} has accepted no message since {_time(subscription.failing_since or subscription.disabled_at)}.",
        "",
        "Repair the receiver, then switch the subscription on again. Changes of numbers continue where they stopped:",
        f"numberyard webhooks update {subscription.public_id} --on",
        "",
        "--",
        f"You get this e-mail as an admin of the account that the subscription belongs to at {envelope.public_url}.",
    ]
    identity = f"{subscription.public_id}.{subscription.disabled_at:%Y%m%d%H%M%S}"
    message = _addressed(address, f"Subscription switched off: {name}", identity, envelope)
    message.set_content("\n".join([*lines, ""]), cte=_CTE)
    return message


def _addressed(address: str, subject: str, identity: str, envelope: Envelope) -> EmailMessage:
    if _ENCODED_WORD in address:
        raise ValueError(_ENCODED_WORD)
    message = EmailMessage(_POLICY)
    message["Subject"] = subject.replace(_ENCODED_WORD, "= ?")
    message["From"] = envelope.sender
    user, _, domain = address.rpartition("@")
    message["To"] = Address(username=user, domain=domain)  # in parts, so that it may be beyond ASCII
    if envelope.reply_to is not None:
        message["Reply-To"] = envelope.reply_to
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = f"<{identity}@{envelope.sender.domain}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no automatic replies
    return message


def _content(mail: JobMail, public_url: str) -> _Content:
    job = mail.job
    return _Content(
        heading=f"{_state(mail.event, job.status)}: {_line(_name(job))}",
        sentences=_sentences(mail.event, job),
        causes=_causes(job),
        label=_label(mail.event, mail.job),
        url=f"{public_url}/jobs/{job.public_id}",
        footer=f"You get this e-mail because you started this job for {_line(mail.tenant_name)}.",
        choices_url=f"{public_url}/account",
    )


def _label(event: MailEvent, job: sa.Row[Any]) -> str:
    if event is not MailEvent.REVIEW:
        return "See the result"
    return "Choose the columns" if job.review is None else "Check and confirm"


def _name(job: sa.Row[Any]) -> str:
    """Return what the job is called: "upload of numbers.csv", "undo of the upload of numbers.csv"."""
    if job.undone_kind is not None:
        return f"undo of the {_noun(job.undone_kind, job.undone_file_name, job.undone_rows_total)}"
    return _noun(job.kind, job.file_name, job.rows_total)


def _noun(kind: str, file_name: str | None, rows: int) -> str:
    return job_words.noun(JobKind(kind), None if file_name is None else _short(file_name), rows)


def _state(event: MailEvent, status: str) -> str:
    if event is MailEvent.REVIEW:
        return "Waiting for you"
    if event is MailEvent.FAILED:
        return "Failed"
    return "Completed with errors" if status == JobStatus.COMPLETED_WITH_ERRORS else "Completed"


def _sentences(event: MailEvent, job: sa.Row[Any]) -> list[str]:
    done = JOB_KINDS[JobKind(job.kind)].done
    if event is MailEvent.REVIEW and job.review is None:
        until = f"Choose by {_time(job.review_until)}." if job.review_until is not None else ""
        detail = _line(str((job.problem or {}).get("detail") or ""))
        return [f"Please choose which column of the file is which. {until}".strip(), *filter(None, [detail])]
    if event is MailEvent.REVIEW:
        expected = {outcome.value: job.review["effect"][outcome.value] for outcome in Outcome}
        until = f"Confirm by {_time(job.review_until)}." if job.review_until is not None else ""
        return [f"Nothing has been {done} yet. {until}".strip(), f"Expected: {job_words.total(expected)}"]
    counted = job_words.counted(JobKind(job.kind), counts_of(Tally.from_json(job.tally), job.rows_total))
    if event is MailEvent.FINISHED:
        return [counted]
    problem = job.problem or {}
    why = [_line(str(problem.get(part) or "")) for part in ("detail", "fix")]
    return [text for text in (*why, counted if job.rows_total else "") if text]


def _causes(job: sa.Row[Any]) -> list[str]:
    """Return the most frequent causes of failed rows, and how many others there are."""
    in_words = job_words.in_words(JobKind(job.kind), job.status)
    causes = error_summary(Tally.from_json(job.tally))
    lines = [
        f"{in_words(Code(cause['code'])).message} {job_words.plural(cause['count'], 'row')},"
        f" first in row {cause['first_row']:,}"
        for cause in causes[:MOST_CAUSES]
    ]
    others = sum(cause["count"] for cause in causes[MOST_CAUSES:])
    return [*lines, f"Other causes: {job_words.plural(others, 'row')}"] if others else lines


def _time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _line(text: str) -> str:
    """Return a text as one line of limited length."""
    line = " ".join(printable(" ".join(text.split())).split())
    return line if len(line) <= LONGEST_TEXT else f"{line[:LONGEST_TEXT]}…"


def _short(file_name: str) -> str:
    """Return a file name of limited length, with its beginning and its extension."""
    if len(file_name) <= LONGEST_NAME:
        return file_name
    half = LONGEST_NAME // 2
    return f"{file_name[:half]}…{file_name[-half:]}"


def _plain(content: _Content) -> str:
    lines = [content.heading, "", *content.sentences]
    if content.causes:
        lines += ["", "Most frequent causes:", *(f"- {cause}" for cause in content.causes)]
    lines += ["", f"{content.label}: {content.url}", "", "--", content.footer]
    return "\n".join([*lines, f"Change or stop these e-mails: {content.choices_url}", ""])


def _html(content: _Content) -> str:
    """Return the HTML part: styles in attributes, as mail programs need them; nothing is loaded from elsewhere."""
    sentences = "\n".join(f"<p><bdi>{escape(text)}</bdi></p>" for text in content.sentences)
    causes = "\n".join(f"<li>{escape(cause)}</li>" for cause in content.causes)
    listed = f"<p>Most frequent causes:</p>\n<ul>\n{causes}\n</ul>" if causes else ""
    return f"""\
<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{escape(content.heading)}</title></head>
<body style="font-family:system-ui,-apple-system,'Segoe UI',Roboto,Arial,sans-serif;line-height:1.5">
<div style="max-width:36rem;margin:0 auto;padding:16px">
<h1 style="font-size:20px;overflow-wrap:anywhere"><bdi>{escape(content.heading)}</bdi></h1>
{sentences}
{listed}
<p><a href="{escape(content.url)}" style="{_BUTTON}">{escape(content.label)}</a></p>
<p style="font-size:13px;border-top:1px solid #dde2ea;padding-top:12px">{escape(content.footer)}
<a href="{escape(content.choices_url)}">Change or stop these e-mails</a></p>
</div>
</body>
</html>
"""


def envelope(sender: str, reply_to: str | None, public_url: str) -> Envelope:
    """Return the envelope of checked settings."""
    replies = None if reply_to is None else mail_addresses.mailbox(reply_to)
    return Envelope(mail_addresses.mailbox(sender), replies, public_url)
