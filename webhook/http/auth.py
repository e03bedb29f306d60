"""API authentication: a bearer token (RFC 6750) identifies the actor, or the request is refused (R4)."""

from __future__ import annotations

from flask import g, request

from schemas.permissions import Actor
from schemas.request_problems import RequestCode
from webhook.http.errors import refuse
from webhook.http.query_strings import check_query
from webhook.http.request_bodies import check_body
from worker.accounts import tokens
from worker.database.engine import transaction


def require_actor() -> None:
    """Authenticate a request of a protected blueprint, before its view runs.

    An expired, revoked or unknown token gets the same 401. Also refuses invalid queries and bodies on routes that would
    not read them.
    """
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    actor = None
    if scheme.lower() == "bearer" and token:
        with transaction() as connection:
            actor = tokens.actor_of(connection, token.strip())
    if actor is None:
        raise refuse(RequestCode.UNAUTHENTICATED)
    g.actor = actor
    check_query(request)
    check_body(request)  # only once the actor is known: it costs more than a refusal


def actor() -> Actor:
    """Return the actor of this request."""
    current_actor: Actor = g.actor
    return current_actor
