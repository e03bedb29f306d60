"""The address of a client: that of its connection or, behind a trusted proxy, the one that the proxy names."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address

from schemas.callback_urls import Network


@lru_cache(maxsize=4096)
def is_within(address: str, networks: tuple[Network, ...]) -> bool:
    """Return whether an address, given as text, belongs to one of the networks; False for any other text."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return any((mapped or parsed) in network for network in networks)


def forwarded_address(peer: str, forwarded_for: str, trusted: tuple[Network, ...]) -> str | None:
    """Return the client's address in `X-Forwarded-For`; None if the peer is not a trusted proxy or names no client.

    The client's address is the last in the list that is not a trusted proxy's. The addresses before it were sent by the
    client and may be anything.
    """
    if not is_within(peer, trusted):
        return None
    addresses = (address.strip() for address in reversed(forwarded_for.split(",")))
    return next((address for address in addresses if address and not is_within(address, trusted)), None)
