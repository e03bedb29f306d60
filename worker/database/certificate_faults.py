"""Why a database server's certificate is not accepted: libpq only says that it is not."""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

REFUSED = "certificate verify failed"  # libpq's words for every reason but a wrong host name
_SSL_REQUEST = struct.pack("!ii", 8, 80877103)  # https://www.postgresql.org/docs/current/protocol-message-formats.html
_PORT = 5432


def explain(message: str, arguments: Mapping[str, Any], seconds: float) -> str:
    """Return libpq's message, with the reason if it refused a certificate and the server still presents that one.

    `arguments`: of the connection, to one server. Takes at most about `seconds`.
    """
    reason = ""
    if REFUSED in message and "," not in str(arguments.get("host") or ","):
        with suppress(OSError, ValueError):
            reason = _reason(arguments, seconds)
    return message.replace(REFUSED, f"{REFUSED} ({reason})", 1) if reason else message


def _reason(arguments: Mapping[str, Any], seconds: float) -> str:
    host, port = str(arguments["host"]), int(arguments.get("port") or _PORT)
    context = ssl.create_default_context(cafile=arguments.get("sslrootcert"))
    context.check_hostname = False
    with socket.create_connection((host, port), seconds) as connection:
        connection.sendall(_SSL_REQUEST)
        if connection.recv(1) != b"S":
            return ""
        try:
            context.wrap_socket(connection).close()
        except ssl.SSLCertVerificationError as error:
            return error.verify_message
    return ""
