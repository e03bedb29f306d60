"""What a second worker process adds to the work that is not the database's, and what a second host would."""

from __future__ import annotations

from collections.abc import Iterable

from tests.benchmarks import figures, imports
from tests.benchmarks.figures import Figure, Findings, at_least, guarded
from tests.benchmarks.lab import Lab

# Phases whose work is ours alone, as far as the ledger tells them apart.
BEFORE, VALIDATION, AFTER = ("check", "validate", "cut"), ("validate",), ("report", "render")
WRITING = ("write",)
RESOLVE = "resolve"
CONTENDERS = (1, 2)
LEAST, LEAST_VALIDATION = 1.3, 1.7

Runs = dict[int, list[imports.Import]]


def scenario(lab: Lab) -> Findings:
    """With two processes each part that is not the database's is 1.3 times as fast as with one."""
    runs: Runs = {workers: [] for workers in CONTENDERS}
    for _ in range(lab.rounds):
        for workers in CONTENDERS:
            runs[workers].append(imports.run(lab, imports.warmed(lab, workers), lab.file(lab.sizes.big)))
    limit = guarded(lab.sizes.judged, at_least(LEAST))
    share = figures.median(map(share_of_ours, runs[2]))
    return Findings(
        [
            *(_figure(workers, found) for workers, found in runs.items()),
            Figure("whole import: one / two workers", _faster(one.seconds for one in runs[1] + runs[2]), "x"),
            Figure("check, validate, cut: one / two workers", _faster(_spans(runs, BEFORE)), "x", limit),
            Figure(
                "validate: one / two workers",
                _faster(_spans(runs, VALIDATION)),
                "x",
                guarded(lab.sizes.judged, at_least(LEAST_VALIDATION)),
            ),
            Figure("report, render: one / two workers", _faster(_spans(runs, AFTER)), "x", limit),
            *(Figure(f"resolve, {workers} workers", _rate(runs, workers), "rows/s") for workers in CONTENDERS),
            Figure("resolve: rate of two / one", figures.ratio(_rate(runs, 2), _rate(runs, 1)), "x", limit),
            Figure("share of the time that is not the database's", share, "", None, "two workers"),
            Figure(
                "a second host would be faster by",
                None if share is None else figures.amdahl(share, hosts=2),
                "x",
                None,
                "Amdahl: that share halved, the database's as it is; computed, not measured",
            ),
        ],
        {str(workers): [one.as_json() for one in found] for workers, found in runs.items()},
    )


def share_of_ours(run: imports.Import) -> float | None:
    """How much of an import's time (0..1) is not the database's: the spans of our phases, and of writing the part that
    is spent on deciding.
    """
    writing, decide = run.times.span_of(WRITING), run.times.stages.get(RESOLVE)
    ours = [run.times.span_of(phases) for phases in (BEFORE, AFTER)]
    stages = (run.times.stages.get("write", 0.0) + decide) if decide is not None else 0.0
    if writing is None or decide is None or None in ours or not stages:
        return None
    return min((sum(span for span in ours if span) + writing * decide / stages) / run.seconds, 1.0)


def _figure(workers: int, found: list[imports.Import]) -> Figure:
    return Figure(f"whole import, {workers} workers", figures.median(one.seconds for one in found), "s")


def _spans(runs: Runs, phases: Iterable[str]) -> list[float | None]:
    names = tuple(phases)
    return [one.times.span_of(names) for workers in CONTENDERS for one in runs[workers]]


def _faster(spans: Iterable[float | None]) -> float | None:
    """Of spans with one worker and then, as many, with two: how many times shorter the latter are."""
    known = list(spans)
    middle = len(known) // 2
    return figures.ratios(known[:middle], known[middle:])


def _rate(runs: Runs, workers: int) -> float | None:
    """Rows per second that all workers together decide about."""
    spent = [one.times.stages.get(RESOLVE) for one in runs[workers]]
    return figures.median(
        figures.ratio(workers * one.rows, seconds) for one, seconds in zip(runs[workers], spent, strict=True)
    )
