"""The whole service on an S3 API server that refuses or is silent, while workers are killed; in small."""

from __future__ import annotations

from pathlib import Path

from tests.chaos.object_store import SMALL, SMALL_STEPS, run_all


def test_r28_r29_nothing_is_lost_and_nothing_doubled_on_an_object_store(tmp_path: Path) -> None:
    run = run_all(tmp_path / "run", SMALL, 1, SMALL_STEPS)
    assert run.figures["rows checked"] >= len(SMALL_STEPS) * SMALL.rows
