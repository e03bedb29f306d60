"""Documents say what the code says: generated pages, commands, targets, settings and addresses."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from schemas.codes import Code
from tests.contract import doc_tables
from tests.contract.reference_pages import PAGES
from tests.support.api_client import application
from webhook.cli import main as command_line
from worker.config.settings import Settings

README = (doc_tables.ROOT / "README.md").read_text(encoding="utf-8")
MAKEFILE = (doc_tables.ROOT / "Makefile").read_text(encoding="utf-8")
FOLDERS = ("docs", "webhook/reference/guides")
GUIDES = "".join(
    path.read_text(encoding="utf-8") for folder in FOLDERS for path in sorted((doc_tables.ROOT / folder).rglob("*.md"))
)
DOCUMENTS = README + GUIDES + (doc_tables.ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
REFERENCE = "".join((doc_tables.ROOT / name).read_text(encoding="utf-8") for name in PAGES)


@pytest.mark.parametrize("name", PAGES)
def test_pages_are_current(name: str) -> None:
    text = (doc_tables.ROOT / name).read_text(encoding="utf-8")
    assert doc_tables.page(name) == text, "run `make docs`"


def test_every_table_is_there_once() -> None:
    named = [match["name"] for text in PAGES.values() for match in doc_tables.PLACEHOLDER.finditer(text)]
    assert sorted(named) == sorted(doc_tables.TABLES)
    assert "".join(PAGES.values()).count("{{ ") == len(named)
    assert "{{ " not in REFERENCE


def test_a_stale_page_is_noticed(tmp_path: Path) -> None:
    for name in PAGES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(doc_tables.page(name), encoding="utf-8")
    assert doc_tables.stale(tmp_path) == {}
    settings = tmp_path / "docs/reference/settings.md"
    current = settings.read_text(encoding="utf-8")
    settings.write_text(current.replace("`NUMBERYARD_DATABASE_URL`", "`NUMBERYARD_DATABASE`", 1), encoding="utf-8")
    (tmp_path / "docs/reference/codes.md").unlink()
    assert doc_tables.stale(tmp_path) == {
        name: doc_tables.page(name) for name in ("docs/reference/codes.md", "docs/reference/settings.md")
    }


def test_every_code_is_explained() -> None:
    codes = doc_tables.codes()
    assert [code for code in Code if f"| `{code}` |" not in codes] == []


def test_every_target_named_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", MAKEFILE, re.MULTILINE))
    assert {"demo", "up", "test"} <= set(re.findall(r"^\$ make ([a-z]+)$", README, re.MULTILINE))
    assert set(re.findall(r"(?:`|\$ )make ([a-z]+)", DOCUMENTS)) <= targets
    assert {"help", "install", "demo", "test", "check", "up", "bench", "lock", "docs"} <= targets


def test_every_command_named_exists() -> None:
    known = set(command_line.list_commands(click.Context(command_line)))
    commands = (doc_tables.ROOT / "docs/reference/commands.md").read_text(encoding="utf-8")
    assert set(re.findall(r"`numberyard ([a-z]+)", commands)) == known
    assert set(re.findall(r"(?:`|^\$ |/)numberyard ([a-z]+)", DOCUMENTS, re.MULTILINE)) == known


def test_every_option_is_listed() -> None:
    """Also those of subcommands, which a walk of its own finds."""
    commands = (doc_tables.ROOT / "docs/reference/commands.md").read_text(encoding="utf-8")
    waiting: list[click.Command] = [command_line]
    options: set[str] = set()
    while waiting:
        command = waiting.pop()
        if isinstance(command, click.Group):
            names = command.list_commands(click.Context(command))
            waiting += [found for name in names if (found := command.get_command(click.Context(command), name))]
        options |= {name for one in command.params if isinstance(one, click.Option) for name in one.opts}
    assert {name for name in options if name not in commands} <= {"--version"}


def test_every_setting_named_exists() -> None:
    """Settings are `NUMBERYARD_` and a field; those of commands, tools and the compose file are here."""
    of_tools = {"BROWSER", "REQUIRE_BROWSER", "REQUIRE_PROGRAMS", "SHOTS"}
    of_compose = {"PORT", "TLS_DIR", "DB_USER", "DB_PASSWORD", "REDIS_PASSWORD"}
    others = {"URL", "TOKEN", "PROFILE", "CONFIG"} | of_tools | of_compose
    known = {name.upper() for name in Settings.model_fields} | others
    named = set(re.findall(r"NUMBERYARD_([A-Z_]+[A-Z])(?![A-Z_*])", DOCUMENTS))
    assert named - known == set()


def test_every_address_named_exists() -> None:
    addresses = application().url_map.bind("localhost")
    named = {text: re.findall(r'"\$(?:NUMBERYARD_)?URL(/[^"]*)"', text) for text in (README, GUIDES)}
    assert [len(found) for found in named.values()] == [4, 20]
    for path in {path for found in named.values() for path in found}:
        posts = {"/v1/uploads", "/v1/assignments", "/v1/exports", "/v1/tokens"}
        method = "POST" if path.partition("?")[0] in posts else "GET"
        assert addresses.match(path.partition("?")[0].replace("$JOB", "0198-job"), method)
