"""Phone numbers by libphonenumber's rules (R14, R15): a whole column at a time, or one by the library itself.

`check_column` and `check_one` give every row the same verdict. `schemas.cells` repairs the text of cells beforehand.
"""

from schemas.phone.column import PhoneColumn, check_column
from schemas.phone.digits import plain_punctuation
from schemas.phone.evidence import AMBIGUOUS, Evidence
from schemas.phone.identity import Candidates, FoundColumn, faults_of_new, find_column, names_country
from schemas.phone.single import STRICT, Phone, Rules, check_one

__all__ = [
    "AMBIGUOUS",
    "STRICT",
    "Candidates",
    "Evidence",
    "FoundColumn",
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
