"""Free TCP ports on the loopback interface, for servers that are to be started.

Reserves nothing: between the answer and the server's start somebody else may take the port.
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
    """A loopback TCP port that is free now, below the range the system hands out by itself.

    From inside that range, a client that keeps calling a server which is being restarted can be given the server's own
    port, and block it.
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
    """Whether a server could listen on this loopback TCP port now."""
    with socket.socket() as listener:
        # As servers do it: connections still in TIME_WAIT don't keep a port from being listened on.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError):
            listener.bind((LOOPBACK, port))
            return True
    return False
