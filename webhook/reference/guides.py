"""The guides: Markdown files beside this module, which can be read in the repository as well."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from webhook.reference import markup
from webhook.reference.markup import Article

FOLDER = Path(__file__).parent / "guides"
ROOT = "/docs"
_HERE = "webhook/reference/guides/"


@dataclass(frozen=True)
class Guide:
    """A guide: its name in the address, and its label in the navigation."""

    name: str
    label: str


GUIDES = (
    Guide("getting-started", "Getting started"),
    Guide("authentication", "Authentication"),
    Guide("errors", "Errors"),
    Guide("pagination", "Lists and filters"),
    Guide("idempotency", "Retries"),
    Guide("jobs", "Jobs"),
    Guide("uploads", "Uploads"),
    Guide("corrections", "Corrections"),
    Guide("actions", "Actions on numbers"),
    Guide("exports", "Exports and changes"),
    Guide("webhooks", "Callbacks and webhooks"),
    Guide("limits", "Limits"),
    Guide("versions", "Versions"),
    Guide("clients", "Generated clients"),
)
# Pages of the repository that this site renders from the same source, and where.
_PAGES = {"docs/reference/codes.md": "codes", "docs/reference/permissions.md": "permissions"}
NAMES = frozenset(guide.name for guide in GUIDES)


@cache
def article(name: str) -> Article:
    """Return a guide as HTML. `KeyError` if there is none of this name."""
    if name not in NAMES:
        raise KeyError(name)
    return markup.article((FOLDER / f"{name}.md").read_text(encoding="utf-8"), link)


def link(target: str) -> str | None:
    """Return the address of what a guide links to: another guide, a page of this site; None for other files."""
    path, _, anchor = target.partition("#")
    if not path:
        return f"#{anchor}"
    if path.startswith("/"):
        return target
    file = posixpath.normpath(_HERE + path)
    if file.startswith(_HERE) and (name := file.removeprefix(_HERE).removesuffix(".md")) in NAMES:
        page = name
    elif file in _PAGES:
        page = _PAGES[file]
    else:
        return None
    return f"{ROOT}/{page}" + (f"#{anchor}" if anchor else "")
