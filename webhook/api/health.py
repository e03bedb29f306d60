"""`/livez`, `/readyz`: whether the process is alive, and whether its dependencies are available."""

from __future__ import annotations

from collections.abc import Callable

from apiflask import APIBlueprint
from flask import Response
from redis.backoff import NoBackoff
from redis.retry import Retry

from schemas.http import resources
from webhook.http.concurrency_limits import READINESS
from webhook.http.readiness import Readiness
from worker.config.settings import get_settings
from worker.database import schema_version
from worker.database.engine import transaction
from worker.database.schema_version import ProcessKind
from worker.queue import broker
from worker.storage import files

BROKER_SECONDS = 1.0
bp = APIBlueprint("health", __name__, tag="Service")


@bp.get("/livez")
@bp.output(resources.Health)
@bp.doc(operation_id="get_liveness", summary="Check that the process responds")
def livez() -> Response:
    """Asks no dependency: a process that responds is alive."""
    return _health_response([])


@bp.get("/readyz")
@bp.output(resources.Health)
@bp.doc(
    operation_id="get_readiness",
    summary="Check that database, broker and storage can be reached",
    responses={503: "At least one is unreachable"},
)
def readyz() -> Response:
    """While many such requests run, the latest result is returned."""
    # While many such requests run, return the latest result: refusals would make the service appear unready.
    if READINESS.try_acquire():
        try:
            return _health_response(readiness.failing())
        finally:
            READINESS.release()
    if readiness.latest is None:
        raise READINESS.refusal()
    return _health_response(readiness.latest)


def _health_response(failing: list[str]) -> Response:
    body = resources.Health(status="unavailable" if failing else "ok", failing=failing)
    return Response(body.model_dump_json(), 503 if failing else 200, content_type="application/json")


def _database() -> None:
    """Raise if the database does not respond, or has tables that this process cannot use; `not_ready` logs why."""
    with transaction() as connection:
        schema_version.check(connection, ProcessKind.WEB)


def _broker() -> None:
    # No retries: they would take longer than the deadline.
    with broker.client(get_settings(), BROKER_SECONDS, retry=Retry(NoBackoff(), 0)) as client:
        client.ping()


CHECKS: dict[str, Callable[[], object]] = {"database": _database, "broker": _broker, "storage": files.check}
readiness = Readiness(CHECKS)
