"""Digits alone, of which the whole column decides: a lost plus (R14b), a lost leading zero (R14d)."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

from schemas.codes import Code
from schemas.jobs import NumberFormat
from tests.support.number_cells.model import NOTHING, Cell, Sheet, Verdict, one
from tests.support.number_cells.numbers import Number, Readings, calling_code, digits_of, readings

NATIONAL, ZERO_LOST, INTERNATIONAL = "national", "zero lost", "international"
CLEAR = 10  # rows with one reading only that make a column's evidence beyond doubt


def bare_cell(number: Number, country: str, style: str, chance: random.Random, damage: float = 0.15) -> Cell:
    """Return a cell of digits alone; `settle` says later what is to become of it."""
    text = digits_in(number, style)
    kind = f"digits, {style}"
    cell = Cell(kind, country, text, one(number.e164), Verdict.EITHER, bare=True, style=style)
    cell = replace(cell, calling_code=calling_code(number.region))
    if chance.random() >= damage:
        return cell
    kind, text = _damaged(text, chance)
    return replace(cell, kind=kind, text=text)


def digits_in(number: Number, style: str) -> str:
    if style == INTERNATIONAL:
        return str(number.e164)
    text = digits_of(number.in_country)
    return text if style == NATIONAL else text.lstrip("0")


def _damaged(text: str, chance: random.Random) -> tuple[str, str]:
    ways = {
        "decimals": f"{text}.0", "decimals with comma": f"{text},00", "formula": f'="{text}"', "apostrophe": f"'{text}",
        "blanks behind": f"{text}  ", "zero-width space": f"{text}\u200b", "quotes": f'"{text}"',
    }  # fmt: skip
    if text[-1] != "0" and text[0] != "0":
        ways["scientific, every digit"] = f"{text[0]}.{text[1:]}E+{len(text) - 1:02}"
    way = chance.choice(list(ways))
    return f"digits, {way}", ways[way]


def digits_alone(cell: Cell) -> str:
    """Return the digits of a bare cell as its column had them before any damage."""
    text = cell.text
    if "E+" in text:
        return digits_of(text.split("E+")[0])
    return digits_of(text.removesuffix(".0").removesuffix(",00"))


class Evidence:
    """The rows of digits alone of one calling code that have one reading only."""

    def __init__(self, cells: list[tuple[Cell, Readings]]) -> None:
        plain, every = Counter[str](), Counter[str]()
        for cell, found in cells:
            for word in _says(digits_alone(cell), found):
                every[word] += 1
                plain[word] += cell.text == digits_alone(cell)
        self.plain, self.every = plain, every

    def clear(self, word: str, against: str) -> bool:
        return self.plain[word] >= CLEAR and not self.every[against]

    def none(self, *words: str) -> bool:
        return not any(self.every[word] for word in words)

    def contradictory(self, word: str, other: str) -> bool:
        return self.plain[word] >= CLEAR and self.plain[other] >= CLEAR


def _says(digits: str, found: Readings) -> list[str]:
    if len(found.all) != 1:
        return []
    words = []
    if found.national and not found.international:
        words.append(NATIONAL)
    if found.international and not found.national:
        words.append(INTERNATIONAL)
    if digits[0] == "0" and found.national:
        words.append("zero kept")
    if found.zero_added:
        words.append(ZERO_LOST)
    return words


def settle(sheet: Sheet, regions: dict[int, str]) -> Sheet:
    """Return the sheet with the verdicts of its bare cells, as the evidence of the whole column has them."""
    bare = [(cell, readings(regions[cell.calling_code], digits_alone(cell))) for cell in sheet.cells if cell.bare]
    codes = {cell.calling_code for cell, _ in bare}
    evidence = {code: Evidence([pair for pair in bare if pair[0].calling_code == code]) for code in codes}
    found = iter(bare)
    cells = [_settled(*next(found), evidence[cell.calling_code], sheet) if cell.bare else cell for cell in sheet.cells]
    return replace(sheet, cells=cells)


def _settled(cell: Cell, found: Readings, evidence: Evidence, sheet: Sheet) -> Cell:
    meant = cell.meant.start
    if meant not in found.all:
        return cell
    if found.all == {meant}:
        lost = meant not in found.national | found.international
        kind = "digits, only a zero makes them valid" if lost else cell.kind
        return replace(cell, kind=kind, verdict=Verdict.FAIL if lost else Verdict.WRITE)
    if not found.zero_added:
        return _by_plus(cell, evidence, sheet)
    if cell.style == INTERNATIONAL and not evidence.none(INTERNATIONAL, NATIONAL):
        return cell  # a zero lost, or a plus: what the column says of the one may do for the other
    return _by_zero(cell, found, evidence)


def _by_zero(cell: Cell, found: Readings, evidence: Evidence) -> Cell:
    """R14d: valid with and without one more leading zero."""
    cell = replace(cell, kind=f"{cell.kind}, with a zero or without")
    others = evidence.none("zero kept", ZERO_LOST)
    if others:
        return replace(cell, verdict=Verdict.FAIL, meant=NOTHING, code=Code.AMBIGUOUS_NUMBER)
    plus = bool(found.international and found.national)
    if cell.meant.start not in found.zero_added and evidence.clear("zero kept", ZERO_LOST) and not plus:
        return replace(cell, verdict=Verdict.WRITE)
    return cell


def _by_plus(cell: Cell, evidence: Evidence, sheet: Sheet) -> Cell:
    """R14b: a national number, or an international one whose plus is lost."""
    named = sheet.number_format is not NumberFormat.AUTO or sheet.phone_header != "Phone Number"
    style, other = (INTERNATIONAL, NATIONAL) if cell.style == INTERNATIONAL else (NATIONAL, INTERNATIONAL)
    cell = replace(cell, kind=f"{cell.kind}, two readings")
    if evidence.clear(style, other) or (named and evidence.none(other)):
        warning = Code.PLUS_RESTORED if style == INTERNATIONAL else Code.READ_AS_NATIONAL
        return replace(cell, verdict=Verdict.WRITE, warning=warning)
    if evidence.none(style, other) and not named:
        return replace(cell, verdict=Verdict.FAIL, meant=NOTHING, code=Code.AMBIGUOUS_NUMBER)
    if evidence.contradictory(style, other) and not named:
        return replace(cell, verdict=Verdict.FAIL, meant=NOTHING, code=Code.AMBIGUOUS_NUMBER)
    return cell
