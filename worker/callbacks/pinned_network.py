"""Connections only to addresses that were checked: the network backend of `worker.callbacks.http_client`.

The host is resolved once, every resolved address must be allowed, and the connection goes to the address that was
checked: a name that resolves differently the next time (DNS rebinding) has no effect. One deadline limits every step.
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

MOST_ADDRESSES = 4  # addresses of a host that are tried
MOST_HEAD = 128 * 1024  # bytes read of a response, including informational ones (1xx)


class UndeliveredError(Exception):
    """There is no usable response; `result` is the reason, `status` that of a redirect, if it was one."""

    def __init__(self, result: DeliveryResult, status: int | None = None) -> None:
        super().__init__(result)
        self.result = result
        self.status = status


def system_resolver(host: str, port: int) -> list[str]:
    """Return the addresses that the machine's own resolver finds."""
    return [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


class Deadline:
    """The time at which a request, with all its steps, has to end."""

    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds

    def left(self, otherwise: type[Exception]) -> float:
        """Return the seconds left; raise `otherwise` if there are none."""
        left = self._at - time.monotonic()
        if left <= 0:
            raise otherwise
        return left


class Backend(httpcore.NetworkBackend):
    """A network backend that connects only to addresses that were checked."""

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
        addresses = self._allowed_addresses(host, port)[:MOST_ADDRESSES]
        for index, address in enumerate(addresses):
            # An address that drops packets must leave time for the next one.
            share = self._deadline.left(httpcore.ConnectTimeout) / (len(addresses) - index)
            connection = socket.socket(
                socket.AF_INET if address.version == 4 else socket.AF_INET6,  # noqa: PLR2004 - IP version
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

    def _allowed_addresses(self, host: str, port: int) -> list[Address]:
        """Return the host's addresses, if all are allowed: a single forbidden one makes the whole host suspect."""
        literal = callback_urls.literal_of(host)
        addresses = [literal] if literal is not None else self._resolved(host, port)
        if not all(callback_urls.is_allowed(address, self._networks) for address in addresses):
            raise UndeliveredError(DeliveryResult.REFUSED_ADDRESS)
        return addresses

    def _resolved(self, host: str, port: int) -> list[Address]:
        """Resolve the host. The resolver has no time-out, so it runs in a thread, which may be left running."""
        answers: queue.SimpleQueue[Sequence[str] | Exception] = queue.SimpleQueue()

        def ask() -> None:
            try:
                answers.put(self._resolve(host, port))
            except (OSError, ValueError) as error:  # ValueError: labels that IDNA does not allow
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
    """A connection on which the deadline limits every step, and `MOST_HEAD` the bytes that are read."""

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
        except (ssl.SSLError, ValueError) as error:  # ValueError: a name that no certificate can have
            self.close()
            raise UndeliveredError(DeliveryResult.TLS_FAILED) from error
        except OSError as error:
            self.close()
            raise httpcore.ConnectError from error
