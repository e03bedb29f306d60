"""Corrections at their edges: without effect, hostile, taken back; and what else needs a corrected job (R33)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.integration.test_corrections import RULES, correct, review
from tests.support.api_client import Door, table


def test_a_correction_that_changes_no_row(api: Door) -> None:
    job = review(api)
    before = api.rows(job["id"])
    job = correct(api, job, {"rules": [{"column": "Voice", "equals": "nowhere", "set": "TRUE"}]})
    assert job["status"] == "review"
    assert api.rows(job["id"]) == before
    assert api.get(f"/v1/jobs/{job['id']}/corrections").json["data"][0]["rows"] == 0


@pytest.mark.parametrize("batch", [2, 100])
def test_an_undo_shows_what_was_corrected(api: Door, configure: Callable[..., None], batch: int) -> None:
    configure(rows_per_batch=batch, rows_per_chunk=2)
    job = correct(api, review(api), RULES)
    job = api.done(api.post(f"/v1/jobs/{job['id']}/confirm"))
    undo = api.done(api.post(f"/v1/jobs/{job['id']}/undo"))
    assert (undo["status"], undo["counts"]["deleted"]) == ("completed", 6), undo["problem"]
    shown = {row["row"]: row["corrections"] for row in api.rows(undo["id"])}
    assert shown[3] == [{"column": "Country Code", "was": "", "now": "1"}]
    assert table(api.report(undo["id"]))[1]["_corrections"] == "Country Code: “” → “1”"
