"""Suggestions for the columns besides number and country: capabilities, carriers, tenants, users, blocks (R31)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from schemas.capabilities import CAPABILITIES
from schemas.columns import Column, Form, name_of
from schemas.user_services import read_services
from worker.stages.reading.suggesting.headers import TYPE_NAMES, Heading, Rank
from worker.stages.reading.suggesting.model import Suggestion
from worker.stages.reading.suggesting.values import (
    boolean_text,
    both_booleans,
    capability_values,
    read_booleans,
)

_CAPABILITIES = tuple(each.column for each in CAPABILITIES)
_BLOCKS = frozenset({Column.END_NUMBER, Column.BLOCK_SIZE})
_CARRIERS = frozenset({Column.VOICE_CARRIER, Column.SMS_CARRIER_PROFILE})
_MAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,255}")
_LEAST_SHARE = 0.8
_MOST_NAMES = 50
_TIE = 0.4


@dataclass(frozen=True)
class FileColumn:
    """One column of the file: header, cells of the first rows, and values of the whole column with their counts.

    `examined` is False for columns of which only the header counts; they have no cells here.
    """

    index: int
    heading: Heading
    cells: Sequence[str]
    values: Sequence[tuple[str, int]]
    examined: bool = True

    @property
    def filled(self) -> list[str]:
        """The cells that are not empty."""
        return [cell for cell in self.cells if cell]


@dataclass
class Decided:
    """What has been suggested so far: by column of the file, and each of our columns at most once."""

    by_index: dict[int, Suggestion] = field(default_factory=dict)
    values: dict[Column, Mapping[str, str]] = field(default_factory=dict)
    also: dict[Column, int] = field(default_factory=dict)

    @property
    def columns(self) -> set[Column]:
        """Our columns that are suggested, or supplied by another column."""
        return {each.column for each in self.by_index.values() if each.column is not None} | self.also.keys()

    def add(self, index: int, suggestion: Suggestion) -> None:
        self.by_index[index] = suggestion


def by_headers(columns: Sequence[FileColumn], decided: Decided) -> None:
    """Suggest what headers name and cells do not contradict, the best header for each of our columns."""
    named = dict[Column, list[FileColumn]]()
    for column in columns:
        if column.heading.column is not None and column.index not in decided.by_index:
            named.setdefault(column.heading.column, []).append(column)
    for ours, candidates in named.items():
        if ours in decided.columns or ours in {Column.PHONE_NUMBER, Column.COUNTRY_CODE}:
            continue
        judged = [(each, _by_header(each)) for each in candidates]
        able = sorted(
            ((each, suggestion) for each, suggestion in judged if suggestion.column is not None),
            key=lambda pair: (-pair[0].heading.rank, -pair[1].confidence, pair[0].index),
        )
        for each, suggestion in judged:
            if suggestion.column is None and suggestion.reason:
                decided.add(each.index, suggestion)
        if able:
            _take_best(able, decided)


def _take_best(able: Sequence[tuple[FileColumn, Suggestion]], decided: Decided) -> None:
    best, suggestion = able[0]
    ours = suggestion.column
    equal = [each for each, other in able if _key(each, other) == _key(best, suggestion)]
    if len(equal) > 1 and ours is not None:
        why = f"{len(equal):,} columns could be {name_of(ours)}; nothing but their order decides."
        suggestion = Suggestion(ours, min(suggestion.confidence, _TIE), why)
    decided.add(best.index, suggestion)
    if ours in _CAPABILITIES and best.examined:
        translations = read_booleans(best.values, ours).translations
        if translations:
            decided.values[ours] = translations


def _key(column: FileColumn, suggestion: Suggestion) -> tuple[Rank, float]:
    return column.heading.rank, suggestion.confidence


def _by_header(column: FileColumn) -> Suggestion:
    ours = column.heading.column
    assert ours is not None  # noqa: S101 - the caller's condition
    confidence = {Rank.EXACT: 0.98, Rank.TERM: 0.95, Rank.NAME: 0.9}.get(column.heading.rank, 0.4)
    similar = column.heading.rank < Rank.NAME
    reason = f"The header {'is similar to' if similar else 'means'} {name_of(ours)}."
    if ours in _BLOCKS:
        return Suggestion(ours, confidence, reason)
    if not column.filled:
        return Suggestion(ours, 0.6 if column.heading.rank >= Rank.TERM else 0.5 - 0.2 * similar, reason)
    if ours in _CAPABILITIES:
        return _capability(column, ours, confidence + 0.3 * similar, reason)
    return _text(column, ours, confidence, reason)


def _capability(column: FileColumn, ours: Column, confidence: float, reason: str) -> Suggestion:
    share = read_booleans(column.values, ours).share
    if share >= _LEAST_SHARE:
        return Suggestion(ours, confidence, reason)
    if share >= 0.5:  # noqa: PLR2004 - most cells
        return Suggestion(ours, _TIE, f"{reason[:-1]}; {share:.0%} of the cells mean TRUE or FALSE.")
    return Suggestion(None, 0.0, f"{reason[:-1]}, but most cells do not mean TRUE or FALSE.")


def _text(column: FileColumn, ours: Column, confidence: float, reason: str) -> Suggestion:
    """Check the cells of a column of names; their spelling is checked later, against the names that there are."""
    filled = column.filled
    letters = sum(any(char.isalpha() for char in cell) for cell in filled)
    mails = sum(_MAIL.fullmatch(cell) is not None for cell in filled)
    if ours is Column.USER:
        fits = mails >= _LEAST_SHARE * len(filled) or column.heading.rank >= Rank.EXACT
    elif ours is Column.SERVICE:
        fits = sum(read_services(cell) is not None for cell in filled) >= _LEAST_SHARE * len(filled)
    else:
        fits = letters >= 0.5 * len(filled) > mails
    if not fits:
        return Suggestion(None, 0.0, f"{reason[:-1]}, but its cells do not look like it.")
    many = ours in _CARRIERS and len(set(filled)) > _MOST_NAMES
    unsure = many or (ours is Column.TARGET and not _is_name_of_tenant(column.heading))
    return Suggestion(ours, min(confidence, _TIE) if unsure else confidence, reason)


def _is_name_of_tenant(heading: Heading) -> bool:
    """Return whether a header names a tenant for certain: in a CRM, “Customer” or “Firma” is someone else."""
    return heading.rank >= Rank.EXACT or heading.key in {
        "enterprise", "reseller", "assignto", "tenant", "enterprisename", "resellername", "tenantname", "mandant",
    }  # fmt: skip


def by_capabilities(columns: Sequence[FileColumn], form: Form, decided: Decided) -> None:
    """Suggest a column of words such as “Voice+SMS” for Voice, and for the other capabilities as well."""
    missing = [ours for ours in _CAPABILITIES if ours in form.understood and ours not in decided.columns]
    able = list[tuple[bool, int, dict[str, frozenset[Column]]]]()
    for column in columns:
        suggestion = decided.by_index.get(column.index)
        if not column.examined or (suggestion is not None and suggestion.column is not None):
            continue
        named = capability_values(column.values)
        if named is not None:
            able.append((column.heading.key not in TYPE_NAMES, column.index, named))
    if not able or not missing:
        return
    able.sort(key=lambda each: each[:2])
    unnamed, index, named = able[0]
    mentioned = frozenset[Column]().union(*named.values())
    supplied = [ours for ours in missing if ours in form.required or ours in mentioned]
    if not supplied:
        return
    tie = sum(each[0] == unnamed for each in able) > 1
    reason = "All values name capabilities, such as " + " and ".join(f"“{text[:20]}”" for text in list(named)[:2]) + "."
    if tie:
        reason += " Several columns do; nothing but their order decides."
    decided.add(index, Suggestion(supplied[0], _TIE if tie else 0.85, reason))
    decided.also.update(dict.fromkeys(supplied[1:], index))
    for ours in supplied:
        decided.values[ours] = {text: boolean_text(value=ours in each) for text, each in named.items()}


def by_order(columns: Sequence[FileColumn], form: Form, decided: Decided) -> None:
    """Suggest unnamed columns of TRUE and FALSE in the order of the sample file, with low confidence."""
    if _CAPABILITIES[0] in decided.columns or _CAPABILITIES[1] in decided.columns:
        return
    open_columns = [each for each in columns if each.index not in decided.by_index and each.heading.generic]
    able = [each for each in open_columns if each.examined and both_booleans(each.cells)]
    if not 2 <= len(able) <= len(_CAPABILITIES):  # noqa: PLR2004 - of a single one, nothing shows which it is
        return
    for ours, column in zip(_CAPABILITIES, able, strict=False):
        if ours in form.understood:
            reason = f"TRUE and FALSE; only the order of the columns suggests {name_of(ours)}."
            decided.add(column.index, Suggestion(ours, _TIE, reason))


def by_cells(columns: Sequence[FileColumn], form: Form, decided: Decided) -> None:
    """Suggest a column of e-mail addresses for User in files that have users."""
    if Column.USER not in form.understood or Column.USER in decided.columns:
        return
    able = [
        each
        for each in columns
        if each.index not in decided.by_index and each.filled and all(map(_MAIL.fullmatch, each.filled))
    ]
    if able:
        reason = "All cells are e-mail addresses."
        if len(able) > 1:
            reason += f" {len(able):,} columns are; nothing but their order decides."
        decided.add(able[0].index, Suggestion(Column.USER, _TIE if len(able) > 1 else 0.6, reason))
