"""Names of carriers and tenants as people type them: what makes two of them the same, and which ones are clear."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable


def fold(name: str) -> str:
    """Case and spacing do not tell names apart (R12)."""
    return " ".join(name.casefold().split())


def unambiguous(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Folded name -> id. A name that two things bear is left out: choosing one of them would be a guess."""
    folded = [(fold(name), found) for name, found in pairs]
    times = Counter(name for name, _ in folded)
    return {name: found for name, found in folded if times[name] == 1}
