"""The house is built as its plan says: imports run one way, and every rule of an upload is shown by a test."""

from __future__ import annotations

import ast
import functools
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RULES = [f"R{number}" for number in range(5, 18)]


def test_imports_run_one_way() -> None:
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("webhook.http.auth", "worker.stages.validate"),
        ("webhook.api.tenants", "worker.accounts.tenants"),
        ("webhook.services.tenants", "webhook.api.tenants"),
    ],
)
def test_a_wrong_import_is_noticed(tmp_path: Path, importer: str, imported: str) -> None:
    """The contracts can fail: the same ones over a copy in which somebody imports what is none of its business."""
    for package in ("schemas", "worker", "webhook"):
        for path in (ROOT / package).rglob("*.py"):
            copy = tmp_path / path.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    with (tmp_path / importer.replace(".", "/")).with_suffix(".py").open("a") as module:
        module.write(f"\nimport {imported}\n")
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([program, "--no-cache"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout
    assert f"{importer} -> {imported}" in " ".join(done.stdout.split())


def test_operations_look_at_no_request() -> None:
    """Neither headers nor queries: of Flask they know links, and the type of what brings a file."""
    for path in (ROOT / "webhook" / "services").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                assert not any(name.name.partition(".")[0] in {"flask", "apiflask"} for name in node.names), path.name
            elif isinstance(node, ast.ImportFrom) and node.module in {"flask", "apiflask"}:
                assert {name.name for name in node.names} <= {"Request", "url_for"}, path.name


@functools.cache
def cited() -> frozenset[str]:
    """Rules that a test function names, in its own name, its text or its parameters."""
    found: set[str] = set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        if path == Path(__file__):
            continue
        text = path.read_text(encoding="utf-8")
        lines = text.splitlines()
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
                piece = "\n".join(lines[first - 1 : node.end_lineno])
                found |= {f"R{number}" for number in re.findall(r"(?<![A-Za-z0-9])[rR](\d+)(?!\d)", piece)}
    return frozenset(found)


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_of_an_upload_is_cited_by_a_test(rule: str) -> None:
    assert rule in cited()


def test_locks_hold_hashes_and_no_addresses() -> None:
    extras = {"dev": ["dev", "tracing", "sentry"], "extras": ["tracing", "sentry"]}
    for name in ("requirements.lock", "requirements-extras.lock", "requirements-dev.lock"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert not re.search(r"://|^\s*-|\B/\w+/", re.sub(r"--hash=sha256:[0-9a-f]{64}", "", text), re.MULTILINE)
        pinned = re.findall(
            r"^([\w.-]+)(?:\[[\w,-]+\])?==\S+(?: ; [^\\\n]+)? \\\n    --hash=sha256:", text, re.MULTILINE
        )
        assert len(pinned) == len(re.findall(r"^\S+==", text, re.MULTILINE))
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        wanted = list(project["dependencies"])
        for extra in extras.get(name.removeprefix("requirements").strip("-").partition(".")[0], []):
            wanted += project["optional-dependencies"][extra]
        names = {re.split(r"[\[>=<; ]", requirement)[0].lower() for requirement in wanted}
        assert names <= set(pinned), names - set(pinned)


def test_locks_pin_the_same_versions() -> None:
    """What the tests use is what the service runs with, with and without the extras."""
    names = ("requirements.lock", "requirements-extras.lock", "requirements-dev.lock")
    runtime, with_extras, dev = (
        set(re.findall(r"^(\S+==\S+) \\$", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE)) for name in names
    )
    assert runtime < with_extras < dev
