"""Connections to addresses that were judged: the network beneath `worker.callbacks.http_client`.

The host is resolved once, every address found must be allowed, and the connection goes to the very address that was
judged: a name that changes its mind in between (DNS rebinding) gains nothing. Every step ends with one deadline.
"""

from __future__ import annotations

import ipaddress
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Sequence

import httpcore

from schemas import callback_urls
from schemas.callback_urls import Address, Network
from schemas.http.callbacks import DeliveryResult

Resolver = Callable[[str, int], Sequence[str]]
"""Host and port -> addresses, in the order in which they are to be tried. `OSError` if the name is not known."""

MOST_ADDRESSES = 4  # that are tried
MOST_HEAD = 128 * 1024  # bytes of an answer, informational ones (1xx) included


class UndeliveredError(Exception):
    """There is no answer; `result` tells why in our own word, `status` is a redirect's, if it was one."""

    def __init__(self, result: DeliveryResult, status: int | None = None) -> None:
        super().__init__(result)
        self.result = result
        self.status = status


def system_resolver(host: str, port: int) -> list[str]:
    """The addresses that the machine's own resolver finds."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


class Deadline:
    """The moment at which all of it ends."""

    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds

    def left(self, otherwise: type[Exception]) -> float:
        """Seconds left; raises `otherwise` when there are none."""
        left = self._at - time.monotonic()
        if left <= 0:
            raise otherwise
        return left


class Backend(httpcore.NetworkBackend):
    """Connects to addresses that were judged, and to no others."""

    def __init__(self, networks: Sequence[Network], resolve: Resolver, deadline: Deadline) -> None:
        self._networks = networks
        self._resolve = resolve
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
        literal = callback_urls.literal_of(host)
        found = [literal] if literal is not None else self._resolved(host, port)
        if not all(callback_urls.is_allowed(address, self._networks) for address in found):
            raise UndeliveredError(DeliveryResult.REFUSED_ADDRESS)
        return found

    def _resolved(self, host: str, port: int) -> list[Address]:
        """What the resolver says. It knows no deadline, so it works aside and may be left behind."""
        answers: queue.SimpleQueue[Sequence[str] | Exception] = queue.SimpleQueue()

        def ask() -> None:
            try:
                answers.put(self._resolve(host, port))
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

    def __init__(self, connection: socket.socket, deadline: Deadline) -> None:
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
