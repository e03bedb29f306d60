"""The rules of who may do what are written once, in `schemas.permissions`, and each of the domain has its test."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from schemas import permissions

ROOT = Path(__file__).resolve().parents[2]
RULES = {f"R{number}" for number in range(1, 36)}
# Codes that say "you may not", or "it is not yours": decided by the rules alone.
DECIDING = {
    "ASSIGNED_IN_USE",
    "CAPABILITY_REQUIRED",
    "CHANGED_SINCE",
    "EXTERNAL_NOT_ALLOWED",
    "NOT_UPLOADER",
    "NUMBER_EXISTS_ELSEWHERE",
}
# Where such a code may be named all the same: to say at which column a refusal stands, or that a name means nothing.
NAMED = {
    # What the OpenAPI document lists as possible answers; nothing is decided there.
    "webhook/http/openapi/problem_codes.py": {
        *("ASSIGNED_IN_USE", "CAPABILITY_REQUIRED", "EXTERNAL_NOT_ALLOWED", "NUMBER_EXISTS_ELSEWHERE"),
    },
    "worker/stages/resolving/assign.py": {"CAPABILITY_REQUIRED"},  # the column of `check_service`'s refusals
}


def modules() -> list[Path]:
    return [path for folder in ("worker", "webhook") for path in sorted((ROOT / folder).rglob("*.py"))]


def test_deciding_codes_are_named_by_the_rules_alone() -> None:
    """A second place that decides would sooner or later decide otherwise."""
    found = {}
    for path in modules():
        name = str(path.relative_to(ROOT))
        codes = {
            node.attr
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Code"
        }
        surplus = codes & DECIDING - NAMED.get(name, set())
        if surplus:
            found[name] = surplus
    assert found == {}


def test_every_rule_is_asked_by_the_doors_or_by_the_pipeline() -> None:
    """A rule that nobody asks is a rule that somebody has written a second time."""
    text = "".join(path.read_text(encoding="utf-8") for path in modules())
    inner = (ROOT / "schemas" / "permissions.py").read_text(encoding="utf-8")
    rules = [name for name in vars(permissions) if name.startswith("check_")]
    assert len(rules) > 20
    unasked = [name for name in rules if f"permissions.{name}" not in text and inner.count(f"{name}(") < 2]
    assert unasked == []


def test_every_rule_is_cited_by_a_test_and_none_is_made_up() -> None:
    cited: set[str] = set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        text = path.read_text(encoding="utf-8")
        for first, last in re.findall(r"\b[Rr](\d{1,2})(?:(?:\.\.| to )R(\d{1,2}))?\b", text.replace("_", " ")):
            cited |= {f"R{number}" for number in range(int(first), int(last or first) + 1)}
    assert cited >= RULES, f"no test cites {sorted(RULES - cited)}"
    said = set(re.findall(r"\bR\d+\b", (ROOT / "schemas" / "permissions.py").read_text(encoding="utf-8")))
    assert said <= RULES
