"""Programs of the system that tests use as other clients and servers: Debian packages, which `.ci/run` installs."""

from __future__ import annotations

import os
import shutil

import pytest

REQUIRED = "NUMBERYARD_REQUIRE_PROGRAMS"
PACKAGES = {
    "curl": "curl",
    "aria2c": "aria2",
    "pgbouncer": "pgbouncer",
    "nginx": "nginx-light",
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "systemd-analyze": "systemd",
    "systemd-sysusers": "systemd",
    "systemd-tmpfiles": "systemd",
}
SYSTEM = "/usr/sbin"  # not in everybody's PATH


def need(program: str) -> str:
    """The path of a program; without it the test is skipped, or fails where it is required."""
    found = shutil.which(program, path=os.pathsep.join((os.environ.get("PATH", ""), SYSTEM)))
    if found is None:
        missing = f"this test needs {program} (Debian: `apt install {PACKAGES[program]}`)"
        if os.environ.get(REQUIRED):
            pytest.fail(missing, pytrace=False)
        pytest.skip(missing)
    return found
