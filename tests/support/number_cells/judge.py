"""Runs a sheet through the product's stages in this process, and compares what would be written with what is meant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from schemas.codes import BY_NUMBER, Code, warnings_of
from schemas.columns import Column, is_international
from schemas.job_kinds import JobKind
from schemas.jobs import JobOptions
from tests.support.files.sheets import csv_bytes
from tests.support.number_cells.model import Cell, Sheet, Verdict
from worker.spreadsheet.cell_sources import CellSources
from worker.stages.cut import deduplicate
from worker.stages.read import FileFault, Limits, read
from worker.stages.validate import Names, Parts, ValidatedRows, validate_rows

LIMITS = Limits(1 << 26, 1 << 20, 20, 2000, 1 << 28, 1 << 30, 30)


@dataclass(frozen=True)
class Outcome:
    """What would become of a cell: the numbers written, the refusal, the warnings."""

    written: range
    code: Code | None
    warnings: frozenset[Code]


@dataclass(frozen=True)
class Finding:
    """A cell whose outcome is not what the rules ask for."""

    sheet: str
    cell: Cell
    outcome: Outcome

    def __str__(self) -> str:
        cell, outcome = self.cell, self.outcome
        end = "".join(f" {name} {value!r}" for name, value in (("end", cell.end), ("size", cell.size)) if value)
        warnings = ", ".join(sorted(outcome.warnings)) or "-"
        return (
            f"{self.sheet} | {cell.kind} | {cell.country!r} {cell.text!r}{end} | meant {shown(cell.meant)} | "
            f"written {shown(outcome.written)} | {outcome.code or 'created'} | {warnings} | {cell.verdict.value}"
        )


def shown(numbers: range) -> str:
    match len(numbers):
        case 0:
            return "nothing"
        case 1:
            return f"+{numbers.start}"
        case count:
            return f"+{numbers.start} and {count - 1} more"


@dataclass
class Judgement:
    """The findings over many sheets.

    `harm`: a number was written that is not meant. `not_refused`: written as it is meant, where the rules refuse it.
    `missing`: one meaning, and not written. `wrong_code`, `wrong_warning`: the right outcome with another reason.
    """

    cells: Counter[str] = field(default_factory=Counter)
    harm: list[Finding] = field(default_factory=list)
    not_refused: list[Finding] = field(default_factory=list)
    missing: list[Finding] = field(default_factory=list)
    wrong_code: list[Finding] = field(default_factory=list)
    wrong_warning: list[Finding] = field(default_factory=list)
    due: int = 0
    refusals: int = 0
    warnings_due: int = 0

    @property
    def written_share(self) -> float:
        return 1 - len(self.missing) / max(self.due, 1)

    def judge(self, sheet: Sheet, outcomes: Sequence[Outcome]) -> None:
        for cell, outcome in zip(sheet.cells, outcomes, strict=True):
            self.cells[cell.kind] += 1
            self._judge(Finding(f"{sheet.kind} {sheet.number_format} {sheet.phone_header}", cell, outcome))

    def _judge(self, finding: Finding) -> None:
        cell, outcome = finding.cell, finding.outcome
        self.due += cell.verdict is Verdict.WRITE
        if not within(outcome.written, cell.meant):
            self.harm.append(finding)
        elif cell.verdict is Verdict.FAIL and outcome.written:
            self.not_refused.append(finding)
        elif cell.verdict is Verdict.WRITE and outcome.written != cell.meant:
            self.missing.append(finding)
        elif cell.verdict is Verdict.FAIL and cell.code is not None:
            self.refusals += 1
            if outcome.code is not cell.code:
                self.wrong_code.append(finding)
        elif cell.warning is not None:
            self.warnings_due += 1
            if cell.warning not in outcome.warnings:
                self.wrong_warning.append(finding)


def within(written: range, meant: range) -> bool:
    return not written or (meant.start <= written.start and written.stop <= meant.stop)


def as_csv(sheet: Sheet) -> bytes:
    """The sheet as a CSV file, with the columns that it needs."""
    blocks = any(cell.end or cell.size for cell in sheet.cells)
    header = [*(["Country Code"] if sheet.has_country else []), sheet.phone_header]
    header += ["End Number", "Block Size"] if blocks else []
    rows = [
        [
            *([cell.country] if sheet.has_country else []),
            cell.text,
            *([cell.end, cell.size] if blocks else []),
            "TRUE",
            "",
        ]
        for cell in sheet.cells
    ]
    return csv_bytes([[*header, "Voice", "SMS"], *rows])


def outcomes(sheet: Sheet, folder: Path, batch_rows: int) -> list[Outcome]:
    """What becomes of each row; where the file is refused, nothing of any."""
    try:
        return _checked(sheet, folder, batch_rows)
    except FileFault as fault:
        return [Outcome(range(0), fault.code, frozenset())] * len(sheet.cells)


def _checked(sheet: Sheet, folder: Path, batch_rows: int) -> list[Outcome]:
    """What the stages before writing make of each row: reading, validation, and the look at the whole file."""
    path = folder / "upload"
    path.write_bytes(as_csv(sheet))
    options, parts = JobOptions(number_format=sheet.number_format), list[ValidatedRows]()
    with read(path, replace(LIMITS, batch_rows=batch_rows), workdir=folder) as table:
        for batch in table.batches():
            parts.append(validate_rows(batch, CellSources(table.facts.mapping), Names({}), JobKind.UPLOAD, options))
    header = table.facts.columns[table.facts.mapping[Column.PHONE_NUMBER]]
    file = deduplicate(Parts(parts), JobKind.UPLOAD, options, international_header=is_international(header))
    results = file.results()
    columns = file.rows.columns(("e164", "numbers"))
    return [
        Outcome(
            range(0) if code else range(int(e164), int(e164) + int(count)),
            BY_NUMBER[code] if code else None,
            frozenset(warnings_of(warnings)),
        )
        for code, e164, count, warnings in zip(
            results.column("code").to_pylist(),
            columns["e164"].tolist(),
            columns["numbers"].tolist(),
            results.column("warnings").to_pylist(),
            strict=True,
        )
    ]


def judged(sheets: Iterable[Sheet], folder: Path, batch_rows: int = 700) -> Judgement:
    """Judge sheets; batches are small, as a row's result never depends on them (R29)."""
    found = Judgement()
    for sheet in sheets:
        found.judge(sheet, outcomes(sheet, folder, batch_rows))
    return found
