"""Validation of phone numbers by the rules of libphonenumber (R14, R15), for whole columns or single numbers.

`check_column` and `check_one` give every row the same verdict. `worker.spreadsheet.cell_repair` repairs the text of
cells beforehand; `worker.numbers` stores and searches numbers. In this package, "the library" is `phonenumbers`, the
Python port of libphonenumber.
"""

from worker.phone.digits import plain_punctuation
from worker.phone.evidence import AMBIGUOUS, Evidence
from worker.phone.identify import Candidates, IdentifiedColumn, faults_of_new, find_column, names_country
from worker.phone.reference import STRICT, Phone, Rules, check_one
from worker.phone.validate_column import PhoneColumn, check_column

__all__ = [
    "AMBIGUOUS",
    "STRICT",
    "Candidates",
    "Evidence",
    "IdentifiedColumn",
    "Phone",
    "PhoneColumn",
    "Rules",
    "check_column",
    "check_one",
    "faults_of_new",
    "find_column",
    "names_country",
    "plain_punctuation",
]
