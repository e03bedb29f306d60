"""Modules and public names use the field's words (`tests.contract.retired_words`)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.retired_words import KEPT, RETIRED

ROOT = Path(__file__).resolve().parents[2]
FORMS = {form: word for word in RETIRED for form in (word, f"{word}s")}


def words(name: str) -> set[str]:
    """The words of an identifier in snake_case or CamelCase, in lower case."""
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}


def public_names(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node.name


def retired_names(folder: Path) -> list[str]:
    found = []
    for path in sorted(folder.rglob("*.py")):
        if "versions" in path.parts:
            continue
        place = path.relative_to(ROOT).as_posix()
        names = [*public_names(path.read_text(encoding="utf-8"))]
        found += [f"{place}:{name}" for name in names if words(name) & FORMS.keys()]
        found += [place] if words(path.stem) & FORMS.keys() else []
    return found


@pytest.mark.parametrize("package", ["schemas", "worker", "webhook"])
def test_no_retired_word_in_the_name_of_a_module_function_or_class(package: str) -> None:
    assert [name for name in retired_names(ROOT / package) if name not in KEPT] == []


def test_names_that_are_kept_exist() -> None:
    assert {name for package in ("schemas", "worker", "webhook") for name in retired_names(ROOT / package)} >= set(KEPT)


@pytest.mark.parametrize(
    ("name", "expected"), [("HTTPDoor", {"http", "door"}), ("look_up", {"look", "up"}), ("Kin", {"kin"})]
)
def test_words_of_a_name(name: str, expected: set[str]) -> None:
    assert words(name) == expected
