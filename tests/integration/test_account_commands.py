"""`numberyard tenants`, `carriers`, `tokens` and `init`: the real commands on the real API and database."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from schemas.database import tables
from tests.support.api_client import Door, application
from tests.support.cli_runner import Cli, run, told
from tests.support.factories import World
from tests.support.servers.service import NUMBERYARD, wait_for
from webhook.cli.exit_codes import Exit
from worker.config.settings import get_settings
from worker.runtime import demo_data
from worker.runtime.processes.child import ServerError

NOBODY = "00000000-0000-0000-0000-000000000007"


# Tenants


@pytest.mark.long
def test_a_tenant_is_made_shown_changed_and_removed(cli: Cli) -> None:
    made = told(cli("tenants", "add", "Acme", "--kind", "enterprise", "--external", "--json"))
    assert (made["name"], made["allow_external_numbers"]) == ("Acme", True)
    changed = told(
        cli(
            "tenants",
            "set",
            made["id"],
            "--name",
            "Zenith",
            "--no-external",
            "--voice-carrier",
            "north VOICE",
            "--json",
        )
    )
    assert (changed["name"], changed["allow_external_numbers"]) == ("Zenith", False)
    assert changed["default_voice_carrier"] == "North voice"
    cleared = told(cli("tenants", "set", made["id"], "--voice-carrier", "", "--json"))
    assert (cleared["default_voice_carrier"], cleared["name"]) == (None, "Zenith")
    assert told(cli("tenants", "show", made["id"], "--json")) == cleared
    assert told(cli("tenants", "remove", made["id"], "--json")) == {"id": made["id"], "deleted": True}
    assert cli("tenants", "show", made["id"]).exit_code == Exit.NOT_FOUND


def test_the_list_is_the_tree_below(cli: Cli, world: World) -> None:
    names = ["Northern Reseller", "Clinic Enterprise", "Hotel Enterprise"]
    assert [tenant["name"] for tenant in told(cli("tenants", "list", "--json"))["data"]] == names
    shown = cli("tenants", "list").stdout
    assert all(name in shown for name in names)
    assert "Master Voice (inherited)" in shown
    assert not any(secret in shown for secret in world.secrets_of_south)
    few = cli("tenants", "list", "--limit", "1")
    assert "--limit" in few.stderr
    assert "Northern Reseller" in cli("tenants", "show").stdout


def test_a_tenant_may_be_called_by_its_name_wherever_its_id_may(cli: Cli) -> None:
    shown = told(cli("tenants", "show", "clinic enterprise", "--json"))
    assert shown["name"] == "Clinic Enterprise"
    changed = told(cli("tenants", "set", "Clinic Enterprise", "--external", "--json"))
    assert (changed["id"], changed["allow_external_numbers"]) == (shown["id"], True)
    assert told(cli("tokens", "add", "night", "--tenant", "Clinic Enterprise", "--json"))["tenant"]["id"] == shown["id"]
    assert cli("numbers", "--tenant", "Clinic Enterprise").exit_code == Exit.OK
    assert cli("tenants", "show", "Nobody").exit_code == Exit.NOT_FOUND


@pytest.mark.parametrize(
    ("words", "expected", "code"),
    [
        (("tenants", "add", "New", "--kind", "reseller"), Exit.NOT_ALLOWED, "FORBIDDEN"),
        (("tenants", "add", "hotel enterprise", "--kind", "enterprise"), Exit.REFUSED, "NAME_TAKEN"),
        (("tenants", "set", NOBODY, "--name", "x"), Exit.NOT_FOUND, "NOT_FOUND"),
        (("tenants", "remove", "me"), Exit.NOT_ALLOWED, "FORBIDDEN"),
        (("carriers", "set-default", "Nothing", "--service", "sms"), Exit.REFUSED, "CARRIER_NOT_FOUND"),
        (("carriers", "remove", NOBODY), Exit.NOT_FOUND, "NOT_FOUND"),
        (("tokens", "revoke", NOBODY), Exit.NOT_FOUND, "NOT_FOUND"),
        (("tokens", "add", "x", "--expires", "2020-01-01"), Exit.REFUSED, "INVALID_FIELD"),
    ],
)
def test_a_refusal_has_its_code(cli: Cli, words: tuple[str, ...], expected: Exit, code: str) -> None:
    plain, programs = cli(*words), cli(*words, "--json")
    assert (plain.exit_code, programs.exit_code) == (expected, expected)
    assert plain.stdout == ""
    assert plain.stderr.startswith(f"{code}: ")
    assert json.loads(programs.stdout)["code"] == code


@pytest.mark.parametrize(
    "words",
    [
        ("tenants", "add", "x"),
        ("tenants", "set", "me"),
        ("carriers", "add", "x"),
        ("carriers", "set-default", "--service", "sms"),
        ("carriers", "set-default", "x", "--none", "--service", "sms"),
        ("tokens", "add", "x", "--expires", "soon"),
        ("init",),
        ("init", "--name", " "),
        ("init", "--name", "x", "--new-token"),
    ],
)
def test_given_wrongly(words: tuple[str, ...]) -> None:
    assert run(*words).exit_code == Exit.USAGE


# Carriers


@pytest.mark.long
def test_a_carrier_is_defined_made_default_and_removed(cli: Cli) -> None:
    made = told(cli("carriers", "add", "Fresh", "--service", "sms", "--json"))
    assert told(cli("carriers", "set-default", "fresh", "--service", "sms", "--json"))["name"] == "Northern Reseller"
    listed = {carrier["name"]: carrier["is_default"] for carrier in told(cli("carriers", "list", "--json"))["data"]}
    assert (listed["Fresh"], listed["Master SMS"], listed["Master Voice"]) == (True, False, True)
    assert "Fresh" in cli("carriers", "list").stdout
    assert cli("carriers", "remove", made["id"]).exit_code == Exit.REFUSED
    assert cli("carriers", "set-default", "--none", "--service", "sms").stderr.rstrip().endswith("Master SMS")
    assert cli("carriers", "remove", made["id"]).exit_code == Exit.OK


# Tokens


def test_r35_a_token_is_added_with_its_limits(cli: Cli) -> None:
    limits = ("--role", "operator", "--scope", "uploads:write", "--scope", "jobs:read", "--network", "198.51.100.0/24")
    made = told(cli("tokens", "add", "night", *limits, "--json"))
    assert (made["role"], made["scopes"]) == ("operator", ["jobs:read", "uploads:write"])
    assert made["networks"] == ["198.51.100.0/24"]
    listed = cli("tokens", "list").stdout.splitlines()
    headings = "Token,Name,Role,Tenant,Created,Expires,Last used,Revoked,By,Scopes,Networks"
    assert listed[0].split("\t") == headings.split(",")
    row = next(line for line in listed if "night" in line)
    assert row.endswith("\tjobs:read uploads:write\t198.51.100.0/24")
    assert "\tadmin\t" in next(line for line in listed if "token 2" in line)


@pytest.mark.parametrize(
    ("option", "value", "status"),
    [
        ("--role", "boss", Exit.USAGE),
        ("--scope", "everything", Exit.USAGE),
        ("--network", "198.51.100.7/24", Exit.REFUSED),
    ],
)
def test_limits_of_tokens_that_do_not_exist(cli: Cli, option: str, value: str, status: Exit) -> None:
    result = cli("tokens", "add", "x", option, value)
    assert result.exit_code == status
    assert "write it as 198.51.100.0/24" in result.stderr or status is Exit.USAGE


def test_the_secret_of_a_token_is_alone_on_stdout_and_lets_its_tenant_in(cli: Cli, world: World) -> None:
    clinic = world.clinic.tenant
    made = cli("tokens", "add", "nightly", "--tenant", clinic.public_id, "--expires", "2090-01-01")
    secret = made.stdout.strip()
    assert secret not in made.stderr
    assert told(cli("tenants", "show", "--json", token=secret))["id"] == clinic.public_id
    listed = cli("tokens", "list")
    assert "nightly" in listed.stdout
    assert secret not in listed.output
    found = {token["name"]: token for token in told(cli("tokens", "list", "--json"))["data"]}
    assert found["nightly"]["expires_at"].startswith("2090-01-01T00:00:00")
    assert cli("tokens", "revoke", found["nightly"]["id"]).exit_code == Exit.OK
    assert cli("tenants", "list", token=secret).exit_code == Exit.NOT_ALLOWED


# The first way in


def door(token: str) -> Door:
    return Door(application().test_client(), token, lambda: None)


def roots(database: sa.Engine) -> int:
    with database.connect() as connection:
        query = sa.select(sa.func.count()).where(tables.tenants.c.parent_id.is_(None))
        return int(connection.execute(query).scalar_one())


def test_a_new_token_in_every_format(cli: Cli) -> None:
    header, row = (line.split("\t") for line in cli("tokens", "add", "night", "--output", "tsv").stdout.splitlines())
    assert (header[0], header[-1], row[1]) == ("Token", "Secret", "night")
    name, secret = cli("tokens", "add", "day", "--fields", "name,token", "--no-header").stdout.rstrip("\n").split("\t")
    assert name == "day"
    for token in (row[-1], secret):
        assert cli("tenants", "show", token=token).exit_code == Exit.OK
    words = ("carriers", "set-default", "--none", "--service", "voice", "--fields", "name", "--no-header")
    assert cli(*words).stdout == "Northern Reseller\n"


def test_r1_init_makes_the_root_and_its_token_once(database: sa.Engine) -> None:
    first = run("init", "--name", "  Acme   Telecom ")
    assert first.exit_code == Exit.OK, first.output
    secret = first.stdout.strip()
    own = door(secret).get("/v1/tenants/me").json
    assert (own["name"], own["kind"], own["parent_id"]) == ("Acme Telecom", "master_reseller", None)
    again = run("init", "--name", "Other", "--json")
    assert again.exit_code == Exit.REFUSED
    assert json.loads(again.stdout)["code"] == "ALREADY_INITIALIZED"
    assert roots(database) == 1


def test_a_lost_token_is_replaced(database: sa.Engine) -> None:
    assert run("init", "--new-token").exit_code == Exit.REFUSED
    first = told(run("init", "--name", "Acme", "--token-name", "first", "--json"))
    second = told(run("init", "--new-token", "--token-name", "second", "--json"))
    assert first["tenant"] == second["tenant"]
    assert first["token"] != second["token"]
    names = [token["name"] for token in door(second["token"]).get("/v1/tokens").json["data"]]
    assert names == ["first", "second"]
    assert roots(database) == 1


@pytest.mark.long
def test_r1_two_inits_at_once_make_one_root(database: sa.Engine) -> None:
    """Both begin while the table is locked, so neither has seen the other."""
    command = (NUMBERYARD, "init", "--name", "Acme", "--json")
    with database.begin() as connection:
        connection.execute(sa.text("LOCK TABLE tenants IN SHARE MODE"))
        begun = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(2)]
        wait_until_both_insert(database)
    ended = sorted((process.wait(30), json.loads(process.communicate()[0])) for process in begun)
    assert [code for code, _ in ended] == [Exit.OK, Exit.REFUSED]
    assert ended[1][1]["code"] == "ALREADY_INITIALIZED"
    assert roots(database) == 1


def wait_until_both_insert(database: sa.Engine) -> None:
    query = sa.text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        "AND wait_event_type = 'Lock' AND query LIKE 'INSERT INTO tenants%'"
    )

    def both() -> bool:
        with database.connect() as connection:
            return bool(connection.execute(query).scalar_one() == 2)

    wait_for(both, 30, "two commands that insert")


def test_a_database_without_tables_is_refused(database_server: sa.URL, configure: Callable[..., None]) -> None:
    configure(database_url=database_server.render_as_string(hide_password=False))
    result = run("init", "--name", "Acme", "--json")
    assert result.exit_code == Exit.REFUSED
    assert json.loads(result.stdout)["code"] == "NOT_MIGRATED"


@pytest.mark.long
def test_a_database_that_is_not_there(configure: Callable[..., None], tmp_path: Path) -> None:
    configure(database_url=f"postgresql://nobody@/none?host={tmp_path}")
    assert run("init", "--name", "Acme").exit_code == Exit.UNREACHABLE


@pytest.mark.long
def test_init_in_the_folder_of_up(tmp_path: Path) -> None:
    """The embedded database, while `up` does not run."""
    first = told(run("init", "--name", "Acme", "--data", str(tmp_path), "--json"))
    assert first["tenant"]["name"] == "Acme"
    again = run("init", "--name", "Acme", "--data", str(tmp_path), "--json")
    assert json.loads(again.stdout)["code"] == "ALREADY_INITIALIZED"


def test_r1_the_demo_is_refused_where_another_tree_has_begun(database: sa.Engine, tmp_path: Path) -> None:
    run("init", "--name", "Acme")
    with pytest.raises(ServerError):
        demo_data.seed(get_settings(), tmp_path)
    assert roots(database) == 1
