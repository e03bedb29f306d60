"""The rules R6 to R17 through the whole pipeline: bytes in at the door, results out at `/rows`."""

from __future__ import annotations

from tests import sheets
from tests.door import Door


def test_sound_rows_are_created(api: Door) -> None:
    assert [row["code"] for row in api.outcome(sheets.csv_bytes(sheets.rows(3)))] == ["CREATED"] * 3
