"""The catalogue of result codes: each code of a row, a file or a request, with its outcome, its text and the fix.

The code is the identity: programs compare it. The text is looked up only to render a report, a page or the docs.
Result files store codes by `Entry.number`: add at the end, never renumber.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from schemas.capabilities import ALL_LABELS
from schemas.columns import SPEC, Column, name_of


class Outcome(StrEnum):
    """The outcome of a row: a closed set, in the order of reports and totals (R28)."""

    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"
    FAILED = "failed"
    UNPROCESSED = "unprocessed"


class Family(StrEnum):
    """What a code is about, and so who can do something about it.

    No one: `OK`, `SKIPPED`, `WARNING`. The uploader: `CELL` (the row's cells), `WORLD` (the inventory or the tenants),
    `FILE`. Not caused by the row itself, but by an internal error or because the job was stopped: `OURS`.
    """

    OK = "ok"
    SKIPPED = "skipped"
    CELL = "cell"
    WORLD = "world"
    OURS = "ours"
    WARNING = "warning"
    FILE = "file"


class Code(StrEnum):
    """Every result code of rows and files (docs/reference/codes.md). Stored as `Entry.number`; append only."""

    CREATED = "CREATED"
    UPDATED = "UPDATED"
    ASSIGNED = "ASSIGNED"
    UNASSIGNED = "UNASSIGNED"
    DELETED = "DELETED"
    RESTORED = "RESTORED"
    NO_CHANGE = "NO_CHANGE"
    DUPLICATE_IN_FILE = "DUPLICATE_IN_FILE"
    ALREADY_EXISTS = "ALREADY_EXISTS"
    BLANK_ROW = "BLANK_ROW"
    ROW_TOO_WIDE = "ROW_TOO_WIDE"
    MISSING_VALUE = "MISSING_VALUE"
    INVALID_COUNTRY_CODE = "INVALID_COUNTRY_CODE"
    SCIENTIFIC_NOTATION_LOSS = "SCIENTIFIC_NOTATION_LOSS"
    INVALID_CHARACTER = "INVALID_CHARACTER"
    TOO_SHORT = "TOO_SHORT"
    TOO_LONG = "TOO_LONG"
    COUNTRY_MISMATCH = "COUNTRY_MISMATCH"
    INVALID_NUMBER = "INVALID_NUMBER"
    INVALID_RANGE = "INVALID_RANGE"
    INVALID_BOOLEAN = "INVALID_BOOLEAN"
    CONFLICTING_DUPLICATE = "CONFLICTING_DUPLICATE"
    NO_CAPABILITY = "NO_CAPABILITY"
    NUMBER_EXISTS_ELSEWHERE = "NUMBER_EXISTS_ELSEWHERE"
    NOT_FOUND = "NOT_FOUND"
    ASSIGNED_IN_USE = "ASSIGNED_IN_USE"
    NOT_UPLOADER = "NOT_UPLOADER"
    CAPABILITY_REQUIRED = "CAPABILITY_REQUIRED"
    CARRIER_NOT_FOUND = "CARRIER_NOT_FOUND"
    CARRIER_MISSING = "CARRIER_MISSING"
    TARGET_NOT_FOUND = "TARGET_NOT_FOUND"
    EXTERNAL_NOT_ALLOWED = "EXTERNAL_NOT_ALLOWED"
    CHANGED_SINCE = "CHANGED_SINCE"
    INTERNAL_ERROR = "INTERNAL_ERROR"
    ABORTED = "ABORTED"
    CANCELLED = "CANCELLED"
    PLUS_RESTORED = "PLUS_RESTORED"
    SCIENTIFIC_RESTORED = "SCIENTIFIC_RESTORED"
    FLOAT_SUFFIX_REMOVED = "FLOAT_SUFFIX_REMOVED"
    INVISIBLE_REMOVED = "INVISIBLE_REMOVED"
    TRUNK_PREFIX_REMOVED = "TRUNK_PREFIX_REMOVED"
    COUNTRY_CODE_REPEATED = "COUNTRY_CODE_REPEATED"
    DEFAULT_CARRIER_USED = "DEFAULT_CARRIER_USED"
    POSSIBLE_NOT_VALID = "POSSIBLE_NOT_VALID"
    FILE_TOO_LARGE = "FILE_TOO_LARGE"
    TOO_MANY_ROWS = "TOO_MANY_ROWS"
    TOO_MANY_COLUMNS = "TOO_MANY_COLUMNS"
    UNSUPPORTED_TYPE = "UNSUPPORTED_TYPE"
    UNREADABLE_FILE = "UNREADABLE_FILE"
    ENCRYPTED_FILE = "ENCRYPTED_FILE"
    BAD_ENCODING = "BAD_ENCODING"
    EMPTY_FILE = "EMPTY_FILE"
    NO_HEADER = "NO_HEADER"
    MISSING_COLUMN = "MISSING_COLUMN"
    DUPLICATE_COLUMN = "DUPLICATE_COLUMN"
    TRUNCATED_UPLOAD = "TRUNCATED_UPLOAD"
    DIGEST_MISMATCH = "DIGEST_MISMATCH"
    AMBIGUOUS_NUMBER = "AMBIGUOUS_NUMBER"
    LETTERS_CONVERTED = "LETTERS_CONVERTED"
    REGION_DIFFERS = "REGION_DIFFERS"
    READ_AS_NATIONAL = "READ_AS_NATIONAL"
    LEFT_OUT = "LEFT_OUT"
    CORRECTED = "CORRECTED"


@dataclass(frozen=True)
class Entry:
    """The meaning of one code.

    `message` and `fix` may contain `{column}`, `{accepts}` (what the column accepts) and `{value}` (the cell's text).
    `status` is the HTTP status when the code refuses a request before a job exists.
    """

    number: int
    family: Family
    outcome: Outcome | None
    message: str
    fix: str = ""
    status: int = 422


def _ok(number: int, outcome: Outcome, message: str, fix: str = "") -> Entry:
    return Entry(number, Family.OK, outcome, message, fix)


def _skipped(number: int, message: str, fix: str = "") -> Entry:
    return Entry(number, Family.SKIPPED, Outcome.SKIPPED, message, fix)


def _cell(number: int, message: str, fix: str) -> Entry:
    return Entry(number, Family.CELL, Outcome.FAILED, message, fix)


def _world(number: int, message: str, fix: str, status: int = 422) -> Entry:
    return Entry(number, Family.WORLD, Outcome.FAILED, message, fix, status)


def _warning(number: int, message: str) -> Entry:
    return Entry(number, Family.WARNING, None, message)


def _file(number: int, message: str, fix: str, status: int = 422) -> Entry:
    return Entry(number, Family.FILE, None, message, fix, status)


CATALOGUE: dict[Code, Entry] = {
    Code.CREATED: _ok(1, Outcome.CREATED, "The number was added."),
    Code.UPDATED: _ok(2, Outcome.UPDATED, "The number was changed."),
    Code.ASSIGNED: _ok(3, Outcome.UPDATED, "The number was assigned."),
    Code.UNASSIGNED: _ok(4, Outcome.UPDATED, "The number was unassigned."),
    Code.DELETED: _ok(5, Outcome.DELETED, "The number was deleted."),
    Code.RESTORED: _ok(6, Outcome.UPDATED, "The number was restored to its earlier state."),
    Code.NO_CHANGE: _ok(7, Outcome.UNCHANGED, "The number is already as requested."),
    Code.DUPLICATE_IN_FILE: _skipped(
        8, "The same number is in an earlier row of this file.", "Nothing to do; the earlier row is used."
    ),
    Code.ALREADY_EXISTS: _skipped(
        9,
        "The number is already in your inventory.",
        "Nothing to do, or upload again and choose to update existing numbers.",
    ),
    Code.BLANK_ROW: _skipped(10, "The row is empty.", "Nothing to do."),
    Code.ROW_TOO_WIDE: _cell(
        11,
        "“{value}” is beyond the last column.",
        "Put cells that contain the separator in quotes, or remove the extra cells.",
    ),
    Code.MISSING_VALUE: _cell(12, "{column} is empty.", "Fill in {column}: {accepts}."),
    Code.INVALID_COUNTRY_CODE: _cell(
        13,
        "“{value}” isn't a country code.",
        "Use a calling code such as 1 or 44, a two-letter code such as US, or the name of the country.",
    ),
    Code.SCIENTIFIC_NOTATION_LOSS: _cell(
        14,
        "“{value}” has lost digits: the spreadsheet rounded the number.",
        "Format the column as text, then enter the full number again.",
    ),
    Code.INVALID_CHARACTER: _cell(
        15,
        "“{value}” isn't a phone number.",
        "Leave only one phone number in the cell: digits, spaces, + - ( ) and dots.",
    ),
    Code.TOO_SHORT: _cell(16, "“{value}” has too few digits for its country.", "Enter the full phone number."),
    Code.TOO_LONG: _cell(17, "“{value}” has too many digits for its country.", "Remove the extra digits."),
    Code.COUNTRY_MISMATCH: _cell(
        18,
        "“{value}” belongs to a different country than the Country Code.",
        "Correct the Country Code or the Phone Number so that they match.",
    ),
    Code.INVALID_NUMBER: _cell(
        19,
        "“{value}” isn't in a number range that is known to be in use in its country.",
        "Check the digits. If the range is new, upload again and accept possible numbers.",
    ),
    Code.INVALID_RANGE: _cell(
        20,
        "“{value}” doesn't end a block of valid numbers.",
        "Enter the first number of the block, then the last, which must come after it. All numbers of the block must "
        "be valid. Split a long block into several rows.",
    ),
    Code.INVALID_BOOLEAN: _cell(
        21, "“{value}” in {column} is neither TRUE nor FALSE.", "Enter TRUE or FALSE in {column}."
    ),
    Code.CONFLICTING_DUPLICATE: _cell(
        22,
        "The same number is in an earlier row of this file, with different values.",
        "Keep the correct row and remove the other.",
    ),
    Code.NO_CAPABILITY: _cell(23, f"None of {ALL_LABELS} is TRUE.", f"Set at least one of {ALL_LABELS} to TRUE."),
    Code.NUMBER_EXISTS_ELSEWHERE: _world(
        24, "The number is already taken on this platform.", "Check the number, or ask your provider."
    ),
    Code.NOT_FOUND: _world(25, "The number is not in your inventory.", "Check the number, or upload it first."),
    Code.ASSIGNED_IN_USE: _world(26, "The number is assigned to a customer or a user.", "Unassign it first."),
    Code.NOT_UPLOADER: _world(
        27, "Only the company that uploaded this number can delete it.", "Ask that company to delete it."
    ),
    Code.CAPABILITY_REQUIRED: _world(
        28, "The number doesn't have the capability that the service needs.", "Enable the capability first."
    ),
    Code.CARRIER_NOT_FOUND: _world(
        29, "“{value}” isn't a {column} available to you.", "Choose a carrier from your list, with the same spelling."
    ),
    Code.CARRIER_MISSING: _world(
        30,
        "No {column} was chosen and no default is set.",
        "Choose one for the file or the row, or set a default carrier.",
    ),
    Code.TARGET_NOT_FOUND: _world(
        31,
        "“{value}” isn't an enterprise or reseller available to you.",
        "Choose your own company or one below it, with the same spelling. A number stays within the company that "
        "uploaded it and those below.",
    ),
    Code.EXTERNAL_NOT_ALLOWED: _world(
        32,
        "Your enterprise can't add its own numbers.",
        "Ask your reseller to turn on Allow External Numbers.",
        403,
    ),
    Code.CHANGED_SINCE: _world(
        33, "The number has changed since, so it was left unchanged.", "Check its history and change it manually."
    ),
    Code.INTERNAL_ERROR: Entry(
        34,
        Family.OURS,
        Outcome.FAILED,
        "Something went wrong on our side with this row.",
        "Upload the row again. If it fails again, send the job's ID to support.",
        500,
    ),
    Code.ABORTED: Entry(
        35,
        Family.OURS,
        Outcome.UNPROCESSED,
        "The row is fine, but nothing was changed because other rows failed.",
        "Correct the failed rows and upload the whole file again.",
    ),
    Code.CANCELLED: Entry(
        36, Family.OURS, Outcome.UNPROCESSED, "The job was stopped before this row.", "Upload the row again."
    ),
    Code.PLUS_RESTORED: _warning(37, "The spreadsheet had removed the + of an international number."),
    Code.SCIENTIFIC_RESTORED: _warning(38, "A number in scientific notation was written out; no digits were lost."),
    Code.FLOAT_SUFFIX_REMOVED: _warning(39, "A decimal ending such as .0 was removed."),
    Code.INVISIBLE_REMOVED: _warning(40, "Invisible characters were removed."),
    Code.TRUNK_PREFIX_REMOVED: _warning(41, "The national trunk prefix, such as a leading 0, was removed."),
    Code.COUNTRY_CODE_REPEATED: _warning(42, "The number repeated the country code; the repetition was removed."),
    Code.DEFAULT_CARRIER_USED: _warning(43, "The default carrier was used."),
    Code.POSSIBLE_NOT_VALID: _warning(
        44, "The number has a possible length but isn't in a number range that is known to be in use."
    ),
    Code.FILE_TOO_LARGE: _file(45, "The file is larger than the limit.", "Split the file and upload the parts.", 413),
    Code.TOO_MANY_ROWS: _file(46, "The file has more rows than the limit.", "Split the file and upload the parts."),
    Code.TOO_MANY_COLUMNS: _file(47, "The file has more columns than the limit.", "Keep only the columns you need."),
    Code.UNSUPPORTED_TYPE: _file(
        48, "This isn't a spreadsheet that we can read.", "Save it as .xlsx or .csv and upload that.", 415
    ),
    Code.UNREADABLE_FILE: _file(
        49,
        "The file could not be read.",
        "Open it in a spreadsheet program, save it again and upload the new copy.",
    ),
    Code.ENCRYPTED_FILE: _file(
        50, "The workbook is password-protected.", "Save it without a password and upload that."
    ),
    Code.BAD_ENCODING: _file(51, "The file's text could not be decoded.", "Save it as “CSV UTF-8” and upload that."),
    Code.EMPTY_FILE: _file(52, "The file has no rows.", "Upload a file with a header row and at least one number."),
    Code.NO_HEADER: _file(
        53, "No header row was found.", "Put the column names in the first row, as in the sample file."
    ),
    Code.MISSING_COLUMN: _file(
        54, "A required column is missing.", "Add or rename the column, spelled as in the sample file."
    ),
    Code.DUPLICATE_COLUMN: _file(55, "Two columns have the same name or meaning.", "Keep only one of them."),
    Code.TRUNCATED_UPLOAD: _file(
        56, "The upload was interrupted before the whole file arrived.", "Upload the file again.", 400
    ),
    Code.DIGEST_MISMATCH: _file(
        57,
        "The file that arrived differs from the file that was sent: its digest is different.",
        "Upload the file again.",
        400,
    ),
    Code.AMBIGUOUS_NUMBER: _cell(
        58,
        "“{value}” can be read as more than one phone number.",
        "Write the number with + and its country code, or choose how the file's numbers are written.",
    ),
    Code.LETTERS_CONVERTED: _warning(59, "The letters of a vanity number were converted to digits."),
    Code.REGION_DIFFERS: _warning(
        60, "The number belongs to another country that shares the calling code of the Country Code."
    ),
    Code.READ_AS_NATIONAL: _warning(
        61, "The number was read as a national number, as the other numbers in the column are written."
    ),
    Code.LEFT_OUT: _skipped(62, "The row was left out during the review.", "Nothing to do."),
    Code.CORRECTED: _warning(63, "Cells of the row were corrected during the review."),
}

BY_NUMBER: dict[int, Code] = {entry.number: code for code, entry in CATALOGUE.items()}
# Row codes that can also refuse a whole file, when the error is in the form sent with it (R9, R11).
ALSO_FILE_CODES: frozenset[Code] = frozenset({Code.EXTERNAL_NOT_ALLOWED, Code.TARGET_NOT_FOUND, Code.CARRIER_NOT_FOUND})
WARNINGS: tuple[Code, ...] = tuple(code for code, entry in CATALOGUE.items() if entry.family is Family.WARNING)


def number_of(code: Code) -> int:
    """Return the code's number in result files (uint8; 0 means "no result yet")."""
    return CATALOGUE[code].number


def outcome_of(code: Code) -> Outcome:
    """Return the outcome of a row code. `ValueError` for a warning or a file code."""
    outcome = CATALOGUE[code].outcome
    if outcome is None:
        raise ValueError(f"{code} is not a row result")
    return outcome


def warning_bit(code: Code) -> int:
    """Return the code's bit in a row's warnings (uint32)."""
    return 1 << WARNINGS.index(code)


def warnings_of(bits: int) -> list[Code]:
    """Return the warnings in a row's bit set, in catalogue order."""
    return [code for bit, code in enumerate(WARNINGS) if bits >> bit & 1]


@dataclass(frozen=True)
class Fault:
    """An error in one cell of a row: a code and the cell's column."""

    code: Code
    column: Column


# Every fault that can fail a row. All are reported; the one with the lowest bit is the row's code. The first are in
# order of importance, later ones were appended: the index in this tuple is the fault's bit in a row's faults (uint64 in
# result files), so add at the end, never reorder.
# ALREADY_EXISTS is here for `on_existing=error` (R17); otherwise it is a result without a fault: the row is skipped.
FAULTS: tuple[Fault, ...] = (
    Fault(Code.ROW_TOO_WIDE, Column.NONE),
    Fault(Code.MISSING_VALUE, Column.COUNTRY_CODE),
    Fault(Code.INVALID_COUNTRY_CODE, Column.COUNTRY_CODE),
    Fault(Code.MISSING_VALUE, Column.PHONE_NUMBER),
    Fault(Code.SCIENTIFIC_NOTATION_LOSS, Column.PHONE_NUMBER),
    Fault(Code.INVALID_CHARACTER, Column.PHONE_NUMBER),
    Fault(Code.TOO_SHORT, Column.PHONE_NUMBER),
    Fault(Code.TOO_LONG, Column.PHONE_NUMBER),
    Fault(Code.COUNTRY_MISMATCH, Column.PHONE_NUMBER),
    Fault(Code.INVALID_NUMBER, Column.PHONE_NUMBER),
    Fault(Code.INVALID_BOOLEAN, Column.VOICE),
    Fault(Code.INVALID_BOOLEAN, Column.SMS),
    Fault(Code.INVALID_BOOLEAN, Column.FAX),
    Fault(Code.TARGET_NOT_FOUND, Column.TARGET),
    Fault(Code.CARRIER_NOT_FOUND, Column.VOICE_CARRIER),
    Fault(Code.CARRIER_NOT_FOUND, Column.SMS_CARRIER_PROFILE),
    Fault(Code.CONFLICTING_DUPLICATE, Column.PHONE_NUMBER),
    Fault(Code.NUMBER_EXISTS_ELSEWHERE, Column.PHONE_NUMBER),
    Fault(Code.ALREADY_EXISTS, Column.PHONE_NUMBER),
    Fault(Code.NO_CAPABILITY, Column.VOICE),
    Fault(Code.CARRIER_MISSING, Column.VOICE_CARRIER),
    Fault(Code.CARRIER_MISSING, Column.SMS_CARRIER_PROFILE),
    Fault(Code.INTERNAL_ERROR, Column.NONE),
    Fault(Code.NOT_FOUND, Column.PHONE_NUMBER),
    Fault(Code.EXTERNAL_NOT_ALLOWED, Column.PHONE_NUMBER),
    Fault(Code.NOT_UPLOADER, Column.PHONE_NUMBER),
    Fault(Code.ASSIGNED_IN_USE, Column.PHONE_NUMBER),
    Fault(Code.CAPABILITY_REQUIRED, Column.PHONE_NUMBER),
    Fault(Code.CHANGED_SINCE, Column.PHONE_NUMBER),
    Fault(Code.MISSING_VALUE, Column.TARGET),
    Fault(Code.TARGET_NOT_FOUND, Column.USER),
    Fault(Code.TARGET_NOT_FOUND, Column.SERVICE),
    Fault(Code.CAPABILITY_REQUIRED, Column.USER),
    Fault(Code.ASSIGNED_IN_USE, Column.USER),
    Fault(Code.ASSIGNED_IN_USE, Column.VOICE),
    Fault(Code.ASSIGNED_IN_USE, Column.SMS),
    Fault(Code.ASSIGNED_IN_USE, Column.VOICE_CARRIER),
    Fault(Code.ASSIGNED_IN_USE, Column.SMS_CARRIER_PROFILE),
    Fault(Code.ASSIGNED_IN_USE, Column.TARGET),
    Fault(Code.INVALID_RANGE, Column.PHONE_NUMBER),
    Fault(Code.INVALID_RANGE, Column.END_NUMBER),
    Fault(Code.CONFLICTING_DUPLICATE, Column.END_NUMBER),
    Fault(Code.AMBIGUOUS_NUMBER, Column.PHONE_NUMBER),
    Fault(Code.INVALID_RANGE, Column.BLOCK_SIZE),
    Fault(Code.CHANGED_SINCE, Column.TARGET),
)

# Texts for a code in one column where the code's own text would mislead: (message, fix).
WORDS: dict[Fault, tuple[str, str]] = {
    Fault(Code.MISSING_VALUE, Column.COUNTRY_CODE): (
        "{column} is empty.",
        "Fill in {column}: {accepts}; or write the Phone Number with + and its country code.",
    ),
    Fault(Code.INVALID_RANGE, Column.BLOCK_SIZE): (
        "“{value}” isn't the size of a block of valid numbers.",
        "Enter how many numbers the row stands for. An End Number in the same row must match.",
    ),
    Fault(Code.TARGET_NOT_FOUND, Column.USER): (
        "The enterprise that has the number has no such user.",
        "Choose a user of that enterprise, or assign the number to the user's enterprise first.",
    ),
    Fault(Code.TARGET_NOT_FOUND, Column.SERVICE): (
        "The user can't have the number for this service.",
        "Use voice (a PBX user's number, a trunk user's Default DID), forwarded (trunk users only) or sms.",
    ),
    Fault(Code.CAPABILITY_REQUIRED, Column.USER): (
        "The user's SMS service isn't enabled.",
        "Enable SMS Service for the user first.",
    ),
    Fault(Code.ASSIGNED_IN_USE, Column.USER): (
        "The user already has another number. A PBX user has one number, a trunk user one Default DID.",
        "Unassign that number from the user first.",
    ),
    Fault(Code.ASSIGNED_IN_USE, Column.VOICE): (
        "A user has this number for voice, so Voice can't be turned off.",
        "Unassign the number from the user first.",
    ),
    Fault(Code.ASSIGNED_IN_USE, Column.SMS): (
        "A user has this number for SMS, so SMS can't be turned off.",
        "Unassign the number from the user first.",
    ),
    Fault(Code.ASSIGNED_IN_USE, Column.VOICE_CARRIER): (
        "A user has this number, so its carrier can't be changed.",
        "Unassign the number from the user first.",
    ),
    Fault(Code.ASSIGNED_IN_USE, Column.SMS_CARRIER_PROFILE): (
        "A user has this number, so its carrier profile can't be changed.",
        "Unassign the number from the user first.",
    ),
    Fault(Code.ASSIGNED_IN_USE, Column.TARGET): (
        "A user has this number, so it can't go to another company.",
        "Unassign the number from the user first.",
    ),
    Fault(Code.CHANGED_SINCE, Column.TARGET): (
        "The expected enterprise or reseller no longer has the number, so it was left unchanged.",
        "Check who has the number now before you move it.",
    ),
    Fault(Code.CONFLICTING_DUPLICATE, Column.END_NUMBER): (
        "Some of these numbers are in an earlier row of this file.",
        "Split the block so that no number is in two rows.",
    ),
}


# Messages for a job under review, where the code's own text would say that it has happened.
PREVIEW: dict[Code | Fault, str] = {
    Code.CREATED: "The number would be added.",
    Code.UPDATED: "The number would be changed.",
    Code.ASSIGNED: "The number would be assigned.",
    Code.UNASSIGNED: "The number would be unassigned.",
    Code.DELETED: "The number would be deleted.",
    Code.RESTORED: "The number would be restored to its earlier state.",
    Code.CHANGED_SINCE: "The number has changed since, so it would be left unchanged.",
    Fault(Code.CHANGED_SINCE, Column.TARGET): "The expected enterprise or reseller no longer has the number, so it "
    "would be left unchanged.",
    Code.ABORTED: "The row is fine, but nothing would be changed because other rows have errors.",
    Code.DEFAULT_CARRIER_USED: "The default carrier would be used.",
}


def fault_bit(code: Code, column: Column) -> int:
    """Return the bit of a fault in a row's faults (uint64). `ValueError` if it is not in `FAULTS`."""
    return 1 << FAULTS.index(Fault(code, column))


def result_of(code: Code, faults: int) -> Outcome:
    """Return the outcome of a row: failed if it has any fault, otherwise the outcome of its code."""
    return Outcome.FAILED if faults else outcome_of(code)


def faults_of(bits: int) -> list[Fault]:
    """Return the faults in a row's bit set, in the order of their bits."""
    return [fault for bit, fault in enumerate(FAULTS) if bits >> bit & 1]


@dataclass(frozen=True)
class Text:
    """The text of a code for one column, in which `{value}` is still to be filled in."""

    message: str
    fix: str

    def with_value(self, value: str) -> Text:
        """Return the text with the value filled in. "": the value was chosen for the whole job, not in a cell (R12)."""
        message = self.message if value else self.message.replace("“{value}”", "Your choice")
        return Text(message.replace("{value}", value), self.fix.replace("{value}", value))


def text_of(code: Code, column: Column = Column.NONE, *, preview: bool = False) -> Text:
    """Return the text for a code in a column, with `{value}` left in for the report writer to fill.

    `preview`: the job is under review; the text says what would happen to the row.
    """
    entry, fault = CATALOGUE[code], Fault(code, column)
    name, accepts = name_of(column), SPEC[column].accepts if column in SPEC else ""
    message, fix = WORDS.get(fault, (entry.message, entry.fix))
    if preview:
        message = PREVIEW.get(fault) or PREVIEW.get(code, message)
    return Text(*(part.replace("{column}", name).replace("{accepts}", accepts) for part in (message, fix)))


def in_general(code: Code, column: Column = Column.NONE, *, preview: bool = False) -> Text:
    """Return the text for a code that many rows share, whatever their value and, without `column`, their column.

    `preview`: see `text_of`.
    """
    if column is not Column.NONE:
        text = text_of(code, column, preview=preview)
        value = f"The value in {name_of(column)}"
        message = text.message.replace(f"“{{value}}” in {name_of(column)}", value).replace("“{value}”", value)
        return Text(message, text.fix)
    entry, thing = CATALOGUE[code], "carrier" if "CARRIER" in code else "cell"
    message = PREVIEW.get(code, entry.message) if preview else entry.message
    message = message.replace("“{value}” in {column}", "The cell").replace("“{value}”", "The cell")
    message = message.replace("{column}", "The cell" if message.startswith("{column}") else thing)
    return Text(message, entry.fix.replace(": {accepts}", "").replace("{column}", f"the {thing}"))
