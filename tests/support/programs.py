"""Programs of the system that tests use as other clients and servers: Debian packages, which `.ci/run` installs."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

REQUIRED = "NUMBERYARD_REQUIRE_PROGRAMS"
PACKAGES = {
    "curl": "curl",
    "aria2c": "aria2",
    "pgbouncer": "pgbouncer",
    "nginx": "nginx-light",
    "redis-cli": "redis-tools",
    "aws": "awscli",
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "systemd-analyze": "systemd",
    "systemd-sysusers": "systemd",
    "systemd-tmpfiles": "systemd",
    "postgres": "postgresql",
    "redis-server": "redis-server",
}
SYSTEM = "/usr/sbin"  # not in everybody's PATH
POSTGRES = Path("/usr/lib/postgresql")  # Debian's versions, a folder for each


def need(program: str) -> str:
    """The path of a program; without it the test is skipped, or fails where it is required."""
    postgres = sorted((str(path) for path in POSTGRES.glob("*/bin")), reverse=True)
    found = shutil.which(program, path=os.pathsep.join((*postgres, os.environ.get("PATH", ""), SYSTEM)))
    if found is None:
        missing = f"this test needs {program} (Debian: `apt install {PACKAGES[program]}`)"
        if os.environ.get(REQUIRED):
            pytest.fail(missing, pytrace=False)
        pytest.skip(missing)
    return found
