"""Text of a cell's value, as its number format shows it if that shows more than the value.

Imported by the child process (`child.py`, started by path), so it imports nothing of the project.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable
from decimal import Decimal

BUILT_IN_DATES = frozenset({*range(14, 23), 45, 46, 47})  # ECMA-376 part 1, 18.8.30
DAYS_OF_1904 = 1462  # between the two epochs from which a workbook may count days
DAY_AFTER_LAST = 2_958_466  # 10000-01-01; spreadsheet programs show hash signs from here on
EXACT_DIGITS = 15  # precision of numbers in spreadsheet programs
MILLISECONDS = 86_400_000
EPOCH = dt.datetime(1899, 12, 30)  # noqa: DTZ001  spreadsheets have no time zones
_NO_DATE_PARTS = re.compile(r'"[^"]*"?|\\.|_.|\*.|\[(?!(?:[hms]+\]))[^\]]*\]', re.IGNORECASE | re.DOTALL)
_FORMAT_PART = re.compile(
    r'"(?P<quoted>[^"]*)"|\\(?P<escaped>.)|(?P<padding>[_*].)|\[(?P<bracket>[^\]]*)\]'
    r"|(?P<digit>[0#?])|(?P<plain>[-+() ])|(?P<other>.)",
    re.DOTALL,
)
_COLOURS = frozenset({"black", "blue", "cyan", "green", "magenta", "red", "white", "yellow"})

Shown = Callable[[int], str]
DATE = "date"
Look = Shown | str | None  # how a style shows numbers: with its own digits, as a DATE, or unchanged


def number_text(value: float) -> str:
    """Return a number without an exponent, with as few digits as distinguish it from any other."""
    if not math.isfinite(value):
        return "#NUM!"
    return str(int(value)) if value == int(value) else format(Decimal(repr(value)), "f")


def decimal_text(written: str) -> str:
    """Return the digits of a number in XML, or the text itself if it is not a number."""
    if written.isdecimal() and written.isascii() and len(written) <= EXACT_DIGITS and (written[0] != "0"):
        return written
    try:
        return number_text(float(written))
    except ValueError:
        return written


def date_text(serial: float, *, is_1904: bool = False) -> str:
    """Return date and time of a day count, or the number itself if it is out of range."""
    days = serial + DAYS_OF_1904 * is_1904
    if not 0 <= days < DAY_AFTER_LAST:
        return number_text(serial)
    # Lotus 1-2-3 treated 1900 as a leap year, and all others follow it.
    whole = round((days + (days < 60)) * MILLISECONDS)  # noqa: PLR2004  29 February 1900
    moment = EPOCH + dt.timedelta(milliseconds=whole)
    return moment.isoformat(" ", "milliseconds" if moment.microsecond else "seconds")


def is_date_format(code: str) -> bool:
    """Return whether a number format shows dates or times."""
    rest = _NO_DATE_PARTS.sub("", code.partition(";")[0])
    return rest.strip().lower() != "general" and re.search(r"[dmyhs]", rest, re.IGNORECASE) is not None


def format_of(number: str, code: str | None) -> Look:
    """Return how a number format shows numbers: `code` if the workbook defines it, else a built-in format."""
    if code is None:
        return DATE if number.isdecimal() and int(number) in BUILT_IN_DATES else None
    return DATE if is_date_format(code) else shown_by(code)


def shown_by(code: str) -> Shown | None:
    """Return a function for whole numbers if the format shows leading zeros, a plus or digits of its own, else None."""
    parts = _parts_of(code)
    if parts is None:
        return None
    digits = "".join(text for is_digit, text in parts if is_digit)
    literals = "".join(text for is_digit, text in parts if not is_digit)
    fewest = len(digits) - digits.find("0") if "0" in digits else 0  # all digits after a zero are shown
    adds = fewest > 1 or re.search(r"[+\d]", literals) is not None
    return (lambda value: _formatted(parts, value, fewest)) if adds else None


def _parts_of(code: str) -> list[tuple[bool, str]] | None:
    """Return the section for positive numbers as (is a placeholder, text); None if it is more than digits and text."""
    parts = list[tuple[bool, str]]()
    for part in _FORMAT_PART.finditer(code):
        if part["other"] == ";":
            break
        text = _text_of(part)
        if text is None:
            return None
        parts.append((part["digit"] is not None, text))
    first = next((index for index, (is_digit, _) in enumerate(parts) if is_digit), None)
    # Digits after the number's own would look like part of it.
    if first is None or any(not is_digit and re.search(r"[+\d]", text) for is_digit, text in parts[first:]):
        return None
    return parts


def _text_of(part: re.Match[str]) -> str | None:
    """Return what a part of a format shows; None if it transforms the number."""
    if part["padding"] is not None:
        return ""
    if part["bracket"] is not None:
        if part["bracket"].startswith("$"):  # a currency sign and a locale
            return part["bracket"][1:].partition("-")[0]
        return "" if part["bracket"].lower() in _COLOURS else None
    return next((part[name] for name in ("quoted", "escaped", "digit", "plain") if part[name] is not None), None)


def _formatted(parts: list[tuple[bool, str]], value: int, fewest: int) -> str:
    digits = str(value).rjust(fewest, "0")
    places = sum(is_digit for is_digit, _ in parts)
    # The first placeholder takes all digits without a placeholder of their own.
    begin, rest = digits[: max(len(digits) - places + 1, 0)], digits[max(len(digits) - places + 1, 0) :]
    queue = [""] * (places - len(rest) - 1) + [begin, *rest]
    shown = "".join(queue.pop(0) if is_digit else text for is_digit, text in parts)
    return as_shown(str(value), shown.strip())


def as_shown(value: str, shown: str) -> str:
    """Return the shown text if it adds leading digits or a plus to the value, else the value."""
    digits = re.sub(r"\D", "", shown)
    adds = digits != value or "+" in shown
    return shown if value.isdigit() and adds and digits.endswith(value) else value
