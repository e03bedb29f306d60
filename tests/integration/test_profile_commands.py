"""`numberyard profiles`: the real commands on the real API and database (R32)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.support.cli_runner import Cli, told
from tests.support.factories import World
from webhook.cli.exit_codes import Exit
from worker.jobs import import_profiles

NOBODY = "00000000-0000-0000-0000-000000000007"
FROM_OPTIONS = (
    *("--column", "Phone Number=TN", "--column", "Voice=3", "--constant", "Country Code=US"),
    *("--header", "TN", "--header", "Type, or so", "--number-format", "national", "--delimiter", "semicolon"),
)


def test_a_profile_is_made_from_options_shown_renamed_and_removed(cli: Cli) -> None:
    made = told(cli("profiles", "add", "Carrier X", *FROM_OPTIONS, "--json"))
    assert made["mapping"]["columns"] == {"Phone Number": "TN", "Voice": 3}
    assert made["mapping"]["constants"] == {"Country Code": "US"}
    assert made["headers"] == ["TN", "Type, or so"]
    assert {name: value for name, value in made["options"].items() if value} == {
        "number_format": "national",
        "delimiter": ";",
    }
    shown = cli("profiles", "show", "carrier x").stdout
    assert "Country Code: always US; Phone Number: TN; Voice: column 3" in shown
    assert "delimiter ';', number_format national" in shown
    renamed = told(cli("profiles", "rename", "Carrier X", "Carrier Y", "--json"))
    assert (renamed["id"], renamed["name"]) == (made["id"], "Carrier Y")
    listed = cli("profiles", "list").stdout
    assert "Carrier Y" in listed
    assert "Northern Reseller" in listed
    assert told(cli("profiles", "remove", "Carrier Y", "--json")) == {"id": made["id"], "deleted": True}
    assert cli("profiles", "list").stderr == "No import profiles yet.\n"


def test_what_show_writes_can_be_saved_again(cli: Cli, tmp_path: Path) -> None:
    first = told(cli("profiles", "add", "First", *FROM_OPTIONS, "--json"))
    (tmp_path / "first.json").write_text(json.dumps(first), encoding="utf-8")
    words = ("profiles", "add", "Second", "--from", str(tmp_path / "first.json"))
    second = told(cli(*words, "--constant", "Voice=TRUE", "--column", "Phone Number=MSISDN", "--json"), Exit.REFUSED)
    assert second["code"] == "INVALID_FIELD"  # Voice is in column 3 already
    second = told(cli(*words, "--constant", "SMS=TRUE", "--column", "Phone Number=MSISDN", "--json"))
    assert second["mapping"]["columns"] == {"Phone Number": "MSISDN", "Voice": 3}
    assert second["mapping"]["constants"] == {"Country Code": "US", "SMS": "TRUE"}
    assert (second["options"], second["headers"]) == (first["options"], first["headers"])


@pytest.mark.long
@pytest.mark.parametrize("content", ["[]", "{", '{"a": 1, "a": 2}', '{"mapping": NaN}', '{"mapping": [1]}', "é"])
def test_a_file_that_is_no_profile_is_refused_before_anything_is_sent(cli: Cli, tmp_path: Path, content: str) -> None:
    (tmp_path / "p.json").write_bytes(content.encode("latin-1"))
    assert cli("profiles", "add", "x", "--from", str(tmp_path / "p.json")).exit_code == Exit.USAGE
    assert told(cli("profiles", "list", "--json"))["data"] == []


@pytest.mark.long
@pytest.mark.parametrize(
    ("words", "expected", "code"),
    [
        (("profiles", "show", NOBODY), Exit.NOT_FOUND, "NOT_FOUND"),
        (("profiles", "rename", "Nothing", "x"), Exit.NOT_FOUND, "NOT_FOUND"),
        (("profiles", "remove", "The Master's"), Exit.NOT_ALLOWED, "FORBIDDEN"),
        (("profiles", "add", "Mine"), Exit.REFUSED, "NAME_TAKEN"),
        (("profiles", "add", "none"), Exit.REFUSED, "INVALID_FIELD"),
        (("profiles", "add", "x", "--column", "Colour=1"), Exit.REFUSED, "INVALID_FIELD"),
        (("profiles", "show", "Both"), Exit.USAGE, "AMBIGUOUS_NAME"),
    ],
)
def test_a_refusal_has_its_code(
    cli: Cli, database: sa.Engine, world: World, words: tuple[str, ...], expected: Exit, code: str
) -> None:
    with database.begin() as connection:
        for owner, name in (
            (world.master, "The Master's"),
            (world.north, "Mine"),
            *((o, "Both") for o in (world.master, world.north)),
        ):
            import_profiles.save(connection, owner.id, name, {}, {}, (), "test")
    result = cli(*words, "--json")
    assert (result.exit_code, json.loads(result.stdout)["code"]) == (expected, code)
    if code == "NOT_FOUND" and words[2] != NOBODY:
        assert "None of your import profiles is called" in result.stderr
        assert "numberyard profiles list" in result.stderr


def test_a_column_without_its_text_is_refused(cli: Cli) -> None:
    assert cli("profiles", "add", "x", "--column", "Voice").exit_code == Exit.USAGE
