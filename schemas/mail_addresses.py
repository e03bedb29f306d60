"""Addresses in the settings for e-mail: the sender, the portal's public URL. Checked when a process starts; no I/O."""

from __future__ import annotations

import re
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.utils import parseaddr
from enum import StrEnum
from urllib.parse import urlsplit

from email_validator import EmailNotValidError, validate_email


class SmtpTls(StrEnum):
    """How the connection to the mail server is encrypted."""

    NONE = "none"
    STARTTLS = "starttls"
    TLS = "tls"


_NO_MAILBOX = "use an e-mail address, as no-reply@example.com or Name <no-reply@example.com>"
_VISIBLE = re.compile("[!-~]+")
PORTS = {SmtpTls.NONE: 25, SmtpTls.STARTTLS: 587, SmtpTls.TLS: 465}


def mailbox(text: str) -> Address:
    """Parse `Name <address>` or an address; the address has to be ASCII. `ValueError` if it is not one."""
    if not text.isprintable():  # a line break would begin another header
        raise ValueError(_NO_MAILBOX)
    name, address = parseaddr(text)
    try:
        validate_email(address, check_deliverability=False, allow_smtputf8=False, test_environment=True)
        return Address(name, addr_spec=address)
    except (EmailNotValidError, HeaderParseError) as error:
        raise ValueError(_NO_MAILBOX) from error


def public_url(text: str) -> str:
    """Return the URL of a site without a trailing slash; `ValueError` if it has more than scheme, host and port."""
    url = urlsplit(text)
    is_site = url.scheme in {"http", "https"} and url.hostname and url.port != 0 and _VISIBLE.fullmatch(text)
    if not is_site or url.path.strip("/") or url.query or url.fragment or "@" in url.netloc:
        raise ValueError("use scheme and host, as https://numbers.example.com")
    return f"{url.scheme}://{url.netloc}"
