"""Run the reader and the row check on inputs that a coverage-guided fuzzer finds.

Not part of `make test`: `pip install atheris`, then
`python -m tests.support.files.fuzz_reader CORPUS -max_total_time=1800`. Fill the folder CORPUS with valid files first.
Any bytes must give a `FileFault`, or rows that add up.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import atheris

with atheris.instrument_imports(include=["schemas", "worker"]):
    from schemas.job_kinds import JobKind
    from schemas.jobs import JobOptions
    from worker.spreadsheet.cell_sources import CellSources
    from worker.stages.cut import deduplicate
    from worker.stages.read import FileFault, Limits, read
    from worker.stages.validate import Names, Parts, validate_rows

from tests.support.files import other_workbooks, sheets

LIMITS = Limits(1 << 20, 2000, 50, 500, 1 << 22, 1 << 29, 5)
# A child process per input would be all that is measured; workbooks have tests of their own.
LEFT_OUT = (b"PK\x03\x04", b"PK\x05\x06", b"\xd0\xcf\x11\xe0")
FOLDER = TemporaryDirectory(prefix="numberyard-fuzz-")


def once(content: bytes) -> None:
    """Read and check one file."""
    if content.startswith(LEFT_OUT):
        return
    folder = Path(FOLDER.name)
    path = folder / "upload"
    path.write_bytes(content)
    options = JobOptions()
    try:
        with read(path, LIMITS, workdir=folder) as sheet:
            parts = [
                validate_rows(batch, CellSources(sheet.facts.mapping), Names({}), JobKind.UPLOAD, options)
                for batch in sheet.batches()
            ]
    except FileFault:
        return
    results = deduplicate(Parts(parts), JobKind.UPLOAD, options).results()
    rows = results.column("row").to_pylist()
    if rows != sorted(set(rows)):
        raise AssertionError("a row is there twice, or out of order")


def seed(corpus: Path) -> None:
    """Sound files of several shapes, for the fuzzer to begin with."""
    corpus.mkdir(parents=True, exist_ok=True)
    table = sheets.rows(3)
    seeds = [sheets.csv_bytes(table, delimiter=mark) for mark in ",;\t|"]
    seeds += [sheets.csv_bytes(table, encoding=name) for name in ("utf-16", "cp1252")]
    seeds += [sheets.csv_bytes([["Title"], [], *table, [], ["a", 'b "c"', "d\ne"]], quoting=1)]
    seeds += [sheets.csv_bytes(table[1:]), sheets.gzip_bytes(seeds[0]), other_workbooks.ods_bytes(table)]
    for place, content in enumerate(seeds):
        (corpus / f"seed-{place}").write_bytes(content)


if __name__ == "__main__":
    seed(Path(sys.argv[1]))
    atheris.Setup(sys.argv, once)
    atheris.Fuzz()
