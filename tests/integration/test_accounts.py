"""Tenants, carriers and tokens through the HTTP API: who may do what (R1, R3, R7, R9, R21), and what is kept apart."""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest
import sqlalchemy as sa
from werkzeug.test import TestResponse

from schemas.database import tables
from schemas.permissions import TenantKind
from tests.support import factories
from tests.support.api_client import Door, Json, application
from tests.support.factories import World
from tests.support.files import sheets
from tests.support.servers.service import wait_for
from webhook.http import body_limits
from worker.accounts import carriers
from worker.numbers import inventory

NOW = dt.datetime.now(dt.UTC)
NOBODY = str(uuid.UUID(int=7))
NAMES = ("master", "north", "south", "clinic", "hotel", "school")
BELOW = {
    "master": set(NAMES),
    "north": {"north", "clinic", "hotel"},
    "south": {"south", "school"},
    **{name: {name} for name in ("clinic", "hotel", "school")},
}
LISTS = ("tenants", "carriers", "tokens")


def ask(api: Door, method: str, path: str, body: Json | None = None, token: str | None = None) -> TestResponse:
    headers = {"Authorization": f"Bearer {token or api.token}"}
    return api.client.open(path, method=method, headers=headers, json=body)


def as_(api: Door, world: World, name: str) -> Door:
    return api.as_(getattr(world, name).token)


def listed(api: Door, kind: str, limit: int = 200) -> list[Json]:
    """Every entry of a list, page by page."""
    found: list[Json] = []
    path: str | None = f"/v1/{kind}?limit={limit}"
    while path is not None:
        answer = api.get(path)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        found += answer.json["data"]
        cursor = answer.json["next_cursor"]
        path = None if cursor is None else f"/v1/{kind}?limit={limit}&cursor={cursor}"
        assert (path is None) == ("Link" not in answer.headers)
    return found


def assert_refused(answer: TestResponse, status: int, code: str) -> None:
    """RFC 9457 with our code."""
    assert (answer.status_code, answer.json["code"]) == (status, code), answer.get_data(as_text=True)
    assert answer.content_type == "application/problem+json"


@pytest.fixture
def ids(world: World, database: sa.Engine) -> dict[str, str]:
    """Public ids: of tenants by their name in the world, of carriers by their name, of tokens as `token north`."""
    names = {getattr(world, name).id: name for name in NAMES}
    with database.connect() as connection:
        kept = connection.execute(sa.select(tables.carriers.c.name, tables.carriers.c.public_id)).all()
        issued = connection.execute(sa.select(tables.tokens.c.tenant_id, tables.tokens.c.public_id)).all()
    return {
        **{name: getattr(world, name).tenant.public_id for name in NAMES},
        **{row.name: row.public_id for row in kept},
        **{f"token {names[row.tenant_id]}": row.public_id for row in issued},
        "nobody": NOBODY,
    }


def filled(body: Json | None, ids: dict[str, str]) -> Json | None:
    """A body with the ids for the names that it gives in braces."""
    if body is None:
        return None
    return {key: value.format(**ids) if isinstance(value, str) else value for key, value in body.items()}


# The matrix: actor, method, path, body, status and code, by the rule

RESELLER, ENTERPRISE = {"name": "New", "kind": "reseller"}, {"name": "New", "kind": "enterprise"}
EXTERNAL, NAME = {"allow_external_numbers": True}, {"name": "Another"}
VOICE = {"name": "New", "service": "voice"}
MADE, SHOWN, GONE = (201, None), (200, None), (204, None)
FORBIDDEN, HIDDEN, INVALID = (403, "FORBIDDEN"), (404, "NOT_FOUND"), (422, "INVALID_FIELD")
TAKEN, IN_USE, NO_CARRIER = (409, "NAME_TAKEN"), (409, "IN_USE"), (422, "CARRIER_NOT_FOUND")
Cell = tuple[str, str, str, Json | None, tuple[int, str | None]]


def voice(name: str | None) -> Json:
    return {"default_voice_carrier": name}


def beside(name: str) -> Json:
    return {"name": name, "service": "voice"}


R1_MAKE: list[Cell] = [
    ("master", "POST", "tenants", RESELLER, MADE),
    ("master", "POST", "tenants", {**ENTERPRISE, "parent_id": "{north}"}, MADE),
    ("master", "POST", "tenants", ENTERPRISE, INVALID),
    ("master", "POST", "tenants", {**RESELLER, "parent_id": "{north}"}, INVALID),
    ("master", "POST", "tenants", {**ENTERPRISE, "parent_id": "{clinic}"}, INVALID),
    ("master", "POST", "tenants", {**RESELLER, "kind": "master_reseller"}, INVALID),
    ("north", "POST", "tenants", ENTERPRISE, MADE),
    ("north", "POST", "tenants", {**ENTERPRISE, "parent_id": "{north}"}, MADE),
    ("north", "POST", "tenants", {**ENTERPRISE, "parent_id": "{hotel}"}, INVALID),
    ("north", "POST", "tenants", RESELLER, FORBIDDEN),
    ("clinic", "POST", "tenants", ENTERPRISE, FORBIDDEN),
    ("hotel", "POST", "tenants", RESELLER, FORBIDDEN),
    ("north", "POST", "tenants", {**ENTERPRISE, "name": "hotel  ENTERPRISE"}, TAKEN),
    ("north", "POST", "tenants", {**ENTERPRISE, "name": "School Enterprise"}, MADE),
]
R3_HIDDEN: list[Cell] = [
    *(("north", "POST", "tenants", {**ENTERPRISE, "parent_id": f"{{{name}}}"}, HIDDEN) for name in ("south", "master")),
    *(("north", "POST", "tokens", {"name": "x", "tenant_id": f"{{{name}}}"}, HIDDEN) for name in ("south", "master")),
    ("hotel", "POST", "tokens", {"name": "x", "tenant_id": "{clinic}"}, HIDDEN),
    *(
        (actor, method, f"tenants/{{{target}}}", body, HIDDEN)
        for actor, target in (("north", "south"), ("north", "master"), ("hotel", "clinic"), ("hotel", "north"))
        for method, body in (
            ("GET", None),
            ("PATCH", NAME),
            ("PATCH", EXTERNAL),
            ("PATCH", voice(None)),
            ("DELETE", None),
        )
    ),
    *(
        (actor, method, f"carriers/{{{target}}}", body, HIDDEN)
        for actor, target in (("south", "North voice"), ("hotel", "South sms"))
        for method, body in (("GET", None), ("PATCH", NAME), ("DELETE", None))
    ),
    *(
        (actor, method, f"tokens/{{token {target}}}", None, HIDDEN)
        for actor, target in (("north", "south"), ("north", "master"), ("hotel", "clinic"), ("hotel", "north"))
        for method in ("GET", "DELETE")
    ),
]
R7_CARRIERS: list[Cell] = [
    ("master", "POST", "carriers", VOICE, MADE),
    ("north", "POST", "carriers", VOICE, MADE),
    ("clinic", "POST", "carriers", VOICE, FORBIDDEN),
    ("hotel", "POST", "carriers", VOICE, FORBIDDEN),
    ("north", "POST", "carriers", beside(" NORTH  voice "), TAKEN),
    ("north", "POST", "carriers", {"name": "North voice", "service": "sms"}, MADE),
    ("north", "POST", "carriers", beside("Master Voice"), MADE),
    ("north", "POST", "carriers", beside("South voice"), MADE),
    ("hotel", "GET", "carriers/{North voice}", None, SHOWN),
    ("hotel", "GET", "carriers/{Master SMS}", None, SHOWN),
    ("master", "GET", "carriers/{North voice}", None, SHOWN),
    ("north", "PATCH", "carriers/{North voice}", NAME, SHOWN),
    ("north", "PATCH", "carriers/{North voice}", {"name": "NORTH voice"}, SHOWN),
    ("north", "PATCH", "carriers/{Master Voice}", NAME, FORBIDDEN),
    ("master", "PATCH", "carriers/{North voice}", NAME, FORBIDDEN),
    ("hotel", "PATCH", "carriers/{North voice}", NAME, FORBIDDEN),
    ("north", "DELETE", "carriers/{North voice}", None, GONE),
    ("master", "DELETE", "carriers/{North voice}", None, FORBIDDEN),
    ("hotel", "DELETE", "carriers/{North voice}", None, FORBIDDEN),
    ("north", "DELETE", "carriers/{Master Voice}", None, FORBIDDEN),
    ("master", "DELETE", "carriers/{Master Voice}", None, IN_USE),
]
R7_DEFAULTS: list[Cell] = [
    ("hotel", "PATCH", "tenants/{hotel}", voice("north VOICE"), SHOWN),
    ("hotel", "PATCH", "tenants/me", voice("Master Voice"), SHOWN),
    ("north", "PATCH", "tenants/{hotel}", voice("North voice"), SHOWN),
    ("master", "PATCH", "tenants/{hotel}", voice("North voice"), SHOWN),
    ("master", "PATCH", "tenants/{master}", voice(None), SHOWN),
    ("master", "PATCH", "tenants/{master}", voice("North voice"), NO_CARRIER),
    ("master", "PATCH", "tenants/{south}", voice("North voice"), NO_CARRIER),
    ("hotel", "PATCH", "tenants/{hotel}", voice("South voice"), NO_CARRIER),
    ("hotel", "PATCH", "tenants/{hotel}", voice("North sms"), NO_CARRIER),
    ("hotel", "PATCH", "tenants/{hotel}", voice(""), NO_CARRIER),
    ("hotel", "PATCH", "tenants/{hotel}", {"default_sms_carrier_profile": "North sms"}, SHOWN),
]
R9_R21_CHANGE: list[Cell] = [
    ("master", "PATCH", "tenants/{hotel}", EXTERNAL, SHOWN),
    ("north", "PATCH", "tenants/{hotel}", EXTERNAL, SHOWN),
    ("hotel", "PATCH", "tenants/{hotel}", EXTERNAL, FORBIDDEN),
    ("clinic", "PATCH", "tenants/me", {"allow_external_numbers": False}, FORBIDDEN),
    ("north", "PATCH", "tenants/{north}", EXTERNAL, INVALID),
    ("master", "PATCH", "tenants/{north}", EXTERNAL, INVALID),
    ("north", "POST", "tenants", {**ENTERPRISE, **EXTERNAL}, MADE),
    ("master", "POST", "tenants", {**RESELLER, **EXTERNAL}, INVALID),
    ("master", "PATCH", "tenants/{master}", NAME, SHOWN),
    ("master", "PATCH", "tenants/{north}", NAME, SHOWN),
    ("north", "PATCH", "tenants/{hotel}", NAME, SHOWN),
    ("north", "PATCH", "tenants/{hotel}", {"name": "HOTEL enterprise"}, SHOWN),
    ("north", "PATCH", "tenants/{hotel}", {"name": "clinic enterprise"}, TAKEN),
    ("north", "PATCH", "tenants/{north}", {"name": "Southern Reseller"}, FORBIDDEN),
    ("hotel", "PATCH", "tenants/me", {"name": "Clinic Enterprise"}, FORBIDDEN),
]
R1_DELETE: list[Cell] = [
    ("master", "DELETE", "tenants/{hotel}", None, GONE),
    ("north", "DELETE", "tenants/{hotel}", None, GONE),
    ("master", "DELETE", "tenants/{south}", None, IN_USE),
    ("master", "DELETE", "tenants/{master}", None, FORBIDDEN),
    ("north", "DELETE", "tenants/{north}", None, FORBIDDEN),
    ("hotel", "DELETE", "tenants/{hotel}", None, FORBIDDEN),
]
R4_TOKENS: list[Cell] = [
    *((name, "POST", "tokens", {"name": "x"}, MADE) for name in ("master", "north", "hotel")),
    ("master", "POST", "tokens", {"name": "x", "tenant_id": "{hotel}"}, MADE),
    ("north", "POST", "tokens", {"name": "x", "tenant_id": "{hotel}"}, MADE),
    ("north", "GET", "tokens/{token hotel}", None, SHOWN),
    ("north", "DELETE", "tokens/{token hotel}", None, GONE),
    ("hotel", "DELETE", "tokens/{token hotel}", None, GONE),
    ("north", "POST", "tokens", {"name": "x", "expires_at": "2020-01-01T00:00:00Z"}, INVALID),
    ("north", "POST", "tokens", {"name": "x", "expires_at": "9999-12-31T23:59:59-12:00"}, INVALID),
    ("north", "POST", "tokens", {"name": "x", "expires_at": "2090-01-01T00:00:00"}, INVALID),
]
BODIES: list[Cell] = [
    ("north", "POST", "tenants", {"kind": "enterprise"}, INVALID),
    ("north", "POST", "tenants", {**ENTERPRISE, "path": [1]}, INVALID),
    ("north", "POST", "tenants", {**ENTERPRISE, "name": "a\u202eb"}, INVALID),
    ("north", "POST", "tenants", {**ENTERPRISE, "name": " "}, INVALID),
    ("north", "POST", "tenants", {**ENTERPRISE, "name": "n" * 201}, INVALID),
    ("north", "POST", "tenants", {**ENTERPRISE, "allow_external_numbers": "yes"}, INVALID),
    ("north", "PATCH", "tenants/{hotel}", {"name": None}, INVALID),
    ("north", "PATCH", "tenants/{hotel}", {"kind": "reseller"}, INVALID),
    ("north", "PATCH", "tenants/{hotel}", {}, SHOWN),
    ("north", "POST", "carriers", {"name": "x", "service": "fax"}, INVALID),
    ("north", "PATCH", "carriers/{North voice}", {"service": "sms"}, INVALID),
]
MATRIX = {
    "R1 make": R1_MAKE,
    "R1 delete": R1_DELETE,
    "R3": R3_HIDDEN,
    "R4": R4_TOKENS,
    "R7 carriers": R7_CARRIERS,
    "R7 defaults": R7_DEFAULTS,
    "R9 R21": R9_R21_CHANGE,
    "bodies": BODIES,
}
CELLS = {
    f"{rule} {number}: {cell[0]} {cell[1]} {cell[2]}": cell
    for rule, cells in MATRIX.items()
    for number, cell in enumerate(cells)
}


@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
def test_matrix(api: Door, world: World, ids: dict[str, str], database: sa.Engine, cell: Cell) -> None:
    name, method, path, body, (status, code) = cell
    before = snapshot(database)
    answer = ask(as_(api, world, name), method, f"/v1/{path.format(**ids)}", filled(body, ids))
    assert answer.status_code == status, answer.get_data(as_text=True)
    if code is not None:
        assert_refused(answer, status, code)
        assert snapshot(database) == before, "a refusal changes nothing"
    if status == 201:
        again = as_(api, world, name).get(answer.headers["Location"])
        assert again.json == {key: value for key, value in answer.json.items() if key != "token"}


def snapshot(database: sa.Engine) -> list[Any]:
    """All that a refusal must leave as it is: not the time of a token's last use."""
    kept = (tables.tenants, tables.carriers, tables.tokens)
    columns = [[column for column in table.c if not column.name.startswith("last_used_")] for table in kept]
    with database.connect() as connection:
        return [connection.execute(sa.select(*some).order_by(some[0])).all() for some in columns]


@pytest.mark.parametrize("kind", LISTS)
@pytest.mark.parametrize(
    ("content", "content_type"),
    [("{", "application/json"), ("[1]", "application/json"), ("", "application/json"), ("name=x", "text/plain")],
)
def test_a_body_that_is_no_object_is_refused(api: Door, kind: str, content: str, content_type: str) -> None:
    headers = {"Authorization": f"Bearer {api.token}"}
    answer = api.client.post(f"/v1/{kind}", data=content, content_type=content_type, headers=headers)
    assert answer.status_code in {400, 415, 422}, answer.get_data(as_text=True)
    assert answer.content_type == "application/problem+json"


# R4: who gets in at all


@pytest.mark.parametrize("kind", LISTS)
def test_r4_no_valid_token_no_answer(api: Door, world: World, database: sa.Engine, kind: str) -> None:
    with database.begin() as connection:
        expired = factories.token(connection, world.master.tenant, expires_at=NOW - dt.timedelta(seconds=1))
        revoked = factories.token(connection, world.master.tenant, revoked_at=NOW)
    for token in ("nyk_wrong", expired, revoked):
        for method, path in (("GET", ""), ("POST", ""), ("GET", "/x"), ("PATCH", "/x"), ("DELETE", "/x")):
            if (kind, method) != ("tokens", "PATCH"):
                assert_refused(ask(api, method, f"/v1/{kind}{path}", {}, token), 401, "UNAUTHENTICATED")


# R3: what is elsewhere does not exist


@pytest.mark.parametrize(
    ("kind", "hidden"), [("tenants", "south"), ("carriers", "South voice"), ("tokens", "token south")]
)
def test_r3_elsewhere_and_nowhere_answer_the_same(api: Door, ids: dict[str, str], kind: str, hidden: str) -> None:
    methods = [("GET", None), ("DELETE", None), *([] if kind == "tokens" else [("PATCH", NAME)])]
    for method, body in methods:
        answers = [
            ask(api, method, f"/v1/{kind}/{thing}", body) for thing in (ids[hidden], NOBODY, "x", "%F0%9F%98%80")
        ]
        bodies = {answer.get_data() for answer in answers}
        assert len(bodies) == 1, bodies
        assert_refused(answers[0], 404, "NOT_FOUND")
    pages = [api.get(f"/v1/{kind}?cursor={cursor}") for cursor in (ids[hidden], NOBODY, "x")]
    assert {page.status_code for page in pages} == {422}
    assert len({page.get_data() for page in pages}) == 1
    assert pages[0].json["field"] == "cursor"


def test_r3_in_bodies_too(api: Door, ids: dict[str, str]) -> None:
    for path, body in (("tenants", {**ENTERPRISE, "parent_id": "?"}), ("tokens", {"name": "x", "tenant_id": "?"})):
        field = list(body)[-1]
        answers = [ask(api, "POST", f"/v1/{path}", {**body, field: thing}) for thing in (ids["south"], NOBODY, "x")]
        assert len({answer.get_data() for answer in answers}) == 1
        assert_refused(answers[0], 404, "NOT_FOUND")


@pytest.mark.parametrize("name", NAMES)
def test_r3_r7_lists_hold_the_tree_and_nothing_else(api: Door, world: World, ids: dict[str, str], name: str) -> None:
    mine = as_(api, world, name)
    below = {ids[tenant] for tenant in BELOW[name]}
    above = {ids[tenant] for tenant in NAMES if name in BELOW[tenant]}
    for limit in (1, 2, 200):
        tenants = listed(mine, "tenants", limit)
        assert {tenant["id"] for tenant in tenants} == below
        assert len(tenants) == len(below)
        assert tenants[0]["id"] == ids[name]
        assert {token["tenant"]["id"] for token in listed(mine, "tokens", limit)} == below
    seen = {carrier["name"] for carrier in listed(mine, "carriers", 1)}
    owners = {"Master Voice": "master", "Master SMS": "master"}
    owners |= {f"{word} {service}": word.lower() for word in ("North", "South") for service in ("voice", "sms")}
    assert seen == {carrier for carrier, owner in owners.items() if ids[owner] in below | above}


def test_pages_keep_the_limit_and_refuse_a_bad_one(api: Door) -> None:
    for kind in LISTS:
        assert len(api.get(f"/v1/{kind}?limit=1").json["data"]) == 1
        for query in ("limit=0", "limit=201", "limit=x", "unknown=1"):
            assert_refused(api.get(f"/v1/{kind}?{query}"), 422, "INVALID_FIELD")


# R7: defaults


def tenant(api: Door, tenant_id: str = "me") -> Json:
    found: Json = api.get(f"/v1/tenants/{tenant_id}").json
    return found


def change(api: Door, tenant_id: str, **fields: object) -> Json:
    answer = ask(api, "PATCH", f"/v1/tenants/{tenant_id}", fields)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    found: Json = answer.json
    return found


def test_r7_defaults_are_inherited_until_one_is_named(api: Door, world: World, ids: dict[str, str]) -> None:
    hotel = as_(api, world, "hotel")

    def seen() -> tuple[str | None, str | None, set[str]]:
        found = tenant(hotel)
        defaults = {carrier["name"] for carrier in listed(hotel, "carriers") if carrier["is_default"]}
        return found["default_voice_carrier"], found["effective_default_voice_carrier"], defaults

    assert seen() == (None, "Master Voice", {"Master Voice", "Master SMS"})
    change(api, "me", default_voice_carrier="North voice")
    assert seen() == (None, "North voice", {"North voice", "Master SMS"})
    change(api, ids["hotel"], default_voice_carrier="Master Voice")
    assert seen() == ("Master Voice", "Master Voice", {"Master Voice", "Master SMS"})
    change(hotel, "me", default_voice_carrier=None)
    assert seen() == (None, "North voice", {"North voice", "Master SMS"})
    change(as_(api, world, "master"), "me", default_sms_carrier_profile=None)
    assert tenant(hotel)["effective_default_sms_carrier_profile"] is None


def test_r7_a_name_that_two_carriers_bear_is_no_default(api: Door) -> None:
    ask(api, "POST", "/v1/carriers", beside("master voice"))
    assert_refused(ask(api, "PATCH", "/v1/tenants/me", voice("Master Voice")), 422, "CARRIER_NOT_FOUND")


@pytest.mark.long
def test_r7_an_upload_takes_the_default_and_the_name_that_were_chosen(api: Door, ids: dict[str, str]) -> None:
    change(api, "me", default_voice_carrier="North voice")
    ask(api, "PATCH", f"/v1/carriers/{ids['North voice']}", {"name": "Renamed"})
    api.upload(sheets.csv_bytes(sheets.rows(2)))
    numbers = api.get("/v1/numbers").json["data"]
    assert next(number["voice_carrier"] for number in numbers if number["voice"]) == "Renamed"


@pytest.mark.long
def test_r9_allowing_external_numbers_opens_the_upload(api: Door, world: World, ids: dict[str, str]) -> None:
    hotel = as_(api, world, "hotel")
    assert hotel.send(sheets.csv_bytes(sheets.rows(2))).json["code"] == "EXTERNAL_NOT_ALLOWED"
    change(api, ids["hotel"], allow_external_numbers=True)
    assert hotel.upload(sheets.csv_bytes(sheets.rows(2)))["status"] == "completed"


# What is in use stays


@pytest.mark.parametrize("users", ["numbers", "jobs", "tenants", "carriers"])
def test_a_tenant_in_use_stays_and_says_why(
    api: Door, world: World, ids: dict[str, str], database: sa.Engine, users: str
) -> None:
    master = as_(api, world, "master")
    with database.begin() as connection:
        made = factories.tenant(connection, world.master.tenant, TenantKind.RESELLER)
        build: dict[str, Callable[[], object]] = {
            "numbers": lambda: factories.number(connection, 12125550142, made),
            "jobs": lambda: factories.job(connection, made),
            "tenants": lambda: factories.tenant(connection, made, TenantKind.ENTERPRISE),
            "carriers": lambda: factories.carrier(connection, made, "sms", "Its own"),
        }
        build[users]()
    answer = ask(master, "DELETE", f"/v1/tenants/{made.public_id}")
    assert_refused(answer, 409, "IN_USE")
    assert answer.json["in_use_by"] == [users]
    assert tenant(master, made.public_id)["id"] == made.public_id
    assert ids


def test_tokens_and_admins_go_with_their_tenant(
    api: Door, world: World, ids: dict[str, str], database: sa.Engine
) -> None:
    with database.begin() as connection:
        admin = {"tenant_id": world.hotel.id, "email": "a@hotel.example", "password_hash": "x"}
        connection.execute(tables.admins.insert().values(admin))
    assert ask(api, "DELETE", f"/v1/tenants/{ids['hotel']}").status_code == 204
    assert_refused(api.get(f"/v1/tenants/{ids['hotel']}"), 404, "NOT_FOUND")
    assert_refused(as_(api, world, "hotel").get("/v1/tenants/me"), 401, "UNAUTHENTICATED")
    with database.connect() as connection:
        assert not connection.execute(sa.select(tables.admins)).all()


@pytest.mark.parametrize("service", ["voice", "sms"])
@pytest.mark.parametrize("user", ["numbers", "defaults"])
def test_a_carrier_in_use_stays_and_says_why(
    api: Door, world: World, ids: dict[str, str], database: sa.Engine, service: str, user: str
) -> None:
    carrier = world.carriers[f"North {service}"]
    path = f"/v1/carriers/{ids[f'North {service}']}"
    with database.begin() as connection:
        if user == "numbers":
            factories.number(connection, 12125550142, world.hotel.tenant, **{f"{service}_carrier_id": carrier})
        else:
            factories.set_default(connection, world.hotel.tenant, service, carrier)
    answer = ask(api, "DELETE", path)
    assert_refused(answer, 409, "IN_USE")
    assert answer.json["in_use_by"] == [user]
    with database.begin() as connection:
        connection.execute(tables.phone_numbers.delete())
        factories.set_default(connection, world.hotel.tenant, service, None)
    assert ask(api, "DELETE", path).status_code == 204
    assert_refused(api.get(path), 404, "NOT_FOUND")


# Tokens


def test_a_token_is_shown_once_and_kept_as_a_hash(api: Door, database: sa.Engine) -> None:
    answer = ask(api, "POST", "/v1/tokens", {"name": "  nightly   import "})
    secret = answer.json["token"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json["name"] == "nightly import"
    assert api.as_(secret).get("/v1/tenants/me").json["name"] == "Northern Reseller"
    for later in (api.get("/v1/tokens"), api.get(answer.headers["Location"])):
        assert secret.removeprefix("nyk_") not in later.get_data(as_text=True)
    for entry in listed(api, "tokens"):
        assert set(entry) == {
            *("id", "name", "tenant", "created_at", "created_by", "expires_at", "revoked_at"),
            *("role", "scopes", "networks", "last_used_at", "last_used_from"),
        }
    with database.connect() as connection:
        kept = str(connection.execute(sa.text("SELECT json_agg(tokens) FROM tokens")).scalar_one())
        hashed = connection.execute(
            sa.text("SELECT count(*) FROM tokens WHERE hash = sha256(:secret)"), {"secret": secret.encode()}
        ).scalar_one()
    assert secret.removeprefix("nyk_") not in kept
    assert hashed == 1


def test_a_revoked_token_lets_nobody_in_and_keeps_its_time(api: Door) -> None:
    made = ask(api, "POST", "/v1/tokens", {"name": "x"}).json
    path = f"/v1/tokens/{made['id']}"
    assert ask(api.as_(made["token"]), "DELETE", path).status_code == 204
    assert_refused(api.as_(made["token"]).get("/v1/tenants"), 401, "UNAUTHENTICATED")
    revoked_at = api.get(path).json["revoked_at"]
    assert revoked_at is not None
    assert ask(api, "DELETE", path).status_code == 204
    assert api.get(path).json["revoked_at"] == revoked_at


def test_an_expiring_token_is_valid_until_then(api: Door, database: sa.Engine) -> None:
    until = (NOW + dt.timedelta(days=1)).isoformat()
    made = ask(api, "POST", "/v1/tokens", {"name": "x", "expires_at": until}).json
    assert dt.datetime.fromisoformat(made["expires_at"]) == dt.datetime.fromisoformat(until)
    assert api.as_(made["token"]).get("/v1/tenants").status_code == 200
    with database.begin() as connection:
        connection.execute(sa.text("UPDATE tokens SET expires_at = now() - interval '1 second' WHERE name = 'x'"))
    assert_refused(api.as_(made["token"]).get("/v1/tenants"), 401, "UNAUTHENTICATED")


# At the same time


@pytest.fixture
def aside(api: Door) -> Iterator[Callable[..., Future[TestResponse]]]:
    """Sends requests from other threads, each through an application of its own."""
    with ThreadPoolExecutor(4) as pool:

        def send(method: str, path: str, body: Json | None = None, token: str = "") -> Future[TestResponse]:
            other = Door(application().test_client(), token or api.token, api.work_off)
            return pool.submit(ask, other, method, path, body)

        yield send


def wait_until_held_up(database: sa.Engine, count: int = 1) -> None:
    """Until so many sessions of this database wait for a lock."""
    query = sa.text(
        "SELECT count(*) >= :count FROM pg_stat_activity "
        "WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )

    def held_up() -> bool:
        with database.connect() as connection:
            return bool(connection.execute(query, {"count": count}).scalar_one())

    wait_for(held_up, 20, "a session that waits for a lock")


@pytest.mark.parametrize("kind", ["carriers", "tenants"])
def test_a_deletion_waits_for_the_chunk_being_written_and_is_then_refused(
    aside: Callable[..., Future[TestResponse]], world: World, ids: dict[str, str], database: sa.Engine, kind: str
) -> None:
    carrier, hotel = world.carriers["North voice"], world.hotel.tenant
    path = f"/v1/carriers/{ids['North voice']}" if kind == "carriers" else f"/v1/tenants/{ids['hotel']}"
    with ExitStack() as pending:
        connection = pending.enter_context(database.begin())
        inventory.hold(connection, [hotel.id], [carrier])
        factories.number(connection, 12125550142, hotel, voice_carrier_id=carrier)
        answer = aside("DELETE", path)
        wait_until_held_up(database)
        assert not answer.done()
    assert_refused(answer.result(20), 409, "IN_USE")
    assert answer.result().json["in_use_by"] == ["numbers"]


def test_a_chunk_waits_for_the_deletion_of_its_carrier_and_decides_anew(world: World, database: sa.Engine) -> None:
    carrier = world.carriers["North voice"]

    def write() -> None:
        with database.begin() as connection:
            inventory.hold(connection, [world.north.id], [carrier])

    with ThreadPoolExecutor(1) as pool:
        with database.begin() as connection:
            assert carriers.used_by(connection, carrier) == []
            carriers.remove(connection, carrier)
            writing = pool.submit(write)
            wait_until_held_up(database)
        with pytest.raises(inventory.ConflictError):
            writing.result(20)


@pytest.mark.timeout(60)  # who is held up here waits for itself
def test_changes_to_a_tenant_do_not_hold_up_the_writers(
    api: Door, world: World, ids: dict[str, str], database: sa.Engine
) -> None:
    with database.begin() as connection:
        inventory.hold(connection, [world.north.id, world.hotel.id], [world.carriers["North voice"]])
        assert change(api, ids["hotel"], name="Renamed")["name"] == "Renamed"
        assert change(api, "me", default_voice_carrier="North voice")["default_voice_carrier"] == "North voice"
        assert ask(api, "POST", "/v1/tenants", ENTERPRISE).status_code == 201
        assert ask(api, "PATCH", f"/v1/carriers/{ids['North voice']}", NAME).status_code == 200


@pytest.mark.parametrize(("path", "body"), [("/v1/tenants", ENTERPRISE), ("/v1/carriers", VOICE)])
def test_one_name_is_given_once(
    aside: Callable[..., Future[TestResponse]], world: World, database: sa.Engine, path: str, body: Json
) -> None:
    with ExitStack() as pending:
        connection = pending.enter_context(database.begin())
        connection.execute(sa.text("SELECT FROM tenants WHERE id = :id FOR UPDATE"), {"id": world.north.id})
        answers = [aside("POST", path, body) for _ in range(2)]
        wait_until_held_up(database, 2)
    assert sorted(answer.result(20).status_code for answer in answers) == [201, 409]


def test_nothing_is_added_to_a_tenant_being_deleted(
    aside: Callable[..., Future[TestResponse]], world: World, ids: dict[str, str], database: sa.Engine
) -> None:
    with ExitStack() as pending:
        connection = pending.enter_context(database.begin())
        for table in (tables.tokens, tables.tenants):
            column = table.c.id if table is tables.tenants else table.c.tenant_id
            connection.execute(table.delete().where(column == world.hotel.id))
        answers = [
            aside("POST", "/v1/tokens", {"name": "x", "tenant_id": ids["hotel"]}),
            aside("PATCH", f"/v1/tenants/{ids['hotel']}", voice("North voice")),
            aside("DELETE", f"/v1/tenants/{ids['hotel']}"),
        ]
        wait_until_held_up(database, len(answers))
    for answer in answers:
        assert_refused(answer.result(20), 404, "NOT_FOUND")


# One reader for the JSON of every route


def _writing(world: World) -> list[tuple[str, str]]:
    """Return every request of the API that takes JSON: method and path."""
    tenant = world.clinic.tenant.public_id
    return [
        *(("POST", f"/v1/{kind}") for kind in ("tenants", "users", "carriers", "tokens")),
        *(("POST", f"/v1/{kind}") for kind in ("assignments", "unassignments", "capability-changes", "deletions")),
        *(("PATCH", f"/v1/{kind}/{tenant}") for kind in ("tenants", "users", "carriers")),
    ]


def _all_writing() -> list[tuple[str, str]]:
    """Return every request of the API that may change something, also those that take no body."""
    return [
        (method, re.sub("<[^>]+>", str(uuid.uuid4()), re.sub("<int:[^>]+>", "1", rule.rule)))
        for rule in application().url_map.iter_rules()
        for method in (rule.methods or set()) & {"POST", "PUT", "PATCH", "DELETE"}
        if rule.rule.startswith("/v1/")
    ]


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b'{"name": "a", "name": "b"}', 422, "DUPLICATE_KEY"),
        (b"[" * 200_000, 400, "BAD_REQUEST"),
        (b'{"a":' * 100_000, 400, "BAD_REQUEST"),
        (b'{"name": NaN}', 400, "BAD_REQUEST"),
        (b'{"name": 1' + b"0" * 5000 + b"}", 400, "BAD_REQUEST"),
        (b'\xef\xbb\xbf{"name": "a"}', 400, "BAD_REQUEST"),
        ('{"name": "a"}'.encode("utf-16"), 400, "BAD_REQUEST"),
    ],
    ids=lambda value: None if isinstance(value, str | int) else f"{value[:20]!r}",
)
def test_every_route_refuses_ambiguous_json(
    api: Door, world: World, database: sa.Engine, content: bytes, status: int, code: str
) -> None:
    before = snapshot(database)
    headers = {"Authorization": f"Bearer {api.token}"}
    for method, path in {*_writing(world), *_all_writing()}:
        answer = api.client.open(path, method=method, data=content, content_type="application/json", headers=headers)
        assert (answer.status_code, answer.json["code"]) == (status, code), f"{method} {path}: {answer.json}"
    assert snapshot(database) == before


def test_every_route_refuses_lone_surrogates(api: Door, world: World) -> None:
    content = b'{"name": "\\ud800", "numbers": ["\\udfff"], "mode": "\\ud800"}'
    headers = {"Authorization": f"Bearer {api.token}"}
    for method, path in _writing(world):
        answer = api.client.open(path, method=method, data=content, content_type="application/json", headers=headers)
        assert (answer.status_code, answer.json["code"]) == (422, "INVALID_FIELD"), f"{method} {path}: {answer.json}"


def test_no_route_takes_a_large_body(api: Door, database: sa.Engine) -> None:
    """Whatever it is, and also where no body is taken; files and lists have limits of their own."""
    before = snapshot(database)
    headers = {"Authorization": f"Bearer {api.token}"}
    large = b"x" * (body_limits.SMALL + 1)
    for method, path in _all_writing():
        if path.removeprefix("/v1/") in {"assignments", "unassignments", "capability-changes", "deletions"}:
            continue
        for content_type in ("application/json", "text/plain", "application/x-www-form-urlencoded"):
            answer = api.client.open(path, method=method, data=large, content_type=content_type, headers=headers)
            assert (answer.status_code, answer.json["code"]) == (413, "BODY_TOO_LARGE"), f"{method} {path}"
            assert answer.json["limit"] == body_limits.SMALL
    assert snapshot(database) == before


def test_every_route_refuses_other_bodies(api: Door, world: World) -> None:
    token = {"Authorization": f"Bearer {api.token}"}
    for method, path in _writing(world):
        for content_type, more in (("text/plain", {}), ("application/json", {"Content-Encoding": "gzip"})):
            answer = api.client.open(path, method=method, data=b"{}", content_type=content_type, headers=token | more)
            assert (answer.status_code, answer.json["code"]) == (415, "UNSUPPORTED_MEDIA_TYPE"), f"{method} {path}"
    assert answer.headers["Accept-Encoding"] == "identity"
