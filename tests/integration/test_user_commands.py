"""`numberyard users`: the real commands on the real API and database."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from schemas.database import tables
from tests.support import factories
from tests.support.cli_runner import Cli, told
from tests.support.factories import World
from webhook.cli.exit_codes import Exit
from worker.accounts import passwords
from worker.config.settings import get_settings
from worker.runtime import demo_data

FIRST, SECOND, THIRD = (12125550150 + place for place in range(3))
NOBODY = "00000000-0000-0000-0000-000000000007"
ADA = ("users", "add", "Ada", "--email", "ada@clinic.example", "--kind", "pbx")
CARL = ("users", "add", "Carl", "--email", "carl@clinic.example", "--kind", "trunk")


@pytest.fixture
def cli(cli: Cli, world: World, database: sa.Engine) -> Cli:
    """The commands, where the clinic has three numbers with Voice and SMS."""
    carriers = {"voice_carrier_id": world.carriers["Master Voice"], "sms_carrier_id": world.carriers["Master SMS"]}
    with database.begin() as connection:
        for e164 in (FIRST, SECOND, THIRD):
            factories.number(connection, e164, world.clinic.tenant, uploader_id=world.north.id, sms=True, **carriers)
    return cli


@pytest.mark.long
def test_r2_r20_each_kind_with_its_numbers(cli: Cli, world: World) -> None:
    """Named by the reseller for an enterprise below it; what they have is shown, and found by name or address."""
    ada = told(cli(*ADA, "--enterprise", "clinic enterprise", "--phone-number", f"+{FIRST}", "--json"))
    assert (ada["kind"], ada["phone_number"], ada["tenant"]["name"]) == ("pbx", f"+{FIRST}", "Clinic Enterprise")
    voice = ("--default-did", f"+{SECOND}", "--forwarded-did", f"+{THIRD}")
    sms = ("--sms", "--sms-did", f"+{SECOND}", "--sms-did", f"+{FIRST}")
    carl = told(cli(*CARL, *voice, *sms, "--json", token=world.clinic.token))
    assert (carl["default_did"], carl["forwarded_dids"]) == (f"+{SECOND}", [f"+{THIRD}"])
    assert carl["sms_dids"] == [f"+{FIRST}", f"+{SECOND}"]
    for name in ("carl", "CARL@clinic.example", str(carl["id"])):
        assert told(cli("users", "show", name, "--json"))["id"] == carl["id"]
    listed = cli("users", "list")
    assert listed.exit_code == Exit.OK
    assert [f"+{number}" in listed.stdout for number in (FIRST, SECOND, THIRD)] == [True] * 3
    assert {user["name"] for user in told(cli("users", "list", "--json"))["data"]} == {"Ada", "Carl"}


@pytest.mark.long
def test_a_user_is_changed_and_removed(cli: Cli, world: World) -> None:
    told(cli(*ADA, "--json", token=world.clinic.token))
    changed = told(cli("users", "set", "Ada", "--name", "Ada B", "--email", "b@clinic.example", "--sms", "--json"))
    assert (changed["name"], changed["email"], changed["sms_enabled"]) == ("Ada B", "b@clinic.example", True)
    assert told(cli("users", "set", changed["id"], "--no-sms", "--json"))["sms_enabled"] is False
    assert told(cli("users", "remove", "b@clinic.example", "--json")) == {"id": changed["id"], "deleted": True}
    assert told(cli("users", "list", "--json"))["data"] == []


@pytest.mark.long
def test_a_user_that_has_a_number_stays(cli: Cli, world: World) -> None:
    """What is in use is not deleted, and the reason is told; nor is its SMS Service switched off."""
    told(cli(*ADA, "--sms", "--sms-did", f"+{FIRST}", "--json", token=world.clinic.token))
    for words in (("users", "remove", "Ada"), ("users", "set", "Ada", "--no-sms")):
        refused = cli(*words)
        assert (refused.exit_code, "IN_USE" in refused.stderr) == (Exit.REFUSED, True), refused.output
    assert cli("unassign", f"+{FIRST}", "--user", "Ada").exit_code == Exit.OK
    assert cli("users", "remove", "Ada").exit_code == Exit.OK


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--phone-number", "2125550150"), Exit.REFUSED, "must be the exact number"),
        (("--phone-number", "+11112223333"), Exit.REFUSED, "+11112223333"),
        (("--default-did", f"+{FIRST}"), Exit.REFUSED, "a PBX user has a phone_number"),
        (("--sms-did", f"+{FIRST}"), Exit.REFUSED, "sms_dids need sms_enabled"),
        (("--enterprise", "School Enterprise"), Exit.NOT_FOUND, "None of your tenants"),
        (("--enterprise", "Northern Reseller"), Exit.REFUSED, "Users belong to enterprises"),
        (("--enterprise", NOBODY), Exit.NOT_FOUND, "NOT_FOUND"),
        (("--kind", "fax"), Exit.USAGE, "'fax' is not one of"),
    ],
)
def test_what_is_refused_leaves_nobody(cli: Cli, words: tuple[str, ...], code: Exit, said: str) -> None:
    """R2, R3, R15, R20."""
    enterprise = () if "--enterprise" in words else ("--enterprise", "Hotel Enterprise")
    refused = cli(*ADA, *enterprise, *words)
    assert (refused.exit_code, said in refused.stderr) == (code, True), refused.output
    assert "Traceback" not in refused.output
    assert told(cli("users", "list", "--json"))["data"] == []


@pytest.mark.long
def test_r21_numbers_are_added_where_that_is_allowed(cli: Cli, world: World) -> None:
    """By an enterprise with Allow External Numbers, and by who may always upload; by no other enterprise."""
    words = ("--phone-number", "+12125550199")
    refused = cli(*ADA, *words, token=world.hotel.token)
    assert (refused.exit_code, "EXTERNAL_NOT_ALLOWED" in refused.stderr) == (Exit.NOT_ALLOWED, True), refused.output
    assert told(cli(*ADA, *words, "--json", token=world.clinic.token))["phone_number"] == words[1]
    by_reseller = told(cli(*ADA, "--enterprise", "Hotel Enterprise", "--phone-number", "+12125550198", "--json"))
    assert by_reseller["phone_number"] == "+12125550198"


def test_an_empty_name_is_none(cli: Cli, world: World) -> None:
    refused = cli("users", "add", "  ", "--email", "x@clinic.example", "--kind", "pbx", token=world.clinic.token)
    assert (refused.exit_code, "name" in refused.stderr) == (Exit.REFUSED, True), refused.output


@pytest.mark.long
def test_r22_an_extension_can_be_edited_and_not_be_given(cli: Cli, world: World, database: sa.Engine) -> None:
    told(cli(*ADA, "--json", token=world.clinic.token))
    refused = cli("users", "set", "Ada", "--extension", "+14312345678")
    assert (refused.exit_code, "New extensions can't be added" in refused.stderr) == (Exit.REFUSED, True), (
        refused.output
    )
    with database.begin() as connection:
        connection.execute(tables.users.update().values(extension="+14312345678"))
    assert told(cli("users", "set", "Ada", "--extension", "+14319999999", "--json"))["extension"] == "+14319999999"
    assert told(cli("users", "set", "Ada", "--extension", "", "--json"))["extension"] is None


@pytest.mark.long
def test_r3_a_stranger_s_user_does_not_exist(cli: Cli, world: World) -> None:
    """The same words as for nobody at all."""
    ada = told(cli(*ADA, "--json", token=world.clinic.token))
    for words in (("show",), ("set", "--name", "Mine"), ("remove",)):
        answers = [cli("users", words[0], which, *words[1:], token=world.south.token) for which in (ada["id"], NOBODY)]
        assert [answer.exit_code for answer in answers] == [Exit.NOT_FOUND] * 2
        assert answers[0].output == answers[1].output
    assert cli("users", "show", "Ada", token=world.south.token).exit_code == Exit.NOT_FOUND
    assert told(cli("users", "show", "Ada", "--json")) == ada


def test_nothing_to_change_is_a_mistake(cli: Cli) -> None:
    assert cli("users", "set", NOBODY).exit_code == Exit.USAGE


# The demo's


@pytest.mark.long
@pytest.mark.parametrize("starts", [1, 2])
def test_r2_r22_the_demo_has_users_of_each_kind_in_every_enterprise(
    database: sa.Engine, tmp_path: Path, starts: int
) -> None:
    """Also where its first start was broken off before `demo.json` was written: nobody is there twice."""
    for _ in range(starts):
        demo_data.seed(get_settings(), tmp_path)
    users, tenants = tables.users.c, tables.tenants
    query = sa.select(tenants.c.name, users.kind, users.sms_enabled, users.extension).join(
        tenants, tenants.c.id == users.tenant_id
    )
    with database.connect() as connection:
        found = sorted(map(tuple, connection.execute(query)), key=str)
        enterprises = (
            connection.execute(sa.select(tenants.c.name).where(tenants.c.kind == "enterprise")).scalars().all()
        )
    wanted = [("pbx", False, None), ("pbx", True, None), ("trunk", False, None), ("trunk", True, "+14312345678")]
    assert len(enterprises) == 4
    assert found == sorted(((name, *user) for name in enterprises for user in wanted), key=str)


@pytest.mark.long
@pytest.mark.usefixtures("database", "quick_hashes")
def test_the_demo_is_created_where_hashing_takes_longer_than_a_lease(
    tmp_path: Path, configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(lease_seconds=1)
    pauses, hashed = iter([1.5]), passwords.hashed

    def slowly(password: str) -> str:
        time.sleep(next(pauses, 0))
        return hashed(password)

    monkeypatch.setattr(passwords, "hashed", slowly)
    assert len(demo_data.seed(get_settings(), tmp_path)) == 7
