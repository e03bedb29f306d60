"""Looks at a page as people with other eyes, hands and screens do: axe-core's rules, and no sideways scrolling."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from importlib import resources
from typing import Any, Literal

from playwright.sync_api import Page

Scheme = Literal["light", "dark"]
WIDE, NARROW = 1280, 390  # CSS pixels: a laptop, a phone
HEIGHT = 800
_OPTIONS = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]},
    "rules": {"target-size": {"enabled": True}},  # off by default, although WCAG 2.2 AA asks for it
    "resultTypes": ["violations"],
}
# The scheme changes colors only (`test_the_scheme_changes_colors_only`): dark pages are checked by these rules.
_COLORS = {
    "runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]},
    "resultTypes": ["violations"],
}
_OVERHANG = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


@dataclass(frozen=True)
class Look:
    """How a page is looked at: width in CSS pixels, colour scheme."""

    width: int
    scheme: Scheme

    def __str__(self) -> str:
        return f"{self.width} px, {self.scheme}"


LOOKS = tuple(Look(width, scheme) for width in (WIDE, NARROW) for scheme in ("light", "dark"))


def look(page: Page, at: Look) -> None:
    """Show the page this way from now on, without loading it anew."""
    page.set_viewport_size({"width": at.width, "height": HEIGHT})
    page.emulate_media(color_scheme=at.scheme, reduced_motion="reduce")


def problems(page: Page, scheme: Scheme = "light") -> list[str]:
    """What is wrong with the page as it looks now, a text each; scripts have to be on."""
    overhang = page.evaluate(_OVERHANG)
    found = [f"scrolls sideways by {overhang} px"] if overhang > 0 else []
    if not page.evaluate("() => 'axe' in window"):
        # Through the debugger, which the page's Content Security Policy does not concern.
        page.evaluate(_axe())
    options = _OPTIONS if scheme == "light" else _COLORS
    results = page.evaluate("options => axe.run(document, options)", options)
    return found + [_describe(rule, node) for rule in results["violations"] for node in rule["nodes"]]


def audit(page: Page) -> None:
    """Fail with a list of what is wrong with the page in any look; it is left in the first one."""
    page.wait_for_load_state()  # a click has waited for the next page to be on its way, not for all of it
    found: list[str] = []
    for one in LOOKS:
        look(page, one)
        found += [f"[{one}] {problem}" for problem in problems(page, one.scheme)]
    look(page, LOOKS[0])
    assert not found, f"{page.url}: {len(found)} problems\n" + "\n".join(found)


@functools.cache
def _axe() -> str:
    return (resources.files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")


def _describe(rule: dict[str, Any], node: dict[str, Any]) -> str:
    """`color-contrast: Elements must meet ... (.badge) <span class="badge"> / the reasons`."""
    where = " ".join(str(part) for part in node["target"])
    reasons = "; ".join(check["message"] for kind in ("any", "all", "none") for check in node[kind])
    return f"{rule['id']}: {rule['help']} ({where})\n    {node['html'][:200]}\n    {reasons}"
