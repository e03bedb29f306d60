"""Read pasted text as a list of existing numbers (R14c): as actions read a list, and with a reason for each failure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from schemas.arrow_schemas import first_code
from schemas.codes import Code, Text, faults_of, text_of
from schemas.columns import Column
from schemas.jobs import JobOptions
from worker.phone.existing_numbers import read_existing
from worker.phone.explain import Context, Row, explain
from worker.phone.identify import Candidates, IdentifiedColumn
from worker.phone.number_readings import decide_readings

LONGEST = 64  # characters of a number; longer texts are cut
_EXPLAINED = 1_000  # failures with a text of their own; further ones get the general text
_CHOOSE_COUNTRY = "Write the number with + and its country code, or choose the country below."
_LEAST_DIGITS = 5  # of a number, beside other cells of its line
_CELLS = re.compile(r"[\t,;|\u2028\u2029]+")
# What mail programs put before an entry: "> ", "* ", "- ", and "1. " or "1) " before an international number.
_MARK = re.compile(r"[\s>*•·‣-]+(?=[\d+(])|\d{1,5}[.)]\s+(?=\+|00)")
_DIGIT = re.compile(r"\d")


@dataclass(frozen=True)
class Reading:
    """What a text was read as: a number (E.164 without the plus), or a code with a message and a fix."""

    text: str
    e164: int = 0
    code: Code | None = None
    message: str = ""
    fix: str = ""


def split(text: str) -> list[str]:
    """Return the numbers of a text as written: one or more a line, among other cells. Text without digits is ignored.

    The cells of a line are separated by tabs, commas, semicolons or bars. Beside a number, shorter cells (a country
    code, a yes or no as 1 or 0) are not numbers.
    """
    return [number for line in text.splitlines() for number in _of_line(line)]


def _of_line(line: str) -> list[str]:
    cells = [_without_marks(cell.strip()) for cell in _CELLS.split(line)]
    with_digits = [cell[:LONGEST] for cell in cells if _DIGIT.search(cell)]
    numbers = [cell for cell in with_digits if len(_DIGIT.findall(cell)) >= _LEAST_DIGITS]
    return numbers or with_digits


def _without_marks(cell: str) -> str:
    match = _MARK.match(cell)
    return cell if match is None else cell[match.end() :]


def read(texts: Sequence[str], calling_codes: Sequence[int], country_code: str | None) -> list[Reading]:
    """Read each text; whether the number exists is not looked up. Arguments as for `read_existing`."""
    if not texts:
        return []
    number = pa.array(texts, pa.string())
    nothing = pa.array([""] * len(texts), pa.string())
    identified = read_existing(nothing, number, calling_codes, country_code=country_code)
    options = JobOptions(country_code=country_code)
    rows, _ = decide_readings(_Rows(identified), options, international_header=False)
    decided = rows.columns(("e164", "faults"))
    context = Context(finds=True, calling_codes=tuple(calling_codes), country_code=country_code)
    failed = _explained(texts, decided["faults"], context)
    readings = zip(texts, decided["e164"].tolist(), failed, strict=True)
    return [failure or Reading(text, e164) for text, e164, failure in readings]


def missing(text: str) -> Reading:
    """Return the reading of a text whose number is not in the inventory."""
    return _failure(text, Code.NOT_FOUND, text_of(Code.NOT_FOUND, Column.PHONE_NUMBER))


@dataclass(frozen=True)
class _Rows:
    """The texts as the rows of a file (`worker.phone.number_readings.Batches`)."""

    identified: IdentifiedColumn

    @property
    def sizes(self) -> Sequence[int]:
        return [len(self.identified.column.e164)]

    def columns(self, names: Sequence[str]) -> dict[str, np.ndarray]:
        column = self.identified.column
        derived = {"code": first_code(column.faults), "numbers": np.ones(self.sizes[0], np.int64)}
        return {name: derived[name] if name in derived else getattr(column, name) for name in names}

    def columns_at(self, names: Sequence[str], row_index: np.ndarray) -> dict[str, np.ndarray]:
        return {name: values[row_index] for name, values in self.columns(names).items()}

    def candidates(self) -> Candidates:
        return self.identified.candidates


def _explained(texts: Sequence[str], faults: np.ndarray, context: Context) -> list[Reading | None]:
    """Return the failure of each text that is not a number; None for the others."""
    failures: list[Reading | None] = [None] * len(texts)
    places: dict[int, list[int]] = {}
    for place in np.flatnonzero(faults).tolist():
        places.setdefault(int(faults[place]), []).append(place)
    explained = 0
    for bits, rows in places.items():
        fault = faults_of(bits)[0]
        some = rows[: max(_EXPLAINED - explained, 0)]
        own = explain(fault, [Row("", texts[place]) for place in some], context) if some else []
        explained += len(some)
        general = text_of(fault.code, fault.column)
        for place, special in zip(rows, [*own, *[None] * (len(rows) - len(some))], strict=True):
            failures[place] = _failure(texts[place], fault.code, special or general)
    return failures


def _failure(text: str, code: Code, words: Text) -> Reading:
    filled = words.with_value(text)
    # The catalogue's fix is about files.
    fix = _CHOOSE_COUNTRY if code is Code.AMBIGUOUS_NUMBER else filled.fix
    return Reading(text, 0, code, filled.message, fix)
