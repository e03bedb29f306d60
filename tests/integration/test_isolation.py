"""R3 as a property: in random trees, whatever a tenant asks, nothing from outside its part ever appears.

Its part: its own tenant and those below; of those above only who uploaded a number it holds, and carriers and import
profiles it may use.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from schemas.database import tables
from schemas.permissions import Actor, Tenant, TenantKind
from tests.support import factories
from tests.support.api_client import Door, text_of
from tests.support.files import sheets
from tests.support.property_tests import NIGHTLY
from worker.accounts import tokens
from worker.jobs import import_profiles

# What there is of a job of each kind.
TAILS = {"jobs": ("", "/rows", "/report.csv", "/report.jsonl", "/report.xlsx"), "exports": ("", "/file")}
NOBODY = "00000000-0000-4000-8000-000000000000"
EVERYTHING = (
    "phone_numbers, number_events, number_changes, number_change_positions, job_chunks, jobs, users, tokens, admins, "
    "carriers, tenants"
)


@dataclass
class Secret:
    """Something that belongs to a tenant: by what it would be recognised, and under which route it is found by id."""

    owner: Tenant
    words: tuple[str, ...]
    # "tenants", "users", "carriers", "import-profiles", "authors", "makers", "tokens", "numbers", "jobs" or "exports"
    kind: str
    key: str


@dataclass
class Grove:
    """A random tree with everything in it."""

    tenants: list[Tenant] = field(default_factory=list)
    bearer: dict[int, str] = field(default_factory=dict)
    secrets: list[Secret] = field(default_factory=list)


trees = st.lists(
    st.lists(st.tuples(st.booleans(), st.integers(0, 2)), max_size=2),  # per reseller, per enterprise: external, users
    min_size=1,
    max_size=3,
)
holdings = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 3), st.integers(0, 2)), min_size=1, max_size=8)


def plant(connection: sa.Connection, tree: list[list[tuple[bool, int]]], held: list[tuple[int, int, int]]) -> Grove:
    """Tenants, tokens, carriers, users, and numbers held at or below their uploader."""
    connection.execute(sa.text(f"TRUNCATE {EVERYTHING} RESTART IDENTITY CASCADE"))
    grove, users = Grove(), {}  # type: Grove, dict[int, list[int]]
    serial = itertools.count(1)

    def word(kind: str) -> str:
        return f"{kind}-zq{next(serial):04}qz"

    def add(parent: Tenant | None, kind: TenantKind, *, external: bool = False) -> Tenant:
        made = factories.tenant(connection, parent, kind, name=word("tenant"), allow_external_numbers=external)
        grove.tenants.append(made)
        grove.secrets.append(Secret(made, (made.name, made.public_id), "tenants", made.public_id))
        name = word("token")
        grove.bearer[made.id] = tokens.issue(connection, made.id, name)
        token = connection.execute(
            sa.select(tables.tokens.c.public_id).where(tables.tokens.c.name == name)
        ).scalar_one()
        grove.secrets.append(Secret(made, (name, token), "tokens", token))
        for above in (parent, made) if parent is not None else (made,):
            maker = word("maker")
            tokens.create(connection, made.id, word("made"), maker=Actor(above, maker))
            grove.secrets.append(Secret(above, (maker,), "makers", maker))
        name, author = word("profile"), word("author")
        public = import_profiles.save(connection, made.id, name, {}, {}, (), author)
        grove.secrets += [
            Secret(made, (name, public), "import-profiles", public),
            Secret(made, (author,), "authors", author),
        ]
        if kind is not TenantKind.ENTERPRISE:
            for service in ("voice", "sms"):
                name = word("carrier")
                inner = factories.carrier(connection, made, service, name, default=True)
                public = factories.public_id(connection, tables.carriers, inner)
                grove.secrets.append(Secret(made, (name, public), "carriers", public))
        return made

    master = add(None, TenantKind.MASTER_RESELLER)
    for enterprises in tree:
        reseller = add(master, TenantKind.RESELLER)
        for external, staff in enterprises:
            enterprise = add(reseller, TenantKind.ENTERPRISE, external=external)
            for _ in range(staff):
                name = word("user")
                inner = factories.user(connection, enterprise, name=name, email=f"{name}@x.example", sms_enabled=True)
                users.setdefault(enterprise.id, []).append(inner)
                public = factories.public_id(connection, tables.users, inner)
                grove.secrets.append(Secret(enterprise, (name, public), "users", public))
    by_id = {tenant.id: tenant for tenant in grove.tenants}
    for place, (holder_place, up, user_place) in enumerate(held):
        holder = grove.tenants[holder_place % len(grove.tenants)]
        uploader = by_id[holder.path[max(len(holder.path) - 1 - up, 0)]]
        staff_here = users.get(holder.id, [])
        e164 = 12125550100 + place
        factories.number(
            connection,
            e164,
            holder,
            uploader_id=uploader.id,
            sms=True,
            sms_user_id=staff_here[user_place % len(staff_here)] if staff_here else None,
        )
        grove.secrets.append(Secret(holder, (f"+{e164}",), "numbers", f"+{e164}"))
    return grove


def add_jobs(api: Door, grove: Grove) -> None:
    """An export of every tenant, and an upload of all that may, each of a number of its own; with reports."""
    for place, tenant in enumerate(grove.tenants):
        door = api.as_(grove.bearer[tenant.id])
        export = door.done(door.post("/v1/exports", {"format": ("csv", "jsonl")[place % 2]}))["id"]
        grove.secrets.append(Secret(tenant, (export,), "exports", export))
        if tenant.kind is TenantKind.ENTERPRISE and not tenant.allow_external_numbers:
            continue
        e164 = 12125550150 + place
        name = f"file-zq{place}-{tenant.id}qz.csv"
        content = sheets.csv_bytes([sheets.HEADER, ("1", str(e164 - 10**10), "FALSE", "FALSE", "TRUE")])
        job = door.upload(content, name)["id"]
        grove.secrets.append(Secret(tenant, (job, name), "jobs", job))
        grove.secrets.append(Secret(tenant, (f"+{e164}",), "numbers", f"+{e164}"))


def lists(grove: Grove) -> Iterator[str]:
    """Every route that lists, with filters that name what may be another's."""
    yield from (
        f"/v1/{kind}" for kind in ("tenants", "users", "carriers", "import-profiles", "tokens", "numbers", "jobs")
    )
    yield "/v1/changes?limit=1000"
    yield from ("/v1/numbers?q=1212&count=true", "/v1/numbers?status=assigned", "/v1/numbers?capability=sms")
    for secret in grove.secrets:
        if secret.kind == "tenants":
            yield from (f"/v1/numbers?tenant_id={secret.key}&count=true", f"/v1/users?tenant_id={secret.key}")
        elif secret.kind == "users":
            yield from (f"/v1/numbers?user_id={secret.key}&count=true", f"/v1/users?q={secret.words[0]}")
        elif secret.kind == "carriers":
            yield f"/v1/numbers?carrier={secret.words[0]}&count=true"
        if secret.kind in {"tenants", "users", "carriers", "import-profiles", "tokens", "jobs"}:
            yield f"/v1/{secret.kind}?cursor={secret.key}"


def knows(reader: Tenant, secret: Secret) -> bool:
    """Whether the secret may appear before the reader."""
    if secret.kind == "import-profiles":  # R32
        return reader.is_within(secret.owner)
    if secret.kind == "authors":  # who created a profile
        return reader == secret.owner
    if secret.owner.is_within(reader):
        return True
    # Above: who uploaded a number, and carriers that may be used.
    return secret.kind in {"tenants", "carriers"} and reader.is_within(secret.owner)


def check_reader(door: Door, grove: Grove, reader: Tenant) -> None:
    hidden = [secret for secret in grove.secrets if not knows(reader, secret)]
    words = [word for secret in hidden for word in secret.words]
    for route in ("/v1/numbers.csv", "/v1/numbers.jsonl", *lists(grove)):
        answer = door.get(route)
        assert answer.status_code in {200, 422}, route
        said = text_of(answer) + str(answer.headers)
        # What was asked by name may be repeated in a link to the next page.
        assert not [word for word in words if word in said.replace(route, "") and word not in route], (reader, route)
        named = next((secret for secret in hidden if secret.key in route or secret.words[0] in route), None)
        if named is not None and answer.status_code == 200 and "cursor=" not in route:
            assert answer.json["data"] == []
            assert answer.json.get("total", 0) in {0, None}
    absent = Absent(door)
    for secret in grove.secrets:
        own = secret.owner.is_within(reader) or (secret.kind == "carriers" and knows(reader, secret))
        own = knows(reader, secret) if secret.kind == "import-profiles" else own
        for tail in TAILS.get(secret.kind, ("",)):
            _check_by_id(door, absent, secret, tail, own=own, words=words)


@dataclass(frozen=True)
class Absent:
    """The refusal of an id that does not exist: requested once for each kind, as it depends on nothing else."""

    door: Door
    _known: dict[tuple[str, str], TestResponse] = field(default_factory=dict)

    def read(self, kind: str, tail: str) -> TestResponse:
        key = "+19999999999" if kind == "numbers" else NOBODY
        return self._once("get", f"/v1/{kind}/{key}{tail}")

    def decide(self, deed: str) -> TestResponse:
        return self._once("post", f"/v1/jobs/{NOBODY}/{deed}")

    def _once(self, method: str, path: str) -> TestResponse:
        if (method, path) not in self._known:
            self._known[method, path] = getattr(self.door, method)(path)
        return self._known[method, path]


def _check_by_id(door: Door, absent: Absent, secret: Secret, tail: str, *, own: bool, words: list[str]) -> None:
    if secret.kind in {"tokens", "authors", "makers"}:
        return  # tokens are listed and revoked, never read one by one
    kind = "jobs" if secret.kind == "exports" else secret.kind
    answer = door.get(f"/v1/{kind}/{secret.key}{tail}")
    if own:
        assert answer.status_code == 200, (secret, tail)
        said = text_of(answer) + str(answer.headers)
        assert not [word for word in words if word in said], (secret, tail)
        return
    nobodys = absent.read(kind, tail)
    assert (answer.status_code, answer.data) == (nobodys.status_code, nobodys.data) == (404, nobodys.data)
    if kind == "jobs" and not tail:
        for deed in ("confirm", "cancel", "undo"):
            answers = [door.post(f"/v1/jobs/{secret.key}/{deed}"), absent.decide(deed)]
            assert answers[0].status_code == answers[1].status_code == 404
            assert answers[0].data == answers[1].data


@pytest.mark.long
@pytest.mark.timeout(1800 if NIGHTLY else 900)  # thousands of requests, on a machine that may be busy
@pytest.mark.parametrize("part", range(2))
def test_r3_nothing_from_outside_ever_appears(part: int, api: Door, database: sa.Engine) -> None:
    """Lists with every filter and cursor, things by id, rows, reports: as every tenant of the tree."""

    @settings(
        max_examples=40 if NIGHTLY else 5,
        deadline=None,
        derandomize=not NIGHTLY,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(tree=trees, held=holdings)
    def look(tree: list[list[tuple[bool, int]]], held: list[tuple[int, int, int]]) -> None:
        with database.begin() as connection:
            grove = plant(connection, tree, held)
        add_jobs(api, grove)
        for reader in grove.tenants:
            check_reader(api.as_(grove.bearer[reader.id]), grove, reader)

    vars(look)["hypothesis"].inner_test.__qualname__ = f"look_{part}"  # what the derandomised examples are drawn from
    look()
