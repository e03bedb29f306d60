"""A small tenant tree for trying out Numberyard, created once per data folder; its passwords are random."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from schemas.database import tables
from schemas.permissions import Tenant, TenantKind
from worker.accounts import first_account, passwords, tenants, tokens
from worker.config.settings import Settings
from worker.database import tenant_scope
from worker.database.engine import make_engine
from worker.runtime.processes.child import ServerError

FILE = "demo.json"
_IDLE_SECONDS = 60  # for the transaction that creates the accounts; hashing their passwords takes time


@dataclass(frozen=True)
class _Plan:
    """A tenant to create, its child tenants, and the carriers that it defines."""

    name: str
    kind: TenantKind
    carriers: tuple[tuple[str, str], ...] = ()
    below: tuple[_Plan, ...] = ()
    allow_external_numbers: bool = False


def _enterprises(first: str, second: str) -> tuple[_Plan, ...]:
    return (
        _Plan(first, TenantKind.ENTERPRISE, allow_external_numbers=True),
        _Plan(second, TenantKind.ENTERPRISE),
    )


TREE = _Plan(
    "Meridian Communications",
    TenantKind.MASTER_RESELLER,
    carriers=(("voice", "Meridian Voice"), ("sms", "Meridian SMS")),
    below=(
        _Plan(
            "Harbour Telecom",
            TenantKind.RESELLER,
            carriers=(("voice", "Harbour SIP"), ("sms", "Harbour Messaging")),
            below=_enterprises("Ashford Clinics", "Brightwater Hotels"),
        ),
        _Plan(
            "Summit Networks",
            TenantKind.RESELLER,
            carriers=(("voice", "Summit SIP"), ("sms", "Summit Messaging")),
            below=_enterprises("Copperfield Logistics", "Dunmore Insurance"),
        ),
    ),
)


# Name, kind, SMS service, and the extension of a user created before extensions were abolished.
USERS = (
    ("Ada Lindqvist", "pbx", False, None),
    ("Bela Moreno", "pbx", True, None),
    ("Carl Trunk", "trunk", False, None),
    ("Dora Gateway", "trunk", True, "+14312345678"),
)


def seed(settings: Settings, folder: Path) -> list[dict[str, Any]]:
    """Return the accounts of the demo tree, as `demo.json` lists them.

    The first call creates them, later ones read the file. If the tree exists without the file (the first start was
    interrupted), the accounts get new tokens and passwords, because the old ones are lost.
    """
    path = folder / FILE
    if path.exists():
        accounts: list[dict[str, Any]] = json.loads(path.read_text())["accounts"]
        return accounts
    engine = make_engine(settings)
    accounts = []
    try:
        with engine.begin() as connection:
            # On a busy machine one hash may take longer than a short lease, after which the server would end it.
            connection.exec_driver_sql(f"SET LOCAL idle_in_transaction_session_timeout = '{_IDLE_SECONDS}s'")
            _check_root(connection)
            _plant(connection, TREE, None, accounts)
    finally:
        engine.dispose()
    return accounts


def write(folder: Path, facts: dict[str, Any]) -> None:
    """Write `demo.json` atomically and readable by its owner only, because it contains tokens."""
    path = folder / FILE
    draft = path.with_suffix(".part")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:  # noqa: PTH123 - the mode
        json.dump(facts, file, indent=2)
    draft.replace(path)


def _check_root(connection: sa.Connection) -> None:
    """Raise ServerError if the database has another tree: there is only one (R1), and the demo's would be a second."""
    root = first_account.root(connection)
    if root is not None and root.name != TREE.name:
        raise ServerError("the database has a Master Reseller of its own: the demo needs an empty one")


def _plant(connection: sa.Connection, plan: _Plan, parent: Tenant | None, accounts: list[dict[str, Any]]) -> None:
    tenant = _find(connection, plan, parent) or _make(connection, plan, parent)
    accounts.append(_account(connection, plan, tenant, parent))
    if plan.kind is TenantKind.ENTERPRISE:
        _hire(connection, plan, tenant)
    for child in plan.below:
        _plant(connection, child, tenant, accounts)


def _find(connection: sa.Connection, plan: _Plan, parent: Tenant | None) -> Tenant | None:
    under = tables.tenants.c.parent_id.is_(None) if parent is None else tables.tenants.c.parent_id == parent.id
    row = connection.execute(
        tenant_scope.select_tenants().where(under, tables.tenants.c.name == plan.name)
    ).one_or_none()
    return None if row is None else tenant_scope.tenant_of(row)


def _make(connection: sa.Connection, plan: _Plan, parent: Tenant | None) -> Tenant:
    tenant = tenants.create(
        connection, parent, plan.kind, plan.name, allow_external_numbers=plan.allow_external_numbers
    )
    for service, name in plan.carriers:
        carrier = tables.carriers.insert().values(tenant_id=tenant.id, service=service, name=name)
        carrier_id = connection.execute(carrier.returning(tables.carriers.c.id)).scalar_one()
        if plan.kind is TenantKind.MASTER_RESELLER:
            tenants.change(connection, tenant.id, {f"default_{service}_carrier_id": carrier_id})
    return tenant


def _hire(connection: sa.Connection, plan: _Plan, tenant: Tenant) -> None:
    """Create users of each kind (R2, R22). Existing ones are not changed."""
    people = [
        {"name": name, "kind": kind, "sms_enabled": sms, "extension": extension, "tenant_id": tenant.id,
         "email": f"{name.split()[0].lower()}@{_domain(plan)}"}
        for name, kind, sms, extension in USERS
    ]  # fmt: skip
    connection.execute(insert(tables.users).on_conflict_do_nothing(), people)


def _domain(plan: _Plan) -> str:
    return f"{plan.name.lower().replace(' ', '-')}.example"


def _account(connection: sa.Connection, plan: _Plan, tenant: Tenant, parent: Tenant | None) -> dict[str, Any]:
    """Create an admin account and a token for a tenant."""
    email = f"admin@{_domain(plan)}"
    password = passwords.made_up()
    hashed = passwords.hashed(password)
    admin = insert(tables.admins).values(tenant_id=tenant.id, email=email, password_hash=hashed)
    connection.execute(admin.on_conflict_do_update(index_elements=["email"], set_={"password_hash": hashed}))
    return {
        "name": plan.name,
        "kind": plan.kind.value,
        "tenant_id": tenant.public_id,
        "parent_id": None if parent is None else parent.public_id,
        "token": tokens.issue(connection, tenant.id, "demo"),
        "email": email,
        "password": password,
    }
