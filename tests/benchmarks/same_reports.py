"""Whether the reports are, byte for byte, those that were recorded: whoever makes it faster changes no answer.

`reports.json` holds the SHA-256 of report.csv by rows of the sample (seed 1), uploaded by the demo's first reseller.
`python -m tests.benchmarks.same_reports` records those of the code at hand.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from tests.benchmarks import imports
from tests.benchmarks.figures import Figure, Findings, just
from tests.benchmarks.lab import Lab, Sizes

RECORDED = Path(__file__).with_name("reports.json")
ROWS = (10_000, 100_000, 1_000_000)


def scenario(lab: Lab) -> Findings:
    """Every recorded report that is no longer than the largest of the usual files at this scale."""
    recorded = json.loads(RECORDED.read_text())
    found = digests(lab, [int(rows) for rows in recorded if int(rows) <= max(lab.sizes.big, min(ROWS))])
    same = {rows: "as recorded" if digest == recorded[str(rows)] else "differs" for rows, digest in found.items()}
    figures = [Figure(f"report of {rows:,} rows", verdict, "", just("as recorded")) for rows, verdict in same.items()]
    return Findings(figures, {str(rows): digest for rows, digest in found.items()})


def digests(lab: Lab, sizes: list[int]) -> dict[int, str]:
    """SHA-256 of the reports of files of these sizes, by size."""
    return {rows: _digest(lab, rows) for rows in sizes}


def _digest(lab: Lab, rows: int) -> str:
    service = imports.warmed(lab)
    found = imports.run(lab, service, lab.file(rows))
    digest = hashlib.sha256()
    with service.api() as api, api.report(found.job, "all", "csv") as blocks:
        for block in blocks:
            digest.update(block)
    return digest.hexdigest()


def main() -> None:
    """Record the reports of the code at hand."""
    with Lab(Sizes()) as lab:
        RECORDED.write_text(json.dumps(digests(lab, list(ROWS)), indent=2) + "\n")


if __name__ == "__main__":
    main()
