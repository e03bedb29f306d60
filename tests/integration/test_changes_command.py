"""`numberyard changes` (R34)."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.api_client import Door
from tests.support.cli_runner import Cli
from tests.support.files import sheets
from webhook.cli.exit_codes import Exit

HEADER = "At\tChange\tNumber\tTenant\tJob\n"


def lines(output: str) -> list[str]:
    return [json.loads(line)["e164"] for line in output.splitlines()]


def test_changes_are_followed_from_where_they_were_left(cli: Cli, api: Door, tmp_path: Path) -> None:
    cursor = tmp_path / "cursor"
    assert cli("changes", "--cursor-file", str(cursor)).stdout == HEADER
    api.upload(sheets.csv_bytes(sheets.rows(5)))
    first = cli("changes", "--cursor-file", str(cursor), "--limit", "2", "--json")
    assert lines(first.stdout) == ["+12125550000", "+12125550001"]
    rest = cli("changes", "--cursor-file", str(cursor), "--json")
    assert lines(rest.stdout) == ["+12125550002", "+12125550003", "+12125550004"]
    assert cli("changes", "--cursor-file", str(cursor)).stdout == HEADER
    api.act("capability-changes", {"numbers": ["+12125550001"], "fax": "enable"})
    shown = cli("changes", "--cursor-file", str(cursor))
    assert "changed" in shown.stdout
    assert "+12125550001" in shown.stdout
    everything = cli("changes")
    assert len(everything.stdout.splitlines()) == 1 + 6
    assert "numberyard changes --after 2" in everything.stderr
    followed = cli("changes", "--follow", "--limit", "6", "--json")
    assert len(lines(followed.stdout)) == 6


def test_what_is_wrong_is_said(cli: Cli, tmp_path: Path) -> None:
    unknown = cli("changes", "--after", "9.9", "--json")
    assert unknown.exit_code == Exit.REFUSED
    assert json.loads(unknown.stdout)["code"] == "INVALID_FIELD"
    assert cli("changes", "--after", "1", "--cursor-file", "x").exit_code == Exit.USAGE
    (tmp_path / "folder").mkdir()
    for bad in (tmp_path / "folder", tmp_path / "missing" / "cursor"):
        assert cli("changes", "--cursor-file", str(bad)).exit_code in {Exit.OK, Exit.USAGE}
    (tmp_path / "wrong").write_text("not a cursor\n", encoding="ascii")
    assert cli("changes", "--cursor-file", str(tmp_path / "wrong")).exit_code == Exit.REFUSED
