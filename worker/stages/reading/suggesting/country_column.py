"""Choose the Country Code column, or one country for all rows, by the numbers that it must agree with (R14, R31)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from schemas.columns import Column
from worker.phone.country import read_country
from worker.stages.reading.suggesting import national
from worker.stages.reading.suggesting.cells import spread
from worker.stages.reading.suggesting.headers import Heading, Rank, says_international, says_national
from worker.stages.reading.suggesting.model import NumberFormatName, Suggestion
from worker.stages.reading.suggesting.national import NO_COUNTRY, Countries, label
from worker.stages.reading.suggesting.number_cells import (
    NORTH_AMERICA,
    Judge,
    NumberCell,
    Verdict,
    Written,
    drops_zero,
    is_north_american_form,
)
from worker.stages.reading.suggesting.phone_column import Candidate
from worker.stages.reading.suggesting.values import country_text

_MOST = 4  # columns that are tried
_MOST_READ = 60  # distinct cells of a column that are parsed
_FIRST, _LEAST_FIRST = 8, 0.5  # cells that rule out most columns
_LEAST_READABLE = 0.7
_AGREES = 0.8
_SURELY = 0.9
_PROVEN = 0.95
_LEAST_DISTINCT = 3
_FEW_AGREE = 0.3


def possible_columns(headings: Sequence[Heading], cells: Sequence[Sequence[str]]) -> dict[int, Sequence[str]]:
    """Return the columns whose header and cells may be Country Codes, the best headers first: index -> cells."""
    able = list[tuple[Rank, int, Sequence[str]]]()
    for index, (heading, column) in enumerate(zip(headings, cells, strict=False)):
        if heading.column is Column.COUNTRY_CODE or heading.generic:
            countries = [country_text(cell) for cell in column]
            if _readable(countries) >= (_PROVEN if heading.generic else _LEAST_READABLE):
                able.append((heading.rank, index, countries))
    able.sort(key=lambda each: (-each[0], each[1]))
    return {index: countries for _, index, countries in able[:_MOST]}


def _readable(cells: Sequence[str]) -> float:
    distinct = spread(cells, _MOST_READ)
    first = distinct[:_FIRST]
    if sum(read_country(text) is not None for text in first) < _LEAST_FIRST * len(first):
        return 0.0
    readable = {text for text in distinct if read_country(text) is not None}
    counts = Counter(cell for cell in cells if cell in set(distinct))
    return sum(counts[text] for text in readable) / counts.total() if counts else 0.0


def agreement(numbers: Candidate, countries: Sequence[str], judge: Judge) -> tuple[int, int]:
    """Return how many numbers agree with the country in their row, and of how many."""
    rows = [row for row in numbers.filled if row < len(countries) and countries[row]]
    rows = [row for row in rows if numbers.cells[row].written is not Written.NOT]
    agree = sum(judge.in_named_country(numbers.cells[row], countries[row]) is not Verdict.INVALID for row in rows)
    return agree, len(rows)


@dataclass(frozen=True)
class CountryColumn:
    """A column that is Country Code, or would be by its header: the suggestion for it, and its cells, translated."""

    index: int
    suggestion: Suggestion
    cells: Sequence[str]


def choose(
    possible: Mapping[int, Sequence[str]], headings: Sequence[Heading], numbers: Candidate | None, judge: Judge
) -> CountryColumn | None:
    """Return the Country Code column: the best header whose cells agree with the numbers."""
    options = list[tuple[float, int, CountryColumn]]()
    for index, cells in possible.items():
        agree, rows = agreement(numbers, cells, judge) if numbers is not None else (0, 0)
        suggestion = _suggestion(headings[index], agree, rows, numbers)
        options.append((suggestion.confidence, -index, CountryColumn(index, suggestion, cells)))
    if not options:
        return None
    confidence, _, best = max(options, key=lambda option: option[:2])
    equal = sum(option[0] == confidence for option in options)
    if equal > 1 and best.suggestion.column is not None:
        reason = f"{best.suggestion.reason} {equal} columns look like Country Code; nothing but their order decides."
        return replace(best, suggestion=Suggestion(Column.COUNTRY_CODE, min(confidence, 0.4), reason))
    return best if best.suggestion.reason else None


def _suggestion(heading: Heading, agree: int, rows: int, numbers: Candidate | None) -> Suggestion:
    header = f"The header means Country Code; {agree:,} of {rows:,} numbers agree with it."
    cells = f"The cells are countries; {agree:,} of {rows:,} numbers agree with them."
    if heading.rank >= Rank.NAME:
        if not rows:
            return Suggestion(Column.COUNTRY_CODE, 0.7, "The header means Country Code.")
        if agree >= _AGREES * rows:
            return Suggestion(Column.COUNTRY_CODE, 0.98 if heading.rank is Rank.EXACT else 0.92, header)
        return Suggestion(Column.COUNTRY_CODE if agree >= _FEW_AGREE * rows else None, 0.4, header)
    # Of other columns, only cells that are needed and fit: postal addresses and languages are countries, too.
    needed = numbers is not None and any(cell.written is not Written.ABROAD for cell in numbers.shaped)
    if needed and rows and agree >= _SURELY * rows:
        return Suggestion(Column.COUNTRY_CODE, 0.6, header if heading.column is not None else cells)
    return Suggestion(None, 0.0, "")


def number_format(
    numbers: Candidate, named: Sequence[str] | None, codes: Sequence[int], judge: Judge
) -> NumberFormatName:
    """Return how digits without a plus are read (R14b): "auto" unless the header or the cells prove something else."""
    digits = [(row, numbers.cells[row]) for row in numbers.filled if numbers.cells[row].written is Written.DIGITS]
    if not digits:
        return "auto"
    if says_national(numbers.heading):
        return "national"
    abroad = sum(judge.abroad(cell) for _, cell in digits) / len(digits)
    if says_international(numbers.heading) and abroad >= 0.5:  # noqa: PLR2004 - at least half
        return "international"
    enough = bool(codes) or named is not None or len({cell.digits for _, cell in digits}) >= _LEAST_DISTINCT
    if abroad < _PROVEN or not enough:
        return "auto"
    if named is not None:
        rows = [(row, cell) for row, cell in digits if row < len(named)]
        national_cells = sum(judge.in_named_country(cell, named[row]) is Verdict.VALID for row, cell in rows)
    else:
        # If all begin with calling codes of the tree, a lost zero is the less likely reading.
        home = sum(judge.calling_code(cell) in codes for _, cell in digits) >= _PROVEN * len(digits)
        others = [code for code in codes if not (home and drops_zero(code))]
        national_cells = max(_national_in(digits, code, judge) for code in (*others, NORTH_AMERICA))
    return "international" if national_cells <= (1 - _PROVEN) * len(digits) else "auto"


def _national_in(digits: Sequence[tuple[int, NumberCell]], code: int, judge: Judge) -> int:
    return sum(judge.in_country(cell, code) is Verdict.VALID for _, cell in digits)


def common_country(numbers: Candidate, codes: Sequence[int], judge: Judge, *, north_american: bool) -> Countries:
    """Return the countries that explain the national numbers of a column without a Country Code column."""
    rest = [cell for cell in numbers.shaped if cell.written is not Written.ABROAD]
    abroad = Counter(judge.calling_code(cell) for cell in numbers.shaped if cell.written is Written.ABROAD)
    abroad.pop(0, None)
    if not rest:
        return NO_COUNTRY
    own = tuple(code for code, _ in abroad.most_common(_MOST))
    tiers = (codes, own, (NORTH_AMERICA,) if north_american else ())
    countries = national.explain(rest, [tier for tier in tiers if tier], judge)
    if len(countries.codes) > 1:
        as_there = north_american or all(map(is_north_american_form, rest))
        likely = {*own, NORTH_AMERICA} if as_there else set(own)
        both = tuple(code for code in countries.codes if code in likely)
        countries = Countries(both, countries.valid) if len(both) == 1 else countries
    if set(countries.codes) <= set(codes):
        countries = national.by_grouping(rest, countries)
    # A constant would contradict numbers of other countries that have their plus.
    contradicted = sum(count for code, count in abroad.items() if code != countries.only)
    return countries if contradicted < len(rest) else NO_COUNTRY


def on_countries(countries: Countries) -> str:
    """Return a sentence on several countries that explain the numbers equally."""
    if len(countries.codes) < 2:  # noqa: PLR2004 - several
        return ""
    names = " and ".join(label(code) for code in countries.codes[:2])
    several = "" if len(countries.codes) == 2 else f"{len(countries.codes):,} countries, such as "  # noqa: PLR2004
    return f" The numbers are valid in {several}{names}; select the country."
