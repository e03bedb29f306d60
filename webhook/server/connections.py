"""The open connections of a web process, limited in total and per client address."""

from __future__ import annotations

from collections import Counter, OrderedDict
from enum import Enum, auto
from typing import Protocol

from schemas.callback_urls import Network
from webhook.http.client_address import is_within

Peer = tuple[str, int]


class Verdict(Enum):
    """Whether a new connection is accepted, and which limit is reached if not."""

    ACCEPTED = auto()
    FULL = auto()
    ADDRESS_FULL = auto()


class Connection(Protocol):
    """A connection, as `Connections` and the gateway use it."""

    has_input_ended: bool  # the client ended its side within a request body, and may still read a response

    def request_began(self) -> None:
        """Note that a request head is complete and the application is called."""

    def request_ended(self) -> None:
        """Note that the application has returned."""

    def give_way(self) -> None:
        """Close to make room for another connection."""

    def abort(self) -> None:
        """Close without sending the rest."""


class Connections:
    """The open connections by peer, and which of them are idle, that is, without a complete request head.

    Connections from `trusted` proxies count towards the total only, because they carry the requests of many clients.
    """

    def __init__(self, most: int, most_per_address: int, trusted: tuple[Network, ...] = ()) -> None:
        self._most = most
        self._most_per_address = most_per_address
        self._trusted = trusted
        self._open: dict[Peer, Connection] = {}
        self._by_address: Counter[str] = Counter()
        self._idle: OrderedDict[Peer, None] = OrderedDict()

    def admit(self, peer: Peer, connection: Connection) -> Verdict:
        """Add a connection unless a limit is reached. At the total limit, it replaces the longest idle connection."""
        address = peer[0]
        if self._by_address[address] >= self._most_per_address and not is_within(address, self._trusted):
            return Verdict.ADDRESS_FULL
        if len(self._open) >= self._most:
            if not self._idle:
                return Verdict.FULL
            longest_idle = next(iter(self._idle))
            self._open[longest_idle].give_way()
            self.release(longest_idle)
        self._open[peer] = connection
        self._by_address[address] += 1
        return Verdict.ACCEPTED

    def release(self, peer: Peer) -> None:
        """Remove a connection, if it has not been removed already."""
        if self._open.pop(peer, None) is None:
            return
        self._idle.pop(peer, None)
        self._by_address[peer[0]] -= 1
        if self._by_address[peer[0]] <= 0:
            del self._by_address[peer[0]]

    def mark_idle(self, peer: Peer) -> None:
        """Mark a connection as waiting for a request head."""
        if peer in self._open:
            self._idle[peer] = None
            self._idle.move_to_end(peer)

    def mark_busy(self, peer: Peer) -> None:
        """Mark a connection as having a request, or being closed."""
        self._idle.pop(peer, None)

    def find(self, peer: Peer) -> Connection | None:
        """Return the connection with the peer, if it is still open."""
        return self._open.get(peer)
