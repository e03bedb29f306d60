"""Every kind of action on thousands of numbers at once, measured as `make bench` does (issue 3).

Absolute times mean little on a shared machine: this is for what grows with every row, such as a query per number.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.actions import LEAST_ROWS_PER_SECOND, Bench
from tests.benchmarks.lab import Lab, Sizes

ROWS = 20_000
SLACK = 25  # the machine is busy with other tests, and a start-up counts more where there are few rows


@pytest.mark.xdist_group("import")
def test_actions_take_numbers_by_the_thousand(tmp_path: Path) -> None:
    with Lab(Sizes(), cache=tmp_path) as lab:
        found = Bench(lab.service(), ROWS).rounds(1)
    assert len(found) == 5, "measuring has made sure that each touched all rows"
    rates = {name: ROWS / pairs[0][0] for name, pairs in found.items()}
    assert min(rates.values()) > LEAST_ROWS_PER_SECOND / SLACK, rates
