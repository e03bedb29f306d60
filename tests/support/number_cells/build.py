"""Sheets of generated cells, of many countries or of one, each as one person would fill it in."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from schemas.jobs import NumberFormat
from tests.support.number_cells import blocks, places
from tests.support.number_cells.builder import Builder
from tests.support.number_cells.columns import INTERNATIONAL, NATIONAL, ZERO_LOST, settle
from tests.support.number_cells.model import Cell, Sheet
from tests.support.number_cells.numbers import calling_code

HEADERS_ABROAD = ("MSISDN", "E.164", "E164", "msisdn")
LEADING_ZERO = ("IT", "CI", "SM", "GA")
MANY_READINGS = ("DE", "SE", "ID", "AT", "FI", "IN", "BR", "IT", "GB", "CN", "MY", "JP", "KR", "NZ")

MAIN_REGION = {calling_code(region): region for region in reversed(places.REGIONS)} | {1: "US", 7: "RU", 44: "GB"}


def mixed(chance: random.Random, rows: int) -> Sheet:
    """Everything at once; digits alone are national numbers, with their zeros or without."""
    builder, sheet = Builder(chance), Sheet("mixed")
    style = chance.choice((NATIONAL, ZERO_LOST))
    makers: tuple[tuple[Callable[[], Cell], int], ...] = (
        (builder.usual, 34), (builder.faulty, 36), (lambda: builder.bare(style), 10), (builder.block, 8),
        (builder.mismatch, 2), (builder.vanity, 2), (builder.false_vanity, 1), (builder.short, 1), (builder.long, 1),
        (builder.no_country, 2), (builder.national_without_country, 1), (builder.legacy, 2),
    )  # fmt: skip
    return _filled(builder, sheet, makers, rows)


def countries(chance: random.Random, rows: int) -> Sheet:
    """Country Code cells as people fill them in."""
    builder, sheet = Builder(chance), Sheet("countries")
    makers: tuple[tuple[Callable[[], Cell], int], ...] = (
        (builder.odd_country, 60), (builder.area_country, 8), (builder.wrong_country, 12), (builder.shared_code, 12),
        (builder.no_country, 5), (builder.mismatch, 3),
    )  # fmt: skip
    return _filled(builder, sheet, makers, rows)


def block_columns(chance: random.Random, rows: int) -> Sheet:
    """Blocks with their end or their size in another column."""
    builder, sheet = Builder(chance), Sheet("block columns")

    def row() -> Cell:
        region = builder.region()
        return blocks.block_row(region, builder.country(region), chance)

    return _filled(builder, sheet, ((row, 1),), rows)


def block_cells(chance: random.Random, rows: int) -> Sheet:
    builder, sheet = Builder(chance), Sheet("blocks")
    return _filled(builder, sheet, ((builder.block, 1),), rows)


def without_country_column(chance: random.Random, rows: int) -> Sheet:
    builder, sheet = Builder(chance), Sheet("no country column", has_country=False)
    return _filled(builder, sheet, ((builder.no_country, 20), (builder.national_without_country, 1)), rows)


def one_style(chance: random.Random, rows: int) -> Sheet:
    """Digits alone of one country, all international without their plus, or all national."""
    builder, sheet = Builder(chance), Sheet("one style")
    region = chance.choice((*MANY_READINGS, builder.region()))
    style = chance.choice((INTERNATIONAL, INTERNATIONAL, NATIONAL, ZERO_LOST))
    return _filled(builder, sheet, ((lambda: builder.bare(style, region), 1),), rows)


def two_countries(chance: random.Random, rows: int) -> Sheet:
    """R14b: the evidence of one calling code says nothing of another's."""
    builder, sheet = Builder(chance), Sheet("two countries")
    first, second = chance.sample(("DE", "SE", "ID", "AT", "IN", "GB"), 2)
    makers = ((lambda: builder.bare(INTERNATIONAL, first), 1), (lambda: builder.bare(ZERO_LOST, second), 1))
    return _filled(builder, sheet, makers, rows)


def contradictory(chance: random.Random, rows: int) -> Sheet:
    """Half of the rows in one style, half in the other."""
    builder, sheet = Builder(chance), Sheet("contradictory")
    region = chance.choice(MANY_READINGS)
    makers = ((lambda: builder.bare(INTERNATIONAL, region, 0), 1), (lambda: builder.bare(ZERO_LOST, region, 0), 1))
    return _filled(builder, sheet, makers, rows)


def no_evidence(chance: random.Random, rows: int) -> Sheet:
    """Nothing but rows with two readings."""
    builder, sheet = Builder(chance), Sheet("no evidence")
    region, style = chance.choice(("DE", "SE", "ID", "AT")), chance.choice((INTERNATIONAL, ZERO_LOST))
    return _filled(builder, sheet, ((lambda: builder.ambiguous(region, style), 1),), rows)


def named(chance: random.Random, rows: int) -> Sheet:
    """The header or the upload says how the numbers are written."""
    builder, sheet = Builder(chance), Sheet("named")
    region, way = chance.choice(MANY_READINGS), chance.choice(("header", "international", "national"))
    style = ZERO_LOST if way == "national" else INTERNATIONAL
    if way == "header":
        sheet.phone_header = chance.choice(HEADERS_ABROAD)
    else:
        sheet.number_format = NumberFormat(way)
    rows = min(rows, chance.choice((3, 20, rows)))
    makers = ((lambda: builder.ambiguous(region, style), 1), (lambda: builder.bare(style, region), 1))
    return _filled(builder, sheet, makers, rows)


def leading_zero(chance: random.Random, rows: int) -> Sheet:
    """Countries whose numbers keep their zero when they are dialled from abroad."""
    builder, sheet = Builder(chance), Sheet("leading zero")
    region, style = chance.choice(LEADING_ZERO), chance.choice((NATIONAL, ZERO_LOST))
    return _filled(builder, sheet, ((lambda: builder.bare(style, region), 1),), rows)


Make = Callable[[random.Random, int], Sheet]
SHEETS: tuple[tuple[Make, int], ...] = (
    (mixed, 50), (countries, 10), (block_cells, 5), (block_columns, 6), (without_country_column, 2), (one_style, 9),
    (two_countries, 3), (contradictory, 3), (no_evidence, 3), (named, 5), (leading_zero, 4),
)  # fmt: skip


def _filled(builder: Builder, sheet: Sheet, makers: tuple[tuple[Callable[[], Cell], int], ...], rows: int) -> Sheet:
    ways, weights = zip(*makers, strict=True)
    for _ in range(rows):
        builder.add(sheet, builder.chance.choices(ways, weights)[0]())
    return settle(sheet, MAIN_REGION)


def sheets(seed: int, cells: int, largest: int) -> Iterator[Sheet]:
    """Yield sheets of about so many cells in all, each kind at least once, the same for the same seed."""
    chance, made = random.Random(seed), 0
    kinds = [make for make, _ in SHEETS]
    while made < cells or kinds:
        make = kinds.pop() if kinds else chance.choices(*zip(*SHEETS, strict=True))[0]
        sheet = make(random.Random(f"{seed} {made}"), chance.randint(50, largest))
        made += len(sheet.cells)
        yield sheet
