"""Every kind of action on thousands of numbers at once, measured as `make bench` does (issue 3).

Absolute times mean little on a shared machine: this is for what grows with every row, such as a query per number.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.bench_actions import LEAST_ROWS_PER_SECOND, measure

ROWS = 20_000
SLACK = 10  # the machine is busy with other tests, and a start-up counts more where there are few rows


@pytest.mark.xdist_group("import")
def test_actions_take_numbers_by_the_thousand(tmp_path: Path) -> None:
    found = measure(tmp_path, ROWS, rounds=1, workers=2)["actions"]
    assert len(found) == 5, "measuring has made sure that each touched all rows"
    rates = {name: ROWS / figures["job_seconds"] for name, figures in found.items()}
    assert min(rates.values()) > LEAST_ROWS_PER_SECOND / SLACK, rates
