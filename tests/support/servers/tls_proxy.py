"""A TLS server on loopback before a plain TCP server, with a certificate of an authority of its own."""

from __future__ import annotations

import socket
import socketserver
import ssl
import threading
from contextlib import suppress
from typing import Self

import trustme

from worker.runtime.processes.ports import LOOPBACK

BLOCK = 1 << 16


class TlsProxy:
    """The server, for the length of a `with` block. `name`: the host that its certificate is for."""

    def __init__(self, server_port: int, name: str = LOOPBACK) -> None:
        self.server_port = server_port
        self.authority = trustme.CA()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert(name).configure_cert(self.context)
        self.handshakes = self.refused = 0

    def __enter__(self) -> Self:
        self._server = _Server((LOOPBACK, 0), _Connection)
        self._server.proxy = self
        self.port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    proxy: TlsProxy


class _Connection(socketserver.BaseRequestHandler):
    """A client's connection: the handshake, and then bytes both ways."""

    server: _Server

    def handle(self) -> None:
        proxy = self.server.proxy
        try:
            # A client that refuses the certificate says so instead of its first bytes.
            client = proxy.context.wrap_socket(self.request, server_side=True)
            first = client.recv(BLOCK)
        except OSError:
            proxy.refused += 1
            return
        proxy.handshakes += 1
        with client, socket.create_connection((LOOPBACK, proxy.server_port)) as server:
            server.sendall(first)
            threading.Thread(target=_pump, args=(server, client), daemon=True).start()
            _pump(client, server)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while block := source.recv(BLOCK):
            target.sendall(block)
