"""Linters that API owners use, with their recommended rules, find nothing in the OpenAPI document."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.api_client import application
from tests.support.node import SOURCES, Node

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("clients")]
Json = dict[str, Any]
COMMANDS = {
    "spectral": ("lint", "--ruleset", "spectral.yaml", "--format", "json", "--quiet", "--fail-severity", "hint"),
    "redocly": ("lint", "--config", "redocly.yaml", "--format", "json", "--max-problems", "1000"),
}


@pytest.fixture(scope="module")
def document() -> Json:
    found: Json = application().test_client().get("/openapi.json").json
    return found


def findings(node: Node, linter: str, document: Json) -> list[str]:
    """The rules that the document breaks, and where."""
    path = node.folder / f"{linter}.json"
    path.write_text(json.dumps(document))
    command, *options = COMMANDS[linter]
    ended = node.run(linter, command, path.name, *options)
    assert ended.returncode in {0, 1}, ended.stderr
    report = json.loads(ended.stdout)
    if linter == "spectral":
        return [f"{finding['code']} {'.'.join(map(str, finding['path']))}" for finding in report]
    return [f"{finding['ruleId']} {finding['location'][0]['pointer']}" for finding in report["problems"]]


@pytest.mark.parametrize("linter", COMMANDS)
def test_a_linter_finds_nothing(node: Node, document: Json, linter: str) -> None:
    assert findings(node, linter, document) == []


@pytest.mark.parametrize("linter", COMMANDS)
def test_a_linter_finds_what_is_missing(node: Node, document: Json, linter: str) -> None:
    """So that an empty list of findings means something."""
    damaged = copy.deepcopy(document)
    del damaged["paths"]["/v1/jobs"]["get"]["operationId"]
    rule = {"spectral": "operation-operationId", "redocly": "operation-operationId"}[linter]
    assert [finding.partition(" ")[0] for finding in findings(node, linter, damaged)] == [rule]


def test_exceptions_have_reasons() -> None:
    """A rule that is turned off has a comment in the line before it."""
    for name in ("spectral.yaml", "redocly.yaml"):
        lines = Path(SOURCES / name).read_text().splitlines()
        for before, line in zip(["", *lines], lines, strict=False):
            if line.rstrip().endswith((": off", ': "off"', ": false")):
                assert before.strip().startswith("#"), (name, line)
