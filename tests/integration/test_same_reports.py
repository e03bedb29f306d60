"""Reports are, byte for byte, those of the service that checked and rendered every file in one piece (R29).

The digests were recorded before the work on large files was cut into pieces, and again when the texts of codes changed
(`_message` and `_fix` alone differed); `PIECE` cuts these small ones, too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.api_client import Door
from tests.support.files import sheets
from webhook.cli.commands.sample import write_sample

PIECE = 700  # rows
DIGESTS = {  # of report.csv, report.jsonl, the report of the failed rows, the undo's report.csv
    "realistic": "f8939c64224f47b4ee054a1da538800a2908f2ca20d1b7ab5cbfcedf93bdd083",
    "quoted": "d5f0653a7e7f1cd4cabc4f8645ae944501b63e995d5b8b5439391f6ea0caece0",
}


def realistic(folder: Path) -> bytes:
    write_sample(folder / "sample.csv", 3000, seed=11)
    return (folder / "sample.csv").read_bytes()


def quoted(_folder: Path) -> bytes:
    """Duplicates and conflicts far apart, blank and too wide rows, a block, cells to be neutralised."""
    rows = [[*sheets.HEADER, "End Number", "=note"]]
    for place in range(2500):
        number = 12_125_550_000 + place % 1900
        fax = "TRUE" if place % 97 == 0 else ""
        rows.append(["1", str(number), "TRUE", "", fax, "", f'=HYPERLINK("{place}"), "a"'])
    rows[800] = [""] * 7
    rows[1500] = ["1", "12135550100", "TRUE", "", "", "12135550119", "'-1"]
    rows[1600] = ["1", "12135550110", "TRUE", "", "", "", "inside the block"]
    rows[2200].append("beyond the last column")
    return sheets.csv_bytes(rows)


FILES = {"realistic": realistic, "quoted": quoted}


def digest(api: Door, job_id: str) -> str:
    """Of all that is said about the rows, and of what an undo says of them."""
    said = [api.report(job_id), api.get(f"/v1/jobs/{job_id}/report.jsonl").data, api.report(job_id, "failed")]
    undo = api.done(api.post(f"/v1/jobs/{job_id}/undo"))
    return hashlib.sha256(b"".join([*said, api.report(undo["id"])])).hexdigest()


@pytest.mark.long
@pytest.mark.parametrize(
    "settings",
    [{}, {"rows_per_batch": PIECE}, {"rows_per_batch": PIECE, "storage_url": "memory:///"}],
    ids=["whole", "in pieces", "in pieces on an object store"],
)
@pytest.mark.parametrize("name", FILES)
def test_every_file_is_reported_as_before(
    name: str, settings: dict[str, Any], api: Door, tmp_path: Path, configure: Callable[..., None]
) -> None:
    configure(**settings)
    job = api.upload(FILES[name](tmp_path))
    assert job["counts"]["failed"], job["counts"]
    assert digest(api, job["id"]) == DIGESTS[name]
