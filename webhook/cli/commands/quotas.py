"""`numberyard quotas`: show and set the quotas of a tenant. Uses the database directly, as only its operator can."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError, ProgrammingError

from schemas.permissions import Tenant
from schemas.quotas import QUOTA_TEXTS, Quota
from webhook.cli.exit_codes import Exit, Failed
from webhook.cli.output import json_option
from webhook.cli.tables import table
from webhook.cli.terminal import emit, note, safe
from worker.accounts import tenant_quotas
from worker.config.errors import reason_of
from worker.config.settings import get_settings
from worker.database import quotas as limits
from worker.database.engine import make_engine
from worker.runtime.external_servers import check_database
from worker.runtime.processes.child import ServerError

_LARGEST = 2**63 - 1


class _Limit(click.ParamType):  # type: ignore[type-arg] # generic only in newer releases of click
    """A whole number, `none` for no limit (stored as 0), or `default` for the limit of the settings (None)."""

    name = "limit"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        text = str(value).strip().lower()
        if text == "default":
            return text
        if text == "none":
            return limits.NO_LIMIT
        if not text.isascii() or not text.isdecimal() or int(text) > _LARGEST:
            self.fail(
                "use a whole number, “none” for no limit, or “default” for the limit of the settings.", param, ctx
            )
        return int(text)


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    for quota in reversed(Quota):
        text = QUOTA_TEXTS[quota]
        name = f"--{quota.value.replace('_', '-')}"
        command = click.option(name, quota.value, type=_Limit(), metavar="N", help=f"{text.label}. {text.meaning}")(
            command
        )
    return command


@click.group()
def quotas() -> None:
    """Show and set the quotas of a tenant, in NUMBERYARD_DATABASE_URL.

    Where a tenant has no quota of its own, the settings NUMBERYARD_QUOTA_... apply: here those in the environment of
    this command.
    """


@quotas.command()
@click.argument("tenant", metavar="TENANT")
@json_option
def show(*, tenant: str, as_json: bool) -> Exit:
    """Show the quotas of a tenant, given by its ID or name, and which of them are its own."""
    with _database() as connection:
        owner = _find(connection, tenant)
        return _show(owner, tenant_quotas.own(connection, owner.id), as_json=as_json)


@quotas.command("set")
@click.argument("tenant", metavar="TENANT")
@_options
@json_option
def set_command(*, tenant: str, as_json: bool, **values: int | str | None) -> Exit:
    """Set quotas of a tenant, given by its ID or name. They hold from the next request on.

    N is a whole number, “none” for no limit, or “default” for the limit of the settings. Quotas that are not named stay
    as they are.
    """
    chosen = {Quota(name): None if value == "default" else value for name, value in values.items() if value is not None}
    if not chosen:
        raise click.UsageError("Name at least one quota, such as --rows-per-day 1000000.")
    with _database() as connection:
        owner = _find(connection, tenant)
        tenant_quotas.change(connection, owner.id, {quota: _number(value) for quota, value in chosen.items()})
        return _show(owner, tenant_quotas.own(connection, owner.id), as_json=as_json)


def _number(value: int | str | None) -> int | None:
    return None if value is None else int(value)


def _show(owner: Tenant, own: dict[Quota, int | None], *, as_json: bool) -> Exit:
    effective = {quota: limits.limit_of(quota, value) for quota, value in own.items()}
    if as_json:
        entries = [
            {"name": quota.value, "limit": effective[quota] or None, "is_own": value is not None}
            for quota, value in own.items()
        ]
        emit({"tenant": {"id": owner.public_id, "name": owner.name, "kind": owner.kind.value}, "data": entries})
        return Exit.OK
    note(f"{safe(owner.name)} ({owner.public_id})")
    rows = [
        (quota.value, effective[quota] or "none", "own" if value is not None else "settings")
        for quota, value in own.items()
    ]
    table(("Quota", "Limit", "Set by"), rows)
    return Exit.OK


def _find(connection: sa.Connection, name_or_id: str) -> Tenant:
    found = tenant_quotas.find(connection, name_or_id)
    if not found:
        detail = "There is no tenant with this ID or name."
        raise Failed({"code": "NOT_FOUND", "detail": detail, "value": name_or_id}, Exit.NOT_FOUND)
    if len(found) > 1:
        ids = ", ".join(tenant.public_id for tenant in found)
        detail = "Several tenants have this name."
        raise Failed(
            {"code": "INVALID_FIELD", "detail": detail, "fix": f"Use one of the IDs {ids}.", "value": name_or_id},
            Exit.REFUSED,
        )
    return found[0]


@contextmanager
def _database() -> Iterator[sa.Connection]:
    settings = get_settings()
    try:
        check_database(settings)
    except LookupError as error:
        raise click.UsageError(str(error)) from error
    except ServerError as error:
        raise Failed({"code": "UNREACHABLE", "detail": str(error)}, Exit.UNREACHABLE) from error
    engine = make_engine(settings)
    try:
        with engine.begin() as connection:
            yield connection
    except ProgrammingError as error:  # no such table
        problem = {"code": "NOT_MIGRATED", "detail": "The database doesn't have the tables of this version."}
        raise Failed({**problem, "fix": "Run `numberyard migrate` first."}, Exit.REFUSED) from error
    except OperationalError as error:
        raise Failed({"code": "UNREACHABLE", "detail": reason_of(error)}, Exit.UNREACHABLE) from error
    finally:
        engine.dispose()
