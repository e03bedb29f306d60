"""Files for the attacks: sound rows and, among them, every kind of row that must not be lost or doubled either."""

from __future__ import annotations

import random
from dataclasses import dataclass

from tests.support.files import sheets

# Numbers of this plan are valid from the first to the last: +1 212 2xx xxxx and so on.
AREAS = (212, 312, 415, 617, 713, 818)
PER_AREA = 7_000_000


@dataclass
class Numbers:
    """Gives out ranges of valid national numbers of the United States that nobody else gets."""

    given: int = 0

    def take(self, count: int) -> int:
        """The first of `count` numbers in a row."""
        if self.given % PER_AREA + count > PER_AREA:
            self.given += PER_AREA - self.given % PER_AREA
        area, place = divmod(self.given, PER_AREA)
        self.given += count
        return AREAS[area] * 10_000_000 + 2_000_000 + place


def e164(national: int) -> int:
    """The number as the inventory has it."""
    return 10_000_000_000 + national


def mixed(numbers: Numbers, count: int, dice: random.Random) -> bytes:
    """A CSV of so many rows: nine of ten sound, in no order; the others repeat one, are blank, or are wrong."""
    first = numbers.take(count)
    order = [first + place for place in range(count)]
    dice.shuffle(order)
    rows: list[list[str]] = []
    for place, number in enumerate(order):
        sound = ["1", str(number), "TRUE", dice.choice(["TRUE", "FALSE", ""]), "FALSE"]
        wrong = [
            ["1", str(order[dice.randrange(place + 1)]), "TRUE", "", ""],
            ["1", str(order[dice.randrange(place + 1)]), "TRUE", "TRUE", "TRUE"],
            ["44", f"1{number}", "TRUE", "", ""],
            ["1", "ask Bob", "TRUE", "", ""],
            ["1", "4.41E+11", "TRUE", "", ""],
            ["", "", "", "", ""],
            ["1", str(number), "perhaps", "", ""],
            ["1", str(number), "FALSE", "FALSE", "FALSE"],
        ]
        rows.append(sound if dice.random() < 0.9 else dice.choice(wrong))
    return sheets.csv_bytes([sheets.HEADER, *rows])


def sound(numbers: Numbers, count: int, *, sms: bool = False) -> bytes:
    """A CSV of so many sound rows, in the order of the numbers."""
    return sound_from(numbers.take(count), count, sms=sms)


def sound_from(first: int, count: int, *, sms: bool = False) -> bytes:
    """As `sound`, of known numbers."""
    return sheets.csv_bytes(
        [sheets.HEADER, *(["1", str(first + place), "TRUE", str(sms).upper(), "FALSE"] for place in range(count))]
    )
