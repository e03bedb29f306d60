"""How much memory the processes take at most, from the imports that were run; runs one of each size where none was."""

from __future__ import annotations

from tests.benchmarks import figures, imports
from tests.benchmarks.figures import Figure, Findings, at_most, guarded
from tests.benchmarks.lab import Lab
from tests.benchmarks.memory import ALL_SERVERS

MOST_BIG, MOST_HUGE = 700, 1229  # MiB
GROWTH = 1.1  # what allocators and the order of requests make of equal work
WEB = "web"


def scenario(lab: Lab) -> Findings:
    """No process above 700 MiB at 1 M rows and 1.2 GiB at 10 M; the web processes take the same whatever is sent."""
    sizes = lab.sizes
    peaks = {rows: _peaks(lab, rows) for rows in (sizes.middle, sizes.big, sizes.huge)}
    limits = {sizes.big: MOST_BIG, sizes.huge: MOST_HUGE}
    found = []
    for rows, by_role in peaks.items():
        role, most = max(
            ((role, peak) for role, peak in by_role.items() if role != ALL_SERVERS), key=lambda one: one[1]
        )
        limit = guarded(sizes.judged and rows in limits, at_most(limits.get(rows, 0)))
        found.append(Figure(f"{rows:,} rows: largest process", most, "MiB", limit, role))
        found += [Figure(f"{rows:,} rows: peak of {role}", peak, "MiB") for role, peak in by_role.items()]
    web = [max(peak for role, peak in by_role.items() if role.startswith(WEB)) for by_role in peaks.values()]
    growth = figures.ratio(web[-1], web[0])
    found.append(Figure("web: peak at most rows / fewest", growth, "x", guarded(sizes.judged, at_most(GROWTH))))
    return Findings(found)


def _peaks(lab: Lab, rows: int) -> dict[str, float]:
    file = lab.file(rows)
    known = [one for one in lab.imports if one.file == file.name]
    return figures.peaks(one.peaks for one in known or [imports.run(lab, imports.warmed(lab), file)])
