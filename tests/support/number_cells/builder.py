"""Draws the numbers of one sheet, and makes cells of every kind with them."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable

import phonenumbers

from schemas.codes import Code
from tests.support.number_cells import blocks, faults, places, spellings
from tests.support.number_cells.columns import (
    bare_cell,
    digits_in,
)
from tests.support.number_cells.model import NOTHING, Cell, Sheet, Verdict, one
from tests.support.number_cells.numbers import (
    NON_GEOGRAPHIC,
    Number,
    calling_code,
    digits_of,
    draw,
    has_type,
    is_valid,
    metadata,
    national_readings,
    parsed,
    readings,
)

ALL_REGIONS = tuple(sorted(phonenumbers.SUPPORTED_REGIONS))
SHORTEST = 7  # digits of E.164
AMBIGUOUS_DRAWN = 1500
NETWORKS = (878, 881, 882, 883)
VANITY = ("US", "CA", "GB", "AU", "NZ", "IE", "ZA", "SG")
VANITY_TYPES = ("toll_free", "shared_cost", "premium_rate")


class Builder:
    """Draws numbers that occur once in a sheet, and cells with them."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.used: set[int] = set()
        self.added: set[int] = set()

    def region(self) -> str:
        return self.chance.choice(places.REGIONS)

    def number(self, region: str = "", types: tuple[str, ...] = (), code: int = 0) -> Number:
        """Return a number that the sheet does not have yet."""
        for _ in range(200):
            found = draw(region or self.region(), self.chance, types, code)
            if found.e164 not in self.used:
                break
        self.used.add(found.e164)
        return found

    def add(self, sheet: Sheet, cell: Cell) -> None:
        """Add a cell, unless one of its numbers occurs already."""
        if self.added.isdisjoint(cell.meant):
            self.added.update(cell.meant)
            self.used.update(cell.meant)
            sheet.cells.append(cell)

    # --- cells ---

    def country(self, region: str) -> str:
        return places.plain_country(region, self.chance)

    def usual(self) -> Cell:
        number = self.number(self.chance.choice(ALL_REGIONS) if self.chance.random() < 0.3 else "")
        country = self.country(number.region)
        write = self.chance.choice((spellings.national_cell, spellings.international_cell))
        return write(number, country, self.chance)

    def base(self, number: Number) -> str:
        """A usual spelling, to which something is done."""
        return self.chance.choice((number.in_country, number.in_country, number.abroad, f"+{number.e164}"))

    def faulty(self) -> Cell:
        number = self.number()
        return faults.faulty_cell(number, self.country(number.region), self.base(number), self.chance)

    def mismatch(self) -> Cell:
        number = self.number()
        other = self.chance.choice([one for one in places.REGIONS if calling_code(one) != number.code])
        return faults.mismatch(other, self.chance.choice((number.abroad, f"+{number.e164}")))

    def block(self) -> Cell:
        region = (
            self.region() if self.chance.random() < 0.6 else self.chance.choice(("DE", "AT", "CH", "US", "GB", "FR"))
        )
        return blocks.block_cell(region, self.country(region), self.chance)

    def vanity(self) -> Cell:
        while True:
            region = self.chance.choice(VANITY)
            kinds = [kind for kind in VANITY_TYPES if has_type(region, kind)]
            number = draw(region, self.chance, tuple(kinds))
            text = spellings.vanity(number, self.chance)
            if text is not None:
                country, meant = self.country(region), one(number.e164)
                if _whole_without_letters(number, sum(map(str.isalpha, text))):
                    return Cell("vanity, or a whole number before letters", country, text, meant, Verdict.EITHER)
                return Cell("vanity", country, text, meant, Verdict.WRITE, warning=Code.LETTERS_CONVERTED)

    def false_vanity(self) -> Cell:
        """Letters of an ordinary line, or not at the end, or too few different ones (R14a)."""
        while True:
            number = draw(self.chance.choice(("US", "CA", "GB", "AU")), self.chance, ("fixed_line", "mobile"))
            text = spellings.vanity(number, self.chance)
            if text is not None and number.type != "toll_free":
                return Cell("letters of an ordinary line", self.country(number.region), text, one(number.e164),
                            Verdict.FAIL, Code.INVALID_CHARACTER)  # fmt: skip

    def short(self) -> Cell:
        number = self.chance.choice(_short_numbers())
        region = number.region
        text = self.chance.choice((number.abroad, f"+{number.e164}", f"00{number.e164}"))
        return Cell("short", self.country(region), text, one(number.e164), Verdict.WRITE)

    def long(self) -> Cell:
        number = self.chance.choice(_long_numbers())
        text = self.chance.choice((number.abroad, f"+{number.e164}"))
        country = str(number.code) if number.region == NON_GEOGRAPHIC else self.country(number.region)
        return Cell("15 digits", country, text, one(number.e164), Verdict.WRITE)

    def no_country(self) -> Cell:
        number = self.number()
        if self.chance.random() < 0.1:
            number = draw(NON_GEOGRAPHIC, self.chance, code=self.chance.choice((800, 808, 870, 881, 882, 883, 979)))
        texts = (
            f"+{number.e164}",
            f"00{number.e164}",
            number.abroad,
            number.abroad.replace("+", "00 "),
            number.formatted(phonenumbers.PhoneNumberFormat.RFC3966),
            f"(+{number.code}) {number.national}",
        )
        return Cell("empty country", "", self.chance.choice(texts), one(number.e164), Verdict.WRITE)

    def national_without_country(self) -> Cell:
        number = self.number()
        return Cell("national without a country", "", number.in_country, NOTHING, Verdict.FAIL, Code.MISSING_VALUE)

    def odd_country(self) -> Cell:
        number = self.number()
        kind, country = places.odd_country(number.region, self.chance)
        text = self.chance.choice((number.in_country, number.abroad, f"+{number.e164}"))
        return _bare_or(Cell(f"country, {kind}", country, text, one(number.e164), Verdict.WRITE), number)

    def area_country(self) -> Cell:
        region = self.chance.choice(list(places.AREA_REGIONS))
        area = places.AREA_REGIONS[region]
        number = self.number(region)
        country = self.chance.choice((area, area, f"+{area}", area.replace("-", " ")))
        text = self.chance.choice((number.in_country, number.abroad, f"+{number.e164}"))
        return Cell("country, calling code with an area", country, text, one(number.e164), Verdict.WRITE)

    def wrong_country(self) -> Cell:
        number = self.number()
        other = self.chance.choice([one for one in places.REGIONS if calling_code(one) != number.code])
        code = calling_code(other)
        name = places.NAMES[number.region][0]
        disagreeing = (
            f"+{code} ({number.region})",
            f"{number.region} +{code}",
            f"{name} (+{code})",
            f"{number.region}{other}",
            f"{number.region}/{other}",
            f"{name} / {places.NAMES[other][0]}",
        )
        cells = (*disagreeing, "Atlantis", "XX", "999", "Europe", "+999", "ZZ")
        return Cell("country, none or two", self.chance.choice(cells), number.in_country, NOTHING, Verdict.FAIL,
                    Code.INVALID_COUNTRY_CODE)  # fmt: skip

    def shared_code(self) -> Cell:
        """R14: the number is valid, but for another country with the same calling code."""
        named, region = self.chance.sample(places.SHARED[self.chance.choice(list(places.SHARED))], 2)
        while True:
            number = self.number(region)
            if not phonenumbers.is_valid_number_for_region(parsed(number.code, number.national), named):
                break
        text = self.chance.choice((number.abroad, f"+{number.e164}", number.in_country))
        country = self.chance.choice((named, named.lower()))
        return Cell("region differs", country, text, one(number.e164), Verdict.WRITE, warning=Code.REGION_DIFFERS)

    def legacy(self) -> Cell:
        """Old mobile prefixes of Mexico and Argentina, carrier codes of Brazil, a plus that is too many."""
        kind = self.chance.choice(("MX", "MX at home", "AR", "BR", "BR with xx", "US: plus", "US: # for +", "US: =+"))
        region = kind[:2]
        number = self.number(region, ("mobile", "fixed_line"))
        country = self.country(region)
        parts = spellings.groups(number.abroad)[1:]
        verdict = Verdict.EITHER
        match kind:
            case "MX":
                text = f"+52 1 {' '.join(parts)}"
            case "MX at home":
                text = f"{self.chance.choice(('01', '044', '045'))} {' '.join(parts)}"
            case "AR":
                text = f"+54 {parts[1]} 15 {' '.join(parts[2:])}" if parts[0] == "9" else number.in_country
            case "BR":
                text = f"0 {self.chance.choice(('15', '21', '31', '41'))} {' '.join(parts)}"
                same = national_readings("BR", digits_of(text)) == {number.e164}
                verdict = Verdict.WRITE if same and len(number.national) > 9 else verdict
            case "BR with xx":
                text, verdict = f"0xx{' '.join(parts)}", Verdict.FAIL
            case "US: plus":
                text, verdict = f"+{number.national}", Verdict.FAIL
            case "US: # for +":
                text, verdict = number.abroad.replace("+", "#"), Verdict.FAIL
            case _:
                text = f"=+{number.e164}"
        fault = Code.INVALID_CHARACTER if kind in {"BR with xx", "US: # for +"} else None
        return Cell(f"legacy, {kind}", country, text, one(number.e164), verdict, fault)

    def bare(self, style: str, region: str = "", damage: float = 0.15) -> Cell:
        number = self.number(region)
        return bare_cell(number, self.country(number.region), style, self.chance, damage)

    def ambiguous(self, region: str, style: str) -> Cell:
        """Digits alone with two readings, as a plus may be lost or not."""
        fresh = [number for number in _ambiguous(region, style) if number.e164 not in self.used]
        number = self.chance.choice(fresh) if fresh else self.number(region)
        return bare_cell(number, self.country(region), style, self.chance, 0)


def _whole_without_letters(number: Number, letters: int) -> bool:
    """Say whether the digits are a valid number with fewer of the letters, so that the others may be a word."""
    national = number.national
    return any(is_valid(number.code, national[:-less]) for less in range(1, letters + 1))


@functools.cache
def _ambiguous(region: str, style: str) -> list[Number]:
    """Some numbers of a region whose digits alone have two readings."""
    chance = random.Random(f"{region} {style}")
    numbers = {number.e164: number for number in (draw(region, chance) for _ in range(AMBIGUOUS_DRAWN))}
    found = [(number, readings(region, digits_in(number, style))) for number in numbers.values()]
    return [
        number
        for number, read in found
        if number.e164 in read.all and read.national and read.international and len(read.all) > 1
    ]


def _bare_or(cell: Cell, number: Number) -> Cell:
    """A national number may be digits alone where its country groups none; then it is no sure case."""
    if cell.text.isdecimal() and readings(number.region, cell.text).all != {number.e164}:
        return Cell(cell.kind, cell.country, cell.text, cell.meant, Verdict.EITHER)
    return cell


@functools.cache
def _short_numbers() -> list[Number]:
    """Some valid numbers of the fewest digits of every country that has short ones."""
    return [
        number
        for region in sorted(phonenumbers.SUPPORTED_REGIONS)
        if min(metadata(region).general_desc.possible_length or (99,)) + len(str(calling_code(region))) <= SHORTEST
        for number in _some(region, lambda number: len(str(number.e164)) <= SHORTEST)
    ]


@functools.cache
def _long_numbers() -> list[Number]:
    """Some valid numbers of 14 and 15 digits, and of networks beyond countries."""
    networks = [draw(NON_GEOGRAPHIC, random.Random(code + more), code=code) for code in NETWORKS for more in range(3)]
    return networks + [
        number
        for region in ("DE", "ID", "JP", "KR", "AT", "SE", "IT")
        for number in _some(region, lambda number: len(str(number.e164)) >= 14)
    ]


def _some(region: str, wanted: Callable[[Number], bool]) -> list[Number]:
    chance = random.Random(region)
    drawn = (draw(region, chance, ("fixed_line", "mobile", "toll_free", "premium_rate", "uan")) for _ in range(150))
    return list({number.e164: number for number in drawn if wanted(number)}.values())[:12]
