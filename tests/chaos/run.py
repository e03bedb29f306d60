"""`python -m tests.chaos.run [--seed N] [--kills N] [--only TEXT]`: all attacks, large; what `make chaos` runs.

Prints a line for each; ends with 1 if anything was lost, doubled, or not as promised, and then keeps the history.
"""

from __future__ import annotations

import argparse
import csv
import random
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from tests.chaos import (
    callbacks,
    clients,
    clocks,
    corrections,
    crashes,
    exports,
    messages,
    servers,
    subscriptions,
    workbooks,
)
from tests.chaos.attacks import ATTACKS, LARGE, Size
from tests.chaos.checker import Findings, check, check_leftovers
from tests.chaos.stand import LEASE, Stand

MODULES = (
    crashes,
    messages,
    servers,
    clocks,
    clients,
    callbacks,
    workbooks,
    corrections,
    exports,
    subscriptions,
)  # importing them enters their attacks
AT_RANDOM = "random SIGKILL"
LEFTOVER_SECONDS = 90.0
FOR_LARGE = {"rows_per_chunk": 250, "rows_per_batch": 2_500}  # less would take most of the time
HEAD = ("attack", "tried", "jobs", "rows", "lost", "doubled", "recovered", "seconds", "survived")


@dataclass
class Result:
    """An attack and what came of it.

    `recovered`: seconds until work whose holder was gone was at work again. `seconds`: how long all of it took.
    """

    name: str
    tried: int
    findings: Findings
    recovered: float
    seconds: float

    @property
    def survived(self) -> bool:
        """An attack that never tried anything has proven nothing."""
        lost = self.findings.faults or self.findings.rows_lost or self.findings.rows_doubled
        return self.tried > 0 and not lost


def attacked(stand: Stand, name: str, size: Size, seed: int) -> Result:
    """Carry out one attack and look at what came of it. The same seed hurts in the same way."""
    stand.dice = random.Random(f"{seed} {name}")
    since, began = stand.history.now(), time.monotonic()
    try:
        done = ATTACKS[name](stand, size)
        findings = check(stand, done.sent)
        tried = done.tried
    except Exception:  # noqa: BLE001 - whatever it was, the attack was not survived
        findings, tried = Findings(faults=[traceback.format_exc(limit=-3)]), 0
    finally:
        stand.disarm()
    recovered = stand.history.slowest_return(since, LEASE)
    return Result(name, tried, findings, recovered, time.monotonic() - began)


class Stands:
    """Gives out one stand for all attacks, and a new one after it was broken."""

    def __init__(self, folder: Path, seed: int, settings: Mapping[str, object] = MappingProxyType({})) -> None:
        self._folder, self._seed, self._settings = folder, seed, settings
        self._held = ExitStack()
        self._count = 0
        self._stand: Stand | None = None

    @property
    def is_there(self) -> bool:
        """Whether there is a stand now."""
        return self._stand is not None

    def get(self) -> Stand:
        """The stand that is there, or a new one."""
        if self._stand is None:
            self._count += 1
            made = Stand(self._folder / str(self._count), random.Random(self._seed), settings=self._settings)
            self._stand = self._held.enter_context(made)
        return self._stand

    def drop(self) -> None:
        """Stop the stand: it must end well even then."""
        self._stand = None
        self._held.close()


def keep(stand: Stand, result: Result, folder: Path) -> Path:
    """Write down what happened to every piece of work; logs and files of the stand stay in their folder anyway."""
    target = folder / f"{result.name[:40].replace('/', '-').replace(' ', '-')}.csv"
    with target.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("at", "job", "phase", "number", "was", "state", "token", "attempt", "ran out at"))
        for event in stand.history.all():
            writer.writerow(vars(event).values())
    return target


def main() -> int:
    """Run the attacks that are asked for."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--seed", type=int, default=int(time.time()))
    words.add_argument("--kills", type=int, default=200, help="how many processes the random attack kills")
    words.add_argument("--only", default="", help="attacks with this in their name")
    asked = words.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    _say(f"seed {asked.seed}, {asked.kills} kills, in {folder}")
    _say(_line(HEAD))
    stands = Stands(folder, asked.seed, FOR_LARGE)
    results: list[Result] = []
    try:
        for name in (name for name in ATTACKS if asked.only in name):
            size = replace(LARGE, rows=3_000, times=asked.kills) if name.startswith(AT_RANDOM) else LARGE
            results.append(_one(stands, name, size, asked.seed, folder))
        stand = stands.get()
        results.append(_leftovers(stand, len(results)))
        _tell(results[-1])
    finally:
        stands.drop()
    return _end(results, folder)


def _one(stands: Stands, name: str, size: Size, seed: int, folder: Path) -> Result:
    stand = stands.get()
    result = attacked(stand, name, size, seed)
    _tell(result)
    if not result.survived:
        _say(f"    history: {keep(stand, result, folder)}")
        stands.drop()
    return result


def _leftovers(stand: Stand, attacks: int) -> Result:
    began = time.monotonic()
    found = check_leftovers(stand, LEFTOVER_SECONDS)
    return Result("nothing left behind", attacks, found, 0.0, time.monotonic() - began)


def _end(results: list[Result], folder: Path) -> int:
    lost = sum(result.findings.rows_lost for result in results)
    doubled = sum(result.findings.rows_doubled for result in results)
    rows = sum(result.findings.rows for result in results)
    failed = [result.name for result in results if not result.survived]
    _say(f"{len(results) - len(failed)} of {len(results)} survived, {rows:,} rows: {lost} lost, {doubled} doubled")
    if failed:
        _say(f"Kept: {folder}")
        return 1
    shutil.rmtree(folder, ignore_errors=True)
    return 0


def _tell(result: Result) -> None:
    found = result.findings
    recovered = f"{result.recovered:.1f} s" if result.recovered else "-"
    rows = (found.rows, found.rows_lost, found.rows_doubled)
    figures = (result.tried, found.jobs, *rows, recovered, f"{result.seconds:.1f}")
    _say(_line((result.name, *figures, "yes" if result.survived else "NO")))
    for fault in found.faults[:5]:
        _say(f"    {fault[:1500]}")


def _line(cells: tuple[object, ...]) -> str:
    name, *figures = map(str, cells)
    return f"{name[:74]:<74}" + "".join(f"{cell:>10}" for cell in figures)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
