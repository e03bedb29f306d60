"""The corpus of spreadsheets: every file gets its verdict, every row its code (R10, R14..R16; issue 4)."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.codes import BY_NUMBER, warnings_of
from schemas.job_kinds import JobKind
from schemas.jobs import JobOptions
from tests.support.files import corpus
from tests.support.files.corpus import Case
from worker.spreadsheet.cell_sources import CellSources
from worker.stages.cut import deduplicate
from worker.stages.read import FileFault, Limits, read
from worker.stages.validate import Names, Parts, ValidatedRows, validate_rows

pytestmark = pytest.mark.long

LIMITS = Limits(1 << 24, 1000, 20, 2000, 1 << 26, 1 << 30, 30)
CASES = list(corpus.cases())


def test_there_are_enough_of_them() -> None:
    assert len(CASES) >= 150
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_verdict(case: Case, tmp_path: Path) -> None:
    path = tmp_path / "upload"
    path.write_bytes(case.content)
    fault, options, parts = None, JobOptions(), list[ValidatedRows]()
    try:
        with read(path, LIMITS, workdir=tmp_path) as sheet:
            batches = list(sheet.batches())
            mapping = sheet.facts.mapping  # not before: what some columns mean depends on all their values
            sources = CellSources(mapping)
            parts += [validate_rows(batch, sources, Names({}), JobKind.UPLOAD, options) for batch in batches]
    except FileFault as caught:
        fault = caught.code
    assert fault is case.fault
    assert [entry.name for entry in tmp_path.iterdir()] == ["upload"]
    if fault is not None:
        return
    results = deduplicate(Parts(parts), JobKind.UPLOAD, options).results()
    codes = [BY_NUMBER[code].value if code else "" for code in results.column("code").to_pylist()]
    assert codes == list(case.codes)
    if case.numbers:
        assert results.column("e164").to_pylist() == list(case.numbers)
    if case.warnings:
        assert {code.value for code in warnings_of(results.column("warnings")[0].as_py())} == set(case.warnings)
