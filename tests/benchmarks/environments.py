"""Virtual environments of the peers: made from hashed locks under `.bench/peers`, never part of the product's own."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

from tests.benchmarks.figures import Json

LOCKS = Path(__file__).parent / "peers"
ROOT = LOCKS.parents[2]
QUIET = ("--disable-pip-version-check", "--quiet", "--quiet", "--no-input")


def python_of(name: str, cache: Path) -> Path:
    """The interpreter of a peer's environment, which is made if it is not there or its lock has changed."""
    folder, lock = cache.absolute() / "peers" / name, LOCKS / f"{name}.lock"
    python, mark = folder / "bin" / "python", folder / "lock.sha256"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    if not mark.exists() or mark.read_text() != digest:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        install = ("install", "--no-deps", "--require-hashes", "--requirement", str(lock))
        subprocess.run([str(python), "-m", "pip", *QUIET, *install], check=True)
        mark.write_text(digest)
    return python


def run(python: Path, module: str, database_url: str, *arguments: str) -> Json:
    """What a peer's module prints; its own words on stderr if it fails."""
    environment = {**os.environ, "PEER_DATABASE_URL": database_url, "PYTHONPATH": str(ROOT)}
    command = [str(python), "-m", f"tests.benchmarks.peers.{module}", *arguments]
    answer = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=True)
    found: Json = json.loads(answer.stdout)
    return found
