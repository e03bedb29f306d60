"""One number in its cell, in the ways in which people and spreadsheets write it: each has one meaning (R14, R14a)."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from phonenumbers import PhoneNumberFormat

from tests.support.number_cells import places
from tests.support.number_cells.model import Cell, Verdict, one
from tests.support.number_cells.numbers import Number, digits_of, metadata, national_readings

SCRIPTS = {"full width": 0xFF10, "Arabic": 0x660, "Persian": 0x6F0, "Devanagari": 0x966, "Bengali": 0x9E6}
BLANKS = ("\u00a0", "\u202f", "\u2009", "\u2007", "\u3000", "  ")
DASHES = "\u2010\u2011\u2012\u2013\u2212\u2014\uff0d"
Way = Callable[[Number, random.Random], str | None]


def in_script(text: str, zero: int) -> str:
    return text.translate({ord("0") + digit: zero + digit for digit in range(10)})


def groups(text: str) -> list[str]:
    """Return the groups of digits of a formatted number."""
    return re.findall(r"\d+", text)


# --- national ---


def national(number: Number, _: random.Random) -> str:
    return number.in_country


def national_joined(number: Number, chance: random.Random) -> str:
    parts = groups(number.in_country)
    return chance.choice((" ", ".", "-", " - ", "\u00a0", "  ", ". ", "\u2009")).join(parts)


def national_slash(number: Number, chance: random.Random) -> str | None:
    parts = groups(number.in_country)
    if len(parts) < 2:
        return None
    return parts[0] + chance.choice(("/", " / ", "/ ")) + chance.choice((" ", "", "-")).join(parts[1:])


def national_brackets(number: Number, chance: random.Random) -> str | None:
    parts = groups(number.in_country)
    if len(parts) < 2:
        return None
    opening, closing = chance.choice(("()", "()", "[]", "\uff08\uff09"))
    return (
        f"{opening}{parts[0]}{closing}" + chance.choice((" ", "", "-")) + chance.choice((" ", "-", ".")).join(parts[1:])
    )


def national_blanks(number: Number, chance: random.Random) -> str:
    return number.in_country.replace(" ", chance.choice(BLANKS))


def national_dashes(number: Number, chance: random.Random) -> str:
    return re.sub("[- ]", lambda _: chance.choice(DASHES), number.in_country)


def national_script(number: Number, chance: random.Random) -> str:
    return in_script(number.in_country, chance.choice(list(SCRIPTS.values())))


def no_trunk(number: Number, chance: random.Random) -> str | None:
    """The national number without its trunk prefix, in groups, where such a prefix changes nothing."""
    if metadata(number.region).national_prefix not in {"0", "1", "8"}:
        return None
    abroad = groups(number.abroad)[1:]
    text = chance.choice((" ", "-", ".")).join(abroad)
    return text if len(abroad) > 1 and digits_of(text) == number.national else None


# --- international ---


def international(number: Number, _: random.Random) -> str:
    return number.abroad


def e164(number: Number, _: random.Random) -> str:
    return f"+{number.e164}"


def uri(number: Number, chance: random.Random) -> str:
    text = number.formatted(PhoneNumberFormat.RFC3966)
    return chance.choice((text, text, text.replace("tel:", "TEL:"), text.replace("tel:", "tel: ")))


def international_joined(number: Number, chance: random.Random) -> str:
    code, *parts = groups(number.abroad)
    first = chance.choice((f"+{code}", f"(+{code})", f"+ {code}", f"+({code})", f"+{code} ", f"\uff0b{code}"))
    return chance.choice((" ", ".", "-", "\u00a0", " - ")).join((first, *parts))


def international_script(number: Number, chance: random.Random) -> str:
    text = in_script(number.abroad, chance.choice(list(SCRIPTS.values())))
    return chance.choice((text, text.replace("+", "\uff0b")))


def trunk_in_brackets(number: Number, chance: random.Random) -> str | None:
    if metadata(number.region).national_prefix != "0" or not number.in_country.lstrip("(").startswith("0"):
        return None
    if digits_of(number.in_country)[1:] != number.national:
        return None
    code, *parts = groups(number.abroad)
    opening = chance.choice((f"+{code} (0)", f"+{code}(0)", f"+{code} (0) ", f"+{code}-(0)", f"+{code} / (0)"))
    return opening + chance.choice((" ", "-", "", ".")).join(parts)


def double_zero(number: Number, chance: random.Random) -> str | None:
    if number.region not in places.DIALS_00 and number.region not in {"US", "CA"}:
        return None
    code, *parts = groups(number.abroad)
    glue = chance.choice(("", " ", "-", "."))
    return glue.join((chance.choice((f"00{code}", f"00 {code}", f"(00{code})")), *parts))


def own_prefix(number: Number, chance: random.Random) -> str | None:
    prefix = places.OWN_PREFIX.get(number.region)
    if prefix is None:
        return None
    glue = chance.choice(("", " ", "-"))
    return glue.join((prefix, *groups(number.abroad)))


# --- what spreadsheets add ---


def _around(text: str, chance: random.Random) -> str:
    return chance.choice(
        (
            f"'{text}", f'="{text}"', f"\u200b{text}", f"{text}\u200b", f"\u202a{text}\u202c", f"\ufeff{text}",
            f"{text}   ", f"  {text}", f"{text}\u00a0", f"\t{text}\t", f"{text}\n", f'"{text}"', f"\u200e{text}",
            f"'{text}'", f"\u00ad{text}",
        )
    )  # fmt: skip


def wrapped_national(number: Number, chance: random.Random) -> str:
    return _around(number.in_country, chance)


def wrapped_e164(number: Number, chance: random.Random) -> str:
    return _around(f"+{number.e164}", chance)


NATIONAL: dict[str, Way] = {
    "national": national,
    "national, joined": national_joined,
    "national, slash": national_slash,
    "national, brackets": national_brackets,
    "national, blanks": national_blanks,
    "national, dashes": national_dashes,
    "national, script": national_script,
    "national, no trunk prefix": no_trunk,
    "national, wrapped": wrapped_national,
}
INTERNATIONAL: dict[str, Way] = {
    "international": international,
    "E.164": e164,
    "URI": uri,
    "international, joined": international_joined,
    "international, script": international_script,
    "(0)": trunk_in_brackets,
    "00": double_zero,
    "own prefix": own_prefix,
    "E.164, wrapped": wrapped_e164,
}


def verdict_of(number: Number, text: str) -> Verdict:
    """Say whether national digits with punctuation have one meaning: no other reading of them is a valid number."""
    digits = digits_of(in_script_removed(text))
    found = national_readings(number.region, digits)
    other = digits.startswith(str(number.code)) and national_readings(number.region, digits[len(str(number.code)) :])
    if re.match(metadata(number.region).international_prefix or "$", digits):
        return Verdict.EITHER  # 810 begins a Russian number, and a call abroad
    if found == {number.e164} and (not other or other == {number.e164}):
        return Verdict.EITHER if _like_a_block(number, text) else Verdict.WRITE
    return Verdict.EITHER


def _like_a_block(number: Number, text: str) -> bool:
    """Say whether the part before a dash is a number too, and the part after it a later end of a block (R14e)."""
    parts = [digits_of(part) for part in re.split(f"[-{DASHES}]", in_script_removed(text))]
    if not text[:1].isdecimal() and "+" in text:
        parts[0] = parts[0].removeprefix(str(number.code))
    for place in range(1, len(parts)):
        left, right = "".join(parts[:place]), "".join(parts[place:])
        if len(right) <= len(left) and left[-len(right) :] < right and national_readings(number.region, left):
            return True
    return False


def in_script_removed(text: str) -> str:
    """Return the text with ASCII digits."""
    return "".join(str(int(character)) if character.isdecimal() else character for character in text)


def national_cell(number: Number, country: str, chance: random.Random) -> Cell:
    """Return a cell with the number as its country writes it."""
    while True:
        kind = chance.choice(list(NATIONAL))
        text = NATIONAL[kind](number, chance)
        if text is not None and not number.in_country.isdecimal() and digits_of(text) != text.strip():
            return Cell(kind, country, text, one(number.e164), verdict_of(number, text))
        if text is not None:
            return international_cell(number, country, chance)


def international_cell(number: Number, country: str, chance: random.Random) -> Cell:
    """Return a cell with the number as it is written abroad."""
    while True:
        kind = chance.choice(list(INTERNATIONAL))
        text = INTERNATIONAL[kind](number, chance)
        if text is not None:
            verdict = Verdict.EITHER if _like_a_block(number, text) else Verdict.WRITE
            return Cell(kind, country, text, one(number.e164), verdict)


def vanity(number: Number, chance: random.Random) -> str | None:
    """Return the number with letters for its last digits, as toll-free lines are advertised."""
    text, count = number.in_country, chance.choice((4, 5, 6, 7))
    tail = number.national[-count:]
    if set(tail) & {"0", "1"} or len(number.national) - count < 3:
        return None
    keys = {"2": "ABC", "3": "DEF", "4": "GHI", "5": "JKL", "6": "MNO", "7": "PQRS", "8": "TUV", "9": "WXYZ"}
    word = "".join(chance.choice(keys[digit]) for digit in tail)
    digits = digits_of(text)
    if len(set(word)) < 3 or not digits.endswith(tail):
        return None
    head = digits[:-count]
    parted = f"{head[:-3]}-{head[-3:]}" if len(head) > 6 else head
    front = chance.choice((parted, head)) if number.code != 1 else chance.choice(("1-", "", "+1 ", "1 ")) + head
    return f"{front}{chance.choice(('-', ' '))}{word}"
