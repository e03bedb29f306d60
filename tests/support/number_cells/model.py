"""What a generated cell is: its text, the numbers that a person means by it, and whether it may be written (R14a)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from schemas.codes import Code
from schemas.jobs import NumberFormat

NOTHING = range(0)


class Verdict(Enum):
    """What the rules ask for. EITHER: they leave it open, but what is written must be what is meant."""

    WRITE = "write"
    FAIL = "fail"
    EITHER = "either"


@dataclass(frozen=True)
class Cell:
    """One row of a sheet.

    `meant`: the consecutive E.164 numbers that a person means by it, empty where a person could not say. `code` and
    `warning`: what the rules prescribe for a refusal and for a success. `bare`: digits alone, of which R14b and R14d
    let the whole column decide; `style` then says how the digits came about.
    """

    kind: str
    country: str
    text: str
    meant: range
    verdict: Verdict
    code: Code | None = None
    warning: Code | None = None
    end: str = ""
    size: str = ""
    bare: bool = False
    style: str = ""
    calling_code: int = 0


@dataclass
class Sheet:
    """A file of one person: the cells and what the file says about them."""

    kind: str
    cells: list[Cell] = field(default_factory=list)
    phone_header: str = "Phone Number"
    number_format: NumberFormat = NumberFormat.AUTO
    has_country: bool = True


def one(e164: int) -> range:
    """Return the range that holds a single number."""
    return range(e164, e164 + 1)
