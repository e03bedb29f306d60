"""The same file again (R17): numbers that are there already, and stay as they are, are not even touched."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from tests.support.api_client import Door
from tests.support.job_rows import FIRST, Ledger, sheet

# Where a row stands and which transactions wrote, locked or deleted it: whatever touches it changes one of them, and
# leaves a dead row or a page to be written behind.
ROWS = "SELECT e164, ctid::text, xmin::text, xmax::text FROM phone_numbers ORDER BY e164"


@pytest.fixture
def ledger(database: sa.Engine) -> Ledger:
    return Ledger(database)


@pytest.mark.long
@pytest.mark.parametrize(
    ("on_existing", "outcome"), [("skip", "skipped"), ("update", "unchanged"), ("error", "failed")]
)
def test_r17_the_same_file_again_touches_no_row(api: Door, ledger: Ledger, on_existing: str, outcome: str) -> None:
    assert api.upload(sheet(50))["counts"]["created"] == 50
    before = ledger.ask(ROWS)
    again = api.upload(sheet(50), on_existing=on_existing)
    assert again["counts"][outcome] == 50
    assert ledger.ask(ROWS) == before


@pytest.mark.long
def test_r17_an_update_touches_the_rows_that_change_and_no_others(api: Door, ledger: Ledger) -> None:
    api.upload(sheet(50))
    before = ledger.ask(ROWS)
    lines = sheet(50).replace(f"{FIRST + 7},TRUE,".encode(), f"{FIRST + 7},TRUE,TRUE".encode())
    again = api.upload(lines, on_existing="update")
    assert (again["counts"]["updated"], again["counts"]["unchanged"]) == (1, 49)
    touched = {new.e164 for old, new in zip(before, ledger.ask(ROWS), strict=True) if old != new}
    assert touched == {FIRST + 7}
