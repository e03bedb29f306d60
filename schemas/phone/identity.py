"""Which number is meant, for actions on numbers that are there already (R18, R23, R24): a whole column at a time.

Unlike an upload, an action judges no number: one that entered when it was possible, or valid, must still be found. With
a Country Code the number is read as R14 says; without one it must be international, or nobody could say which it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.codes import Code, fault_bit, warning_bit
from schemas.columns import Column
from schemas.phone import region
from schemas.phone.column import PhoneColumn, check_column
from schemas.phone.digits import ascii_digits, plain_punctuation

if TYPE_CHECKING:
    from numpy.typing import NDArray

# The longest and the shortest that `phone_numbers` can hold (ITU-T E.164: at most 15 digits).
LEAST_DIGITS, MOST_DIGITS = 7, 15
_PUNCTUATION = r"[\s()\[\].\-/~]"
_NOT_ASCII = r"[^\x00-\x7f]"
_PREFIX = r"^(?:\+|00)"
_POSSIBLE = np.uint32(warning_bit(Code.POSSIBLE_NOT_VALID))
_INVALID = np.uint64(fault_bit(Code.INVALID_NUMBER, Column.PHONE_NUMBER))
_PLUS = np.uint32(warning_bit(Code.PLUS_RESTORED))


def find_column(country: pa.StringArray, number: pa.StringArray, was_numeric: NDArray[np.bool_]) -> PhoneColumn:
    """Find n numbers; arguments and answer are as for `check_column`. `was_numeric`: see there."""
    country, number = (pc.fill_null(column.cast(pa.string()), "") for column in (country, number))
    international = pc.equal(pc.utf8_trim_whitespace(country), "").to_numpy(zero_copy_only=False)
    found = _read_international(number)
    if international.all():
        return found
    read = check_column(country, number, accept_possible=True, was_numeric=was_numeric)
    return PhoneColumn(
        np.where(international, found.e164, read.e164),
        np.where(international, found.faults, read.faults),
        np.where(international, found.warnings, read.warnings & ~_POSSIBLE),
        read.by_library,
    )


def faults_of_new(e164: NDArray[np.int64]) -> NDArray[np.uint64]:
    """What is wrong with numbers (int64) to be added without a Country Code beside them: 0 where valid (R15)."""
    text = pc.binary_join_element_wise("+", pc.cast(pa.array(e164), pa.string()), "")
    read = check_column(region.calling_codes_of(e164), text)
    # The library passes over a trunk prefix (+44 0 20 ...); with it, the digits are those of no number.
    differs = (read.faults == 0) & (read.e164 != e164)
    return np.where(differs, _INVALID, read.faults)


def _read_international(number: pa.StringArray) -> PhoneColumn:
    """`+14155550100`, `0041 44 668 18 00`, and `14155550100` where a spreadsheet has dropped the plus."""
    bare = pc.replace_substring_regex(_in_ascii(plain_punctuation(number)), _PUNCTUATION, "")
    digits = pc.replace_substring_regex(bare, _PREFIX, "")
    had_prefix = pc.match_substring_regex(bare, _PREFIX).to_numpy(zero_copy_only=False)
    length = pc.utf8_length(digits).to_numpy().astype(np.int64)
    is_number = pc.match_substring_regex(digits, r"^[1-9][0-9]*$").to_numpy(zero_copy_only=False)
    faults = np.zeros(len(number), np.uint64)
    for rows, code in (
        (length == 0, Code.MISSING_VALUE),
        ((length > 0) & ~is_number, Code.INVALID_CHARACTER),
        (is_number & (length < LEAST_DIGITS), Code.TOO_SHORT),
        (is_number & (length > MOST_DIGITS), Code.TOO_LONG),
    ):
        faults[rows] |= np.uint64(fault_bit(code, Column.PHONE_NUMBER))
    sound = faults == 0
    e164 = pc.cast(pc.if_else(pa.array(sound), digits, "0"), pa.int64()).to_numpy()
    warnings = np.where(sound & ~had_prefix, _PLUS, np.uint32(0))
    return PhoneColumn(e164, faults, warnings.astype(np.uint32), np.zeros(len(number), np.bool_))


def _in_ascii(number: pa.StringArray) -> pa.StringArray:
    """The numbers with a full-width plus, or the digits of another script, as an upload reads them."""
    other = pc.match_substring_regex(number, _NOT_ASCII)
    if not pc.any(other).as_py():
        return number
    texts = [ascii_digits(text) for text in number.filter(other).to_pylist()]
    return pc.replace_with_mask(number, other, pa.array(texts, pa.string()))
