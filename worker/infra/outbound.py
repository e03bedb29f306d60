"""Requests to addresses that strangers chose: one POST, of whose answer only the head is read.

The host is resolved once, every address found must be allowed, and the connection goes to the very address that was
judged: a name that changes its mind in between (DNS rebinding) gains nothing. One deadline covers all of it, redirects
included. No proxy, no cookie, nothing of the environment.
"""

from __future__ import annotations

import ipaddress
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from urllib.parse import urljoin

import certifi
import httpcore

from schemas import addresses
from schemas.addresses import Address, Network, Url
from schemas.callbacks import DeliveryResult

Resolver = Callable[[str, int], Sequence[str]]
"""Host and port -> addresses, in the order in which they are to be tried. `OSError` if the name is not known."""

MOST_ADDRESSES = 4  # that are tried
MOST_HEAD = 128 * 1024  # bytes of an answer, informational ones (1xx) included
KEEP_METHOD = frozenset({301, 302, 307, 308})  # redirects that a POST may follow as a POST (RFC 9110, section 15.4)
REDIRECTS = range(300, 400)


class UndeliveredError(Exception):
    """There is no answer; `result` tells why in our own word, `status` is a redirect's, if it was one."""

    def __init__(self, result: DeliveryResult, status: int | None = None) -> None:
        super().__init__(result)
        self.result = result
        self.status = status


@dataclass(frozen=True)
class Answer:
    """The head of an answer, as far as anybody looks at it."""

    status: int
    location: str | None
    retry_after: str | None


def system_resolver(host: str, port: int) -> list[str]:
    """The addresses that the machine's own resolver finds."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


@dataclass(frozen=True)
class Rules:
    """What is allowed: private `networks`, `seconds` for everything together, `redirects`, further authorities."""

    networks: Sequence[Network] = ()
    seconds: float = 10.0
    redirects: int = 0
    ca_file: Path | None = None
    resolve: Resolver = system_resolver


def fault_of(text: str, networks: Sequence[Network]) -> str | None:
    """What to do about a URL that would never be called; None if it may be. Nothing is resolved."""
    try:
        literal = addresses.literal_of(addresses.parse(text).host)
    except ValueError as error:
        return str(error)
    if literal is not None and not addresses.is_allowed(literal, networks):
        return "name a host on the public network; this address is not called"
    return None


def post(text: str, body: bytes, headers: Mapping[str, str], rules: Rules) -> Answer:
    """POST a body and answer the head of what came back. `UndeliveredError` for everything but an answer."""
    deadline = _Deadline(rules.seconds)
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
        return addresses.parse(text)
    except ValueError as error:
        raise UndeliveredError(otherwise, status) from error


def _next(url: Url, answer: Answer) -> Url:
    """Where a redirect leads; never from TLS to plain text."""
    try:
        joined = urljoin(str(url), answer.location or "")
    except ValueError as error:
        raise UndeliveredError(DeliveryResult.REDIRECTED, answer.status) from error
    following = _checked(joined.partition("#")[0], DeliveryResult.REDIRECTED, answer.status)
    if url.scheme == "https" and following.scheme != "https":
        raise UndeliveredError(DeliveryResult.REDIRECTED, answer.status)
    return following


def _post_once(url: Url, body: bytes, headers: Mapping[str, str], rules: Rules, deadline: _Deadline) -> Answer:
    given = {"Host": url.authority, **headers, "Content-Length": str(len(body)), "Connection": "close"}
    request = httpcore.Request(
        b"POST",
        httpcore.URL(scheme=url.scheme, host=url.host, port=url.port, target=url.target),
        headers=[(name.encode(), value.encode()) for name, value in given.items()],
        content=body,
    )
    connection = httpcore.HTTPConnection(
        request.url.origin, ssl_context=_tls(rules.ca_file), network_backend=_Backend(rules, deadline)
    )
    try:
        response = connection.handle_request(request)
        found = {name.lower(): value.decode("latin-1") for name, value in reversed(response.headers)}
        return Answer(response.status, found.get(b"location"), found.get(b"retry-after"))
    except httpcore.TimeoutException as error:
        raise UndeliveredError(DeliveryResult.TIMED_OUT) from error
    except httpcore.NetworkError as error:
        raise UndeliveredError(DeliveryResult.NOT_REACHED) from error
    except httpcore.ProtocolError as error:
        raise UndeliveredError(DeliveryResult.NOT_HTTP) from error
    finally:
        connection.close()


@lru_cache(maxsize=2)
def _tls(ca_file: Path | None) -> ssl.SSLContext:
    """Certificates are verified, always, against the public authorities and those of the operator."""
    context = ssl.create_default_context(cafile=certifi.where())
    if ca_file is not None:
        context.load_verify_locations(cafile=ca_file)
    return context


class _Deadline:
    """The moment at which all of it ends."""

    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds

    def left(self, otherwise: type[Exception]) -> float:
        """Seconds left; raises `otherwise` when there are none."""
        left = self._at - time.monotonic()
        if left <= 0:
            raise otherwise
        return left


class _Backend(httpcore.NetworkBackend):
    """Connects to addresses that were judged, and to no others."""

    def __init__(self, rules: Rules, deadline: _Deadline) -> None:
        self._rules = rules
        self._deadline = deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002 - the deadline counts
        local_address: str | None = None,  # noqa: ARG002 - httpcore's signature
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,  # noqa: ARG002 - httpcore's signature
    ) -> httpcore.NetworkStream:
        judged = self._judged(host, port)[:MOST_ADDRESSES]
        for place, address in enumerate(judged):
            # An address that swallows packets leaves time for the next one.
            share = self._deadline.left(httpcore.ConnectTimeout) / (len(judged) - place)
            connection = socket.socket(
                socket.AF_INET if address.version == 4 else socket.AF_INET6,  # noqa: PLR2004 - of the protocol
                socket.SOCK_STREAM,
            )
            try:
                connection.settimeout(share)
                connection.connect((str(address), port))
            except OSError:
                connection.close()
            else:
                return _Stream(connection, self._deadline)
        self._deadline.left(httpcore.ConnectTimeout)
        raise httpcore.ConnectError

    def _judged(self, host: str, port: int) -> list[Address]:
        """The host's addresses, if all of them are allowed: one that is not tells what kind of name it is."""
        literal = addresses.literal_of(host)
        found = [literal] if literal is not None else self._resolved(host, port)
        if not all(addresses.is_allowed(address, self._rules.networks) for address in found):
            raise UndeliveredError(DeliveryResult.REFUSED_ADDRESS)
        return found

    def _resolved(self, host: str, port: int) -> list[Address]:
        """What the resolver says. It knows no deadline, so it works aside and may be left behind."""
        answers: queue.SimpleQueue[Sequence[str] | Exception] = queue.SimpleQueue()

        def ask() -> None:
            try:
                answers.put(self._rules.resolve(host, port))
            except (OSError, ValueError) as error:  # ValueError: labels that IDNA does not take
                answers.put(error)

        threading.Thread(target=ask, name="resolver", daemon=True).start()
        try:
            answer = answers.get(timeout=self._deadline.left(httpcore.ConnectTimeout))
        except queue.Empty:
            raise httpcore.ConnectTimeout from None
        if isinstance(answer, Exception) or not answer:
            raise httpcore.ConnectError
        return [ipaddress.ip_address(text.partition("%")[0]) for text in dict.fromkeys(answer)]


class _Stream(httpcore.NetworkStream):
    """A connection on which every step ends with the deadline, and of which only so much is read."""

    def __init__(self, connection: socket.socket, deadline: _Deadline) -> None:
        self._socket = connection
        self._deadline = deadline
        self._read = 0

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002 - the deadline counts
        if self._read >= MOST_HEAD:
            raise httpcore.RemoteProtocolError
        self._socket.settimeout(self._deadline.left(httpcore.ReadTimeout))
        try:
            block = self._socket.recv(min(max_bytes, MOST_HEAD))
        except TimeoutError as error:
            raise httpcore.ReadTimeout from error
        except OSError as error:
            raise httpcore.ReadError from error
        self._read += len(block)
        return block

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002 - the deadline counts
        self._socket.settimeout(self._deadline.left(httpcore.WriteTimeout))
        try:
            self._socket.sendall(buffer)
        except TimeoutError as error:
            raise httpcore.WriteTimeout from error
        except OSError as error:
            raise httpcore.WriteError from error

    def close(self) -> None:
        self._socket.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002 - the deadline counts
    ) -> httpcore.NetworkStream:
        try:
            self._socket.settimeout(self._deadline.left(httpcore.ConnectTimeout))
            return _Stream(ssl_context.wrap_socket(self._socket, server_hostname=server_hostname), self._deadline)
        except TimeoutError as error:
            self.close()
            raise httpcore.ConnectTimeout from error
        except (ssl.SSLError, ValueError) as error:  # ValueError: a name that no certificate can be for
            self.close()
            raise UndeliveredError(DeliveryResult.TLS_FAILED) from error
        except OSError as error:
            self.close()
            raise httpcore.ConnectError from error
