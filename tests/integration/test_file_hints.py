"""What the uploader may say about a file, at the door and in the commands; what was decided is shown (issue 4, 1)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.api_client import Door
from tests.support.cli_runner import Cli, told
from tests.support.files import other_workbooks, sheets
from webhook.cli.exit_codes import Exit

ROWS = [["Country Code", "Phone Number", "Voice", "SMS"], ["1", "2125550142", "x", ""], ["1", "2125550143", "x", ""]]
TITLED = sheets.csv_bytes([["Our numbers"], [], *ROWS])


def test_what_was_decided_is_shown(api: Door) -> None:
    """The title is passed over, and the job says which row named the columns."""
    job = api.upload(TITLED)
    assert (job["status"], job["counts"]["created"]) == ("completed", 2)
    assert (job["file"]["format"], job["file"]["header_row"], job["file"]["delimiter"]) == ("csv", 3, ",")
    assert job["file"]["notes"] == ["The column names are in row 3; the rows above were ignored."]
    assert [row["row"] for row in api.rows(job["id"])] == [4, 5]


@pytest.mark.long
def test_a_sheet_of_an_old_workbook(api: Door) -> None:
    book = other_workbooks.xls_bytes([["Remarks"]], sheet="Cover", after=["Empty"])
    refused = api.upload(book, sheet="No such")
    assert (refused["status"], refused["problem"]["code"]) == ("failed", "UNREADABLE_FILE")
    assert "it has “Cover”, “Empty”" in refused["problem"]["detail"]
    job = api.upload(other_workbooks.xls_bytes(ROWS, hidden=["Old"], after=["More"]), sheet="numbers", header_row="1")
    assert (job["file"]["format"], job["file"]["sheet"], job["counts"]["created"]) == ("xls", "Numbers", 2)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("delimiter", "x", "comma, semicolon, tab or pipe"),
        ("encoding", "rot13", "must be a text encoding"),
        ("encoding", "no such", "must be a text encoding"),
        ("encoding", "unicode_escape", "must be a text encoding"),
        ("header_row", "-1", "greater than or equal to 0"),
        ("header_row", "three", "valid integer"),
        ("header_row", "99999999", "less than or equal to"),
        ("sheet", "a\x00b", "match pattern"),
        ("sheet", "a" * 256, "at most 255"),
    ],
)
@pytest.mark.parametrize("to", ["uploads", "deletions"])
def test_what_cannot_be_meant_is_refused_at_the_door(api: Door, to: str, field: str, value: str, said: str) -> None:
    answer = api.send(TITLED, to=to, **{field: value})
    assert (answer.status_code, answer.json["code"]) == (422, "INVALID_FIELD")
    assert said in answer.json["detail"]
    assert answer.json["errors"][0]["field"] == field


@pytest.mark.long
@pytest.mark.parametrize("delimiter", ["semicolon", ";"])
def test_an_action_s_file_may_be_told_too(api: Door, delimiter: str) -> None:
    """Lists in JSON may not: there is nothing to be told about them."""
    api.upload(TITLED)
    content = "Phone Number;Remark\n+12125550142;a,b,c\n".encode("utf-16-le")
    job = api.upload(content, to="deletions", delimiter=delimiter, encoding="utf-16-le")
    assert (job["counts"]["deleted"], job["file"]["encoding"]) == (1, "utf-16-le")
    refused = api.post("/v1/deletions", {"numbers": ["+12125550143"], "sheet": "a"})
    assert (refused.status_code, refused.json["code"]) == (422, "INVALID_FIELD")


@pytest.mark.long
def test_the_commands_take_the_same(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "numbers.txt"
    file.write_bytes("Unsere Nummern\n\nLändercode|Rufnummer|Sprache|SMS\n1|2125550142|ja|nein\n".encode("cp1250"))
    words = ("--delimiter", "pipe", "--encoding", "cp1250", "--header-row", "3")
    job = told(cli("upload", str(file), "--watch", *words, "--json"))
    assert (job["counts"]["created"], job["file"]["encoding"], job["file"]["header_row"]) == (1, "cp1250", 3)
    assert told(cli("delete", "--file", str(file), *words, "--yes", "--json"))["counts"]["deleted"] == 1
    misplaced = cli("delete", "+12125550142", "--sheet", "a", "--yes")
    assert (misplaced.exit_code, "need --file" in misplaced.stderr) == (Exit.USAGE, True)
