"""The form that corrects all rows with the same fault at once (R33): what it shows, and the rules that it makes.

Each fault of the review has a control that fits its column. What is left empty makes no rule.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from schemas.capabilities import CAPABILITIES, CARRIER_FIELDS
from schemas.codes import Code, in_general
from schemas.column_mapping import value_key
from schemas.columns import Column, name_of
from schemas.http import resources
from schemas.name_matching import fold
from webhook.portal.shared.forms import Form
from webhook.services import uploads
from worker.phone.formatting import COUNTRIES, INTERNATIONAL

MOST_LINES = 8  # values of a fault with a control each; with more, one control sets all of them
MOST_SAMPLES = 3
LONGEST_VALUE = 200  # characters of a value; longer ones are not known in full (`ReviewFault`)
EMPTY = "(empty)"  # the choice that empties cells; a control that is left empty changes nothing
_BOOLEANS = frozenset(capability.column for capability in CAPABILITIES)
_CARRIERS = {field.column: field.capability for field in CARRIER_FIELDS}
_NUMBERS = frozenset({Column.PHONE_NUMBER, Column.END_NUMBER})
# Faults that another text in their own cell can correct; the rows of the others can only be left out.
_IN_THE_CELL = frozenset(
    {
        *(Code.MISSING_VALUE, Code.INVALID_COUNTRY_CODE, Code.INVALID_CHARACTER, Code.TOO_SHORT, Code.TOO_LONG),
        *(Code.COUNTRY_MISMATCH, Code.INVALID_NUMBER, Code.INVALID_RANGE, Code.INVALID_BOOLEAN, Code.NO_CAPABILITY),
        *(Code.CARRIER_NOT_FOUND, Code.CARRIER_MISSING, Code.TARGET_NOT_FOUND, Code.AMBIGUOUS_NUMBER),
    }
)
_BY_NAME = {name_of(column): column for column in Column if column is not Column.NONE}
Options = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Control:
    """A control for new texts: `kind` is boolean, country, name, text, replace or none.

    `options`: (value, text) of a name; `source`: where its suggestions come from (`portal.suggest`).
    """

    kind: str
    options: Options = ()
    source: str = ""
    blank: str = "Leave as they are"


@dataclass(frozen=True)
class Line:
    """One value of the cells with a fault: the field with its new text, and the one that repeats the value."""

    field: str
    value_field: str
    value: str
    count: int
    entered: str


@dataclass(frozen=True)
class Cause:
    """A fault of the review, and how its rows can be corrected. `key` is the end of the names of its fields.

    `samples`: a few texts of the cells, where the controls do not name them.
    """

    key: str
    code: Code
    column: Column
    rows: int
    message: str
    fix: str
    control: Control
    lines: tuple[Line, ...]
    samples: tuple[str, ...]


def column_of(name: str | None) -> Column:
    """Return our column with this name in the API; `NONE` for none and for unknown names."""
    return _BY_NAME.get(name or "", Column.NONE)


@lru_cache(maxsize=1)
def countries() -> Options:
    """Return all countries by name, as (region, name): ("DE", "Germany")."""
    pairs = [(region, name) for region, name in COUNTRIES.items() if name != INTERNATIONAL]
    return tuple(sorted(pairs, key=lambda pair: fold(pair[1])))


def causes_of(job: resources.Job, form: Form) -> tuple[Cause, ...]:
    """Return the faults of a job under review, the most frequent first, with what was entered for them."""
    faults = () if job.review is None else job.review.faults
    controls = _controls({column_of(fault.column) for fault in faults})
    return tuple(_cause(fault, form, controls) for fault in faults)


def _cause(fault: resources.ReviewFault, form: Form, controls: Mapping[Column, Control]) -> Cause:
    code, column = Code(fault.code), column_of(fault.column)
    key = f"{code}-{column.name}"
    text = in_general(code, column, preview=True)
    can_set = code in _IN_THE_CELL or column in _BOOLEANS
    control = controls[column] if can_set else Control("none")
    lines = tuple(_lines(fault, key, form)) if control.kind not in {"none", "replace"} else ()
    samples = () if lines else tuple(each.value for each in fault.values[:MOST_SAMPLES] if each.value.strip())
    return Cause(key, code, column, fault.rows, text.message, text.fix, control, lines, samples)


def _lines(fault: resources.ReviewFault, key: str, form: Form) -> Iterator[Line]:
    """Yield the values of a fault; nothing if they are too many, or too long to be known in full."""
    counts: dict[str, int] = {}
    shown: dict[str, str] = {}
    for each in fault.values:
        counts[value_key(each.value)] = counts.get(value_key(each.value), 0) + each.count
        shown.setdefault(value_key(each.value), each.value)
    is_cut = any(len(value) >= LONGEST_VALUE for value in shown.values())
    if fault.has_more_values or is_cut or len(counts) > MOST_LINES or counts.keys() <= {""}:
        return
    # By the value and not by its position: the job may have changed since the form was shown.
    entered = {
        value_key(form.value(f"value-{key}-{position}")): form.value(f"to-{key}-{position}")
        for position in range(MOST_LINES)
        if form.has(f"value-{key}-{position}")
    }
    for position, (value, count) in enumerate(counts.items()):
        names = f"to-{key}-{position}", f"value-{key}-{position}"
        yield Line(*names, shown[value], count, entered.get(value, ""))


def _controls(columns: set[Column]) -> dict[Column, Control]:
    controls = {column: Control("text") for column in columns}
    offers = uploads.offers() if columns & {*_CARRIERS, Column.TARGET} else None
    for column in columns:
        if column in _BOOLEANS:
            controls[column] = Control("boolean")
        elif column is Column.COUNTRY_CODE:
            controls[column] = Control("country")
        elif column in _NUMBERS:
            controls[column] = Control("replace")
        elif offers is not None and column in _CARRIERS:
            names = offers.carriers[_CARRIERS[column]]
            empty = (EMPTY, "Empty: as set for the upload")
            controls[column] = Control("name", (*((name, name) for name in names), empty), _CARRIERS[column])
        elif offers is not None and column is Column.TARGET:
            controls[column] = Control("name", _tenants(offers), "tenants")
    return controls


def _tenants(offers: uploads.Offers) -> Options:
    """Return the tenants that numbers can go to: by name or, where two have the same name, by id."""
    names = [fold(tenant.name) for tenant in offers.tenants]
    return tuple(
        (tenant.id if names.count(fold(tenant.name)) > 1 else tenant.name, tenant.name) for tenant in offers.tenants
    )


def rules_of(causes: tuple[Cause, ...], form: Form) -> dict[str, dict[str, Any]]:
    """Return the rules that the form makes (`schemas.http.corrections.RuleBody`), by the name of their field."""
    rules: dict[str, dict[str, Any]] = {}
    for cause in causes:
        fault = {"code": cause.code.value} | ({"column": name_of(cause.column)} if cause.column else {})
        if form.has(f"out-{cause.key}"):
            rules[f"out-{cause.key}"] = fault | {"leave_out": True}
        elif cause.control.kind == "replace":
            find = form.value(f"find-{cause.key}")
            if find and find != form.value(f"with-{cause.key}"):
                rules[f"find-{cause.key}"] = fault | {"replace": [find, form.value(f"with-{cause.key}")]}
        elif cause.control.kind != "none":
            rules |= _texts(cause, form, fault)
    return rules


def _texts(cause: Cause, form: Form, fault: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the rules that set a text, with the names of their fields."""
    for line in cause.lines:
        if line.entered.strip():
            yield line.field, {**fault, "equals": line.value, "set": _text(line.entered)}
    entered = form.value(f"set-{cause.key}")
    if not cause.lines and entered.strip():
        yield f"set-{cause.key}", {**fault, "set": _text(entered)}


def _text(entered: str) -> str:
    return "" if entered.strip() == EMPTY else entered.strip()
