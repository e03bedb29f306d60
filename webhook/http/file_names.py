"""File names: of uploads as stored and shown, of downloads as sent and saved.

A name comes from an untrusted client and goes into a header, a page, a report and a folder on another computer.
"""

from __future__ import annotations

import os
import re
import unicodedata
from urllib.parse import quote

from schemas.printable_text import printable

LONGEST_KEPT = 255  # characters
LONGEST_SAVED = 255  # bytes in UTF-8, which most file systems allow
# Reserved on Windows, whatever the extension: a file with such a name cannot be opened.
_RESERVED = re.compile(r"^(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])(?=\.|$)", re.IGNORECASE)
_FORBIDDEN = re.compile(r'[<>:"/\\|?*]')  # in file names, on some system
_PLAIN = re.compile(r"[\w !#$&'()+,.;=@\[\]^`{}~%-]*", re.ASCII)  # needs no `filename*`
_PERCENT = re.compile(r"%(?=[0-9A-Fa-f]{2})")  # which some clients decode
_NOT_ASCII = re.compile(r"[^ -~]+")
_ATTR_CHARS = "!#$&+^`|~"  # RFC 8187, besides letters, digits and - . _


def kept(name: str | None) -> str:
    """Return an upload's name without folders and unprintable characters; "upload" if nothing is left."""
    last = (name or "").replace("\\", "/").rpartition("/")[2]
    return printable(last)[:LONGEST_KEPT].strip() or "upload"


def saved(name: str) -> str:
    """Return a download's name in a form that every file system can hold: at most 255 bytes, the extension kept."""
    text = _FORBIDDEN.sub("_", printable(name)).strip().rstrip(". ")
    text = re.sub(r"^\.+", "_.", text) or "file"  # a leading dot would hide the file
    text = _RESERVED.sub(r"\1_", text)
    stem, ending = os.path.splitext(text)  # noqa: PTH122 - a name, not a path
    room = max(LONGEST_SAVED - len(ending.encode()), 1)
    return _cut(_cut(stem, room).rstrip() + ending, LONGEST_SAVED)


def cut(stem: str, ending: str) -> str:
    """Return `stem` + `ending`, with the stem cut so that `saved` keeps the ending whole."""
    return _cut(printable(stem), LONGEST_SAVED - len(ending.encode())) + ending


def _cut(text: str, size: int) -> str:
    """Return the longest prefix that has at most `size` bytes in UTF-8."""
    return text.encode()[:size].decode(errors="ignore")


def disposition(name: str) -> str:
    """Return the Content-Disposition value (RFC 6266) of a download, in ASCII.

    `filename*` (RFC 8187) has the name in UTF-8. `filename` has its closest ASCII form, for clients that do not know
    `filename*`, such as curl.
    """
    exact = saved(name)
    plain = _PERCENT.sub("_", _ascii(exact))
    value = f'attachment; filename="{plain}"'
    if plain == exact and _PLAIN.fullmatch(exact):
        return value
    return f"{value}; filename*=UTF-8''{quote(exact, safe=_ATTR_CHARS)}"


def _ascii(name: str) -> str:
    """Return the closest ASCII name: accents dropped, other characters replaced by `_`."""
    dashed = re.sub(r"[\u2010-\u2015]", "-", unicodedata.normalize("NFKD", name))
    bare = "".join(char for char in dashed if not unicodedata.combining(char))
    return saved(_NOT_ASCII.sub("_", bare))
