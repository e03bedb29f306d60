"""Texts from untrusted clients, such as file names, in a form that can be shown on one line."""

from __future__ import annotations

import re
import unicodedata

# Control characters, line separators, lone surrogates, private-use characters, and format characters that disguise a
# name, such as changes of direction (Unicode TR 36). Browsers save none of them either.
_UNPRINTABLE = frozenset({"Cc", "Cf", "Co", "Cs", "Zl", "Zp"})
_JOINERS = frozenset("\u200c\u200d")  # format characters (Cf) too, but scripts and emoji need them
_NONCHARACTER = re.compile("[\ufdd0-\ufdef\ufffe\uffff]")


def printable(text: str) -> str:
    """Return a text without control characters, lone surrogates and characters that change its direction."""
    return "".join(char for char in _NONCHARACTER.sub("", text) if _is_shown(char))


def _is_shown(char: str) -> bool:
    return char in _JOINERS or unicodedata.category(char) not in _UNPRINTABLE
