"""Corrections at their edges: without effect, hostile, taken back; and what else needs a corrected job (R33)."""

from __future__ import annotations

from tests.integration.test_corrections import correct, review
from tests.support.api_client import Door


def test_a_correction_that_changes_no_row(api: Door) -> None:
    job = review(api)
    before = api.rows(job["id"])
    job = correct(api, job, {"rules": [{"column": "Voice", "equals": "nowhere", "set": "TRUE"}]})
    assert job["status"] == "review"
    assert api.rows(job["id"]) == before
    assert api.get(f"/v1/jobs/{job['id']}/corrections").json["data"][0]["rows"] == 0
