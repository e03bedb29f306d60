"""Rules for callback URLs: their syntax, and the network addresses that may be called.

Every address that is not global unicast is refused, also if it is embedded in an IPv6 address, unless the operator
allows it. No I/O: `worker.callbacks.pinned_network` resolves and connects, and checks every resolved address with this
module.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

LONGEST_URL = 2048  # characters
PORTS = {"http": 80, "https": 443}
LAST_PORT = 65_535
FIRST_FREE_PORT = 1024  # lower ports belong to mail, remote shells and the like, which must not receive HTTP requests

# From IANA's registries of special-purpose addresses. Listed here, because Python releases differ in what they call
# global.
_NOT_FOR_US = tuple(
    map(
        ipaddress.ip_network,
        (
            *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
            *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15"),
            *("198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
            # A global address, but on one cloud's machines the host itself listens on it.
            "168.63.129.16/32",
            # Inside 2000::/3: protocol assignments (Teredo among them), documentation.
            *("2001::/23", "2001:db8::/32", "3fff::/20"),
        ),
    )
)
_GLOBAL_V6 = IPv6Network("2000::/3")
_SIX_TO_FOUR = IPv6Network("2002::/16")
_NAT64 = IPv6Network("64:ff9b::/96")

_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[^\[\]/?#@]*\]|[^\[\]/?#@:]*)(?::(?P<port>[0-9]*))?(?P<target>[/?].*)?",
    re.IGNORECASE,
)
_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_LONGEST_HOST = 253
_NUMERIC = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")


@dataclass(frozen=True)
class Url:
    """A URL, parsed once, so that no other parser can interpret it differently. `host` has no brackets."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """The value of the `Host` header (RFC 9110, section 7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.target}"


def literal_of(host: str) -> Address | None:
    """Return the address if a host is one, None for a name; `localhost` is always 127.0.0.1 (RFC 6761)."""
    if host.lower() == "localhost" or host.lower().endswith(".localhost"):
        return IPv4Address("127.0.0.1")
    return _literal(host)


@lru_cache(maxsize=64)
def networks_of(text: str | None) -> tuple[Network, ...]:
    """Parse a comma-separated list of networks. `ValueError` if one is malformed."""
    return tuple(ipaddress.ip_network(part.strip()) for part in (text or "").split(",") if part.strip())


def parse(text: str) -> Url:
    """Parse a URL more strictly than RFC 3986. `ValueError` says what to change in a URL that is not accepted."""
    if len(text) > LONGEST_URL:
        raise ValueError(f"give at most {LONGEST_URL} characters")
    if not all("!" <= char <= "~" for char in text) or "\\" in text:
        raise ValueError("write everything but printable ASCII in its encoded form, without blanks and backslashes")
    if "#" in text:
        raise ValueError("leave out the fragment (#...)")
    authority = text.partition("://")[2].partition("/")[0].partition("?")[0]
    if "@" in authority:
        raise ValueError("leave out user and password")
    match = _URL.fullmatch(text)
    if match is None:
        raise ValueError("begin with http:// or https:// and a host")
    scheme, target = match["scheme"].lower(), match["target"] or "/"
    host = match["host"].removeprefix("[").removesuffix("]")
    if not _is_host(host, in_brackets=match["host"].startswith("[")):
        raise ValueError("name a host, or an address as four numbers or in brackets")
    return Url(scheme, host, _port(match["port"], scheme), target if target.startswith("/") else f"/{target}")


def _port(text: str | None, scheme: str) -> int:
    if text is None:
        return PORTS[scheme]
    port = int(text) if 0 < len(text) <= len(str(LAST_PORT)) else 0
    if port not in PORTS.values() and not FIRST_FREE_PORT <= port <= LAST_PORT:
        raise ValueError(f"use port 80, 443, or one from {FIRST_FREE_PORT} to {LAST_PORT}")
    return port


def _is_host(host: str, *, in_brackets: bool) -> bool:
    """Return whether a host is a name or an address in its usual form.

    2130706433, 0x7f.1 and 127.1 are refused: some programs read them as 127.0.0.1, and none is a host name.
    """
    if in_brackets:
        return "%" not in host and isinstance(_literal(host), IPv6Address)
    labels = host.split(".")
    if _NUMERIC.fullmatch(labels[-1]):
        return isinstance(_literal(host), IPv4Address)
    return len(host) <= _LONGEST_HOST and all(_LABEL.fullmatch(label) for label in labels)


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def is_allowed(address: Address, allowed: Sequence[Network] = ()) -> bool:
    """Return whether an address is in an `allowed` network or, with any embedded address, global unicast."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped  # the same connection in another notation
    if _is_in(address, allowed):
        return True
    inner = _inner(address)
    if inner is not None:
        return is_allowed(inner)
    return (isinstance(address, IPv4Address) or address in _GLOBAL_V6) and not _is_in(address, _NOT_FOR_US)


def _inner(address: Address) -> IPv4Address | None:
    """Return the IPv4 address that a NAT64 or 6to4 gateway would call for this one. Teredo is refused completely."""
    if isinstance(address, IPv6Address):
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFF_FFFF)
        if address in _SIX_TO_FOUR:
            return address.sixtofour
    return None


def _is_in(address: Address, networks: Iterable[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)
