"""Flags for what one row shows about how the numbers of its column are written (R14b, R14d).

Validation sets them for each row; `worker.phone.number_readings` decides for the whole column.
"""

from __future__ import annotations

from enum import IntFlag


class Evidence(IntFlag):
    """Readings that a row leaves open, and readings that it shows; stored as uint8.

    ALSO_INTERNATIONAL: the digits are valid as a national number and as an international one that has lost its plus.
    ALSO_WITH_ZERO: digits alone, valid as they are and with one more leading zero.
    SHOWS_*: digits alone that have only one reading. SHOWS_ZERO_LOST: valid only with one more leading zero.
    WITHOUT_COUNTRY: neither the row nor the request names a country (R14c).
    """

    NOTHING = 0
    ALSO_INTERNATIONAL = 1
    ALSO_WITH_ZERO = 2
    SHOWS_NATIONAL = 4
    SHOWS_INTERNATIONAL = 8
    SHOWS_ZERO_KEPT = 16
    SHOWS_ZERO_LOST = 32
    WITHOUT_COUNTRY = 64


AMBIGUOUS = Evidence.ALSO_INTERNATIONAL | Evidence.ALSO_WITH_ZERO
