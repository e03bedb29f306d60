"""Each release of CHANGELOG.md is recorded with its commit and lock, from which upgrade tests install it."""

from __future__ import annotations

import hashlib
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from worker.database import migrate

ROOT = Path(__file__).resolve().parents[2]
RELEASES = tomllib.loads((ROOT / "tests/upgrade/releases.toml").read_text(encoding="utf-8"))["release"]


def git(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=False)


def test_every_release_of_the_changelog_is_recorded() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert [release["version"] for release in RELEASES] == re.findall(
        r"^## \[(\d+\.\d+\.\d+)\]", changelog, re.MULTILINE
    )


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release["version"])
def test_the_tables_of_a_release_are_known(release: dict[str, str]) -> None:
    """`numberyard migrate --to` goes back to them."""
    listed = git("ls-tree", "--name-only", release["commit"], "schemas/migrations/versions/").stdout.decode().split()
    if not listed:
        pytest.skip("this checkout has no history")
    assert migrate.RELEASES[release["version"]] == max(Path(name).name[:4] for name in listed)


def test_every_release_can_be_gone_back_to() -> None:
    assert list(migrate.RELEASES) == [release["version"] for release in RELEASES]


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release["version"])
def test_the_lock_of_a_release_is_that_of_its_commit(release: dict[str, str]) -> None:
    if git("cat-file", "-e", release["commit"]).returncode:
        pytest.skip("this checkout has no history")
    lock = git("show", f"{release['commit']}:requirements.lock").stdout
    assert hashlib.sha256(lock).hexdigest() == release["requirements_lock_sha256"]
