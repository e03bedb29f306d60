"""The codes of requests, rows, files and deliveries, as the page of codes lists them."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.codes import ALSO_FILE_CODES, CATALOGUE, Code, Family
from schemas.http.callbacks import RESULTS
from schemas.request_problems import REQUEST_PROBLEMS

_TITLES = {
    Family.OK: ("Successful rows", "ok"),
    Family.SKIPPED: ("Skipped rows", "skipped"),
    Family.CELL: ("Rows that fail because of a cell", "cell"),
    Family.WORLD: ("Rows that fail because of the inventory or your permissions", "inventory"),
    Family.OURS: ("Rows that fail because of an internal error, or because the job was stopped", "internal"),
    Family.WARNING: ("Warnings: the row succeeds", "warnings"),
    Family.FILE: ("Refused files", "files"),
}


@dataclass(frozen=True)
class Entry:
    """A code. `result`: its HTTP status, or the outcome of the row."""

    code: str
    result: str
    meaning: str
    fix: str


@dataclass(frozen=True)
class CodeList:
    """The codes of one kind, with the heading of their table and of its column `result`."""

    title: str
    anchor: str
    result: str
    entries: tuple[Entry, ...]


def code_lists() -> tuple[CodeList, ...]:
    """Return all codes: of requests first, then of rows and files, and the results of deliveries."""
    requests = tuple(
        Entry(code.value, str(problem.status), problem.title, problem.fix) for code, problem in REQUEST_PROBLEMS.items()
    )
    deliveries = tuple(Entry(result.value, "", meaning, "") for result, meaning in RESULTS.items())
    return (
        CodeList("Request codes", "request-codes", "HTTP status", requests),
        *(_of_family(family) for family in _TITLES),
        CodeList("Results of deliveries", "callback-results", "", deliveries),
    )


def _of_family(family: Family) -> CodeList:
    title, anchor = _TITLES[family]
    also = ALSO_FILE_CODES if family is Family.FILE else frozenset[Code]()
    is_file = family is Family.FILE
    entries = tuple(
        Entry(
            code.value,
            str(entry.status) if is_file else entry.outcome.value if entry.outcome else "",
            _with_names(entry.message),
            _with_names(entry.fix),
        )
        for code, entry in CATALOGUE.items()
        if entry.family is family or code in also
    )
    return CodeList(title, anchor, "HTTP status" if is_file else "" if family is Family.WARNING else "Result", entries)


def _with_names(text: str) -> str:
    """Return the text with names for its placeholders."""
    return text.format(column="the column", value="the value", accepts="what the column takes")
