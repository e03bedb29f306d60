"""API authentication: a bearer token (RFC 6750) identifies the actor, or the request is refused (R4, R35)."""

from __future__ import annotations

from flask import current_app, g, request

from schemas import permissions
from schemas.permissions import Actor
from schemas.request_problems import RequestCode
from schemas.roles import Operation
from webhook.http import access, quotas, request_logs
from webhook.http.client_address import forwarded_address
from webhook.http.errors import refuse
from webhook.http.query_strings import check_query
from webhook.http.request_bodies import check_body
from worker.accounts import tokens
from worker.accounts.tokens import Bearer
from worker.config.settings import get_settings
from worker.database.engine import transaction


def require_actor() -> None:
    """Authenticate a request of a protected blueprint, before its view runs, and check what the view needs (R35).

    An expired, revoked or unknown token gets the same 401. Counts the request against the rate of its tenant (R37).
    Also refuses invalid queries and bodies on routes that would not read them.
    """
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    bearer = _bearer_of(secret.strip()) if scheme.lower() == "bearer" and secret else None
    if bearer is None:
        raise refuse(RequestCode.UNAUTHENTICATED)
    g.actor = bearer.actor
    request_logs.bind_actor(bearer.actor)
    quotas.count_request(bearer.actor.tenant, bearer.request_limit)
    require(access.operation_of(current_app.view_functions[request.endpoint or ""]))
    check_query(request)
    check_body(request)  # only once the actor is known: it costs more than a refusal


def actor() -> Actor:
    """Return the actor of this request."""
    current_actor: Actor = g.actor
    return current_actor


def require(operation: Operation) -> None:
    """Refuse the request unless its actor may do this too: for what the body of a request asks for (R35)."""
    access.check(actor(), operation)


def client_address() -> str:
    """Return the address that this request comes from."""
    peer = request.remote_addr or ""
    named = forwarded_address(peer, request.headers.get("X-Forwarded-For", ""), get_settings().networks_of_proxies)
    return peer if named is None else named


def _bearer_of(secret: str) -> Bearer | None:
    """Return who acts with a valid token, and record its use. Refuses addresses outside of the token's networks."""
    address = client_address()
    with transaction() as connection:
        bearer = tokens.find(connection, secret)
        if bearer is None:
            return None
        code = permissions.check_network(bearer.token.limits, address)
        if code is not None:
            detail = f"This token doesn't work from {address[:_LONGEST_ADDRESS]}."
            raise refuse(code, detail, fix="Use it from one of its networks, or create a token for this one.")
        if bearer.is_due:
            tokens.record_use(connection, bearer.token.id, address[:_LONGEST_ADDRESS])
    return bearer


_LONGEST_ADDRESS = 64  # characters: more than any address, but not all that a proxy may pass on
