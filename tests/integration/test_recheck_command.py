"""`numberyard upload --review` of a file that does not explain itself, and `numberyard recheck` (R31)."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.cli_runner import Cli, told
from webhook.cli.exit_codes import Exit


def test_a_file_is_sent_once_and_checked_as_said(cli: Cli, tmp_path: Path) -> None:
    sent = tmp_path / "carrier.csv"
    sent.write_text("TN,Kind\n+12125550142,Y\n+12125550143,N\n", encoding="utf-8")
    shown = cli("upload", str(sent), "--review")
    assert shown.exit_code == Exit.JOB_FAILED
    assert "MISSING_COLUMN" in shown.stdout
    assert "1  TN -> Phone Number?  [+12125550142, +12125550143]" in shown.stdout
    assert "numberyard recheck" in shown.stdout
    job_id = told(cli("jobs", "--json"))["data"][0]["id"]
    mapping = tmp_path / "columns.json"
    mapping.write_text(json.dumps({"columns": {"Voice": "Kind"}, "constants": {"SMS": "TRUE"}}), encoding="utf-8")
    job = told(cli("recheck", job_id, "--mapping", str(mapping), "--save-profile", "Carrier", "--json"))
    assert (job["id"], job["status"], job["can_confirm"]) == (job_id, "review", True)
    assert job["review"]["effect"]["created"] == 2
    assert told(cli("confirm", job_id, "--json"))["counts"]["created"] == 2
    assert "Carrier" in cli("profiles", "list").stdout
