"""`numberyard correct` and `numberyard retry` (R33)."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.cli_runner import Cli, told
from tests.support.files import sheets
from webhook.cli.exit_codes import Exit


def test_rows_are_corrected_and_failed_ones_reviewed_again(cli: Cli, tmp_path: Path) -> None:
    sent, correction = tmp_path / "numbers.csv", tmp_path / "correction.json"
    rows = [["", "2125550101", "TRUE", "", ""], ["1", "2125550102", "maybe", "", ""]]
    sent.write_bytes(sheets.csv_bytes([list(sheets.HEADER), *rows]))
    shown = cli("upload", str(sent), "--review")
    assert "numberyard correct" in shown.stdout
    job_id = told(cli("jobs", "--json"))["data"][0]["id"]
    rule = {"column": "Country Code", "code": "MISSING_VALUE", "set": "1"}
    correction.write_text(json.dumps({"rules": [rule]}), encoding="utf-8")
    assert "Rule 1: 1 rows, 1 of them" in cli("correct", job_id, str(correction), "--preview").stdout
    previewed = cli("correct", job_id, str(correction), "--preview", "--fields", "rules", "--no-header").stdout
    assert json.loads(previewed)[0]["right"] == 1
    corrected = told(cli("correct", job_id, str(correction), "--json"))
    assert (corrected["status"], corrected["review"]["effect"]["created"]) == ("review", 1)
    assert told(cli("confirm", job_id, "--json"), Exit.PARTLY_FAILED)["counts"]["failed"] == 1
    again = told(cli("retry", job_id, "--json"))
    assert (again["status"], again["parent_job_id"], again["counts"]["total"]) == ("review", job_id, 1)
    correction.write_text(json.dumps({"cells": [{"row": 3, "column": "Voice", "value": "yes"}]}), encoding="utf-8")
    assert told(cli("correct", again["id"], str(correction), "--json"))["review"]["effect"]["created"] == 1
