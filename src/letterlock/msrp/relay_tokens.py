"""The addresses that a relay has handed out, and where each of them leads (RFC 4976 sections 6.3 and 6.4).

An address works for the connection that it was granted on, both ways, and for nothing else: that is what keeps
the relay from being an open one. It ends with that connection or at its expiry.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass, field

from ..codec.msrp import MsrpUri
from ..ids import Instant, Rng
from .sessions import new_session_id

__all__ = ["Token", "Tokens"]

_MAX_PEERS = 8


@dataclass(slots=True, eq=False)
class Token:
    """One granted address."""

    uri: MsrpUri
    owner: int  # the connection
    expires: Instant
    peers: dict[tuple[object, ...], int] = field(default_factory=dict)  # who came in over which connection

    def remember(self, peer: MsrpUri, connection: int, alive: Container[int]) -> None:
        """Somebody who knows this address sent from there: what goes to him goes back the same way.

        The first stays while its connection does, so that nobody who learns the address later can draw a session to
        himself.
        """
        known = self.peers.get(peer.key)
        if known is not None and known in alive:
            return
        if known is None and len(self.peers) >= _MAX_PEERS:
            return
        self.peers[peer.key] = connection


class Tokens:
    """Those of one relay; `uri` is its own address without a session."""

    def __init__(self, uri: MsrpUri, rng: Rng) -> None:
        self._uri = uri
        self._rng = rng
        self._tokens: dict[str, Token] = {}
        self._owned: dict[int, list[str]] = {}

    def is_here(self, uri: MsrpUri) -> bool:
        """Whether an address is one of this relay, existing or not. An AUTH may leave out the port (section 8)."""
        here = self._uri
        return uri.host == here.host and uri.port in (None, here.port) and uri.transport == here.transport

    def grant(self, owner: int, expires: Instant) -> MsrpUri:
        """A fresh address with 100 random bits (section 6.3 asks for 64)."""
        name = new_session_id(self._rng)
        here = self._uri
        uri = MsrpUri(here.scheme, here.host, here.port, name, here.transport)
        self._tokens[name] = Token(uri, owner, expires)
        self._owned.setdefault(owner, []).append(name)
        return uri

    def find(self, uri: MsrpUri, now: Instant) -> Token | None:
        """What an address leads to, if it still does."""
        token = self._tokens.get(uri.session or "")
        return token if token is not None and now < token.expires and self.is_here(uri) else None

    def count(self, owner: int, now: Instant) -> int:
        """How many a connection holds, after those that have expired were forgotten."""
        self._keep(owner, lambda token: now < token.expires)
        return len(self._owned.get(owner, ()))

    def drop(self, connection: int) -> None:
        """A connection has ended, and with it what it was granted (section 6.3)."""
        self._keep(connection, lambda token: False)

    def _keep(self, owner: int, wanted: Callable[[Token], bool]) -> None:
        kept = []
        for name in self._owned.pop(owner, ()):
            if wanted(self._tokens[name]):
                kept.append(name)
            else:
                del self._tokens[name]
        if kept:
            self._owned[owner] = kept
