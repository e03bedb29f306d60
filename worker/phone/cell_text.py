"""Extraction of one phone number from the text of a cell, or of the reason why it holds none (R14a).

A cell holds one number and nothing else: digits of any script, one plus, plain punctuation, `tel:` (RFC 3966). The
library would convert letters to digits and silently drop extensions and remarks, which gives another number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from worker.phone.digits import DATE, FRACTION, PUNCTUATION, ascii_digits

LEAST_LETTERS = 3  # different letters in a vanity number; a mask such as 555-XXXX has one


class Surplus(Enum):
    """Kinds of text that do not belong in a phone number cell; the value is the phrase that reports use."""

    EXTENSION = "an extension"
    SECOND_NUMBER = "a second number"
    MASK = "a placeholder for digits"
    LETTER = "a letter among the digits"
    REMARK = "other text"
    DATE = "a date"
    FRACTION = "a decimal fraction"
    SYMBOL = "a character not used in phone numbers"


@dataclass(frozen=True)
class Cell:
    """A parsed cell.

    `number`: ASCII digits and plain punctuation, with a plus at most in front; "" where `surplus` gives the reason.
    `fragment`: the text that does not belong in the cell. `vanity`: a possible vanity number; `letters`: the letters
    that it ends with.
    """

    number: str = ""
    surplus: Surplus | None = None
    fragment: str = ""
    vanity: str = ""
    letters: str = ""


_TEL = re.compile(r"\s*tel:\s*", re.IGNORECASE)
_IN_ASCII = [(re.compile(f"[{others}]"), character) for character, others in PUNCTUATION.items()]
_NUMBER = re.compile(r"[\s(\[]*\+?[\d\s().\-/\[\]]*", re.ASCII)
_LINES = re.compile(r"\d[^\d]*[\r\n][^\d]*\d")
_PLUS_INSIDE = re.compile(r"\d[\d\s().\-/\[\]]*\+", re.ASCII)
# Digits in brackets after a number, such as a footnote. Brackets around the whole number or before it are usual.
_BRACKETS_BEHIND = re.compile(r".*\d[^\d(\[]*(?P<fragment>[(\[][\d\s]*[)\]])[\s.]*", re.ASCII | re.DOTALL)
_VANITY = re.compile(
    r"(?P<digits>[\s(\[+]*\d[\d\s().\-/\[\]]*)(?P<letters>[A-Za-z](?:[\s.\-]*[A-Za-z])*)[\s.]*", re.ASCII
)
_AFTER_NUMBER = re.compile(r"^[\s(\[]*\+?[\d\s().\-/\[\]]*\d[)\]]?(?P<rest>.*)$", re.ASCII | re.DOTALL)
_EXTENSION = re.compile(
    r"[\s;,(]*(?:[#,;~xX\uff58*pPwW]+|\W*[^\W\d_]{1,12}\W*)\s*[=:.]?\s*\d{1,7}\W*", re.DOTALL
)  # a short word or sign, then a few digits
_EXTENSION_SIGN = re.compile(
    r"(?i)[\s;,(]*(?:e?xt|x|\uff58|#|,|;|~|доб|вн|int|anexo|poste|dw|durchwahl|nst|ramal|app|tst|内|分|転)"
)
_OTHER_NUMBER = re.compile(r"[^\d]*(?:\d[\s().\-/]*){6,}", re.ASCII | re.DOTALL)
_OTHER_ENDING = re.compile(r"\s*[,;/|&]\s*\d{2,5}\s*", re.ASCII)
_MASK = re.compile(r"([xX*_#?\u2022\u00d7.])\1+|[xX*_?]+$")
_LETTER_AMONG_DIGITS = re.compile(r"(?<=\d)[^\W\d_](?=\d|$)|(?<![^\W\d_])[^\W\d_](?=\d)")


@lru_cache(maxsize=4096)
def read_cell(text: str) -> Cell:
    """Parse a cell. Its text is already repaired: no invisible characters, no apostrophe."""
    plain = ascii_digits(_TEL.sub("", text, count=1) if _TEL.match(text) else text)
    for others, character in _IN_ASCII:
        plain = others.sub(character, plain)
    if _NUMBER.fullmatch(plain) and not _LINES.search(plain):
        return _without_letters(plain)
    vanity = _VANITY.fullmatch(plain)
    kind, fragment = _surplus(plain)
    if vanity is None or len(set(vanity["letters"].casefold()) - set(" .-")) < LEAST_LETTERS:
        return Cell(surplus=kind, fragment=fragment)
    return Cell(surplus=kind, fragment=fragment, vanity=plain, letters=vanity["letters"])


def _without_letters(plain: str) -> Cell:
    """Parse a cell of digits and plain punctuation; dates, fractions and numbers with a footnote are surplus text."""
    behind = _BRACKETS_BEHIND.fullmatch(plain)
    if behind is not None:
        return Cell(surplus=Surplus.REMARK, fragment=behind["fragment"])
    for form, kind in ((DATE, Surplus.DATE), (FRACTION, Surplus.FRACTION)):
        if re.fullmatch(form, plain.strip()):
            return Cell(surplus=kind, fragment=plain.strip())
    return Cell(surplus=Surplus.SYMBOL, fragment="..") if ".." in plain else Cell(number=plain)


def _surplus(plain: str) -> tuple[Surplus, str]:
    """Return why a cell is not one number: the kind and the text that does not belong in it."""
    second = _second_number(plain)
    if second:
        return Surplus.SECOND_NUMBER, second
    mask = _MASK.search(plain)
    if mask is not None and any(map(str.isdigit, plain)):
        return Surplus.MASK, mask.group()
    after = _AFTER_NUMBER.match(plain)
    if after is None or sum(map(str.isdigit, plain)) < _FEWEST:
        return Surplus.REMARK, plain.strip()
    rest = after["rest"]
    if _EXTENSION.fullmatch(rest) and (_EXTENSION_SIGN.match(rest) or not rest[:1].isalpha()):
        return Surplus.EXTENSION, rest.strip()
    letter = _LETTER_AMONG_DIGITS.search(plain)
    if letter is not None:
        return Surplus.LETTER, letter.group()
    words = _words(plain)
    return (Surplus.REMARK, words) if words else (Surplus.SYMBOL, rest.strip()[:1] or plain.strip()[:1])


def _second_number(plain: str) -> str:
    """Return the second number of a cell as far as punctuation shows it, or ""."""
    if _PLUS_INSIDE.search(plain):
        return plain[plain.rindex("+") :]
    if _NUMBER.fullmatch(plain):
        return plain.rsplit("\n", maxsplit=1)[-1].strip()
    after = _AFTER_NUMBER.match(plain)
    rest = after["rest"] if after else ""
    is_second = _OTHER_NUMBER.fullmatch(rest) or _OTHER_ENDING.fullmatch(rest)
    return rest.strip(" ,;/|&") if is_second else ""


_FEWEST = 3  # digits; with fewer, a text is hardly a number with a remark


def _words(plain: str) -> str:
    """Return the text from its first letter on, without the digits and punctuation at its end."""
    letters = re.search(r"[^\W\d_].*", plain, re.DOTALL)
    if letters is None:
        return ""
    return re.sub(r"[\s()\[\].\-/+\d]*$", "", letters.group()) or letters.group().strip()


# The last slash that is followed by digits.
_SLASH = re.compile(r"/(?=[^/\d]*\d[^/]*[^\d]*$)", re.ASCII)
LEAST_PART = 7  # digits in each of two numbers that only blanks separate


def parts_of(number: str) -> Iterator[tuple[str, str, bool]]:
    """Yield the ways to split a cleaned number in two: both parts, and whether the second must be a whole number, too.

    After a slash that follows a whole number comes another number or a part of one (R14e: a slash is no range sign).
    Blanks separate two whole numbers.
    """
    slash = _SLASH.search(number)
    if slash is not None:
        yield number[: slash.start()], number[slash.end() :], False
    for blank in re.finditer(r"(?<=[\d)])\s+(?=[(\d])", number):
        parts = number[: blank.start()], number[blank.end() :]
        if all(sum(map(str.isdigit, part)) >= LEAST_PART for part in parts):
            yield *parts, True
