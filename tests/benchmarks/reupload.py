"""The same file again: nothing is new, so it is no slower than the first time, and the table is left alone.

Statistics of tables are what PostgreSQL's processes report: an idle one within ten seconds. So long is waited for them.
"""

from __future__ import annotations

import time

from tests.benchmarks import figures, imports
from tests.benchmarks.figures import Figure, Findings, at_most, guarded
from tests.benchmarks.lab import Lab, Service

REPORTED_AFTER = 11.0  # seconds; PGSTAT_IDLE_INTERVAL is 10
WAYS = ("skip", "update")
TOUCHES = "SELECT n_dead_tup + n_tup_upd + n_tup_del FROM pg_stat_user_tables WHERE relname = 'phone_numbers'"


def scenario(lab: Lab) -> Findings:
    """`on_existing` skip, and update without a change: at most the first import's time, and no row touched."""
    service, file = imports.warmed(lab), lab.file(lab.sizes.big)
    firsts: list[float] = []
    again: dict[str, list[float]] = {way: [] for way in WAYS}
    touched = dict.fromkeys(WAYS, 0)
    for _ in range(lab.rounds):
        firsts.append(imports.run(lab, service, file).seconds)
        for way in WAYS:
            before = _touches(service)
            again[way].append(imports.run(lab, service, file, anew=False, on_existing=way).seconds)
            touched[way] += _touches(service) - before
    limit = guarded(lab.sizes.judged, at_most(1.0))
    return Findings(
        [
            Figure("first import", figures.median(firsts), "s"),
            *(Figure(f"again, {way} / first", figures.ratios(again[way], firsts), "x", limit) for way in WAYS),
            *(Figure(f"again, {way}: rows touched or dead", touched[way], "rows", at_most(0)) for way in WAYS),
        ],
        {"first": firsts, **again},
    )


def _touches(service: Service) -> int:
    """Rows updated, deleted or dead so far, once every process has reported."""
    time.sleep(REPORTED_AFTER)
    return int(service.ask(TOUCHES))
