"""Choose the Phone Number column: by its header, then by the share of valid numbers, then the leftmost (R31)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

from schemas.capabilities import CAPABILITIES
from schemas.columns import Column, Form, tentative
from worker.stages.reading.suggesting import national
from worker.stages.reading.suggesting.headers import Heading, Rank
from worker.stages.reading.suggesting.national import SAMPLE, label
from worker.stages.reading.suggesting.number_cells import (
    NORTH_AMERICA,
    Judge,
    NumberCell,
    Verdict,
    Written,
    is_equipment,
)

_MOST = 10  # columns that are examined closely
_MOST_ELSEWHERE = 3  # columns for which all countries are tried
_LEAST_DIGITS = 7  # of most cells of a column without a name: postal codes and identifiers have fewer
_NORTH_AMERICAN_DIGITS = 10
_LEAST_DISTINCT = 3
_SOLID = 0.8  # share of valid cells from which the header's rank counts in full
_CERTAIN = 0.9
_TIE = 0.4
_BY_RANK = {Rank.EXACT: 0.98, Rank.TERM: 0.95, Rank.NAME: 0.9, Rank.WORD: 0.8, Rank.FURTHER: 0.65, Rank.AGAINST: 0.4}
_CAPABILITIES = tuple(each.column for each in CAPABILITIES)


class By(Enum):
    """What makes the cells valid numbers."""

    ABROAD = "they begin with a plus or 00"
    NAMED_COUNTRY = "the country in their row"
    COUNTRY = "one country, and they are written like phone numbers"
    DIGITS_ABROAD = "a plus in front of the digits"
    DIGITS_IN_COUNTRY = "one country, and they are digits like any other"
    NOTHING = "nothing"


_BY_CELLS = {
    By.ABROAD: 0.85,
    By.NAMED_COUNTRY: 0.75,
    By.COUNTRY: 0.75,
    By.DIGITS_ABROAD: 0.6,
    By.DIGITS_IN_COUNTRY: 0.5,
    By.NOTHING: 0.0,
}


@dataclass(frozen=True)
class Candidate:
    """A column that may be Phone Number, with its cells; `rank` is its header's for Phone Number."""

    index: int
    heading: Heading
    rank: Rank
    cells: Sequence[NumberCell]
    filled: Sequence[int]  # rows that are not empty

    @cached_property
    def shaped(self) -> list[NumberCell]:
        """The cells that are written like phone numbers."""
        return [self.cells[row] for row in self.filled if self.cells[row].written is not Written.NOT]

    @property
    def shaped_share(self) -> float:
        return len(self.shaped) / len(self.filled) if self.filled else 0.0

    @cached_property
    def distinctive_share(self) -> float:
        return sum(cell.is_distinctive for cell in self.shaped) / len(self.shaped) if self.shaped else 0.0

    @property
    def may_be_numbers(self) -> bool:
        """Return whether header and form of the cells allow phone numbers at all; costs no validation."""
        if self.rank is Rank.AGAINST:
            abroad = sum(cell.written is Written.ABROAD for cell in self.shaped)
            return bool(self.filled) and abroad >= _CERTAIN * len(self.filled)
        if self.rank is not Rank.NOTHING:
            return self.shaped_share >= 0.3  # noqa: PLR2004 - a file may be damaged
        long = sum(len(cell.digits) >= _LEAST_DIGITS for cell in self.shaped)
        enough = bool(self.filled) and long >= 0.7 * len(self.filled)
        return enough and not is_equipment(self.shaped)


@dataclass(frozen=True)
class Examined:
    """A candidate with the share of its cells that are valid numbers, and why they are."""

    candidate: Candidate
    share: float
    by: By
    code: int = 0  # of the one country, if `by` is a country

    @property
    def key(self) -> tuple[int, bool, int, int]:
        """Return what decides between columns, except their order."""
        candidate = self.candidate
        rank = candidate.rank if self.share >= _SOLID else candidate.rank - 2
        distinct = len({cell.digits for cell in candidate.shaped})
        varied = distinct > 1 or len(candidate.filled) < _LEAST_DISTINCT
        return rank, varied, round(20 * self.share), round(10 * len(candidate.filled) / max(len(candidate.cells), 1))

    @property
    def qualifies(self) -> bool:
        """Return whether header and cells together make the column one of phone numbers."""
        if self.candidate.rank > Rank.NOTHING:
            return self.share >= 0.5  # noqa: PLR2004 - at least half of them
        least = {By.ABROAD: 0.7, By.COUNTRY: 0.7, By.NAMED_COUNTRY: _CERTAIN}.get(self.by, 0.95)
        if self.by is By.DIGITS_IN_COUNTRY and not self._may_be_digits:
            return False
        return self.by is not By.NOTHING and self.share >= least

    @property
    def _may_be_digits(self) -> bool:
        return len({cell.digits for cell in self.candidate.shaped}) >= _LEAST_DISTINCT


def rank_for_numbers(heading: Heading, form: Form) -> Rank | None:
    """Return a header's rank for Phone Number; None if the column is surely another one of ours."""
    if heading.column is Column.PHONE_NUMBER:
        return heading.rank
    if heading.column in _CAPABILITIES:
        return Rank.FURTHER  # the number for it, perhaps
    if heading.column is not None:
        return None
    return Rank.AGAINST if tentative(heading.text, form) is not None else heading.rank


class Examiner:
    """Examination of the candidates of one file.

    `countries`: cells of the columns that may be Country Code, by index. `codes`: the countries of the uploader's tree.
    """

    def __init__(
        self, countries: Mapping[int, Sequence[str]], codes: Sequence[int], judge: Judge, *, north_american: bool
    ) -> None:
        self._countries = countries
        self._codes = codes
        self._judge = judge
        self._tiers = ((NORTH_AMERICA,),) if north_american else ()
        self._elsewhere = _MOST_ELSEWHERE

    def examine(self, candidates: Sequence[Candidate]) -> list[Examined]:
        """Return the best candidates with the shares of their valid cells."""
        able = [candidate for candidate in candidates if candidate.may_be_numbers]
        able.sort(key=lambda each: (-each.rank, -round(10 * each.shaped_share), each.index))
        return [self._examined(candidate) for candidate in able[:_MOST]]

    def _examined(self, candidate: Candidate) -> Examined:
        rows = candidate.filled[:: max(1, -(-len(candidate.filled) // SAMPLE))]
        cells = [(row, candidate.cells[row]) for row in rows]
        abroad = [cell for _, cell in cells if cell.written is Written.ABROAD]
        rest = [(row, cell) for row, cell in cells if cell.written in {Written.DIGITS, Written.NATIONAL}]
        valid_abroad = sum(map(self._judge.abroad, abroad))
        valid, by, code = self._explained(candidate, rest)
        if valid_abroad >= valid:
            by = By.ABROAD if valid_abroad else By.NOTHING
        return Examined(candidate, (valid_abroad + valid) / max(len(rows), 1), by, code)

    def _explained(self, candidate: Candidate, rest: Sequence[tuple[int, NumberCell]]) -> tuple[int, By, int]:
        """Return how many national numbers the best explanation makes valid, and which it is."""
        cells = [cell for _, cell in rest]
        if not cells:
            return 0, By.NOTHING, 0
        distinctive = candidate.distinctive_share >= 0.5  # noqa: PLR2004 - most of them
        in_country = By.COUNTRY if distinctive else By.DIGITS_IN_COUNTRY
        options = [(self._in_named(rest, column), By.NAMED_COUNTRY, 0) for column in self._countries]
        options += [
            (round(national.share_in(cells, code, self._judge) * len(cells)), in_country, code) for code in self._codes
        ]
        digits = [cell for cell in cells if cell.written is Written.DIGITS]
        options.append((sum(map(self._judge.abroad, digits)), By.DIGITS_ABROAD, 0))
        best = max(options, key=lambda option: option[0])
        if best[0] >= _SOLID * len(cells):
            return best
        return max(best, self._elsewhere_valid(candidate, cells, in_country), key=lambda option: option[0])

    def _elsewhere_valid(self, candidate: Candidate, cells: Sequence[NumberCell], by: By) -> tuple[int, By, int]:
        """Try other countries, for few columns: nearly any digits are a number somewhere."""
        if candidate.rank > Rank.NOTHING or by is By.COUNTRY:
            if not self._elsewhere:
                return 0, By.NOTHING, 0
            self._elsewhere -= 1
            countries = national.explain(cells, self._tiers, self._judge)
            return countries.valid, by if countries.codes else By.NOTHING, countries.only
        ten = [cell for cell in cells if len(cell.digits) == _NORTH_AMERICAN_DIGITS]
        valid = round(national.share_in(ten, NORTH_AMERICA, self._judge) * len(ten))
        return valid, by, NORTH_AMERICA

    def _in_named(self, rest: Sequence[tuple[int, NumberCell]], column: int) -> int:
        countries = self._countries[column]
        return sum(
            self._judge.in_named_country(cell, countries[row] if row < len(countries) else "") is not Verdict.INVALID
            for row, cell in rest
        )


@dataclass(frozen=True)
class NumberColumn:
    """The Phone Number column: its confidence, and how many columns look like phone numbers."""

    candidate: Candidate
    examined: Examined | None
    confidence: float
    alike: tuple[int, ...]  # the others' indices
    is_tie: bool = False


def choose(examined: Sequence[Examined], candidates: Sequence[Candidate]) -> NumberColumn | None:
    """Return the column that is Phone Number, or None."""
    able = sorted(
        (each for each in examined if each.qualifies),
        key=lambda each: (*(-part for part in each.key), each.candidate.index),
    )
    if not able:
        return _by_header_alone(examined, candidates)
    best, others = able[0], able[1:]
    is_tie = bool(others) and others[0].key == best.key
    confidence = _confidence(best)
    if is_tie:
        confidence = min(confidence, _TIE)
    elif others and others[0].candidate.rank == best.candidate.rank:
        confidence = min(confidence, 0.6)
    elif others:
        confidence = max(confidence - 0.1, 0.5) if confidence > 0.5 else confidence  # noqa: PLR2004 - CONFIDENT
    return NumberColumn(best.candidate, best, confidence, tuple(each.candidate.index for each in others), is_tie)


def _confidence(best: Examined) -> float:
    confidence = _BY_RANK.get(best.candidate.rank, _BY_CELLS[best.by])
    return confidence if best.share >= _SOLID else confidence - 0.25


def _by_header_alone(examined: Sequence[Examined], candidates: Sequence[Candidate]) -> NumberColumn | None:
    """Return a column that only its header makes Phone Number: its cells are empty, damaged, or were not examined."""
    named = [each for each in candidates if each.rank >= Rank.NAME]
    if not named:
        return None
    best = max(named, key=lambda each: (each.rank, each.shaped_share, -each.index))
    same = tuple(each.index for each in named if each.rank == best.rank and each is not best)
    confidence = (0.6 if best.rank > Rank.NAME else 0.5) if not best.filled else 0.4
    detail = next((each for each in examined if each.candidate is best), None)
    return NumberColumn(best, detail, _TIE if same else confidence, same, bool(same))


def reason_of(chosen: NumberColumn, valid: int, code: int) -> str:
    """Return why a column is Phone Number, for an admin. `valid` of its cells are, in the country `code` unless 0."""
    candidate, filled = chosen.candidate, len(chosen.candidate.filled)
    where = f" of {label(code)}" if code and valid else ""
    cells = (
        f"{valid:,} of {filled:,} cells {'is a' if valid == 1 else 'are'} valid phone number{'s' * (valid != 1)}{where}"
    )
    if candidate.rank >= Rank.NAME:
        parts = "The header means Phone Number" + (f"; {cells}." if filled else ".")
    elif candidate.rank > Rank.NOTHING:
        parts = f"The header is similar to Phone Number; {cells}."
    else:
        parts = f"{cells}."
    return parts + _on_others(chosen)


def _on_others(chosen: NumberColumn) -> str:
    if not chosen.alike:
        return ""
    total = len(chosen.alike) + 1
    why = "nothing but their order decides" if chosen.is_tie else "this one fits best"
    return f" {total:,} columns look like phone numbers; {why}."
