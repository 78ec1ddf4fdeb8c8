"""Which connection of a relay a request goes on, and with which paths (RFC 4976 section 6.4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..codec.msrp import MsrpUri, Path, Request
from ..ids import Instant
from .relay_hop import Hop
from .relay_tokens import Tokens

__all__ = ["Routes"]


class Routes:
    """Of one relay with these connections. `open_` makes one to an address, for a user's connection."""

    def __init__(
        self,
        tokens: Tokens,
        hops: Mapping[int, Hop],
        open_: Callable[[MsrpUri, int, Instant], int],
        max_outward: int,
    ) -> None:
        self._tokens = tokens
        self._hops = hops
        self._open = open_
        self._max_outward = max_outward
        self._outward: dict[tuple[str, str, int | None], int] = {}  # connections that we have opened

    def of(self, arrived_on: int, request: Request, now: Instant) -> tuple[int, Path, Path] | int:
        """(the connection to use, To-Path, From-Path) behind us, or the status to refuse with (section 6.4)."""
        to_path, from_path = request.to_path, request.from_path
        arrived: int | None = arrived_on
        while True:
            token = self._tokens.find(to_path[0], now)
            if token is None or len(to_path) < 2:
                return 481
            from_path = (to_path[0], *from_path)
            to_path = to_path[1:]
            if token.owner != arrived:
                # To the user: over the connection that he has proven himself on, wherever the path says he is.
                if arrived is not None:
                    token.remember(request.from_path[0], arrived, self._hops)
                return token.owner, to_path, from_path
            following = to_path[0]
            if not self._tokens.is_here(following):
                known = token.peers.get(following.key)
                if known is not None and known in self._hops:
                    return known, to_path, from_path
                outward = self._outward_to(following, arrived_on, now)
                return 403 if outward is None else (outward, to_path, from_path)
            arrived = None  # from one user of ours to another

    def _outward_to(self, uri: MsrpUri, user: int, now: Instant) -> int | None:
        """A connection to somebody whom no relay of ours serves; None when the user has too many (SR-08)."""
        key = (uri.scheme, uri.host, uri.port)
        number = self._outward.get(key)
        if number is not None and number in self._hops:
            return number
        if sum(self._hops[number].opened_for == user for number in self._outward.values()) >= self._max_outward:
            return None
        number = self._open(uri, user, now)
        self._outward[key] = number
        return number

    def drop(self, connection: int) -> None:
        """It has ended."""
        for key in [key for key, number in self._outward.items() if number == connection]:
            del self._outward[key]
