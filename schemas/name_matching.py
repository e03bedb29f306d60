"""Names of carriers and tenants as entered by people: valid ones, equal ones, unambiguous ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

LONGEST = 200  # characters


def collapse_spaces(name: str) -> str:
    """Return a name with spaces trimmed and collapsed. `ValueError` unless it is 1 to 200 printable characters."""
    collapsed = " ".join(part for part in name.strip().split(" ") if part)
    if not 0 < len(collapsed) <= LONGEST or not collapsed.isprintable():
        raise ValueError(f"a name is 1 to {LONGEST} printable characters")
    return collapsed


def fold(name: str) -> str:
    """Normalise a name for comparison: case and spacing do not distinguish names (R12)."""
    return " ".join(name.casefold().split())


def unambiguous(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Map folded names to ids. A name with several ids is left out: choosing one of them would be a guess."""
    folded = [(fold(name), id_) for name, id_ in pairs]
    times = Counter(name for name, _ in folded)
    return {name: id_ for name, id_ in folded if times[name] == 1}
