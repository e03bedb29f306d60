"""Specific messages and fixes for faulty phone numbers, where the cell shows more than its code (R14 to R14e).

Works on the failed rows of a report, whole columns at a time; returns texts for the rows that it can explain.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from schemas.codes import Code, Fault, Text, text_of
from schemas.columns import Column
from worker.phone.cell_text import Surplus, parts_of, read_cell
from worker.phone.country import read_country
from worker.phone.digits import ascii_digits
from worker.phone.evidence import Evidence
from worker.phone.formatting import INTERNATIONAL, country_name, readable
from worker.phone.identify import find_column
from worker.phone.metadata import MAIN_ROW, REGIONS
from worker.phone.reference import Rules, readings_with_trunk_prefix
from worker.phone.validate_column import check_column
from worker.spreadsheet import cell_repair

_SHOWN = 4  # readings that a message lists
_LONGEST = 60  # characters that a message quotes from a cell, besides the cell itself
_POSSIBLE = Rules(accept_possible=True)
_MEXICO = 52
_OLD_MOBILE = re.compile(r"(?:\+?52|0052)?(?P<prefix>1|044|045|01)(?P<number>[1-9]\d{9})", re.ASCII)
_RANGE = re.compile(
    r"(?P<stem>.*?)(?P<first>\d+)\)?\s*(?P<sign>[-\u2013\u2014\u2212~]|\.\.+|\u2026|[^\W\d_]+)\s*[-\u2013]?\s*(?P<last>\d+)\s*"
)
_INTERNATIONAL = re.compile(r"[\s(\[]*(?:\+|0[\s(\[]*0)(?P<digits>.*)", re.DOTALL)
_MORE_THAN_A_NUMBER: Mapping[Surplus, str] = {
    Surplus.EXTENSION: "Remove the extension; only the number itself can be imported.",
    Surplus.SECOND_NUMBER: "Put each number in its own row.",
    Surplus.MASK: "Enter the missing digits.",
    Surplus.LETTER: "Replace the letter by the digit that it stands for.",
    Surplus.REMARK: "Leave only the phone number in the cell, and move the rest to another column.",
    Surplus.DATE: "Format the column as text, and enter the phone number again.",
    Surplus.FRACTION: "Format the column as text, and enter the phone number again.",
    Surplus.SYMBOL: "Leave only the phone number in the cell: digits, spaces, + - ( ) / and dots.",
}


@dataclass(frozen=True)
class Context:
    """The job's context for its numbers: the calling codes of the actor's tree, and the request's country (R14c).

    `finds`: the rows name existing numbers.
    """

    finds: bool = False
    calling_codes: tuple[int, ...] = ()
    country_code: str | None = None


NO_CONTEXT = Context()


@dataclass(frozen=True)
class Row:
    """A failed row: its Country Code and its Phone Number as in the file."""

    country: str
    number: str


Explained = Sequence[Text | None]


def explain(fault: Fault, rows: Sequence[Row], context: Context) -> Explained:
    """Return a text for each row whose cell shows more about the fault than its code does; None for the others."""
    explainer = _EXPLAINERS.get(fault)
    return explainer(rows, context) if explainer else [None] * len(rows)


def _more_than_a_number(rows: Sequence[Row], _: Context) -> Explained:
    return [_surplus_text(row.number) for row in rows]


def _surplus_text(number: str) -> Text | None:
    cell = read_cell(number.strip())
    kind, fragment = cell.surplus, cell.fragment
    if cell.number:
        parts = list(parts_of(cell.number))
        if not parts:
            return None
        kind, fragment = Surplus.SECOND_NUMBER, parts[0][1].strip()
    if kind is None or not fragment or (kind is Surplus.REMARK and fragment == number.strip()):
        return None
    shown = "" if fragment == number.strip() else f": “{fragment[:_LONGEST]}”"
    message = f"“{{value}}” isn't just a phone number: it contains {kind.value}{shown}."
    return Text(message, _MORE_THAN_A_NUMBER[kind])


def _not_valid(rows: Sequence[Row], _: Context) -> Explained:
    """Explain a missing leading zero (R14d), or the mobile prefix that Mexico abolished in 2019."""
    lacks_zero = _lacks_zero(rows)
    return [
        Text(
            "“{value}” is not a valid number; its leading zero seems to be missing.",
            "A leading zero seems to be missing; spreadsheets drop them. Format the column as text and enter the "
            "number with its zero.",
        )
        if lost
        else _old_mobile(row)
        for row, lost in zip(rows, lacks_zero, strict=True)
    ]


def _lacks_zero(rows: Sequence[Row]) -> Sequence[bool]:
    country, number = _columns(rows)
    column = check_column(country, number, _POSSIBLE)
    lost: list[bool] = (column.evidence & Evidence.SHOWS_ZERO_LOST != 0).tolist()
    return lost


def _old_mobile(row: Row) -> Text | None:
    country = read_country(row.country)
    digits = re.sub(r"[^\d+]", "", ascii_digits(row.number))
    match = _OLD_MOBILE.fullmatch(digits)
    is_mexican = country.calling_code == _MEXICO if country else digits.startswith(("+52", "0052"))
    if match is None or not is_mexican:
        return None
    return Text(
        f"“{{value}}” has the old mobile prefix {match['prefix']}, which Mexico no longer uses.",
        f"Remove the old mobile prefix {match['prefix']}: write +52 {match['number']}.",
    )


def _mismatch(rows: Sequence[Row], _: Context) -> Explained:
    return [_mismatch_text(row) for row in rows]


def _mismatch_text(row: Row) -> Text | None:
    country, international = read_country(row.country), _INTERNATIONAL.fullmatch(ascii_digits(row.number))
    if country is None or international is None:
        return None
    digits = re.sub(r"\D", "", international["digits"])
    code = next((int(digits[:size]) for size in (1, 2, 3) if digits[:size] and int(digits[:size]) in MAIN_ROW), None)
    if code is None:
        return None
    return Text(
        f"“{{value}}” is {_number_of(code)}, but the Country Code is {_country(country.calling_code)}.",
        "Correct the Country Code or the Phone Number so that they agree.",
    )


def _number_of(code: int) -> str:
    return f"a number of {_country(code)}" if _name(code) != INTERNATIONAL else f"an international number (+{code})"


def _country(code: int) -> str:
    return f"{_name(code)} (+{code})" if _name(code) != INTERNATIONAL else f"+{code}, which belongs to no country"


def _name(code: int) -> str:
    return country_name(REGIONS[MAIN_ROW[code]][1])


def _ambiguous(rows: Sequence[Row], context: Context) -> Explained:
    country, number = _columns(rows)
    if context.finds and context.country_code:
        country = pa.array([row.country.strip() or context.country_code for row in rows])
    if context.finds:
        lookup = find_column(country, number, np.zeros(len(rows), np.bool_), context.calling_codes)
        column, candidates = lookup.column, lookup.candidates
    else:
        column, candidates = check_column(country, number, _POSSIBLE), None
    texts = list[Text | None]()
    for index, row in enumerate(rows):
        readings = [int(column.e164[index])] if column.e164[index] else []
        if column.evidence[index] & Evidence.ALSO_INTERNATIONAL:
            readings.append(int(column.alternative[index]))
        if column.evidence[index] & Evidence.ALSO_WITH_ZERO:
            readings.append(_with_zero(readings[0]))
        where = read_country(country[index].as_py())
        if (
            where is not None
            and not readings
            and (trunk_readings := readings_with_trunk_prefix(where, number[index].as_py()))
        ):
            texts.append(_trunk_prefix_text(trunk_readings))
            continue
        if candidates is not None and not readings:
            readings = candidates.e164[candidates.row == index].tolist()
        has_zero = bool(column.evidence[index] & Evidence.ALSO_WITH_ZERO)
        texts.append(_readings_text(readings, has_zero=has_zero) if len(readings) > 1 else _one_or_block(row))
    return texts


def _with_zero(e164: int) -> int:
    code = next(str(e164)[:size] for size in (1, 2, 3) if int(str(e164)[:size]) in MAIN_ROW)
    return int(f"{code}0{str(e164)[len(code) :]}")


def _readings_text(readings: Sequence[int], *, has_zero: bool) -> Text:
    zero = "A leading zero may be missing; spreadsheets drop them. " if has_zero else ""
    fix = text_of(Code.AMBIGUOUS_NUMBER, Column.PHONE_NUMBER).fix
    return Text(_can_be_read_as(readings), zero + fix)


def _trunk_prefix_text(readings: Sequence[int]) -> Text:
    """Return the text for a zero that is part of a longer trunk prefix, which no setting of the file decides (R14d)."""
    return Text(
        _can_be_read_as(readings),
        "A leading zero may be missing; spreadsheets drop them. Write the number with + and its country code.",
    )


def _can_be_read_as(readings: Sequence[int]) -> str:
    shown = [readable(f"+{reading}") for reading in readings[:_SHOWN]]
    more = f" and {len(readings) - _SHOWN} more" if len(readings) > _SHOWN else ""
    return f"“{{value}}” can be read as {' or as '.join(shown)}{more}."


def _one_or_block(row: Row) -> Text | None:
    match = _RANGE.fullmatch(row.number.strip())
    if match is None:
        return None
    stem, first, last = match["stem"], match["first"], match["last"]
    return Text(
        f"“{{value}}” can be read as one number, or as a block from {first} to {last}.",
        f"Write a single number without the dash, or a block with “to”: {stem}{first} to {last}.",
    )


def _block(rows: Sequence[Row], _: Context) -> Explained:
    return [_block_text(row) for row in rows]


def _block_text(row: Row) -> Text | None:
    """Explain a block whose first ending is shorter than its last: the fix spells out both meanings (R14e)."""
    match = _RANGE.fullmatch(row.number.strip())
    if match is None or not len(match["first"]) < len(match["last"]) < _WIDEST_ENDING:
        return None
    stem, first, last = match["stem"], match["first"], match["last"]
    width = len(last)
    nines, ones = "9" * len(first), "1" + "0" * (width - 1)
    return Text(
        "“{value}” can mean two blocks: its first number ends in fewer digits than its last.",
        f"If all endings have {width} digits, write {stem}{first.zfill(width)} to {last}. "
        f"If not, use two rows: {stem}{first} to {nines}, and {stem}{ones} to {last}.",
    )


_WIDEST_ENDING = 6  # digits; texts this long are numbers, not endings


def _not_found(rows: Sequence[Row], context: Context) -> Explained:
    """Explain a number without a country: it cannot be found, whether or not it is in the inventory (R14c)."""
    text = text_of(Code.NOT_FOUND, Column.PHONE_NUMBER)
    with_country = Text(
        text.message,
        "Check the number. It has no country code: add + and the country code, or set the country for the whole list.",
    )
    return [
        with_country
        if context.finds
        and not row.country.strip()
        and not context.country_code
        and not _INTERNATIONAL.match(row.number)
        else None
        for row in rows
    ]


def _columns(rows: Sequence[Row]) -> tuple[pa.StringArray, pa.StringArray]:
    """Return the cells as validation repairs them."""
    country = cell_repair.repair_country(pa.array([row.country for row in rows], pa.string())).text
    return country, cell_repair.repair_phone(pa.array([row.number for row in rows], pa.string())).text


_EXPLAINERS: Mapping[Fault, Callable[[Sequence[Row], Context], Explained]] = {
    Fault(Code.INVALID_CHARACTER, Column.PHONE_NUMBER): _more_than_a_number,
    Fault(Code.INVALID_NUMBER, Column.PHONE_NUMBER): _not_valid,
    Fault(Code.TOO_SHORT, Column.PHONE_NUMBER): _not_valid,
    Fault(Code.TOO_LONG, Column.PHONE_NUMBER): _not_valid,
    Fault(Code.COUNTRY_MISMATCH, Column.PHONE_NUMBER): _mismatch,
    Fault(Code.AMBIGUOUS_NUMBER, Column.PHONE_NUMBER): _ambiguous,
    Fault(Code.INVALID_RANGE, Column.PHONE_NUMBER): _block,
    Fault(Code.NOT_FOUND, Column.PHONE_NUMBER): _not_found,
}
