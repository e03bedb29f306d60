"""Who is asking: a bearer token (RFC 6750) names the actor, or the request ends here (R4)."""

from __future__ import annotations

from flask import g, request

from schemas.permissions import Actor
from schemas.request_problems import RequestCode
from webhook.http.errors import refuse
from webhook.http.request_bodies import check_body
from worker.accounts import tokens
from worker.database.engine import transaction


def require_actor() -> None:
    """Before every request of a protected blueprint. An expired, revoked or unknown token: all the same 401.

    Bodies that no route takes are refused here as well.
    """
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    actor = None
    if scheme.lower() == "bearer" and token:
        with transaction() as connection:
            actor = tokens.actor_of(connection, token.strip())
    if actor is None:
        raise refuse(RequestCode.UNAUTHENTICATED)
    g.actor = actor
    check_body(request)  # of a known actor only: it costs more than a refusal


def actor() -> Actor:
    """The actor of this request."""
    found: Actor = g.actor
    return found
