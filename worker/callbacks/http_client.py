"""HTTP client for untrusted addresses: sends one POST and reads only the head of the response.

The connection is made by `worker.callbacks.pinned_network`, which checks its address. One deadline covers everything,
including redirects, and every hop is checked again. No proxy, no cookies, nothing from the environment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin

import httpcore

from schemas import callback_urls
from schemas.callback_urls import Network, Url
from schemas.http.callbacks import DeliveryResult
from worker.callbacks.pinned_network import Backend, Deadline, Resolver, UndeliveredError, system_resolver
from worker.config import tls

KEEP_METHOD = frozenset({301, 302, 307, 308})  # redirects that a POST may follow as a POST (RFC 9110, section 15.4)
REDIRECTS = range(300, 400)


@dataclass(frozen=True)
class Answer:
    """The used parts of a response's head."""

    status: int
    location: str | None
    retry_after: str | None


@dataclass(frozen=True)
class Rules:
    """Limits of a request: allowed private `networks`, `seconds` in total, `redirects`; and an additional CA file."""

    networks: Sequence[Network] = ()
    seconds: float = 10.0
    redirects: int = 0
    ca_file: Path | None = None
    resolve: Resolver = system_resolver


def fault_of(text: str, networks: Sequence[Network]) -> str | None:
    """Return how to correct a URL that would never be called; None if it is acceptable. Resolves nothing."""
    try:
        literal = callback_urls.literal_of(callback_urls.parse(text).host)
    except ValueError as error:
        return str(error)
    if literal is not None and not callback_urls.is_allowed(literal, networks):
        return "name a host on the public network; this address is not called"
    return None


def post(text: str, body: bytes, headers: Mapping[str, str], rules: Rules) -> Answer:
    """POST a body and return the head of the response. `UndeliveredError` if there is none, or only a redirect."""
    deadline = Deadline(rules.seconds)
    url, left = _checked(text, DeliveryResult.NOT_REACHED), rules.redirects
    while True:
        answer = _post_once(url, body, headers, rules, deadline)
        if answer.status not in REDIRECTS:
            return answer
        if not left or answer.status not in KEEP_METHOD or answer.location is None:
            raise UndeliveredError(DeliveryResult.REDIRECTED, answer.status)
        left -= 1
        url = _next(url, answer)


def _checked(text: str, otherwise: DeliveryResult, status: int | None = None) -> Url:
    try:
        return callback_urls.parse(text)
    except ValueError as error:
        raise UndeliveredError(otherwise, status) from error


def _next(url: Url, answer: Answer) -> Url:
    """Return the target of a redirect; never from TLS to plain text."""
    try:
        joined = urljoin(str(url), answer.location or "")
    except ValueError as error:
        raise UndeliveredError(DeliveryResult.REDIRECTED, answer.status) from error
    following = _checked(joined.partition("#")[0], DeliveryResult.REDIRECTED, answer.status)
    if url.scheme == "https" and following.scheme != "https":
        raise UndeliveredError(DeliveryResult.REDIRECTED, answer.status)
    return following


def _post_once(url: Url, body: bytes, headers: Mapping[str, str], rules: Rules, deadline: Deadline) -> Answer:
    sent_headers = {"Host": url.authority, **headers, "Content-Length": str(len(body)), "Connection": "close"}
    request = httpcore.Request(
        b"POST",
        httpcore.URL(scheme=url.scheme, host=url.host, port=url.port, target=url.target),
        headers=[(name.encode(), value.encode()) for name, value in sent_headers.items()],
        content=body,
    )
    connection = httpcore.HTTPConnection(
        request.url.origin,
        ssl_context=tls.client_context(rules.ca_file),
        network_backend=Backend(rules.networks, rules.resolve, deadline),
    )
    try:
        response = connection.handle_request(request)
        response_headers = {name.lower(): value.decode("latin-1") for name, value in reversed(response.headers)}
        return Answer(response.status, response_headers.get(b"location"), response_headers.get(b"retry-after"))
    except httpcore.TimeoutException as error:
        raise UndeliveredError(DeliveryResult.TIMED_OUT) from error
    except httpcore.NetworkError as error:
        raise UndeliveredError(DeliveryResult.NOT_REACHED) from error
    except httpcore.ProtocolError as error:
        raise UndeliveredError(DeliveryResult.NOT_HTTP) from error
    finally:
        connection.close()
