"""Documents are navigable and short: links resolve, no page is unreachable, sizes and generated pages are checked."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path

import pytest

from tests.contract import api_changes, doc_tables
from tests.contract.doc_tables import ROOT
from tests.contract.reference_pages import PAGES

KIB = 1024
MAX_BYTES = {"README.md": 10 * KIB, "ARCHITECTURE.md": 12 * KIB}
MAX_PICTURE_BYTES = 150 * KIB
MAX_DECISION_LINES = 60
ENTRANCES = ("README.md", "docs/README.md")
CODE = re.compile(r"^( *)```.*?^\1```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"!?\[(?:[^\[\]]|!\[[^\]]*\]\([^)]*\))*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)


def documents() -> list[str]:
    """Return the Markdown files of the project, not those of virtual environments and data folders."""
    folders = ("docs", "schemas", "tests", "webhook", "worker")
    paths = [*ROOT.glob("*.md"), *(path for folder in folders for path in (ROOT / folder).rglob("*.md"))]
    return sorted(str(path.relative_to(ROOT)) for path in paths)


@cache
def text_of(path: Path) -> str:
    """Return the document without its blocks of code."""
    return CODE.sub("", path.read_text(encoding="utf-8"))


@cache
def anchors(path: Path) -> frozenset[str]:
    """Return the anchors that GitHub gives the headings of a document."""
    found: dict[str, int] = {}
    result = set()
    for heading in HEADING.findall(text_of(path)):
        shown = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
        slug = re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")
        count = found.get(slug, 0)
        found[slug] = count + 1
        result.add(f"{slug}-{count}" if count else slug)
    return frozenset(result)


def links(path: Path) -> list[str]:
    """Return the link targets inside the project, those of pictures in links included."""
    text = re.sub(r"`[^`\n]*`", lambda found: "`" * len(found[0]), text_of(path))
    targets = LINK.findall(text) + re.findall(r"!\[[^\]]*\]\(([^)\s]+)\)", text)
    # Links to a path are to pages of a running service: tests/integration/test_reference_pages.py follows them.
    return [target for target in targets if not re.match(r"[a-z]+:|/", target)]


def problem_of(path: Path, target: str) -> str | None:
    """Return what is wrong with a link, or None."""
    name, _, anchor = target.partition("#")
    linked = (path.parent / name).resolve() if name else path
    if not linked.exists():
        return f"{target}: no such file"
    if not linked.is_relative_to(ROOT):
        return f"{target}: outside the project"
    if anchor and (linked.suffix != ".md" or anchor not in anchors(linked)):
        return f"{target}: no such heading"
    return None


@pytest.mark.parametrize("name", documents())
def test_links_resolve(name: str) -> None:
    path = ROOT / name
    assert [problem for target in links(path) if (problem := problem_of(path, target))] == []


def test_broken_links_are_noticed() -> None:
    path = ROOT / "docs" / "README.md"
    assert problem_of(path, "guides/operations.md#monitoring") is None
    assert problem_of(path, "guides/operations.md#nothing") == "guides/operations.md#nothing: no such heading"
    assert problem_of(path, "guides/nothing.md") == "guides/nothing.md: no such file"
    assert problem_of(path, "../../..") == "../../..: outside the project"
    assert problem_of(path, "#decisions") is None
    assert len(links(ROOT / "README.md")) > 20


def test_no_page_is_unreachable() -> None:
    reached: set[Path] = set()
    waiting = [ROOT / name for name in ENTRANCES]
    while waiting:
        path = waiting.pop()
        if path in reached:
            continue
        reached.add(path)
        names = {target.partition("#")[0] for target in links(path)} - {""}
        waiting += [linked for name in names if (linked := (path.parent / name).resolve()).suffix == ".md"]
    assert {name for name in documents() if ROOT / name not in reached} == set()


def test_no_picture_is_unused_or_large() -> None:
    used = {(ROOT / name).parent.joinpath(target).resolve() for name in documents() for target in links(ROOT / name)}
    for picture in (ROOT / "docs" / "pictures").iterdir():
        assert picture in used, picture.name
        assert picture.stat().st_size <= MAX_PICTURE_BYTES, picture.name


@pytest.mark.parametrize(("name", "most"), MAX_BYTES.items())
def test_documents_for_newcomers_are_short(name: str, most: int) -> None:
    assert (ROOT / name).stat().st_size <= most


def test_a_decision_is_one_page() -> None:
    pages = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    numbers = [int(page.name.partition("-")[0]) for page in pages]
    assert numbers == list(range(1, len(pages) + 1))
    for page, number in zip(pages, numbers, strict=True):
        lines = page.read_text(encoding="utf-8").splitlines()
        assert len(lines) <= MAX_DECISION_LINES, page.name
        assert lines[0].startswith(f"# {number}. "), page.name


def test_generated_pages_are_current() -> None:
    assert list(doc_tables.stale()) == [], "run `make docs`"


def test_reference_pages_are_generated() -> None:
    generated = {*PAGES, str(api_changes.PAGE.relative_to(ROOT))}
    assert {str(page.relative_to(ROOT)) for page in (ROOT / "docs" / "reference").iterdir()} == generated


@pytest.mark.parametrize("package", ["worker", "webhook"])
def test_the_map_has_every_package_in_order(package: str) -> None:
    """ARCHITECTURE's tables list the packages in the order that import-linter enforces."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    layers = next(one["layers"] for one in contracts if one.get("containers") == [package])
    section = re.search(
        rf"^### {package},.*?(?=^##)", (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )[0]
    listed = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
    rank = {name: place for place, layer in enumerate(layers) for name in re.split(r" *[|:] *", layer)}
    of_before = {"infra", "serving"}  # names that deployments start, removed in 0.2.0
    assert set(listed) == rank.keys() - of_before
    assert [rank[name] for name in listed] == sorted(rank[name] for name in listed)
