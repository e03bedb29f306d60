"""Measures everything in one run, on one machine, against one PostgreSQL (`make bench`).

`python -m tests.benchmarks.run --only import,small --rows 1000000 --scale 0.01`: some scenarios, other sizes. Prints a
table and writes `.bench/bench.json` after each scenario. Exit code 1 if a limit does not hold or a scenario could not
be carried through. At a smaller scale only those limits are judged that do not depend on it.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path

from tests.benchmarks import (
    actions,
    against_copy,
    against_peers,
    backlog,
    bench_phone,
    changes,
    corrections,
    exports,
    flood,
    footprint,
    growth,
    hosts,
    lists,
    neighbours,
    readings,
    reupload,
    same_reports,
    single,
    sizes,
    small,
    status,
    waiting,
    workbooks,
    workers,
)
from tests.benchmarks.figures import Figure, Findings, Json, just, table
from tests.benchmarks.lab import BENCH, Lab, Sizes
from tests.benchmarks.machine import facts

# In this order: `memory` takes what the others have run.
SCENARIOS: Mapping[str, Callable[[Lab], Findings]] = {
    "import": against_copy.scenario,
    "peers": against_peers.scenario,
    "reupload": reupload.scenario,
    "growth": growth.scenario,
    "memory": footprint.scenario,
    "small": small.scenario,
    "neighbours": neighbours.scenario,
    "status": status.scenario,
    "waiting": waiting.scenario,
    "single": single.scenario,
    "flood": flood.scenario,
    "workers": workers.scenario,
    "hosts": hosts.scenario,
    "xlsx": workbooks.scenario,
    "changes": changes.scenario,
    "corrections": corrections.scenario,
    "reports": same_reports.scenario,
    "phone": bench_phone.scenario,
    "actions": actions.scenario,
    "readings": readings.scenario,
    "exports": exports.scenario,
    "lists": lists.scenario,
    "backlog": backlog.scenario,
    "sizes": sizes.scenario,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", type=_names, default=list(SCENARIOS), help=f"of {', '.join(SCENARIOS)}")
    parser.add_argument("--rows", type=int, help="rows of the large file")
    parser.add_argument("--peer-rows", type=int, help="rows of the file that is imported by other means, too")
    parser.add_argument("--scale", type=float, default=1.0, help="factor on all sizes")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each contender; the median counts")
    parser.add_argument("--out", type=Path, default=BENCH / "bench.json")
    wanted = parser.parse_args()
    lab_sizes = sizes_of(wanted.scale, wanted.rows, wanted.peer_rows)
    with Lab(lab_sizes, wanted.rounds) as lab:
        machine = facts(lab.service())
        found: dict[str, Findings] = {}
        for name in wanted.only:
            found[name] = _carried_through(name, lab)
            _write(wanted.out, document(machine, lab_sizes, wanted.rounds, found))
    print(*table(found), sep="\n")
    print(f"\n{wanted.out}; medians of {wanted.rounds} rounds; {machine['cpu']}, {machine['cores']} cores")
    if not lab_sizes.judged:
        print("Limits that are meant for full size were not judged.")
    sys.exit(any(findings.broken() for findings in found.values()))


def sizes_of(scale: float, rows: int | None, peer_rows: int | None) -> Sizes:
    """The sizes that were asked for; not judged where a file is smaller than the limits are meant for."""
    usual = Sizes()
    big, peer = rows or usual.big, peer_rows or usual.peer
    judged = big >= usual.big and peer >= usual.peer
    return replace(usual, big=big, peer=peer, judged=judged).scaled(scale)


def document(machine: Json, sizes: Sizes, rounds: int, found: Mapping[str, Findings]) -> Json:
    """What is written: every figure, what it was measured on, and the rounds behind it."""
    return {
        "machine": machine,
        "sizes": asdict(sizes),
        "rounds": rounds,
        "all_hold": not any(findings.broken() for findings in found.values()),
        "scenarios": {name: findings.as_json() for name, findings in found.items()},
    }


def _names(text: str) -> list[str]:
    names = text.split(",")
    if unknown := set(names) - set(SCENARIOS):
        raise argparse.ArgumentTypeError(f"no scenario: {', '.join(sorted(unknown))}")
    return names


def _carried_through(name: str, lab: Lab) -> Findings:
    """A scenario's findings. One that fails is a broken limit, and the others have their turn all the same."""
    began = time.perf_counter()
    print(f"{name} ...", end=" ", file=sys.stderr, flush=True)
    try:
        found = SCENARIOS[name](lab)
    except Exception as error:  # noqa: BLE001 - whatever it is, an hour of other figures must not be lost
        traceback.print_exc()
        return Findings([Figure("carried through", "no", "", just("yes"), f"{type(error).__name__}: {error}")])
    print(f"{time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
    return found


def _write(path: Path, content: Json) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".part")
    draft.write_text(json.dumps(content, indent=2) + "\n")
    draft.replace(path)


if __name__ == "__main__":
    main()
