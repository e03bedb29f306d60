"""`numberyard sample`: writes a sample spreadsheet (`worker.sample.generator`) as CSV or .xlsx, in batches."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import click
import pyarrow as pa
from pyarrow import csv
from xlsxwriter import Workbook

from webhook.cli.exit_codes import Exit
from webhook.cli.output import json_option
from webhook.cli.saved_files import replacing
from webhook.cli.terminal import emit, note, safe
from worker.sample.generator import MAX_ROWS, SCHEMA, rows

# A worksheet has 1,048,576 rows; the header takes one.
MOST_XLSX_ROWS = 1_048_575


@click.command()
@click.option(
    "--rows", "count", type=click.IntRange(0, MAX_ROWS), default=1000, show_default=True, help="Number of rows."
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=1, show_default=True, help="The same seed gives the same file."
)
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), required=True, metavar="F", help="File to write."
)
@json_option
def sample(count: int, seed: int, out: Path, *, as_json: bool) -> Exit:
    """Write a realistic spreadsheet with errors: a workbook if F ends in .xlsx, otherwise CSV."""
    workbook = out.suffix.lower() == ".xlsx"
    if workbook and count > MOST_XLSX_ROWS:
        raise click.UsageError(f"An .xlsx file has at most {MOST_XLSX_ROWS:,} rows: use .csv.")
    write_sample(out, count, seed)
    if as_json:
        emit({"path": str(out), "rows": count, "seed": seed, "bytes": out.stat().st_size})
    else:
        note(f"Saved: {safe(out)} ({count:,} rows, {out.stat().st_size:,} bytes)")
    return Exit.OK


def write_sample(path: Path, count: int, seed: int) -> None:
    """Write `count` rows to `path`: a workbook if it ends in .xlsx, otherwise CSV. Complete, or not at all."""
    write = _write_xlsx if path.suffix.lower() == ".xlsx" else _write_csv
    with replacing(path) as file:
        write(file, rows(count, seed))


def _write_csv(file: BinaryIO, batches: Iterator[pa.RecordBatch]) -> None:
    # No sample cell contains a comma or a quote, so nothing needs quoting; the header is written the same way.
    style = csv.WriteOptions(include_header=False, quoting_style="none")
    file.write((",".join(SCHEMA.names) + "\n").encode())
    with csv.CSVWriter(file, SCHEMA, write_options=style) as writer:
        for batch in batches:
            writer.write(batch)


def _write_xlsx(file: BinaryIO, batches: Iterator[pa.RecordBatch]) -> None:
    with Workbook(file, {"constant_memory": True}) as workbook:
        # A workbook contains its creation time; the same seed must give the same bytes.
        workbook.set_properties({"created": datetime(2000, 1, 1, tzinfo=UTC)})
        sheet = workbook.add_worksheet("Numbers")
        sheet.write_row(0, 0, SCHEMA.names)
        row_index = 1
        for batch in batches:
            for cells in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                for column, cell in enumerate(cells):
                    if cell:
                        sheet.write_string(row_index, column, cell)
                row_index += 1
