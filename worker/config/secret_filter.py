"""Replaces secrets in texts for logs, traces and error reports: by their form, and the values of the settings.

Texts of libraries come from anywhere, so every text passes it before it is cut.
"""

from __future__ import annotations

import json
import re
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import SecretStr

from worker.config.settings import Settings

HIDDEN = "***"
SHORTEST_SECRET = 6  # characters: shorter passwords would be replaced in the middle of words
_SECRETS = (
    r"nyk_[\w-]+|whsec_[\w+/=-]+",  # API tokens, secrets of callbacks
    r"(?<=://)[^\s/@:\"']*:[^\s/?#\"']*(?=@)",  # user and password in an address, up to its last @
    r"(?<=[Bb]earer )\S+|(?<=[Bb]asic )\S{8,}",
    r"(?<=[Cc]ookie: )[^\r\n]+|(?<=[Cc]ookie['\"]: ['\"])[^'\"]+",
    r"(?<=password=)[^\s&,;'\"]+|(?<=password['\"]: ['\"])[^'\"]+",
    # Of messages of PostgreSQL: these lines quote values of rows.
    r"(?<=DETAIL:  )[^\n]+|(?<=CONTEXT:  )[^\n]+",
)
# A line without any of these has no secret: to search for them takes a hundredth of the time of the patterns.
_MARKERS = ("nyk_", "whsec_", "://", "earer ", "asic ", "ookie", "assword", "DETAIL:", "CONTEXT:")
_NAMES = re.compile(r"(?i)(set-)?cookie|authorization|proxy-authorization|.*password|.*secret")
_pattern = re.compile("|".join(_SECRETS))
_markers: tuple[str, ...] = _MARKERS


def configure(settings: Settings | None) -> None:
    """Replace the passwords of these settings, too."""
    global _pattern, _markers  # noqa: PLW0603 - the process's own
    secrets = [] if settings is None else _secrets_of(settings)
    _markers = (*_MARKERS, *(json.dumps(secret)[1:-1] for secret in secrets))
    _pattern = re.compile("|".join([*map(re.escape, secrets), *_SECRETS]))


def may_have_secrets(line: str) -> bool:
    """Return whether a line of JSON contains what marks a secret."""
    return any(marker in line for marker in _markers)


def is_secret(name: str) -> bool:
    """Return whether the value of a field or header of this name is a secret."""
    return _NAMES.fullmatch(name) is not None


def cleaned(text: str) -> str:
    """Return the text with `***` in place of secrets."""
    return _pattern.sub(HIDDEN, text)


def _secrets_of(settings: Settings) -> list[str]:
    """Return the passwords in the settings, the longest first."""
    texts: set[str] = set()
    for name in Settings.model_fields:
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            text = value.get_secret_value()
            texts |= _passwords_in(text) if name.endswith("_url") else {text}
    return sorted((text for text in texts if len(text) >= SHORTEST_SECRET), key=len, reverse=True)


def _passwords_in(addresses: str) -> set[str]:
    """Return the passwords in an address, or in several separated by semicolons, as written and decoded."""
    passwords: set[str] = set()
    for address in addresses.split(";"):
        _, _, rest = address.partition("://")
        user_info, _, _ = re.split("[/?#]", rest, maxsplit=1)[0].rpartition("@")
        passwords.add(user_info.partition(":")[2])
        passwords |= {value for name, value in parse_qsl(urlsplit(address).query) if name == "password"}
    return passwords | set(map(unquote, passwords))
