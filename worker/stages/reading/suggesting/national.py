"""Which one country explains national numbers (R14c, R31).

A country explains them if the others are refuted by more cells than it is. The countries of the uploader's tree are
tried first; all others only if none of those fits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

from worker.phone.formatting import country_name
from worker.stages.reading.suggesting.cells import spread
from worker.stages.reading.suggesting.number_cells import (
    NORTH_AMERICA,
    Judge,
    NumberCell,
    Verdict,
    is_grouped_as_in,
    is_north_american_form,
)

MOST_CODES = 12  # countries of the tree that are tried
SAMPLE = 24  # cells for a first answer
_FIRST = 6  # cells that rule out most countries
LEAST_SHARE = 0.6
_MARGIN = 0.03  # of the cells: by so many more than the second country
_FORM_SHARE = 0.95
_SURVIVORS = 10
_LEAST_GROUPED = 3
_RARE = 0.2


@dataclass(frozen=True)
class Countries:
    """The calling codes that explain national numbers: one is the answer, several are ambiguous.

    `valid`: how many cells the first one explains.
    """

    codes: tuple[int, ...] = ()
    valid: int = 0

    @property
    def only(self) -> int:
        """The one country, or 0."""
        return self.codes[0] if len(self.codes) == 1 else 0


NO_COUNTRY = Countries()


def label(code: int) -> str:
    """Return a country with its calling code, such as “Germany (+49)”."""
    return f"{country_name(COUNTRY_CODE_TO_REGION_CODE[code][0])} (+{code})"


def usable_codes(calling_codes: Iterable[int]) -> tuple[int, ...]:
    """Return the first calling codes that exist, each once."""
    return tuple(dict.fromkeys(code for code in calling_codes if code in COUNTRY_CODE_TO_REGION_CODE))[:MOST_CODES]


def explain(cells: Sequence[NumberCell], tiers: Sequence[Sequence[int]], judge: Judge) -> Countries:
    """Return the countries that explain national numbers, from the first tier in which one fits.

    After the tiers, North America is tried where all cells are written as there, and then every other country.
    """
    if not cells:
        return NO_COUNTRY
    for tier in tiers:
        countries = _best(cells, tier, judge)
        if countries.codes:
            return countries
    if sum(map(is_north_american_form, cells)) >= _FORM_SHARE * len(cells):
        countries = _best(cells, (NORTH_AMERICA,), judge)
        if countries.codes:
            return countries
    return _best(cells, _elsewhere(cells, judge), judge)


def by_grouping(cells: Sequence[NumberCell], countries: Countries) -> Countries:
    """Return the one of several countries where numbers are usually grouped as these are, if there is just one."""
    few = [cell for cell in cells[:: max(1, len(cells) // SAMPLE)] if cell.is_grouped]
    if len(countries.codes) < 2 or len(few) < _LEAST_GROUPED:  # noqa: PLR2004 - several countries
        return countries
    shares = {code: sum(is_grouped_as_in(cell, code) for cell in few) / len(few) for code in countries.codes}
    usual = tuple(code for code, share in shares.items() if share >= LEAST_SHARE)
    clear = max((share for code, share in shares.items() if code not in usual), default=0.0) <= _RARE
    return Countries(usual, countries.valid) if len(usual) == 1 and clear else countries


def share_in(cells: Sequence[NumberCell], code: int, judge: Judge) -> float:
    """Return the share of the cells that are valid in a country."""
    return _valid(cells, code, judge) / len(cells) if cells else 0.0


def _best(cells: Sequence[NumberCell], codes: Sequence[int], judge: Judge) -> Countries:
    valid = {code: _valid(cells, code, judge) for code in codes}
    most = max(valid.values(), default=0)
    if most < LEAST_SHARE * len(cells):
        return NO_COUNTRY
    margin = max(1, round(_MARGIN * len(cells)))
    best = sorted((code for code in valid if valid[code] > most - margin), key=lambda code: (-valid[code], code))
    return Countries(tuple(best), most)


def _valid(cells: Sequence[NumberCell], code: int, judge: Judge) -> int:
    return sum(judge.in_country(cell, code) is not Verdict.INVALID for cell in cells)


def _elsewhere(cells: Sequence[NumberCell], judge: Judge) -> tuple[int, ...]:
    """Return the countries that a few cells do not rule out."""
    by_text = {cell.text: cell for cell in cells}
    few = [by_text[text] for text in spread([cell.text for cell in cells], SAMPLE)]
    codes = [code for code in COUNTRY_CODE_TO_REGION_CODE if share_in(few[:_FIRST], code, judge) >= LEAST_SHARE]
    shares = {code: share_in(few, code, judge) for code in codes}
    best = sorted((code for code in codes if shares[code] >= LEAST_SHARE), key=lambda code: (-shares[code], code))
    return tuple(best[:_SURVIVORS])
