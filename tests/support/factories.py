"""One builder per table, and a tree of tenants that most tests start from. Knows no rules, only what columns want."""

from __future__ import annotations

import itertools
import uuid
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from schemas.database import tables
from schemas.job_kinds import JobKind
from schemas.jobs import JobOptions
from schemas.permissions import Tenant, TenantKind
from tests.support.servers import databases
from worker.accounts import tokens
from worker.database import tenant_scope
from worker.jobs import submit

_names = itertools.count(1)


@dataclass(frozen=True)
class Account:
    """A tenant and a token of its admin."""

    tenant: Tenant
    token: str

    @property
    def id(self) -> int:
        return self.tenant.id


@dataclass(frozen=True)
class World:
    """The tree that `grow` makes. `clinic` has Allow External Numbers, `hotel` has not; `school` is below `south`."""

    master: Account
    north: Account
    south: Account
    clinic: Account
    hotel: Account
    school: Account
    carriers: dict[str, int]

    @property
    def secrets_of_south(self) -> tuple[str, ...]:
        """What must never reach `north`: names and public ids of its sibling's tree (R3)."""
        return tuple(
            text for account in (self.south, self.school) for text in (account.tenant.name, account.tenant.public_id)
        )


def tenant(
    connection: sa.Connection,
    parent: Tenant | None = None,
    kind: TenantKind = TenantKind.MASTER_RESELLER,
    *,
    name: str = "",
    allow_external_numbers: bool = False,
    **columns: Any,  # noqa: ANN401 - further columns
) -> Tenant:
    """A tenant below `parent`."""
    values = {
        "kind": kind,
        "name": name or f"Tenant {next(_names)}",
        "allow_external_numbers": allow_external_numbers,
        "parent_id": None if parent is None else parent.id,
        "path": [],
        **columns,
    }
    made = connection.execute(tables.tenants.insert().values(values).returning(tables.tenants.c.id)).scalar_one()
    path = [*(() if parent is None else parent.path), made]
    connection.execute(tables.tenants.update().where(tables.tenants.c.id == made).values(path=path))
    return tenant_scope.tenant_by_id(connection, made)


def carrier(connection: sa.Connection, owner: Tenant, service: str, name: str, *, default: bool = False) -> int:
    """A carrier ("voice" or "sms"); if wanted its owner's default. Answers its id."""
    values = {"tenant_id": owner.id, "service": service, "name": name}
    made: int = connection.execute(tables.carriers.insert().values(values).returning(tables.carriers.c.id)).scalar_one()
    if default:
        set_default(connection, owner, service, made)
    return made


def set_default(connection: sa.Connection, owner: Tenant, service: str, carrier_id: int | None) -> None:
    """Name a tenant's default carrier of a service, or none."""
    column = {f"default_{service}_carrier_id": carrier_id}
    connection.execute(tables.tenants.update().where(tables.tenants.c.id == owner.id).values(column))


def token(connection: sa.Connection, owner: Tenant, **columns: Any) -> str:  # noqa: ANN401 - columns of the table
    """A token, as its bearer shows it; `expires_at` and `revoked_at` may be given."""
    name = f"token {next(_names)}"
    made = tokens.issue(connection, owner.id, name)
    if columns:
        connection.execute(tables.tokens.update().where(tables.tokens.c.name == name).values(columns))
    return made


def number(connection: sa.Connection, e164: int, holder: Tenant, **columns: Any) -> int:  # noqa: ANN401 - columns
    """A phone number with Voice on, uploaded by its holder unless told otherwise."""
    numbers(connection, [number_row(e164, holder, **columns)])
    return e164


def number_row(e164: int, holder: Tenant, **columns: Any) -> dict[str, Any]:  # noqa: ANN401 - columns
    """The columns of such a number."""
    return {
        "e164": e164,
        "created_job_id": 0,
        "changed_job_id": 0,
        "holder_id": holder.id,
        "uploader_id": holder.id,
        "voice": True,
        "sms": False,
        "fax": False,
        "country": "US",
        **columns,
    }


def numbers(connection: sa.Connection, rows: list[dict[str, Any]]) -> None:
    """Insert phone numbers, all with the same columns. Their holdings are derived once, from the whole table."""
    connection.execute(tables.phone_numbers.insert(), rows)
    connection.execute(sa.text(databases.NOTE_HOLDINGS))


def job(connection: sa.Connection, owner: Tenant, options: JobOptions | None = None, name: str = "a.csv") -> str:
    """A job whose file has just arrived (nothing is in the storage). Answers its public id."""
    public_id = str(uuid.uuid4())
    sha256 = uuid.uuid4().bytes * 2
    file = submit.File(name, 10, sha256)
    submit.submit(connection, submit.NewJob(public_id, owner.id, "test", JobKind.UPLOAD, options or JobOptions(), file))
    return public_id


def grow(connection: sa.Connection) -> World:
    """A master with default carriers, two resellers with carriers of their own, enterprises below them."""
    master = tenant(connection, name="Meridian Master")
    carriers = {
        "Master Voice": carrier(connection, master, "voice", "Master Voice", default=True),
        "Master SMS": carrier(connection, master, "sms", "Master SMS", default=True),
    }
    north = tenant(connection, master, TenantKind.RESELLER, name="Northern Reseller")
    south = tenant(connection, master, TenantKind.RESELLER, name="Southern Reseller")
    for owner, word in ((north, "North"), (south, "South")):
        for service in ("voice", "sms"):
            carriers[f"{word} {service}"] = carrier(connection, owner, service, f"{word} {service}")
    below = TenantKind.ENTERPRISE
    clinic = tenant(connection, north, below, name="Clinic Enterprise", allow_external_numbers=True)
    hotel = tenant(connection, north, below, name="Hotel Enterprise")
    school = tenant(connection, south, below, name="School Enterprise", allow_external_numbers=True)
    tree = {"master": master, "north": north, "south": south, "clinic": clinic, "hotel": hotel, "school": school}
    return World(**{name: Account(one, token(connection, one)) for name, one in tree.items()}, carriers=carriers)


@dataclass(frozen=True)
class Snapshot:
    """A world, and the statements that insert its rows into an empty database."""

    world: World
    statements: str


def snapshot(connection: sa.Connection) -> Snapshot:
    """Grow a world in an empty database and read its rows: to insert them takes a tenth of the time."""
    world = grow(connection)
    grown = (tables.tenants, tables.carriers, tables.tokens)
    inserts = [_insertion(connection, table) for table in grown]
    defaults = [column.name for column in tables.tenants.c if column.name.startswith("default_")]
    columns = ", ".join(f"{name} = grown.{name}" for name in defaults)
    inserts.append(
        f"UPDATE tenants SET {columns} FROM {_recordset(connection, tables.tenants)} grown WHERE grown.id = tenants.id"  # noqa: S608
    )
    ids = [f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}" for table in grown]  # noqa: S608
    return Snapshot(world, ";\n".join([*inserts, *ids]))


def _insertion(connection: sa.Connection, table: sa.Table) -> str:
    """Times are of the insertion; tenants and their default carriers refer to each other, so these come later."""
    names = [column.name for column in table.c if column.server_default is None or column.identity is not None]
    names += [name for name in ("public_id", "allow_external_numbers") if name in table.c]
    columns = ", ".join(name for name in names if not name.startswith("default_"))
    rows = _recordset(connection, table)
    return f"INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE SELECT {columns} FROM {rows}"  # noqa: S608


def _recordset(connection: sa.Connection, table: sa.Table) -> str:
    rows = connection.execute(sa.text(f"SELECT json_agg({table})::text FROM {table}")).scalar_one()  # noqa: S608
    return f"json_populate_recordset(NULL::{table}, $rows${rows}$rows$)"


def admin(connection: sa.Connection, owner: Tenant, email: str, role: str = "admin") -> int:
    """A person of the tenant who can sign in, made once. Answers its inner id."""
    values = {"tenant_id": owner.id, "email": email, "password_hash": "none", "role": role}
    insertion = insert(tables.admins).values(values).on_conflict_do_update(index_elements=["email"], set_=values)
    made: int = connection.execute(insertion.returning(tables.admins.c.id)).scalar_one()
    return made


def user(connection: sa.Connection, owner: Tenant, kind: str = "pbx", **columns: Any) -> int:  # noqa: ANN401 - columns
    """A user of an enterprise. Answers its inner id."""
    number = next(_names)
    values = {
        "tenant_id": owner.id,
        "kind": kind,
        "name": f"User {number}",
        "email": f"user{number}@x.example",
        **columns,
    }
    made: int = connection.execute(tables.users.insert().values(values).returning(tables.users.c.id)).scalar_one()
    return made


def public_id(connection: sa.Connection, table: sa.Table, inner_id: int) -> str:
    """What a thing is called outside."""
    found: str = connection.execute(sa.select(table.c.public_id).where(table.c.id == inner_id)).scalar_one()
    return found
