"""The same rows as a workbook, against CSV."""

from __future__ import annotations

from tests.benchmarks import figures, imports
from tests.benchmarks.figures import Figure, Findings, at_most, guarded
from tests.benchmarks.lab import Lab
from webhook.cli.commands.sample import MOST_XLSX_ROWS

READER = "workbook reader"


def scenario(lab: Lab) -> Findings:
    """At most twice the time of CSV, from the upload to the report; the reading child at most 700 MiB."""
    service, rows = imports.warmed(lab), min(lab.sizes.big, MOST_XLSX_ROWS)
    files = {ending: lab.file(rows, ending) for ending in ("csv", "xlsx")}
    found: dict[str, list[imports.Import]] = {ending: [] for ending in files}
    for _ in range(lab.rounds):
        for ending, file in files.items():
            found[ending].append(imports.run(lab, service, file))
    times = {ending: [one.seconds for one in runs] for ending, runs in found.items()}
    limit, memory = (guarded(lab.sizes.judged, at_most(most)) for most in (2.0, 700))
    reader = figures.peaks(one.peaks for one in found["xlsx"]).get(READER)
    return Findings(
        [
            *(Figure(f"{rows:,} rows, {ending}", figures.median(times[ending]), "s") for ending in files),
            Figure("XLSX / CSV", figures.ratios(times["xlsx"], times["csv"]), "x", limit),
            Figure(f"peak of {READER}", reader, "MiB", memory),
        ],
        {ending: [one.as_json() for one in runs] for ending, runs in found.items()},
    )
