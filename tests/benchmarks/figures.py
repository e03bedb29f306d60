"""What a benchmark says: figures, some of them with a limit that must hold; medians, percentiles and the table.

Arithmetic only: nothing here measures. A figure that could not be had is None, and then its limit does not hold.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Json = dict[str, Any]
Value = float | str | None
WIDTH = 48  # of a figure's name
TIMES = "x"


@dataclass(frozen=True)
class Limit:
    """What a value must be: at most, at least, or just this."""

    relation: Literal["<=", ">=", "="]
    bound: float | str

    def holds(self, value: Value) -> bool:
        if value is None:
            return False
        if self.relation == "=":
            return value == self.bound
        reached, bound = float(value), float(self.bound)
        return reached <= bound if self.relation == "<=" else reached >= bound

    def __str__(self) -> str:
        return f"{self.relation} {shown(self.bound)}"


def at_most(bound: float) -> Limit:
    return Limit("<=", bound)


def at_least(bound: float) -> Limit:
    return Limit(">=", bound)


def just(bound: str) -> Limit:
    return Limit("=", bound)


@dataclass(frozen=True)
class Figure:
    """One value with its unit (`s`, `ms`, `rows/s`, `MiB`, `x` for times, ...), and what it must be, if anything."""

    name: str
    value: Value
    unit: str = ""
    limit: Limit | None = None
    note: str = ""

    @property
    def holds(self) -> bool | None:
        """None: there is no limit."""
        return None if self.limit is None else self.limit.holds(self.value)

    def as_json(self) -> Json:
        return {
            "name": self.name,
            "value": self.value,
            "unit": self.unit,
            "limit": None if self.limit is None else str(self.limit),
            "holds": self.holds,
            "note": self.note,
        }


@dataclass(frozen=True)
class Findings:
    """What a scenario found: the figures, and the rounds that they come from."""

    figures: list[Figure]
    rounds: Json = field(default_factory=dict)

    def broken(self) -> list[Figure]:
        """The figures whose limits do not hold."""
        return [figure for figure in self.figures if figure.holds is False]

    def as_json(self) -> Json:
        return {"figures": [figure.as_json() for figure in self.figures], "rounds": self.rounds}


def median(values: Iterable[float | None]) -> float | None:
    """The median of what was measured; None if nothing was."""
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def medians(tables: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The median of each entry, over the tables that have it; entries in the order in which they first come."""
    names = dict.fromkeys(name for table in tables for name in table)
    return {name: statistics.median(table[name] for table in tables if name in table) for name in names}


def peaks(tables: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """The greatest of each entry."""
    highest: dict[str, float] = {}
    for table in tables:
        highest |= {name: max(value, highest.get(name, 0.0)) for name, value in table.items()}
    return highest


def percentile(values: Sequence[float], percent: float) -> float | None:
    """The least value that `percent` of all values do not exceed (nearest rank); None if there is none."""
    if not values:
        return None
    return sorted(values)[max(math.ceil(percent / 100 * len(values)), 1) - 1]


def ratio(above: float | None, below: float | None) -> float | None:
    """A quotient of two measured values; None if one of them was not measured."""
    return None if above is None or not below else above / below


def ratios(above: Iterable[float | None], below: Iterable[float | None]) -> float | None:
    """The median of the quotients of values that were measured in pairs, one after the other."""
    return median(ratio(*pair) for pair in zip(above, below, strict=True))


def amdahl(share: float, hosts: int) -> float:
    """How many times faster work gets on so many hosts, if that share of it (0..1) runs on all of them."""
    return 1 / (1 - share + share / hosts)


def guarded(judged: bool, limit: Limit) -> Limit | None:
    """A limit that is meant for full size only."""
    return limit if judged else None


def table(findings: Mapping[str, Findings]) -> Iterable[str]:
    """The lines of the table, scenario by scenario."""
    for scenario, found in findings.items():
        yield ""
        yield f"{scenario:<{WIDTH + 2}}{'':>14}         limit"
        yield from map(_line, found.figures)


def _line(figure: Figure) -> str:
    verdict = {True: "holds", False: "BROKEN", None: ""}[figure.holds]
    limit = "" if figure.limit is None else str(figure.limit)
    text = f"  {figure.name:<{WIDTH}}{shown(figure.value):>14} {figure.unit:<7} {limit:>10} {verdict:<6} {figure.note}"
    return text.rstrip()


def shown(value: Value) -> str:
    """A value as the table has it: three digits that matter, and never fewer than the whole part has."""
    if value is None or isinstance(value, str):
        return "not measured" if value is None else value
    whole = 100  # from here on decimals say nothing
    return f"{value:,.0f}" if abs(value) >= whole or value == int(value) else f"{value:,.3g}"


def by_name(tables: Iterable[Mapping[str, float]], unit: str, prefix: str, how: Callable[..., Any]) -> list[Figure]:
    """A figure for each entry of tables of one kind, put together by `how` (`medians`, `peaks`)."""
    return [Figure(f"{prefix}{name}", value, unit) for name, value in how(list(tables)).items()]
