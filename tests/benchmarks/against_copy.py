"""A whole import against a bare COPY of its rows, and where its time, its memory and its bytes go."""

from __future__ import annotations

from tests.benchmarks import figures, imports
from tests.benchmarks.figures import Figure, Findings, Limit, at_most, guarded
from tests.benchmarks.lab import Lab


def scenario(lab: Lab) -> Findings:
    """1,000,000 rows take no longer than their COPY, 100,000 rows 1.5 times at most."""
    sizes = lab.sizes
    big, big_rounds = _against_copy(lab, sizes.big, guarded(sizes.judged, at_most(1.0)))
    middle, middle_rounds = _against_copy(lab, sizes.middle, guarded(sizes.judged, at_most(1.5)))
    return Findings(big + middle, {"big": big_rounds, "middle": middle_rounds})


def _against_copy(lab: Lab, rows: int, limit: Limit | None) -> tuple[list[Figure], list[figures.Json]]:
    service, file = imports.warmed(lab), lab.file(rows)
    found, copies, written = [], [], b""
    for _ in range(lab.rounds):
        found.append(imports.run(lab, service, file))
        # The rows differ from round to round in the job's number only.
        written = written or imports.rows_in_file_order(service, found[0].job)
        copies.append(imports.bare_copy(service, written))
    shown = f"{rows:,} rows: "
    told = [
        Figure(f"{shown}import / COPY", figures.ratios([one.seconds for one in found], copies), "x", limit),
        Figure(f"{shown}import", figures.median(one.seconds for one in found), "s"),
        Figure(f"{shown}COPY", figures.median(copies), "s"),
        Figure(f"{shown}import", figures.median(one.rate for one in found), "rows/s"),
        *figures.by_name((one.times.stages for one in found), "s", f"{shown}stage ", figures.medians),
        *figures.by_name((one.times.spans() for one in found), "s", f"{shown}span of ", figures.medians),
        *figures.by_name((one.peaks for one in found), "MiB", f"{shown}peak of ", figures.peaks),
        *figures.by_name((one.written for one in found), "MiB", f"{shown}written: ", figures.medians),
    ]
    return told, [one.as_json() | {"copied": copied} for one, copied in zip(found, copies, strict=True)]
