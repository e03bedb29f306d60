"""The attacks by name: what each does, in a size for every test run and in one for a night.

An attack hurts the stand while jobs are under way and answers what the checker is to look at. It asserts that it did
meet what it aimed at: an attack that misses proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.chaos.stand import Sent, Stand


@dataclass(frozen=True)
class Size:
    """How large an attack is: rows of a file, and how often the harm is done."""

    rows: int
    times: int


SMALL = Size(rows=600, times=2)
LARGE = Size(rows=20_000, times=12)
FEW = 10  # with less than so many times an attack saves time where it can


@dataclass
class Done:
    """What an attack did: how often it tried, and the requests whose jobs are to be looked at."""

    sent: list[Sent] = field(default_factory=list)
    tried: int = 0


Attack = Callable[[Stand, Size], Done]
ATTACKS: dict[str, Attack] = {}


def attack(name: str) -> Callable[[Attack], Attack]:
    """Enter a function as the attack of that name."""

    def entered(function: Attack) -> Attack:
        assert name not in ATTACKS, name
        ATTACKS[name] = function
        return function

    return entered
