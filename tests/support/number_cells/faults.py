"""Cells that hold more or less than one number: each must fail and say why (R14a, R14d)."""

# ruff: noqa: RUF001 - letters of many scripts are what this is about

from __future__ import annotations

import random
from collections.abc import Callable

from schemas.codes import Code
from tests.support.number_cells.model import NOTHING, Cell, Verdict, one
from tests.support.number_cells.numbers import Number, calling_code, digits_of, is_valid, national_readings

Made = tuple[str, str, range, Verdict]  # what it is, the text, the numbers meant, the verdict

REMARKS = (
    "frei", "neu", "alt", "Zentrale", "Büro", "gesperrt", "reserviert", "Herr Müller", "main", "office",
    "ported", "ported out", "do not use", "free", "new", "old", "home", "work", "Mr Smith", "cancelled",
    "24h", "test", "a", "x", "portable", "domicile", "bureau", "libre", "ancien", "móvil", "casa", "oficina",
    "centralita", "libero", "ufficio", "vrij", "kantoor", "trabalho", "celular", "livre", "biuro", "wolny",
    "kancelář", "моб.", "рабочий", "свободен", "вільний", "γραφείο", "פנוי", "مكتب", "محجوز", "कार्यालय",
    "事務所", "予約済み", "办公室", "空闲", "사무실", "สำนักงาน", "ABC", "n/a", "NEU", "FREI", "since 2019",
    "bis 31.12.", "ab 1.1.2025", "Axel", "Voice", "SMS only", "fax", "DDI",
)  # fmt: skip
BEFORE = (
    "call", "do not use", "ported out", "neu:", "alt:", "Zentrale", "Büro:", "bureau", "oficina", "main:",
    "old", "моб.", "рабочий:", "代表", "办公室", "Mr Smith", "ks.", "ask for", "free:", "NEW", "test", "dial",
    "ring", "c/o",
)  # fmt: skip
LABELS = (
    "Tel.", "Tel:", "Tel", "Phone:", "Telefon:", "Tél.", "Mobil:", "Mobile", "Cell:", "тел.", "電話", "☎",
    "📞", "Fax:", "T:", "(T)", "ph.", "Telefono:", "№",
)  # fmt: skip
WRAPS = (" {}", " ({})", " - {}", ", {}", " [{}]", "; {}", " / {}", "\n{}", " {}!", "({})", " „{}“", " – {}", " *{}*")
EXTENSIONS = (
    " x{}", "x{}", " ext. {}", " ext {}", ";ext={}", " Ext:{}", "#{}", " #{}", ",{}", ",,{}", " Durchwahl {}",
    " DW {}", " App. {}", " Apparat {}", " poste {}", " p. {}", " anexo {}", " ramal {}", " int. {}",
    " int {}", " interno {}", " toestel {}", " tst {}", " доб. {}", " доб {}", " вн. {}", " wew. {}",
    " linka {}", " εσωτ. {}", " 内線{}", " 分机{}", " 分機 {}", " 내선 {}", " ｘ{}", "ｘ{}", "~{}", " ~{}",
    "w{}", "p{}", " extension {}", " extn {}", " xtn {}", " anknytning {}", " lok. {}", "；ext={}", " ＃{}",
    " تحويلة {}", " שלוחה {}", " Nst. {}", " (ext {})", ";{}", " EXT{}", " e{}", " ekstern {}",
    "*{}", "-x{}", ", press {}",
)  # fmt: skip
SEPARATORS = (
    " / ", "/", ", ", ",", "; ", ";", " | ", "|", " & ", " und ", " oder ", " and ", " or ", " et ", " ou ",
    " y ", " e ", "\n", "\r\n", " + ", " или ", " و ", "、", " u. ", " bzw. ", " \\ ", "\n\n", " · ",
    "•", " ::: ", "\\, ",
)  # fmt: skip
WORDS = (
    "unknown", "tba", "to follow", "folgt", "keine", "#N/A", "#REF!", "#VALUE!", "########", "see above", "TBD",
    "wird nachgereicht", "à venir", "pendiente", "нет", "なし", "ask Bob", "DID", "12 numbers", "block of 100",
    "10er Block", "Rufnummernblock 0-99", "phone", "Apotheke", "ABCDEFGHIJ", "CALLMENOW",
)  # fmt: skip
MASKS = "Xx*_#?•."


def remark_after(number: Number, text: str, chance: random.Random) -> Made:
    return "remark after", text + chance.choice(WRAPS).format(chance.choice(REMARKS)), one(number.e164), Verdict.FAIL


def remark_before(number: Number, text: str, chance: random.Random) -> Made:
    return "remark before", f"{chance.choice(BEFORE)} {text}", one(number.e164), Verdict.FAIL


def label(number: Number, text: str, chance: random.Random) -> Made:
    """R14a refuses words; a label that means "telephone" may be forgiven, as it always was."""
    return "label", f"{chance.choice(LABELS)} {text}", one(number.e164), Verdict.EITHER


def remark_inside(number: Number, text: str, chance: random.Random) -> Made | None:
    places = [place for place, character in enumerate(text) if character == " "]
    if not places:
        return None
    place = chance.choice(places)
    word = chance.choice(("frei", "neu", "abc", "dgfs", "old", "моб", "qs", "rue"))
    return "remark inside", f"{text[:place]} {word} {text[place + 1 :]}", one(number.e164), Verdict.FAIL


def bracketed_digits(number: Number, text: str, chance: random.Random) -> Made:
    """A digit in brackets behind a whole number counts lines or accounts; it is no digit of the number."""
    digit = chance.choice("123456789")
    return (
        "digits in brackets",
        text + chance.choice((f" ({digit})", f" [{digit}]", f" (0{digit})")),
        one(number.e164),
        Verdict.FAIL,
    )


def letter_for_digit(number: Number, text: str, chance: random.Random) -> Made | None:
    swaps = {"0": "OoОοQ", "1": "lIi|", "5": "Ss", "8": "B", "2": "Z", "6": "b", "9": "g"}
    places = [place for place, character in enumerate(text) if character in swaps and place > 1]
    if not places:
        return None
    place = chance.choice(places)
    letter = chance.choice(swaps[text[place]])
    return "letter for digit", text[:place] + letter + text[place + 1 :], one(number.e164), Verdict.FAIL


def mask(number: Number, text: str, chance: random.Random) -> Made | None:
    """The last digits are hidden: any of up to 10,000 numbers."""
    count, sign = chance.choice((1, 2, 3, 4)), chance.choice(MASKS[:-1])
    places = [place for place, character in enumerate(text) if character.isdecimal()][-count:]
    if len(number.national) <= count + 2:
        return None
    hidden = "".join(sign if place in places else character for place, character in enumerate(text))
    return "mask", hidden, NOTHING, Verdict.FAIL


def extension(number: Number, text: str, chance: random.Random) -> Made:
    digits = str(chance.randrange(1, 10 ** chance.choice((1, 2, 3, 4))))
    return "extension", text + chance.choice(EXTENSIONS).format(digits), one(number.e164), Verdict.FAIL


def empty_extension(number: Number, text: str, chance: random.Random) -> Made:
    return (
        "extension without digits",
        text + chance.choice((" ext.", " x", " ext", ";ext=", " доб.", " Durchwahl")),
        one(number.e164),
        Verdict.FAIL,
    )


def second_number(number: Number, text: str, chance: random.Random) -> Made:
    other = _neighbour(number, text, chance)
    return "second number", text + chance.choice(SEPARATORS) + other, NOTHING, Verdict.FAIL


def second_after_blank(number: Number, text: str, chance: random.Random) -> Made | None:
    """Two numbers with nothing but blanks between, where the digits of both are no number together."""
    other = _neighbour(number, text, chance)
    joined = digits_of(text) + digits_of(other)
    if text.startswith("+") or len(joined) <= 15 or national_readings(number.region, joined):
        return None
    return (
        "second number after a blank",
        text + chance.choice((" ", "  ", "   ", "\u00a0", "\t")) + other,
        NOTHING,
        Verdict.FAIL,
    )


def second_tail(_: Number, text: str, chance: random.Random) -> Made | None:
    """Only the last digits of the second number are given: 212 555 0160, 61 and 62."""
    count = chance.choice((1, 2, 2, 3, 4))
    tail = f"{chance.randrange(1, 10**count):0{count}}"  # ",00" is what a spreadsheet adds
    glue = chance.choice((", ", ",", " & ", " und ", " + ", "; ", " and ", " et ", "\n", " or "))
    if not text[-count:].isdecimal():
        return None
    return "second number, last digits", f"{text}{glue}{tail}", NOTHING, Verdict.FAIL


def slash_tail(_: Number, text: str, chance: random.Random) -> Made | None:
    """R14e: a slash is no range sign, and two digits behind a whole number are no part of it either."""
    count = chance.choice((1, 2, 2))
    if not text[-count:].isdecimal():
        return None
    return "slash and last digits", f"{text}/{chance.randrange(10**count):0{count}}", NOTHING, Verdict.FAIL


def _neighbour(number: Number, text: str, chance: random.Random) -> str:
    """Another number of the same kind, written the same way."""
    places = [place for place, character in enumerate(text) if character.isdecimal()]
    place = chance.choice(places[-2:])
    digit = chance.choice([digit for digit in "0123456789" if digit != text[place]])
    del number
    return text[:place] + digit + text[place + 1 :]


def half(number: Number, text: str, chance: random.Random) -> Made | None:
    """Digits are missing, and what is left is no number."""
    kept = chance.choice((2, 3, 4))
    cut = "".join(groups := list(digits_of(text)))[: len(groups) - kept]
    if len(cut) < 3 or national_readings(number.region, cut) or text.startswith("+"):
        return None
    rest = cut.removeprefix(str(number.code))
    if is_valid(number.code, rest):
        return None
    return "digits missing", f"{cut[:3]} {cut[3:]}".strip(), NOTHING, Verdict.FAIL


def address(number: Number, text: str, chance: random.Random) -> Made:
    del text
    forms = ("sip:+{}@example.com", "https://wa.me/{}", "+{}@s.whatsapp.net", "mailto:a{}@example.com", "callto:+{}x")
    return "address", chance.choice(forms).format(number.e164), one(number.e164), Verdict.FAIL


def words(number: Number, text: str, chance: random.Random) -> Made:
    del number, text
    return "words", chance.choice(WORDS), NOTHING, Verdict.FAIL


def date(number: Number, text: str, chance: random.Random) -> Made:
    del number, text
    year, month, day = chance.randrange(1990, 2030), chance.randrange(1, 13), chance.randrange(1, 29)
    forms = (
        f"{year}-{month:02}-{day:02}",
        f"{year}-{month:02}-{day:02} 00:00:00",
        f"{year}-{month:02}-{day:02}T09:15:00",
        f"{day:02}.{month:02}.{year}",
        f"{day:02}/{month:02}/{year}",
        f"{day}. {month}. {year}",
        f"{month}/{day}/{year}",
    )
    return "date", chance.choice(forms), NOTHING, Verdict.FAIL


def rounded(number: Number, text: str, chance: random.Random) -> Made | None:
    """What a spreadsheet shows of a number that is wider than its column."""
    del text
    digits = str(number.e164)
    shown = chance.choice((2, 3, 5, 6))
    if shown >= len(digits.rstrip("0")):
        return None
    mantissa, exponent = digits[0] + chance.choice(".,") + digits[1:shown], len(digits) - 1
    return "scientific, rounded", f"{mantissa}{chance.choice('Ee')}+{exponent:02}", NOTHING, Verdict.FAIL


def fraction(number: Number, text: str, chance: random.Random) -> Made:
    del text
    return "fraction", f"{number.e164}{chance.choice('.,')}{chance.choice('123456789')}", NOTHING, Verdict.FAIL


def too_long(number: Number, text: str, chance: random.Random) -> Made | None:
    longer = text + "".join(chance.choices("0123456789", k=chance.choice((5, 6, 8))))
    digits = digits_of(longer)
    rest = digits.removeprefix(str(number.code))
    if len(rest) <= 15 or national_readings(number.region, digits) or is_valid(number.code, rest):
        return None
    return "too long", longer, NOTHING, Verdict.FAIL


Maker = Callable[[Number, str, random.Random], Made | None]
MAKERS: tuple[tuple[Maker, int], ...] = (
    (remark_after, 14), (remark_before, 6), (label, 3), (remark_inside, 4), (bracketed_digits, 4),
    (letter_for_digit, 8), (mask, 8), (extension, 16), (empty_extension, 3), (second_number, 12),
    (second_after_blank, 3), (second_tail, 5), (slash_tail, 3), (half, 2), (address, 2), (words, 3), (date, 3),
    (rounded, 3), (fraction, 2), (too_long, 2),
)  # fmt: skip
# Kinds that other reasons than INVALID_CHARACTER explain as well.
CODES = {"scientific, rounded": Code.SCIENTIFIC_NOTATION_LOSS} | dict.fromkeys(
    ("digits missing", "too long", "fraction", "date", "digits in brackets", "slash and last digits",
     "second number after a blank"),
)  # fmt: skip


def faulty_cell(number: Number, country: str, base: str, chance: random.Random) -> Cell:
    """Return a cell made from the number and one of its usual spellings that must not be written."""
    makers, weights = zip(*MAKERS, strict=True)
    while True:
        made = chance.choices(makers, weights)[0](number, base, chance)
        if made is not None:
            kind, text, meant, verdict = made
            code = CODES.get(kind, Code.INVALID_CHARACTER) if verdict is Verdict.FAIL else None
            return Cell(kind, country, text, meant, verdict, code)


def mismatch(other: str, text: str) -> Cell:
    """Return a cell whose international number belongs to another country than the row names."""
    country = str(calling_code(other))
    return Cell("country mismatch", country, text, NOTHING, Verdict.FAIL, Code.COUNTRY_MISMATCH)
