"""Running requests per client behind a trusted proxy, whose connections do not identify the clients."""

from __future__ import annotations

from collections import Counter

from schemas.callback_urls import Network
from webhook.http.client_address import forwarded_address


class Clients:
    """Counts running requests by the client address in `X-Forwarded-For`."""

    def __init__(self, most: int, trusted: tuple[Network, ...]) -> None:
        self._most = most
        self._trusted = trusted
        self._by_address: Counter[str] = Counter()

    def address_of(self, peer: str, forwarded_for: str) -> str | None:
        """Return the client's address; None if the peer is not a trusted proxy or names no client."""
        return forwarded_address(peer, forwarded_for, self._trusted)

    def enter(self, address: str) -> bool:
        """Count a request and return True; False if the client has too many running."""
        if self._by_address[address] >= self._most:
            return False
        self._by_address[address] += 1
        return True

    def leave(self, address: str) -> None:
        """Stop counting a request."""
        self._by_address[address] -= 1
        if self._by_address[address] <= 0:
            del self._by_address[address]
