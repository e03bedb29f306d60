"""R35: the limits of tokens, tokens that tokens create, revocation, networks, last use, and people behind tokens."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from schemas.database import tables
from schemas.permissions import ActingToken, Actor, TokenLimits
from schemas.roles import ALL_SCOPES, Role, Scope
from tests.support import factories
from tests.support.api_client import Door
from tests.support.factories import World
from tests.support.files import sheets
from tests.support.html_forms import form_of, send
from tests.support.portal_client import Portal, signed_in, text_of, toasts_of
from worker.accounts import admins, tokens
from worker.accounts.tenants import GoneError

Json = dict[str, Any]
DEADLINE = 20  # seconds
FAR = {"X-Forwarded-For": "203.0.113.7"}  # the tests call from a trusted proxy's address


def made(door: Door, name: str = "made", **limits: Any) -> Json:  # noqa: ANN401 - fields of the body
    answer = door.post("/v1/tokens", {"name": name, **limits})
    assert answer.status_code == 201, answer.get_data(as_text=True)
    found: Json = answer.json
    return found


def works(door: Door, **more: Any) -> bool:  # noqa: ANN401 - handed on to the client
    return door.get("/v1/templates/numbers.csv", **more).status_code == 200


def row(database: sa.Engine, public_id: str) -> sa.Row[Any]:
    with database.connect() as connection:
        return connection.execute(sa.select(tables.tokens).where(tables.tokens.c.public_id == public_id)).one()


def person(database: sa.Engine, world: World, email: str = "ada@north.example", role: str = "admin") -> Actor:
    """A person of the reseller."""
    with database.begin() as connection:
        admin_id = factories.admin(connection, world.north.tenant, email, role)
    return Actor(world.north.tenant, email, admin_id, role=Role(role), scopes=ALL_SCOPES)


def token_of(database: sa.Engine, maker: Actor, limits: TokenLimits = tokens.UNLIMITED) -> str:
    """The secret of a token that a person has created."""
    with database.begin() as connection:
        account_id = tokens.hold_maker(connection, maker)
        issued = tokens.create(connection, maker.tenant.id, "of a person", limits, maker=maker, admin_id=account_id)
    return issued.secret


# What a token may do


def test_r35_a_token_shows_its_limits(api: Door) -> None:
    limits: Json = {"role": "operator", "scopes": ["jobs:read", "uploads:write"], "networks": ["127.0.0.0/8"]}
    issued = made(api, **limits)
    shown = api.get(f"/v1/tokens/{issued['id']}").json
    assert {name: shown[name] for name in limits} == limits
    assert shown["created_by"] == "token 2"
    assert (shown["last_used_at"], shown["last_used_from"]) == (None, None)
    assert "token" not in shown


def test_r35_without_limits_a_token_has_those_of_its_maker(api: Door) -> None:
    """As before roles existed: a program that sends a name alone gets what it got."""
    shown = made(api)
    assert (shown["role"], shown["networks"], shown["expires_at"]) == ("admin", [], None)
    assert set(shown["scopes"]) == ALL_SCOPES
    parent = made(api, role="admin", scopes=["tokens:write", "jobs:read"], networks=["127.0.0.1"])
    child = made(api.as_(parent["token"]))
    assert child["scopes"] == ["jobs:read", "tokens:write"]
    assert child["networks"] == ["127.0.0.1/32"]


END = (datetime.now(UTC) + timedelta(days=30)).replace(microsecond=0)
PARENT: Json = {
    "role": "admin",
    "scopes": ["tokens:write", "jobs:read"],
    "networks": ["127.0.0.0/8", "2001:db8::/32"],
    "expires_at": END.isoformat(),
}


@pytest.mark.parametrize(
    ("limits", "fields"),
    [
        ({"scopes": ["jobs:read", "numbers:read"]}, ["scopes"]),
        ({"networks": ["10.0.0.0/8"]}, ["networks"]),
        ({"networks": []}, ["networks"]),
        ({"networks": ["0.0.0.0/0"]}, ["networks"]),
        ({"expires_at": (END + timedelta(seconds=1)).isoformat()}, ["expires_at"]),
        ({"scopes": ["accounts:read"], "networks": ["::/0"]}, ["scopes", "networks"]),
    ],
)
def test_r35_a_token_cannot_create_one_that_exceeds_it(
    api: Door, database: sa.Engine, limits: Json, fields: list[str]
) -> None:
    door = api.as_(made(api, **PARENT)["token"])
    answer = door.post("/v1/tokens", {"name": "more", **limits})
    assert (answer.status_code, answer.json["code"]) == (422, "INVALID_FIELD")
    assert [error["field"] for error in answer.json["errors"]] == fields
    assert answer.json["field"] == fields[0]
    assert "can't do more than who creates it" in answer.json["fix"]
    with database.connect() as connection:
        count = sa.select(sa.func.count()).where(tables.tokens.c.name == "more")
        assert connection.execute(count).scalar_one() == 0


def test_r35_what_a_child_leaves_out_is_its_parents(api: Door) -> None:
    child = made(api.as_(made(api, **PARENT)["token"]), networks=["127.0.0.1"])
    assert child["networks"] == ["127.0.0.1/32"]
    assert datetime.fromisoformat(child["expires_at"]) == END


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("role", "root"),
        ("role", ""),
        ("scopes", []),
        ("scopes", ["numbers:read", "everything"]),
        ("scopes", "numbers:read"),
        ("networks", ["198.51.100.7/24"]),
        ("networks", ["office"]),
        ("networks", ["198.51.100.0/24"] * 51),
    ],
)
def test_invalid_limits_are_refused_by_field(api: Door, field: str, value: object) -> None:
    answer = api.post("/v1/tokens", {"name": "x", field: value})
    assert (answer.status_code, answer.json["code"]) == (422, "INVALID_FIELD")
    assert all(error["field"].startswith(field) for error in answer.json["errors"])


def test_r35_an_upload_is_confirmed_with_the_scope_of_uploads_only(api: Door, world: World) -> None:
    """Confirming and cancelling need the scope of starting a job of that kind; undoing always that of numbers."""
    uploads = api.as_(made(api, scopes=["uploads:write", "jobs:read"])["token"])
    numbers = api.as_(made(api, scopes=["numbers:write", "jobs:read"])["token"])
    job = uploads.upload(sheets.csv_bytes(sheets.rows(1)), mode="review")["id"]
    refused = numbers.post(f"/v1/jobs/{job}/confirm")
    assert (refused.status_code, refused.json["required_scopes"]) == (403, ["uploads:write"])
    assert numbers.post(f"/v1/jobs/{job}/cancel").json["required_scopes"] == ["uploads:write"]
    assert uploads.done(uploads.post(f"/v1/jobs/{job}/confirm"))["status"] == "completed"
    assert uploads.post(f"/v1/jobs/{job}/undo").json["required_scopes"] == ["numbers:write"]
    body = {"numbers": ["+12125550100"], "tenant_id": world.clinic.tenant.public_id, "mode": "review"}
    action = numbers.done(numbers.post("/v1/assignments", body))["id"]
    assert uploads.post(f"/v1/jobs/{action}/cancel").json["required_scopes"] == ["numbers:write"]
    assert numbers.post(f"/v1/jobs/{action}/cancel").status_code == 202


def test_r35_a_user_is_created_with_numbers_only_with_their_scope(api: Door, world: World) -> None:
    door = api.as_(made(api.as_(world.clinic.token), scopes=["accounts:write"])["token"])
    user = {"name": "Ada", "email": "ada@clinic.example", "kind": "pbx"}
    refused = door.post("/v1/users", user | {"phone_number": "+12125550100"})
    assert (refused.status_code, refused.json["required_scopes"]) == (403, ["numbers:write"])
    assert door.post("/v1/users", user).status_code == 201


def test_r35_a_subscription_sends_only_what_its_maker_may_see(api: Door) -> None:
    """Nor does another one get the numbers, by changing where they are sent."""
    managing = api.as_(made(api, scopes=["accounts:write", "jobs:read"])["token"])
    body: Json = {"url": "https://receiver.example/", "events": ["job.*", "number.assigned"], "enabled": False}
    refused = managing.post("/v1/webhooks", body)
    assert (refused.status_code, refused.json["required_scopes"]) == (403, ["numbers:read"])
    assert managing.post("/v1/webhooks", body | {"events": ["job.failed"]}).status_code == 201
    path = f"/v1/webhooks/{api.post('/v1/webhooks', body).json['id']}"
    headers = {"Authorization": f"Bearer {managing.token}"}
    for change, status in (({"url": "https://mine.example/"}, 403), ({"events": ["job.*"]}, 200)):
        assert managing.client.patch(path, json=change, headers=headers).status_code == status


def test_r35_jobs_go_on_as_they_were_accepted(api: Door, world: World, database: sa.Engine) -> None:
    """Neither a revoked token nor a role that is gone stops a job."""
    ada = person(database, world)
    secret = token_of(database, ada)
    accepted = api.as_(secret).send(sheets.csv_bytes(sheets.rows(2)))
    assert accepted.status_code == 202
    with database.begin() as connection:
        admins.set_role(connection, ada.admin_id or 0, Role.VIEWER)
        admins.remove(connection, ada.admin_id or 0)
    assert not works(api.as_(secret))
    assert api.done(accepted)["counts"]["created"] == 2


# Tokens that tokens create


def test_r35_revoking_a_token_revokes_all_created_with_it(api: Door) -> None:
    parent = made(api)
    child = made(api.as_(parent["token"]))
    grandchild = made(api.as_(child["token"]))
    sibling = made(api)
    assert api.delete(f"/v1/tokens/{child['id']}").status_code == 204
    states = {name: works(api.as_(one["token"])) for name, one in (("parent", parent), ("sibling", sibling))}
    assert states == {"parent": True, "sibling": True}
    assert not works(api.as_(child["token"]))
    assert not works(api.as_(grandchild["token"]))
    revoked = [api.get(f"/v1/tokens/{one['id']}").json["revoked_at"] for one in (child, grandchild)]
    assert revoked[0] == revoked[1] is not None
    assert api.delete(f"/v1/tokens/{parent['id']}").status_code == 204
    again = [api.get(f"/v1/tokens/{one['id']}").json["revoked_at"] for one in (child, grandchild)]
    assert again == revoked  # those that were revoked keep their time


def test_r35_a_token_for_a_tenant_below_is_revoked_with_its_parent(api: Door, world: World) -> None:
    parent = made(api)
    below = made(api.as_(parent["token"]), tenant_id=world.clinic.tenant.public_id)
    assert works(api.as_(below["token"]))
    api.delete(f"/v1/tokens/{parent['id']}")
    assert not works(api.as_(below["token"]))


def test_r35_a_token_that_is_being_revoked_creates_no_other(api: Door, world: World, database: sa.Engine) -> None:
    """Whichever comes first: a token created before the revocation is revoked with it, none is created after it."""
    parent = made(api)
    inner = row(database, parent["id"])
    acting = ActingToken(inner.id, None, TokenLimits())
    maker = Actor(world.north.tenant, "parent", role=Role.ADMIN, scopes=ALL_SCOPES, token=acting)
    creating = database.connect()
    with creating.begin():
        account = tokens.hold_maker(creating, maker)
        child = tokens.create(creating, world.north.id, "child", maker=maker, admin_id=account)
        revoking = threading.Thread(target=api.delete, args=(f"/v1/tokens/{parent['id']}",))
        revoking.start()
        _wait_until(database, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
    creating.close()
    revoking.join(DEADLINE)
    assert row(database, child.public_id).revoked_at is not None
    with database.begin() as connection, pytest.raises(GoneError):
        tokens.hold_maker(connection, maker)


def test_r35_a_person_being_removed_creates_no_token(api: Door, world: World, database: sa.Engine) -> None:
    ada = person(database, world)
    creating = database.connect()
    removed: list[bool] = []

    def remove() -> None:
        with database.begin() as connection:
            admins.remove(connection, ada.admin_id or 0)
        removed.append(True)

    with creating.begin():
        account = tokens.hold_maker(creating, ada)
        issued = tokens.create(creating, world.north.id, "late", maker=ada, admin_id=account)
        removing = threading.Thread(target=remove)
        removing.start()
        _wait_until(database, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
    creating.close()
    removing.join(DEADLINE)
    assert removed
    assert not works(api.as_(issued.secret))
    with database.begin() as connection, pytest.raises(GoneError):
        tokens.hold_maker(connection, ada)


def _wait_until(database: sa.Engine, query: str) -> None:
    """Wait until the query counts something."""
    deadline = datetime.now(UTC) + timedelta(seconds=DEADLINE)
    while datetime.now(UTC) < deadline:
        with database.connect() as connection:
            if connection.execute(sa.text(query)).scalar_one():
                return
    raise TimeoutError(query)


# People behind tokens


def test_r35_a_token_never_exceeds_the_present_role_of_its_maker(api: Door, world: World, database: sa.Engine) -> None:
    ada = person(database, world)
    door = api.as_(token_of(database, ada))
    child = api.as_(made(door)["token"])
    assert all(one.get("/v1/tokens").status_code == 200 for one in (door, child))
    for role, uploads in ((Role.OPERATOR, 202), (Role.VIEWER, 403), (Role.ADMIN, 202)):
        with database.begin() as connection:
            admins.set_role(connection, ada.admin_id or 0, role)
        for one in (door, child):
            assert one.get("/v1/tokens").status_code == (200 if role is Role.ADMIN else 403)
            assert one.send(sheets.csv_bytes(sheets.rows(1))).status_code == uploads
            assert one.get("/v1/numbers").status_code == 200


def test_r35_a_role_that_is_raised_raises_no_token(api: Door, world: World, database: sa.Engine) -> None:
    ada = person(database, world)
    door = api.as_(token_of(database, ada, TokenLimits(Role.VIEWER)))
    assert door.send(sheets.csv_bytes(sheets.rows(1))).status_code == 403


def test_r35_removing_a_person_revokes_their_tokens(api: Door, world: World, database: sa.Engine) -> None:
    ada, bea = person(database, world), person(database, world, "bea@north.example")
    door, hers = api.as_(token_of(database, ada)), api.as_(token_of(database, bea))
    child = api.as_(made(door)["token"])
    assert works(child)
    browser = signed_in(database, world.north.tenant, "bea@north.example")
    page = browser.get(_removal(database, ada))
    assert "They have 2 API tokens" in page.get_data(as_text=True)
    assert send(browser, form_of(page, _removal(database, ada)), "Remove").status_code == 303
    assert [works(one) for one in (door, child, hers)] == [False, False, True]
    created_by = {token["created_by"] for token in hers.get("/v1/tokens").json["data"]}
    assert "ada@north.example" in created_by  # of whom it was stays known


def test_r35_tokens_are_handed_over_to_another_admin(api: Door, world: World, database: sa.Engine) -> None:
    """From then on the role of the other one limits them, and they end with that account."""
    ada, bea = person(database, world), person(database, world, "bea@north.example")
    door = api.as_(token_of(database, ada))
    child = api.as_(made(door)["token"])
    browser = signed_in(database, world.north.tenant, "bea@north.example")
    form = form_of(browser.get(_removal(database, ada)), _removal(database, ada))
    answer = send(browser, form, "Remove", hand_over_to=_public(database, bea))
    assert "ada@north.example was removed" in toasts_of(browser.get(answer.location))
    assert works(door)
    assert works(child)
    with database.begin() as connection:
        admins.set_role(connection, bea.admin_id or 0, Role.VIEWER)
    assert [one.get("/v1/tokens").status_code for one in (door, child)] == [403, 403]
    with database.begin() as connection:
        admins.remove(connection, bea.admin_id or 0)
    assert [works(one) for one in (door, child)] == [False, False]


@pytest.mark.parametrize("heir", ["an operator", "of another tenant", "themselves", "outside the tree", "nobody"])
def test_r35_tokens_go_only_to_an_admin_of_the_same_tenant(
    heir: str, api: Door, world: World, database: sa.Engine
) -> None:
    ada = person(database, world)
    door = api.as_(token_of(database, ada))
    browser = signed_in(database, world.north.tenant, "bea@north.example")
    others = {
        "an operator": ("op@north.example", world.north.tenant, "operator"),
        "of another tenant": ("boss@clinic.example", world.clinic.tenant, "admin"),
        "outside the tree": ("boss@south.example", world.south.tenant, "admin"),
    }
    public_id = "00000000-0000-4000-8000-000000000000"
    if heir in others:
        email, tenant, role = others[heir]
        with database.begin() as connection:
            inner = factories.admin(connection, tenant, email, role)
            public_id = factories.public_id(connection, tables.admins, inner)
    elif heir == "themselves":
        public_id = _public(database, ada)
    answer = browser.post(_removal(database, ada), {"hand_over_to": public_id})
    assert answer.status_code == 422
    assert "another admin of the same company only" in text_of(answer)
    assert works(door)


def test_r1_r35_nobody_removes_themselves_or_changes_their_own_role(world: World, database: sa.Engine) -> None:
    """So the last admin of a tenant stays, unless a level above decides otherwise."""
    ada = person(database, world)
    browser = signed_in(database, world.north.tenant, "ada@north.example")
    own = f"/account/admins/{_public(database, ada)}"
    for path, fields in ((f"{own}/role", {"role": "viewer"}), (f"{own}/remove", {})):
        answer = browser.post(path, fields)
        assert answer.status_code == 403
        assert "your own role" in text_of(answer) or "remove yourself" in text_of(answer)
    above = signed_in(database, world.master.tenant)
    assert above.post(f"{own}/role", {"role": "viewer"}).status_code == 303
    assert browser.get("/account/admins").status_code == 403


def _public(database: sa.Engine, actor: Actor) -> str:
    with database.connect() as connection:
        return factories.public_id(connection, tables.admins, actor.admin_id or 0)


def _removal(database: sa.Engine, actor: Actor) -> str:
    return f"/account/admins/{_public(database, actor)}/remove"


# Networks


@pytest.mark.parametrize(
    ("networks", "forwarded", "is_allowed"),
    [
        (["203.0.113.0/24"], "203.0.113.7", True),
        (["203.0.113.0/24"], "198.51.100.1", False),
        (["203.0.113.0/24"], "203.0.113.7, 198.51.100.1", False),  # what stands before the last the client wrote itself
        (["203.0.113.0/24"], "198.51.100.1, 203.0.113.7, 127.0.0.1", True),
        (["203.0.113.0/24"], "", False),
        (["127.0.0.0/8"], "", True),
        (["127.0.0.0/8"], "203.0.113.7", False),
        (["2001:db8::/32"], "2001:db8::7", True),
        (["0.0.0.0/0"], "unknown", False),
    ],
)
def test_r35_a_token_works_from_its_networks_only(
    api: Door, networks: list[str], forwarded: str, is_allowed: bool
) -> None:
    """The address behind trusted proxies is the one that the limits on connections and requests count by."""
    door = api.as_(made(api, networks=networks)["token"])
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    answer = door.get("/v1/jobs", headers=headers)
    assert answer.status_code == (200 if is_allowed else 403)
    if not is_allowed:
        assert answer.json["code"] == "FORBIDDEN"
        assert "This token doesn't work from" in answer.json["detail"]
        assert not [network for network in networks if network in answer.get_data(as_text=True)]


def test_r35_an_address_that_no_trusted_proxy_names_counts_for_nothing(
    api: Door, configure: Callable[..., None]
) -> None:
    door = api.as_(made(api, networks=["203.0.113.0/24"])["token"])
    configure(trusted_proxies="10.0.0.0/8")
    assert door.get("/v1/jobs", headers=FAR).status_code == 403


def test_r35_a_refused_use_is_no_use(api: Door, database: sa.Engine) -> None:
    issued = made(api, networks=["203.0.113.0/24"])
    assert not works(api.as_(issued["token"]))
    assert row(database, issued["id"]).last_used_at is None


# Last use


@pytest.fixture
def statements(database: sa.Engine) -> Iterator[list[str]]:
    """What is sent to the database about tokens' last use, by any engine of this process."""
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if "last_used_at=" in statement and "SKIP LOCKED" in statement:
            sent.append(statement)

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    yield sent
    sa.event.remove(sa.Engine, "before_cursor_execute", note)
    assert database is not None


def test_r35_the_last_use_is_shown_and_written_once_a_minute(
    api: Door, database: sa.Engine, statements: list[str]
) -> None:
    issued = made(api)
    statements.clear()
    door = api.as_(issued["token"])
    assert works(door, headers=FAR)
    shown = api.get(f"/v1/tokens/{issued['id']}").json
    assert shown["last_used_from"] == "203.0.113.7"
    assert datetime.now(UTC) - datetime.fromisoformat(shown["last_used_at"]) < timedelta(seconds=DEADLINE)
    for _ in range(5):
        assert works(door)
    assert len(statements) == 1
    with database.begin() as connection:
        age = {"last_used_at": sa.func.now() - timedelta(seconds=61)}
        connection.execute(tables.tokens.update().where(tables.tokens.c.public_id == issued["id"]).values(age))
    assert works(door)
    assert len(statements) == 2
    assert row(database, issued["id"]).last_used_from == "127.0.0.1"


def test_r35_recording_the_last_use_waits_for_nobody(api: Door, database: sa.Engine, statements: list[str]) -> None:
    """Somebody holds the token's row, such as one who revokes it: the request goes on, and the next one records it."""
    issued = made(api)
    door = api.as_(issued["token"])
    statuses: list[int] = []
    with database.begin() as connection:
        query = sa.select(tables.tokens.c.id).where(tables.tokens.c.public_id == issued["id"]).with_for_update()
        connection.execute(query)
        request = threading.Thread(target=lambda: statuses.append(door.get("/v1/templates/numbers.csv").status_code))
        request.start()
        request.join(DEADLINE)
        assert statuses == [200]
        assert row(database, issued["id"]).last_used_at is None
    assert statements
    assert works(door)
    assert row(database, issued["id"]).last_used_at is not None


# Who learns of tokens


def test_r3_r35_who_created_a_token_is_seen_by_that_tenant_and_above(
    api: Door, world: World, database: sa.Engine
) -> None:
    ada = person(database, world)
    with database.begin() as connection:
        account = tokens.hold_maker(connection, ada)
        issued = tokens.create(connection, world.clinic.id, "for the clinic", maker=ada, admin_id=account)
    seen = {}
    for name in ("master", "north", "south", "clinic", "hotel", "school"):
        answer = api.as_(getattr(world, name).token).get(f"/v1/tokens/{issued.public_id}")
        seen[name] = answer.json["created_by"] if answer.status_code == 200 else answer.status_code
        listed = api.as_(getattr(world, name).token).get("/v1/tokens").get_data(as_text=True)
        assert ("for the clinic" in listed) == (answer.status_code == 200)
        assert ("ada@north.example" in listed) == (name in {"master", "north"})
    email = "ada@north.example"
    assert seen == {"master": email, "north": email, "clinic": None, "south": 404, "hotel": 404, "school": 404}


def test_r4_tokens_of_before_keep_all_rights(api: Door, world: World, database: sa.Engine) -> None:
    """Rows that know nothing of roles, as an older release or an operator's script writes them."""
    secret = "nyk_of_before"  # noqa: S105 - of a test
    insertion = "INSERT INTO tokens (tenant_id, name, hash) VALUES (:id, 'old', sha256(:secret)) RETURNING public_id"
    with database.begin() as connection:
        values = {"id": world.north.id, "secret": secret.encode()}
        public_id = str(connection.execute(sa.text(insertion), values).scalar_one())
    door = api.as_(secret)
    assert door.post("/v1/tokens", {"name": "x"}).status_code == 201
    shown = door.get(f"/v1/tokens/{public_id}").json
    assert (shown["role"], shown["created_by"]) == ("admin", None)
    assert set(shown["scopes"]) == set(Scope)


# In the portal


def test_r35_a_token_with_limits_is_created_in_the_portal(api: Door, portal: Portal) -> None:
    form = form_of(portal.get("/tokens"), "/tokens")
    fields = {"name": "Nightly", "role": "operator", "scopes": ["jobs:read", "uploads:write"]}
    answer = send(portal, form, "Create token", **fields, networks="203.0.113.0/24, 2001:db8::/32")
    assert answer.status_code == 201
    secret = answer.get_data(as_text=True).partition('<code id="secret">')[2].partition("<")[0]
    assert api.as_(secret).get("/v1/jobs", headers=FAR).status_code == 200
    assert api.as_(secret).get("/v1/jobs").status_code == 403
    page = text_of(portal.get("/tokens"))
    assert "Only from 203.0.113.0/24, 2001:db8::/32" in page
    assert "by admin@" in page
    assert "from 203.0.113.7" in page


@pytest.mark.parametrize(
    ("fields", "field", "text"),
    [
        ({"scopes": []}, "scopes", "Choose at least one."),
        ({"networks": "203.0.113.7/24"}, "networks", "write it as 203.0.113.0/24"),
        ({"networks": "office, 10.0.0.0/8 home"}, "networks", "write it like 198.51.100.0/24"),
    ],
)
def test_limits_that_do_not_fit_are_explained_beside_the_field(
    portal: Portal, fields: dict[str, Any], field: str, text: str
) -> None:
    form = form_of(portal.get("/tokens"), "/tokens")
    answer = send(portal, form, "Create token", **{"name": "x", **fields})
    assert answer.status_code == 422
    beside = answer.get_data(as_text=True).partition(f'id="e-{field}"')[2].partition("</p>")[0]
    assert text in beside
