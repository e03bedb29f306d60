"""Corrections in words (R33): what each one does, and what a preview found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from schemas.codes import Code, in_general
from schemas.http.corrections import CorrectionView, RowPreview, RuleBody, RulePreview
from webhook.portal.jobs.correction_rules import column_of
from worker.reports.job_words import plural

MOST_NAMED = 5  # changed cells that a correction's description names


def described(correction: CorrectionView) -> list[str]:
    """Return what a correction does: a text for each rule, one for its cells and one for the rows it leaves out."""
    texts = [*map(_rule, correction.rules), *_cells(correction)]
    if correction.leave_out:
        texts.append(f"Left out: {plural(len(correction.leave_out), 'row')}, {_some(correction.leave_out)}")
    return texts


def _rule(rule: RuleBody) -> str:
    if rule.leave_out:
        return f"{_which(rule)} Rows left out."
    if rule.replace is not None:
        find, replacement = rule.replace
        done = f"“{find}” replaced with “{replacement}”" if replacement else f"“{find}” removed"
        return f"{_which(rule)} {done} in {rule.column}."
    return (
        f"{_which(rule)} {rule.column} set to “{rule.set}”." if rule.set else f"{_which(rule)} {rule.column} emptied."
    )


def _which(rule: RuleBody) -> str:
    """Return which rows a rule is about, as a sentence."""
    if rule.equals is not None:
        return f"{rule.column} is “{rule.equals}”."
    if rule.code is not None:
        return in_general(Code(rule.code), column_of(rule.column), preview=True).message
    return "All rows with errors."


def _cells(correction: CorrectionView) -> Iterator[str]:
    if correction.cells:
        rows = list(dict.fromkeys(cell.row for cell in correction.cells))
        yield f"{plural(len(correction.cells), 'cell')} changed by hand, {_some(rows)}"


def _some(rows: list[int]) -> str:
    """Return the numbers of a few rows: "in rows 3, 4 and 9 more."."""
    numbers, left = ", ".join(f"{row:,}" for row in rows[:MOST_NAMED]), len(rows) - MOST_NAMED
    return f"in {'row' if len(rows) == 1 else 'rows'} {numbers}{f' and {left:,} more' if left > 0 else ''}."


def of_rule(preview: RulePreview) -> str:
    """Return what a rule would do: "98 of 100 rows become right."."""
    if not preview.rows:
        return "No row has this."
    if preview.examined < preview.rows:
        return f"{plural(preview.rows, 'row')}; of the first {preview.examined:,}, {preview.right:,} become right."
    others = " The others have more errors." if 0 < preview.right < preview.rows else ""
    if not preview.right:
        others = " It has another error." if preview.rows == 1 else " They have other errors, or the new text is wrong."
    verb = "becomes" if preview.rows == 1 else "become"
    return f"{preview.right:,} of {plural(preview.rows, 'row')} {verb} right.{others}"


def of_replacement(preview: RulePreview) -> str:
    """Return what find and replace would do: "12 rows would change, 10 of them become right."."""
    if not preview.rows:
        return "No row with errors has this text in the column. Nothing would change."
    if preview.examined < preview.rows:
        of_first = f"of the first {preview.examined:,}, {preview.right:,} become right"
        return f"{plural(preview.rows, 'row')} would change; {of_first}."
    if preview.rows == 1:
        return f"1 row would change, {'and becomes right' if preview.right else 'but still has an error'}."
    right = {0: "none of them becomes right", 1: "1 of them becomes right"}
    return f"{preview.rows:,} rows would change, {right.get(preview.right, f'{preview.right:,} of them become right')}."


def of_row(row: RowPreview) -> Mapping[str, Any]:
    """Return what a row would be, for the script of the grid: whether it is `right`, `text`, and how to `fix` it."""
    if not row.right:
        return {"right": False, "text": row.message, "fix": row.fix or ""}
    number = f", as {row.number}" if row.number else ""
    return {"right": True, "text": f"Right now{number}. Not saved yet.", "fix": ""}
