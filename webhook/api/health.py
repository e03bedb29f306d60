"""`/livez`, `/readyz`: is the process alive, and can it do its work."""

from __future__ import annotations

from collections.abc import Callable

import redis
import sqlalchemy as sa
from apiflask import APIBlueprint
from flask import Response

from schemas import api
from worker.infra import storage
from worker.infra.db import transaction
from worker.infra.settings import get_settings

bp = APIBlueprint("health", __name__, tag="Service")


@bp.get("/livez")
@bp.output(api.Health)
@bp.doc(summary="The process answers")
def livez() -> Response:
    return _answer([])


@bp.get("/readyz")
@bp.output(api.Health)
@bp.doc(summary="Database, broker and storage can be reached", responses={503: "One of them cannot"})
def readyz() -> Response:
    return _answer([name for name, check in CHECKS.items() if not _passes(check)])


def _answer(failing: list[str]) -> Response:
    body = api.Health(status="unavailable" if failing else "ok", failing=failing)
    return Response(body.model_dump_json(), 503 if failing else 200, content_type="application/json")


def _passes(check: Callable[[], object]) -> bool:
    try:
        check()
    except Exception:  # noqa: BLE001 - whatever it is, the part cannot be used now
        return False
    return True


def _database() -> None:
    with transaction() as connection:
        connection.execute(sa.text("SELECT 1 FROM alembic_version"))


def _broker() -> None:
    url = get_settings().redis_url
    if url is None:
        raise LookupError("NUMBERYARD_REDIS_URL is not set")
    with redis.Redis.from_url(url.get_secret_value(), socket_timeout=1, socket_connect_timeout=1) as client:
        client.ping()


CHECKS: dict[str, Callable[[], object]] = {"database": _database, "broker": _broker, "storage": storage.check}
