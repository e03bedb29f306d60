"""Modules, public names and prose use the field's words (`tests.contract.retired_words`)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.prose import READERS
from tests.contract.retired_words import FORMS, KEPT, KEPT_IN_PROSE, ONLY_IN_NAMES, ORDINARY_PHRASES, RETIRED

ROOT = Path(__file__).resolve().parents[2]
NAMES = {form for word in RETIRED for form in (word, f"{word}s")}
WORDS = {form: word for word in RETIRED for form in (word, f"{word}s", *FORMS.get(word, ()))}
ORDINARY = re.compile(rf"\b({'|'.join(ORDINARY_PHRASES)})\b", re.IGNORECASE)
# No part of an identifier, a setting or a path.
IN_PROSE = re.compile(rf"(?<![\w.\-/])({'|'.join(WORDS)})(?![\w-]|\.\w)", re.IGNORECASE)
FOLDERS = ["schemas", "worker", "webhook", "docs"]
DOCUMENTS = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"]


def words(name: str) -> set[str]:
    """The words of an identifier in snake_case or CamelCase, in lower case."""
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}


def public_names(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node.name


def retired_names(folder: Path) -> list[str]:
    retired = []
    for path in sorted(folder.rglob("*.py")):
        if "versions" in path.parts:
            continue
        module = path.relative_to(ROOT).as_posix()
        names = [*public_names(path.read_text(encoding="utf-8"))]
        retired += [f"{module}:{name}" for name in names if words(name) & NAMES]
        retired += [module] if words(path.stem) & NAMES else []
    return retired


def retired_in_prose(name: str, source: str) -> list[str]:
    """Each retired word in the prose of a file, as "name:word"."""
    texts = (ORDINARY.sub("", text) for text in READERS[Path(name).suffix](source))
    retired = [WORDS[match.group().lower()] for text in texts for match in IN_PROSE.finditer(text)]
    return [f"{name}:{word}" for word in retired if word not in ONLY_IN_NAMES]


def files_with_prose() -> Iterator[Path]:
    """All files; not published migrations, which are never edited, nor htmx."""
    yield from (ROOT / name for name in DOCUMENTS)
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in READERS and "versions" not in path.parts and "htmx" not in path.name:
                yield path


def all_retired_in_prose() -> set[str]:
    return {
        use
        for path in files_with_prose()
        for use in retired_in_prose(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))
    }


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


def test_no_retired_word_in_comments_docstrings_texts_and_documents() -> None:
    assert sorted(all_retired_in_prose() - KEPT_IN_PROSE.keys()) == []


def test_uses_that_are_kept_exist() -> None:
    assert sorted(KEPT_IN_PROSE.keys() - all_retired_in_prose()) == []


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("a.py", "x = 1  # its place in the file"),
        ("a.py", 'def f():\n    """Return what the caller is told."""'),
        ("a.py", 'raise ValueError(f"{x}: whoever wants it")'),
        ("a.html", "{# which pieces a page has #}"),
        ("a.html", '{{ parts.field(form, "name", hint="Nobody has it.") }}'),
        ("a.html", "<p class='x'>Nobody has {{ name }}.</p>"),
        ("a.html", '<button aria-label="Mend the row"></button>'),
        ("a.js", "// may tell of a job"),
        ("a.js", "show(`${name} was said`);"),
        ("a.css", "/* The look of pages */"),
        ("a.md", "What a [hint](hints.md) is."),
    ],
)
def test_a_retired_word_in_prose_is_reported(name: str, source: str) -> None:
    assert retired_in_prose(name, source) != []


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("a.py", 'place = row["place"]  # `place`: a column, changed in place'),
        ("a.py", '"""Look the number up; what was found once is known."""'),
        ("a.html", "{# field(form, hint): a field #}{% if told %}<p class='hint said'>{{ told }}</p>{% endif %}"),
        ("a.js", 'const told = "said"; // see `told`'),
        ("a.css", ".hint { place-items: center; }"),
        ("a.md", "`NUMBERYARD_HINT_SECONDS`, [codes](place.md)\n```\ntold\n```"),
    ],
)
def test_names_code_and_ordinary_phrases_are_no_prose(name: str, source: str) -> None:
    assert retired_in_prose(name, source) == []
