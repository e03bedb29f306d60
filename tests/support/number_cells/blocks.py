"""Cells and rows that stand for a block of numbers (R14e)."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from phonenumbers import PhoneNumberFormat

from schemas.codes import Code
from tests.support.number_cells.model import NOTHING, Cell, Verdict
from tests.support.number_cells.numbers import Number, digits_of, draw, is_valid, national_readings, readings

SIZES = {1: (10, 10, 5, 3), 2: (100, 50, 10, 20, 25), 3: (100, 100, 200, 1000)}
CONNECTORS = ("-", "–", "..", "to", "bis", "through", "thru")
DASHES = frozenset("-–")
OTHERS = ("à", "au", "hasta", "tot", "until", "...", "—", "→", "~", "jusqu'à", "al", "a", "до", "から", "until")
LARGEST = 10_000


class Block:
    """A first number whose last digits run to a last one, all of them valid."""

    def __init__(self, number: Number, width: int, count: int) -> None:
        self.number, self.width, self.count = number, width, count
        start = int(number.national[-width:])
        self.first, self.last = f"{start:0{width}}", f"{start + count - 1:0{width}}"
        self.meant = range(number.e164, number.e164 + count)

    def text(self, *, abroad: bool) -> str:
        return self.number.abroad if abroad else self.number.in_country

    def ending(self, count: int) -> str:
        """The last digits of the last number."""
        return str(self.meant[-1])[-count:]


def draw_block(region: str, chance: random.Random, width: int = 0) -> Block:
    """Return a block of a region; mostly one that begins with zeros, as blocks are given out."""
    for _ in range(2000):
        digits = width or chance.choice((1, 2, 2, 3))
        number = draw(region, chance, ("fixed_line", "mobile", "toll_free"))
        if len(number.national) < digits + 5:
            continue
        count = chance.choice(SIZES[digits])
        start = chance.choice((0, 0, 0, 10**digits - count, chance.randrange(10**digits - count + 1)))
        first = Number(region, number.code, f"{number.national[:-digits]}{start:0{digits}}", number.type)
        if all(is_valid(first.code, _plus(first, more)) for more in (count - 1, *range(count))):
            return Block(first, digits, count)
    raise AssertionError(f"no block of {region} found")


def _plus(number: Number, more: int) -> str:
    return f"{int(number.national) + more:0{len(number.national)}}"


def _one_number(block: Block, text: str) -> bool:
    """Say whether all digits of the text together are a valid number."""
    digits = digits_of(text)
    national = digits.removeprefix(str(block.number.code)) if text.startswith("+") else digits
    return bool(national_readings(block.number.region, national))


def _judged(kind: str, country: str, block: Block, text: str) -> Cell:
    """A block whose end follows a dash may be one number as well; then nothing is to be guessed."""
    if _one_number(block, text):
        return Cell(kind + ", or one number", country, text, NOTHING, Verdict.FAIL, Code.AMBIGUOUS_NUMBER)
    return Cell(kind, country, text, block.meant, Verdict.WRITE)


def _connector(chance: random.Random) -> tuple[str, bool]:
    sign = chance.choice(CONNECTORS)
    if sign in DASHES:
        return f" {sign} " if chance.random() < 0.5 else sign, True
    return (f" {sign} ", False) if sign != ".." else (chance.choice(("..", " .. ")), False)


def _stem(block: Block, chance: random.Random) -> str | None:
    text = block.text(abroad=chance.random() < 0.3)
    return text[: -block.width].rstrip(" -") if text[-block.width :].isdecimal() else None


def stem_and_ends(block: Block, country: str, chance: random.Random) -> Cell | None:
    """030 765432-00 bis -49: the stem stays as written, equal widths expand."""
    stem, (sign, dash) = _stem(block, chance), _connector(chance)
    if stem is None:
        return None
    text = f"{stem}{chance.choice(('-', ' - ', '-'))}{block.first}{sign}{chance.choice(('-', ''))}{block.last}"
    if not dash:
        return Cell("stem and ends", country, text, block.meant, Verdict.WRITE)
    if not _one_number(block, text):
        return Cell("stem and ends after a dash", country, text, block.meant, Verdict.WRITE)
    if "--" not in text and "- -" not in text and "–" not in text and " - " not in text:
        return None  # hyphens between groups of digits
    return Cell("stem and ends after a dash, or one number", country, text, block.meant, Verdict.EITHER)


def shorter_first(block: Block, country: str, chance: random.Random) -> Cell | None:
    """030 765432-0 bis 49: a number of digits too few, or ten numbers too many: it has two meanings."""
    stem = _stem(block, chance)
    if stem is None or block.width == 1:
        return None
    first = chance.choice(("0", block.first[0], block.first[: block.width - 1]))
    sign = chance.choice((" bis ", " bis -", " to ", " – ", " - -", " thru ", " through ", ".."))
    code = None if sign.strip()[0] in DASHES else Code.INVALID_RANGE
    return Cell("shorter first", country, f"{stem}-{first}{sign}{block.last}", NOTHING, Verdict.FAIL, code)


def stem_blank(block: Block, country: str, chance: random.Random) -> Cell | None:
    """01 5056166 0 bis 9: a blank instead of the hyphen."""
    stem = _stem(block, chance)
    if stem is None:
        return None
    text = f"{stem} {block.first} {chance.choice(('bis', 'to'))} {block.last}"
    return Cell("stem, blank and ends", country, text, block.meant, Verdict.EITHER)


def full_ends(block: Block, country: str, chance: random.Random) -> Cell:
    """Both numbers in full."""
    sign, dash = _connector(chance)
    abroad = chance.random() < 0.4
    last = Number(block.number.region, block.number.code, _plus(block.number, block.count - 1), block.number.type)
    texts = [number.abroad if abroad else number.in_country for number in (block.number, last)]
    if chance.random() < 0.4:
        texts = [
            f"+{number.e164}" if abroad else digits_of(text)
            for number, text in zip((block.number, last), texts, strict=True)
        ]
    text = sign.join(texts)
    bare = texts[0].isdecimal() and readings(block.number.region, texts[0]).all != {block.number.e164}
    if dash and not bare:
        return _judged("both in full after a dash", country, block, text)
    return Cell("both in full", country, text, block.meant, Verdict.EITHER if bare else Verdict.WRITE)


def short_end(block: Block, country: str, chance: random.Random) -> Cell | None:
    """212 555 0160 thru 0169, 0100-9: the last digits of the last number."""
    text = block.text(abroad=chance.random() < 0.3)
    count = chance.choice((block.width, block.width, 4, 3))
    sign, dash = _connector(chance)
    if count < block.width or not text[-count:].isdecimal():
        return None
    made = f"{text}{sign}{block.ending(count)}"
    if not dash:
        return Cell("last digits", country, made, block.meant, Verdict.WRITE)
    alike = count > 2 and text[-count:-2] == block.ending(count)[:-2]
    if sign == "-" and not alike and _one_number(block, made):
        national = digits_of(made).removeprefix(str(block.number.code)) if made[0] == "+" else digits_of(made)
        (meant,) = national_readings(block.number.region, national)
        return Cell("hyphen before the last digits", country, made, range(meant, meant + 1), Verdict.EITHER)
    return _judged("last digits after a dash", country, block, made)


def extension_number(block: Block, country: str, chance: random.Random) -> Cell | None:
    """030 765432-10 is one number, whose last digits are behind a hyphen, as DIN 5008 has it."""
    text, width = block.number.in_country, chance.choice((2, 2, 3))
    if not text[-width:].isdecimal() or len(text) < width + 5:
        return None
    stem, tail = text[:-width].rstrip(" -"), text[-width:]
    known = national_readings(block.number.region, digits_of(stem))
    before = digits_of(stem)[-width:]
    meant = range(block.number.e164, block.number.e164 + 1)
    usual = block.number.region in {"DE", "AT"} and tail.strip("0") and before.strip("0") and width == 2
    usual = usual and len(re.findall(r"\d+", stem)[-1]) > width
    verdict = Verdict.EITHER if known and before < tail and not usual else Verdict.WRITE
    return Cell("hyphen before the last digits", country, f"{stem}-{tail}", meant, verdict)


def wrong_order(block: Block, country: str, chance: random.Random) -> Cell | None:
    if block.count < 2:
        return None
    text = Number(block.number.region, block.number.code, _plus(block.number, block.count - 1), "").in_country
    sign = chance.choice((" bis ", " to ", " thru ", ".."))
    if not text[-block.width :].isdecimal():
        return None
    return Cell("wrong order", country, f"{text}{sign}{block.first}", NOTHING, Verdict.FAIL, Code.INVALID_RANGE)


def too_large(block: Block, country: str, chance: random.Random) -> Cell:
    last = block.number.e164 + LARGEST * chance.choice((2, 10, 1000))
    text = f"+{block.number.e164}{chance.choice((' to ', ' bis ', '..'))}+{last}"
    return Cell("too large", country, text, NOTHING, Verdict.FAIL, Code.INVALID_RANGE)


def slash(block: Block, country: str, chance: random.Random) -> Cell | None:
    """A slash is no range sign; the whole second number shows that it is no punctuation either."""
    last = f"+{block.meant[-1]}"
    return Cell("slash between both", country, f"+{block.number.e164}{chance.choice(('/', ' / '))}{last}", NOTHING,
                Verdict.FAIL)  # fmt: skip


def other_word(block: Block, country: str, chance: random.Random) -> Cell:
    """Words for "to" that R14e does not list: understood rightly or not at all."""
    text = f"{block.text(abroad=False)} {chance.choice(OTHERS)} {block.ending(block.width)}"
    return Cell("another word for to", country, text, block.meant, Verdict.EITHER)


def with_remark(block: Block, country: str, chance: random.Random) -> Cell | None:
    text = block.text(abroad=False)
    if not text[-block.width :].isdecimal():
        return None
    remark = chance.choice((" frei", " (neu)", " x5", ", 7", " und 50", " reserved"))
    made = f"{text} bis {block.ending(block.width)}{remark}"
    return Cell("block with a remark", country, made, block.meant, Verdict.FAIL)


Maker = Callable[[Block, str, random.Random], Cell | None]
MAKERS: tuple[tuple[Maker, int], ...] = (
    (stem_and_ends, 8), (shorter_first, 5), (stem_blank, 1), (full_ends, 8), (short_end, 8), (extension_number, 6),
    (wrong_order, 2), (too_large, 1), (slash, 2), (other_word, 2), (with_remark, 2),
)  # fmt: skip


def block_cell(region: str, country: str, chance: random.Random) -> Cell:
    """Return a cell that means a block, or looks like one."""
    makers, weights = zip(*MAKERS, strict=True)
    while True:
        make: Maker = chance.choices(makers, weights)[0]
        cell = make(draw_block(region, chance), country, chance)
        if cell is not None:
            return cell


def block_row(region: str, country: str, chance: random.Random) -> Cell:
    """Return a row whose block ends in another column: End Number, or Block Size."""
    block = draw_block(region, chance)
    text = chance.choice((block.number.in_country, block.number.abroad, f"+{block.number.e164}"))
    last = Number(region, block.number.code, _plus(block.number, block.count - 1), "")
    good, bad = block.meant, NOTHING
    ends = {
        "end in full": (last.in_country, "", good, Verdict.WRITE),
        "end abroad": (last.abroad, "", good, Verdict.WRITE),
        "end in E.164": (last.formatted(PhoneNumberFormat.E164), "", good, Verdict.WRITE),
        "last digits in End Number": (block.ending(max(block.width, 2)), "", good, Verdict.WRITE),
        "size": ("", str(block.count), good, Verdict.WRITE),
        "size as a decimal": ("", f"{block.count}.0", good, Verdict.WRITE),
        "end and size": (last.abroad, str(block.count), good, Verdict.EITHER),
        "end and another size": (last.abroad, str(block.count + 1), bad, Verdict.FAIL),
        "size in words": ("", chance.choice(("ten", "10er", "-5", "0", "1.5", "x", "10 numbers")), bad, Verdict.FAIL),
        "size too large": ("", str(LARGEST + 1), bad, Verdict.FAIL),
        "end before first": (f"+{block.number.e164 - 1}", "", bad, Verdict.FAIL),
        "end in words": (chance.choice(("last", "open", "see below", "99x")), "", bad, Verdict.FAIL),
        "size of one": ("", "1", range(good.start, good.start + 1), Verdict.EITHER),
        "neither": ("", "", range(good.start, good.start + 1), Verdict.WRITE),
    }  # fmt: skip
    kind = chance.choice(list(ends))
    end, size, meant, verdict = ends[kind]
    code = Code.INVALID_RANGE if verdict is Verdict.FAIL else None
    return Cell(kind, country, text, meant, verdict, code, end=end, size=size)
