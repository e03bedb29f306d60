"""What the checks find."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum


class Level(StrEnum):
    """ERROR: the service does not work like this. WARNING: it works, but not safely or not for long."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Finding:
    """One line: what was checked, what is the case and, unless that is right, how to correct it."""

    level: Level
    subject: str
    detail: str
    fix: str = ""

    def as_json(self) -> dict[str, str]:
        """Return the fields as texts."""
        return {name: str(value) for name, value in asdict(self).items()}


def ok(subject: str, detail: str) -> Finding:
    """Return that something is right."""
    return Finding(Level.OK, subject, detail)


def warning(subject: str, detail: str, fix: str) -> Finding:
    """Return that something works, but should be changed."""
    return Finding(Level.WARNING, subject, detail, fix)


def error(subject: str, detail: str, fix: str) -> Finding:
    """Return that something does not work."""
    return Finding(Level.ERROR, subject, detail, fix)
