"""The commands of the guides (docs/guides), executed in a shell as an operator does."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from tests.support.servers.service import NUMBERYARD
from worker.runtime.embedded import binaries
from worker.runtime.processes.child import RunAs

GUIDES = Path(__file__).resolve().parents[2] / "docs/guides"
SECONDS = 300.0
# The store of the tests; older versions of the program do not read the variable.
AWS = 'aws() { command aws ${AWS_ENDPOINT_URL:+--endpoint-url "$AWS_ENDPOINT_URL"} "$@"; }'


def blocks(guide: str, heading: str) -> list[str]:
    """Return the commands below a heading of a guide, in order: the text of each block marked as bash."""
    text = (GUIDES / f"{guide}.md").read_text(encoding="utf-8")
    (section,) = re.findall(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#+ |\Z)", text, re.DOTALL | re.MULTILINE)
    return re.findall(r"^ *```bash\n(.*?)^ *```", section, re.DOTALL | re.MULTILINE)


def attempt(script: str, /, **variables: object) -> subprocess.CompletedProcess[str]:
    """Run commands in a shell, with `numberyard` and the tools of the embedded PostgreSQL."""
    return _attempt(script, binaries.postgres_home(RunAs()), variables)


def run(script: str, /, **variables: object) -> str:
    """Run commands that have to succeed, as `attempt` does; return what they print."""
    return _output(script, attempt(script, **variables))


def run_with(postgres: Path, script: str, /, **variables: object) -> str:
    """Run commands that have to succeed, with the tools of another PostgreSQL; return what they print."""
    return _output(script, _attempt(script, postgres, variables))


def _attempt(script: str, postgres: Path, variables: dict[str, object]) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join((str(postgres / "bin"), str(Path(NUMBERYARD).parent), os.environ["PATH"]))
    environment = os.environ | {name: str(value) for name, value in variables.items()} | {"PATH": path}
    return subprocess.run(
        ["bash", "-c", f"set -eu\n{AWS}\n{script}"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )


def _output(script: str, done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
    return done.stdout


def connections() -> dict[str, int]:
    """Return the most connections to the database of each kind of process, as the guide to maintenance says."""
    text = (GUIDES / "maintenance.md").read_text(encoding="utf-8").split("## Size of the database server")[1]
    rows = re.findall(r"^\| (.+?) \| (\d+) \|", text, re.MULTILINE)
    kinds = {
        "each process of `web`": "web",
        "each child of `worker`": "worker",
        "`upkeep`": "upkeep",
        "`beat`": "beat",
        "`migrate`": "commands",
        "kept by": "reserved",
    }
    return {name: int(most) for start, name in kinds.items() for kind, most in rows if kind.startswith(start)}
