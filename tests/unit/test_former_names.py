"""Commands of deployments made for the names of before 0.1.0 still start; the names go in 0.2.0."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import webhook.serving
from webhook.http import gunicorn_conf
from worker.infra import beat
from worker.queue import scheduler

ROOT = Path(__file__).parents[2]


def test_the_scheduler_is_found_by_its_former_name() -> None:
    assert beat.Scheduler is scheduler.Scheduler


def test_gunicorn_finds_settings_and_hooks_by_their_former_name() -> None:
    names = {name for name in vars(gunicorn_conf) if not name.startswith("_")}
    assert {name: vars(webhook.serving)[name] for name in names} == {name: vars(gunicorn_conf)[name] for name in names}


@pytest.mark.long
def test_the_health_check_runs_under_its_former_name() -> None:
    """Without a broker both say the same, and exit with 1."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NUMBERYARD_")}
    runs = [
        subprocess.run(
            [sys.executable, "-m", module], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        for module in ("worker.infra.connected", "worker.queue.healthcheck")
    ]
    assert [(run.returncode, run.stderr) for run in runs] == [(1, "NUMBERYARD_REDIS_URL is not set\n")] * 2
