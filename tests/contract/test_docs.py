"""README says what the code says: tables, commands, targets and addresses."""

from __future__ import annotations

import re

import click
import pytest

from schemas.codes import Code
from tests.contract import doc_tables
from tests.door import application
from webhook.cli import main as command_line

README = (doc_tables.ROOT / "README.md").read_text(encoding="utf-8")
MAKEFILE = (doc_tables.ROOT / "Makefile").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", doc_tables.DOCUMENTS)
def test_tables_are_up_to_date(name: str) -> None:
    text = (doc_tables.ROOT / name).read_text(encoding="utf-8")
    assert doc_tables.up_to_date(text) == text, "run `make docs`"


def test_every_table_is_there_once() -> None:
    texts = [(doc_tables.ROOT / name).read_text(encoding="utf-8") for name in doc_tables.DOCUMENTS]
    found = [match["name"] for text in texts for match in doc_tables.MARKED.finditer(text)]
    assert sorted(found) == sorted(doc_tables.TABLES)
    assert sum(text.count("<!-- begin:") for text in texts) == len(found)


def test_a_stale_table_is_noticed() -> None:
    stale = README.replace("`NUMBERYARD_DATABASE_URL`", "`NUMBERYARD_DATABASE`", 1)
    assert doc_tables.up_to_date(stale) == README


def test_every_code_is_explained() -> None:
    codes = doc_tables.codes()
    assert [code for code in Code if f"| `{code}` |" not in codes] == []


def test_every_target_named_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", MAKEFILE, re.MULTILINE))
    named = set(re.findall(r"(?:`|\$ )make ([a-z]+)", README))
    assert {"demo", "test"} <= named <= targets
    assert {"help", "install", "demo", "test", "check", "up", "bench", "lock", "docs"} <= targets


def test_every_command_named_exists() -> None:
    known = set(command_line.list_commands(click.Context(command_line)))
    assert set(re.findall(r"`numberyard ([a-z]+)", README)) == known


def test_every_address_named_exists() -> None:
    addresses = application().url_map.bind("localhost")
    named = re.findall(r'"\$URL(/[^"]*)"', README)
    assert len(named) == 7
    for path in named:
        method = "POST" if path in {"/v1/uploads", "/v1/assignments"} else "GET"
        assert addresses.match(path.replace("$JOB", "0198-job"), method)
