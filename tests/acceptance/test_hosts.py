"""The whole service on hosts of their own that are killed and cut off; in small (`make chaoshosts` runs it large)."""

from __future__ import annotations

from pathlib import Path

from tests.chaos.hosts import FAULTS, SMALL, run_all


def test_r28_r29_nothing_is_lost_and_nothing_doubled_on_many_hosts(tmp_path: Path) -> None:
    run = run_all(tmp_path / "run", SMALL, 1)
    assert len(run.faults) >= len(FAULTS)
