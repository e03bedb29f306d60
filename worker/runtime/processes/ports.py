"""Free TCP ports on the loopback interface, for servers that are about to start.

Reserves nothing: another process may take the port before the server starts.
"""

from __future__ import annotations

import random
import socket
from contextlib import suppress
from pathlib import Path

LOOPBACK = "127.0.0.1"
LOWEST_PORT = 15_000
TRIES = 50
PORT_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_port() -> int:
    """Return a loopback TCP port that is free now, below the system's range of ephemeral ports.

    A port in that range could become the source port of a client that keeps connecting to the server while it restarts,
    which would block the server.
    """
    with suppress(OSError, ValueError):
        highest = int(PORT_RANGE.read_text().split()[0])
        for port in random.sample(range(LOWEST_PORT, highest), TRIES):
            if port_is_free(port):
                return port
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        return int(listener.getsockname()[1])


def port_is_free(port: int) -> bool:
    """Return whether a server could listen on this loopback TCP port now."""
    with socket.socket() as listener:
        # Like servers do: connections in TIME_WAIT don't prevent listening on a port.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError):
            listener.bind((LOOPBACK, port))
            return True
    return False
