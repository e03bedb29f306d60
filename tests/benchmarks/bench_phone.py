"""How fast whole columns of phone numbers are checked, against one `phonenumbers` call per number, in one run.

Measures processor time, which other programs on the machine disturb little.

Run `python -m tests.benchmarks.bench_phone [rows]`. Prints a table; `measure` gives the same figures to a test.
"""

from __future__ import annotations

import random
import sys
from dataclasses import dataclass
from time import process_time
from typing import TYPE_CHECKING

import phonenumbers
import pyarrow as pa

from tests.benchmarks.figures import Figure, Findings
from tests.unit.phone_corpus import WAYS, Region, regions, some_number
from worker.phone import check_column
from worker.phone.metadata import MAIN_ROW, compile_code

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.benchmarks.lab import Lab

# Share of rows per country in the usual mixture, and of the ways in which they are written.
COUNTRIES = {"US": 50, "GB": 12, "DE": 8, "FR": 6, "CA": 6, "AU": 4, "IT": 4, "ES": 4, "AR": 3, "IN": 3}
SPELLINGS = {
    "plain": 30,
    "national": 25,
    "international": 15,
    "e164": 20,
    "punctuated": 5,
    "repeated": 3,
    "off by one": 2,
}
NANO = 1e9
SAMPLE = 20_000  # numbers that are checked one by one


@dataclass(frozen=True)
class Figures:
    """One mixture: `loop` and `column` in ns per number, `first` also compiles; `by_library` and `valid` are shares."""

    name: str
    rows: int
    loop: float
    first: float
    column: float
    by_library: float
    valid: float

    @property
    def ratio(self) -> float:
        return self.loop / self.column


def rows_of(mixture: dict[str, int], rows: int) -> tuple[pa.Array, pa.Array]:
    """Realistic rows: about 98 % valid, in the usual spellings, countries interleaved."""
    chance = random.Random(20260101)
    where = {region.name: region for region in regions()}
    writers = dict(WAYS)
    drawn = chance.choices([where[name] for name in mixture], list(mixture.values()), k=rows)
    ways = chance.choices([writers[way] for way in SPELLINGS], list(SPELLINGS.values()), k=rows)
    numbers = [way(region, some_number(region, chance), chance) for region, way in zip(drawn, ways, strict=True)]
    return pa.array([_cell(region, chance) for region in drawn]), pa.array(numbers)


def _cell(region: Region, chance: random.Random) -> str:
    return chance.choice((region.name, str(region.code))) if region.metadata.main_country_for_code else region.name


def timed(work: Callable[[], object]) -> float:
    begin = process_time()
    work()
    return process_time() - begin


def loop(country: list[str], number: list[str]) -> int:
    """What everybody writes first: parse and ask, number by number."""
    valid = 0
    for cell, text in zip(country, number, strict=True):
        region = phonenumbers.region_code_for_country_code(int(cell)) if cell.isdigit() else cell
        try:
            valid += phonenumbers.is_valid_number(phonenumbers.parse(text, region))
        except phonenumbers.NumberParseException:
            continue
    return valid


def measure(rows: int, sample: int, name: str = "ten countries", mixture: dict[str, int] | None = None) -> Figures:
    """Check `rows` numbers as columns and the first `sample` of them one by one, in turns: each its best of five."""
    country, number = rows_of(mixture or COUNTRIES, rows)
    some = country[:sample].to_pylist(), number[:sample].to_pylist()
    first = timed(lambda: check_column(country, number))
    turns = [(timed(lambda: check_column(country, number)), timed(lambda: loop(*some))) for _ in range(5)]
    column, each = (min(times) for times in zip(*turns, strict=True))
    found = check_column(country, number)
    shares = float(found.by_library.mean()), float((found.e164 != 0).mean())
    return Figures(name, rows, each / sample * NANO, first / rows * NANO, column / rows * NANO, *shares)


def compile_everything() -> float:
    """Seconds to compile all calling codes."""
    phonenumbers.PhoneMetadata.load_all()
    return timed(lambda: [compile_code(code) for code in MAIN_ROW])


def mixtures() -> dict[str, dict[str, int]]:
    """Shares of the countries by the mixture's name."""
    everywhere = {region.name: 1 for region in regions() if region.name != "001"}
    return {"ten countries": COUNTRIES, "US only": {"US": 1}, f"{len(everywhere)} countries": everywhere}


def scenario(lab: Lab) -> Findings:
    """A column of numbers against `phonenumbers` number by number."""
    rows = lab.sizes.phone
    found = [measure(rows, min(rows, SAMPLE), name, mixture) for name, mixture in mixtures().items()]
    told = [
        told
        for one in found
        for told in (
            Figure(f"{one.name}: one by one", one.loop, "ns"),
            Figure(f"{one.name}: as a column", one.column, "ns"),
            Figure(f"{one.name}: one by one / column", one.ratio, "x"),
        )
    ]
    return Findings(told, {one.name: vars(one) for one in found})


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    heads = ("rows", "loop ns", "first ns", "column ns", "ratio", "library", "valid")
    print(f"{'mixture':<16}" + "".join(f"{head:>11}" for head in heads))
    for name, mixture in mixtures().items():
        figures = measure(rows, min(rows, SAMPLE), name, mixture)
        print(
            f"{name:<16}{rows:>11,}{figures.loop:>11,.0f}{figures.first:>11,.0f}{figures.column:>11,.0f}"
            f"{figures.ratio:>10,.0f}x{figures.by_library:>11.2%}{figures.valid:>11.2%}"
        )
    print(f"compiling all {len(MAIN_ROW)} calling codes: {compile_everything():.2f} s")


if __name__ == "__main__":
    main()
