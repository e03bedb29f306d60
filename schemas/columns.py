"""The spreadsheet's columns: names, aliases, which are required, and what a cell may contain (R10, R12).

Does not read files: the reader calls this module to recognise header cells.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import IntEnum

from schemas.column_names import SUGGESTED, TENTATIVE, TRANSLATIONS


class Column(IntEnum):
    """A column that Numberyard recognises. The values are stored in result files, so never renumber."""

    NONE = 0
    COUNTRY_CODE = 1
    PHONE_NUMBER = 2
    VOICE = 3
    SMS = 4
    FAX = 5
    VOICE_CARRIER = 6
    SMS_CARRIER_PROFILE = 7
    TARGET = 8
    USER = 9
    SERVICE = 10
    END_NUMBER = 11
    BLOCK_SIZE = 12


LONGEST_HEADER = 100  # characters of a header that are compared with known names


@dataclass(frozen=True)
class Spec:
    """One column: its name in the sample file, aliases, and what a cell may contain."""

    column: Column
    name: str
    required: bool
    accepts: str
    example: str
    aliases: tuple[str, ...] = ()


SPECS: tuple[Spec, ...] = (
    Spec(
        Column.COUNTRY_CODE,
        "Country Code",
        False,
        "a calling code (1, +1, 001) or a country (US, USA, Germany); not needed if the number begins with + or 00",
        "1",
        ("country", "country calling code", "calling code", "cc", "iso country"),
    ),
    Spec(
        Column.PHONE_NUMBER,
        "Phone Number",
        True,
        "a national or international number, with the usual punctuation",
        "2125550142",
        (
            "number",
            "phone",
            "did",
            "ddi",
            "telephone number",
            "tn",
            "e164",
            "e.164",
            "msisdn",
            "start number",
            "starting number",
            "first number",
            "from number",
            "start tn",
            "range start",
            "block start",
        ),
    ),
    Spec(Column.VOICE, "Voice", True, "TRUE or FALSE; empty means FALSE for a new number", "TRUE", ("voice enabled",)),
    Spec(
        Column.SMS, "SMS", True, "TRUE or FALSE; empty means FALSE for a new number", "FALSE", ("sms enabled", "text")
    ),
    Spec(Column.FAX, "Fax", False, "TRUE or FALSE; empty means FALSE for a new number", "FALSE", ("fax enabled",)),
    Spec(
        Column.VOICE_CARRIER,
        "Voice Carrier Name",
        False,
        "the name of a voice carrier you can see; wins over the carrier chosen for the file",
        "",
        ("voice carrier",),
    ),
    Spec(
        Column.SMS_CARRIER_PROFILE,
        "SMS Carrier Profile",
        False,
        "the name of an SMS carrier profile you can see; wins over the one chosen for the file",
        "",
        ("sms carrier", "sms profile", "sms carrier profile name"),
    ),
    Spec(
        Column.TARGET,
        "Enterprises and Resellers",
        False,
        "the name or id of the tenant the number goes to; wins over the one chosen for the file",
        "",
        ("enterprise", "reseller", "assign to", "tenant"),
    ),
    Spec(
        Column.USER,
        "User",
        False,
        "the e-mail address or id of a user",
        "",
        ("user id", "user email", "user e mail", "assign to user"),
    ),
    Spec(
        Column.SERVICE,
        "Service",
        False,
        "voice, forwarded or sms, or two of them with a + between",
        "",
        ("user service",),
    ),
    Spec(
        Column.END_NUMBER,
        "End Number",
        False,
        "the last number of the block that begins with Phone Number, or its last digits; empty for a single number",
        "",
        ("last number", "to number", "ending number", "end tn", "range end", "number to", "block end"),
    ),
    Spec(
        Column.BLOCK_SIZE,
        "Block Size",
        False,
        "how many numbers the row stands for, from Phone Number on; empty for a single number",
        "",
        ("number of numbers", "range size", "number count"),
    ),
)

SPEC: dict[Column, Spec] = {spec.column: spec for spec in SPECS}
REQUIRED: tuple[Column, ...] = tuple(spec.column for spec in SPECS if spec.required)


@dataclass(frozen=True)
class Form:
    """The columns that a file for one kind of job can have; others are copied to the report and otherwise ignored."""

    understood: frozenset[Column]
    required: tuple[Column, ...]


UPLOAD_FORM = Form(frozenset(Column) - {Column.NONE, Column.USER, Column.SERVICE}, REQUIRED)
ANY_FORM = Form(frozenset(SPEC), ())
SAMPLE_COLUMNS: tuple[Column, ...] = tuple(spec.column for spec in SPECS[:5])

# The columns that every report appends to the uploaded ones. A later upload ignores every column that begins with "_",
# so a corrected report of failed rows can be uploaded as it is.
REPORT_COLUMNS: tuple[str, ...] = (
    "_row",
    "_result",
    "_code",
    "_column",
    "_message",
    "_fix",
    "_number",
    "_warnings",
    "_duplicate_of_row",
)
# One more, after them, in the report of a job with corrected cells (R33).
CORRECTIONS_COLUMN = "_corrections"

SAMPLE_ROWS: tuple[tuple[str, ...], ...] = (
    ("1", "2125550142", "TRUE", "TRUE", "FALSE"),
    ("44", "020 7946 0958", "TRUE", "FALSE", "FALSE"),
    ("DE", "+49 30 901820", "TRUE", "FALSE", "TRUE"),
)


def name_of(column: Column) -> str:
    """Return the column's name as the sample file spells it; "" for `Column.NONE`."""
    return SPEC[column].name if column in SPEC else ""


def fold(header: str) -> str:
    """Normalise a header cell: ignore case, accents, BOM and punctuation; collapse spaces and underscores."""
    if header.isascii():  # the same, in a quarter of the time
        text = header.lower()
    else:
        parts = unicodedata.normalize("NFKD", header).casefold()
        text = unicodedata.normalize("NFKC", "".join(char for char in parts if not unicodedata.combining(char)))
    return re.sub(r"[^\w.]+|_+", " ", text).strip(" .")


def _key(header: str) -> str:
    """Return the key that all spellings of a name share: “EndingNumber” and “Ending Number” are equal."""
    return fold(header).replace(" ", "")


_NAMES: dict[str, Column] = {
    fold(name): spec.column
    for spec in SPECS
    for name in (spec.name, *spec.aliases, *TRANSLATIONS.get(spec.column.name, ()))
}
_BY_KEY = {_key(name): column for name, column in _NAMES.items()}
_TENTATIVE_BY_KEY = {_key(name): Column[column] for column, names in TENTATIVE.items() for name in names}
_SUGGESTED_BY_KEY = {
    _key(name).replace(".", ""): Column[column] for column, names in SUGGESTED.items() for name in names
}
_INTERNATIONAL = frozenset({"msisdn", "e164"})


def is_international(header: str) -> bool:
    """Return whether a header says that the numbers below it are international: `MSISDN`, `E.164` (R14b)."""
    return _key(header).replace(".", "") in _INTERNATIONAL


_ALIKE = 0.75  # of 1: "Phne Number" is similar enough, "Number of seats" is not


def recognise(header: str, form: Form = UPLOAD_FORM) -> Column | None:
    """Return the column that a header cell names in a file of this form, or None."""
    column = _BY_KEY.get(_key(header))
    return column if column in form.understood else None


def column_named(name: str) -> Column | None:
    """Return the column with this name, as the sample file spells it but for case and punctuation; None if none."""
    return next((column for column in SPEC if is_exact(name, column)), None)


def same_header(first: str, second: str) -> bool:
    """Return whether two header cells are the same but for case, accents, spaces and punctuation."""
    return first == second or (bool(_key(first)) and _key(first) == _key(second))


def comparison_key(header: str) -> str:
    """Return a text that is equal for two header cells if `same_header` is true for them; "" for an empty cell."""
    return _key(header) or header.strip()


def is_exact(header: str, column: Column) -> bool:
    """Return whether a header cell has the column's own name, which takes precedence over its aliases."""
    return _key(header) == _key(name_of(column))


def tentative(header: str, form: Form = UPLOAD_FORM) -> Column | None:
    """Return the column that “To”, “Quantity” and the like mean if all values below them fit (R14e), or None."""
    column = _TENTATIVE_BY_KEY.get(_key(header))
    return column if column in form.understood else None


def suggested(header: str, form: Form = UPLOAD_FORM) -> Column | None:
    """Return the column that a header of another program usually means, or None. Only to suggest it to a person."""
    column = _SUGGESTED_BY_KEY.get(_key(header).replace(".", ""))
    return column if column in form.understood else None


def meant(header: str, form: Form = UPLOAD_FORM, missing: Collection[Column] = ()) -> Column | None:
    """Guess which column an unrecognised header misspells, preferably one of `missing`; None if none is similar."""
    # “Number of seats” resembles “Number of numbers”, and hardly anyone misspells a size.
    for candidates in (form.understood.intersection(missing), form.understood - {Column.BLOCK_SIZE}):
        names = [name for name, column in _NAMES.items() if column in candidates]
        if alike := difflib.get_close_matches(fold(header)[:LONGEST_HEADER], names, n=1, cutoff=_ALIKE):
            return _NAMES[alike[0]]
    return None


def distinct(names: Iterable[str]) -> list[str]:
    """Return unique column names for a file: a second “Note” becomes “Note (2)”, an empty name “column”."""
    names_seen = dict[str, None]()
    numbers = dict[str, int]()  # of each name, the next suffix to try: a file may have a thousand unnamed columns
    for name in names:
        base = candidate = name or "column"
        number = numbers.get(base, 2)
        while candidate in names_seen:
            candidate, number = f"{base} ({number})", number + 1
        numbers[base] = number
        names_seen[candidate] = None
    return list(names_seen)
