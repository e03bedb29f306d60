"""What the run of the tests rests on, where its absence would only make it slow."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

GROUPED = """
import os
from pathlib import Path
import pytest

@pytest.mark.xdist_group("together")
@pytest.mark.parametrize("place", range(6))
def test_where(place):
    with Path("where").open("a") as file:
        file.write(os.environ["PYTEST_XDIST_WORKER"] + "\\n")
"""


def test_tests_of_a_group_stay_in_one_process(tmp_path: Path) -> None:
    """Who shares a service starts it once: pytest 9.2 took the groups from pytest-xdist 3.8, and all still passed."""
    (tmp_path / "test_grouped.py").write_text(GROUPED)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "xdist",
        "-n2",
        "--dist=loadgroup",
        "--rootdir=.",
        "test_grouped.py",
    ]
    run = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert run.returncode == 0, run.stdout
    where = (tmp_path / "where").read_text().split()
    assert (len(where), len(set(where))) == (6, 1)
