"""Suggest which column of a file is which, from the headers and from the cells (R31).

A pure function: a person confirms what it suggests, and nothing is read by it. The header decides first, then the
cells; between columns that are equal, the order decides, and the reason says so.
"""

from __future__ import annotations

from collections.abc import Sequence

from schemas.column_mapping import CONFIDENT
from schemas.columns import Column, Form
from worker.stages.reading.suggesting import country_column, phone_column
from worker.stages.reading.suggesting.cells import samples_of, values_of
from worker.stages.reading.suggesting.country_column import CountryColumn
from worker.stages.reading.suggesting.headers import Heading, Rank, heading_of, is_north_american, misspelled
from worker.stages.reading.suggesting.model import (
    MOST_COLUMNS,
    NOTHING,
    ColumnSample,
    NumberFormatName,
    Suggestion,
    Suggestions,
)
from worker.stages.reading.suggesting.national import NO_COUNTRY, usable_codes
from worker.stages.reading.suggesting.number_cells import Judge, Verdict, Written, number_cells
from worker.stages.reading.suggesting.other_columns import (
    Decided,
    FileColumn,
    by_capabilities,
    by_cells,
    by_headers,
    by_order,
)
from worker.stages.reading.suggesting.phone_column import Candidate, Examiner, NumberColumn, rank_for_numbers, reason_of
from worker.stages.reading.suggesting.values import country_translations

__all__ = ["CONFIDENT", "ColumnSample", "Suggestion", "Suggestions", "suggest"]

_MOST_MISSPELLED = 12  # headers that are compared with all names
_CONSTANTS = {Column.VOICE: "TRUE", Column.SMS: "FALSE"}


def suggest(columns: Sequence[ColumnSample], form: Form, calling_codes: Sequence[int] = ()) -> Suggestions:
    """Return a suggestion for each column of a file.

    `form`: the columns that the file may have. `calling_codes`: the countries in the uploader's tree, which are tried
    first for national numbers. Examines the cells of the first 60 columns; raises nothing, whatever the cells are.
    """
    return _Suggester(columns, form, calling_codes).suggestions()


class _Suggester:
    """The suggestions for one file, decided step by step: number, country, then all other columns."""

    def __init__(self, columns: Sequence[ColumnSample], form: Form, calling_codes: Sequence[int]) -> None:
        self._form = form
        self._codes = usable_codes(calling_codes)
        self._judge = Judge()
        headings = _headings(columns, form)
        self._columns = [
            FileColumn(index, heading, samples_of(column), values_of(column))
            if index < MOST_COLUMNS
            else FileColumn(index, heading, (), (), examined=False)
            for index, (column, heading) in enumerate(zip(columns, headings, strict=True))
        ]
        self._headings = headings
        self._north_american = any(map(is_north_american, headings))
        self._decided = Decided()

    def suggestions(self) -> Suggestions:
        chosen, possible = self._choose_numbers()
        country = self._choose_country(chosen, possible)
        by_headers(self._columns, self._decided)
        by_capabilities(self._columns, self._form, self._decided)
        by_order(self._columns, self._form, self._decided)
        by_cells(self._columns, self._form, self._decided)
        constants = {
            ours: _CONSTANTS[ours]
            for ours in self._form.required
            if ours in _CONSTANTS and ours not in self._decided.columns
        }
        number_format: NumberFormatName = "auto"
        if chosen is not None:
            number_format = self._settle_country(chosen, country, constants)
        suggestions = tuple(self._decided.by_index.get(each.index, NOTHING) for each in self._columns)
        return Suggestions(suggestions, constants, self._decided.values, number_format, self._decided.also)

    def _choose_numbers(self) -> tuple[NumberColumn | None, dict[int, Sequence[str]]]:
        cells = [each.cells for each in self._columns if each.examined]
        possible = dict[int, Sequence[str]]()
        if Column.COUNTRY_CODE in self._form.understood:
            possible = country_column.possible_columns(self._headings, cells)
        if Column.PHONE_NUMBER not in self._form.understood:
            return None, possible
        candidates = self._candidates()
        examiner = Examiner(possible, self._codes, self._judge, north_american=self._north_american)
        return phone_column.choose(examiner.examine(candidates), candidates), possible

    def _candidates(self) -> list[Candidate]:
        ranks = ((each, rank_for_numbers(each.heading, self._form)) for each in self._columns)
        able = [(each, rank) for each, rank in ranks if rank is not None and (each.examined or rank >= Rank.NAME)]
        numbers = number_cells([each.cells for each, _ in able])
        return [
            Candidate(each.index, each.heading, rank, cells, [row for row, cell in enumerate(each.cells) if cell])
            for (each, rank), cells in zip(able, numbers, strict=True)
        ]

    def _choose_country(self, chosen: NumberColumn | None, possible: dict[int, Sequence[str]]) -> CountryColumn | None:
        numbers = None if chosen is None else chosen.candidate
        others = {index: cells for index, cells in possible.items() if numbers is None or index != numbers.index}
        country = country_column.choose(others, self._headings, numbers, self._judge)
        if numbers is not None:
            self._decided.add(numbers.index, NOTHING)  # its reason needs the country
        if country is not None:
            self._decided.add(country.index, country.suggestion)
            translations = country_translations(self._columns[country.index].values)
            if translations and country.suggestion.column is not None:
                self._decided.values[Column.COUNTRY_CODE] = translations
        return country

    def _settle_country(
        self, chosen: NumberColumn, country: CountryColumn | None, constants: dict[Column, str]
    ) -> NumberFormatName:
        """Add the suggestion for the numbers, and the one country if the file has no column for it."""
        numbers = chosen.candidate
        has_column = country is not None and country.suggestion.column is not None
        named = country.cells if country is not None and has_column else None
        number_format = country_column.number_format(numbers, named, self._codes, self._judge)
        countries = NO_COUNTRY
        if not has_column and number_format != "international" and Column.COUNTRY_CODE in self._form.understood:
            countries = country_column.common_country(
                numbers, self._codes, self._judge, north_american=self._north_american
            )
        if countries.only:
            constants[Column.COUNTRY_CODE] = str(countries.only)
        valid = self._valid(numbers, named, countries.only or next(iter(countries.codes), 0))
        reason = reason_of(chosen, valid, countries.only) + country_column.on_countries(countries)
        self._decided.add(numbers.index, Suggestion(Column.PHONE_NUMBER, round(chosen.confidence, 2), reason))
        return number_format

    def _valid(self, numbers: Candidate, named: Sequence[str] | None, code: int) -> int:
        """Return how many cells are valid: with their country, in the one country, or as international numbers."""
        valid = 0
        for row in numbers.filled:
            cell = numbers.cells[row]
            if cell.written is Written.NOT:
                continue
            by_row = named[row] if named is not None and row < len(named) else ""
            valid += (
                (cell.written is not Written.NATIONAL and self._judge.abroad(cell))
                or (bool(by_row) and self._judge.in_named_country(cell, by_row) is not Verdict.INVALID)
                or (bool(code) and self._judge.in_country(cell, code) is not Verdict.INVALID)
            )
        return valid


def _headings(columns: Sequence[ColumnSample], form: Form) -> list[Heading]:
    """Return what the headers mean; some are compared with the names of columns that no other header has."""
    headings = [heading_of(column.header, form) for column in columns]
    present = {heading.column for heading in headings if heading.rank >= Rank.NAME}
    missing = form.understood - present
    compared = 0
    for index, heading in enumerate(headings[:MOST_COLUMNS]):
        open_meaning = heading.column is None and heading.rank is Rank.NOTHING and not heading.generic
        if open_meaning and compared < _MOST_MISSPELLED:
            compared += 1
            headings[index] = misspelled(heading, form, missing)
    return headings
