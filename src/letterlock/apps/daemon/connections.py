"""Connections: how many there may be, of whom, and what is said to who does not speak HTTP.

Each takes a file of this process, and the profile needs some, too (SR-08). Anybody on this machine can open them and say
nothing. So whoever has shown no session is a stranger, and strangers have places of their own: when these are taken, the
one that came first makes room, and none stays a stranger for long. They shut out nobody who has shown a session, and nobody
who comes to log in: what a stranger says wins it no time, so whoever has just come has all the time that it takes for so
many others to come. A cookie alone is a page on its way in, or somebody who saw a cookie: places of its own, in the same way.

What is no request gets neither to the guard nor to the headers of all other answers, so it gets them here, and none of its
own bytes: a cookie may be among them (SR-16).
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import hdrs, web

from .guard import Refused
from .headers import SERVER, security_headers
from .unix import same_user

__all__ = ["Bounds", "Connections", "has_shown_a_cookie", "has_shown_a_session"]

_OF_NETWORKS = (socket.AF_INET, socket.AF_INET6)


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many connections one listener has: of who has shown a session, of who has shown a cookie alone, of strangers; and
    how long one may be less than known.

    Strangers need several times as many places as a listener takes at one go (`serving.AT_ONCE`), or who has come has no time
    to be answered.
    """

    known: int
    guests: int
    strangers: int
    stranger_s: float


class Connections:
    """Those of one listener. It is what makes the protocol of each new one; `options` are those of the server."""

    def __init__(self, server: web.Server, bounds: Bounds, options: Mapping[str, Any]) -> None:
        self.bounds = bounds
        self.known: set[_Connection] = set()
        self._guests: dict[_Connection, None] = {}
        self._strangers: dict[_Connection, None] = {}
        """Both in the order in which they came to be that."""
        self._server, self._options = server, options

    def __call__(self) -> asyncio.BaseProtocol:
        return _Connection(self, self._server, loop=asyncio.get_running_loop(), **self._options)

    def came(self, connection: _Connection) -> None:
        """Somebody."""
        _add(self._strangers, connection, self.bounds.strangers)

    def showed_a_cookie(self, connection: _Connection) -> None:
        """A browser that has logged in, or somebody who saw its cookie."""
        if connection in self._strangers:
            del self._strangers[connection]
            _add(self._guests, connection, self.bounds.guests)

    def showed(self, connection: _Connection) -> bool:
        """It is a stranger no more; False when there are too many of those."""
        if connection not in self.known:
            if len(self.known) >= self.bounds.known:
                return False
            self._forget(connection)
            self.known.add(connection)
        return True

    def went(self, connection: _Connection) -> None:
        self._forget(connection)
        self.known.discard(connection)

    def _forget(self, connection: _Connection) -> None:
        self._strangers.pop(connection, None)
        self._guests.pop(connection, None)


def has_shown_a_cookie(request: web.Request) -> None:
    """What came with this request is enough for the files of the page, and known to more than the page."""
    connection = request.protocol
    if isinstance(connection, _Connection):
        connection.shown_a_cookie()


def has_shown_a_session(request: web.Request) -> None:
    """What came with this request only our own page or program could know. Raises Refused when too many have shown theirs."""
    connection = request.protocol
    if isinstance(connection, _Connection) and not connection.shown():
        raise Refused(503, "busy", "too many connections at the same time", "close some, and try again")


def _add(places: dict[_Connection, None], connection: _Connection, most: int) -> None:
    """The one that came first goes if there is no room."""
    while len(places) >= most:
        first = next(iter(places))
        del places[first]
        first.abort()
    places[connection] = None


class _Connection(web.RequestHandler):
    __slots__ = ("_all", "_stranger_until")

    def __init__(self, connections: Connections, server: web.Server, **options: Any) -> None:
        super().__init__(server, **options)
        self._all = connections
        self._stranger_until: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._all.came(self)
        # Counted from the start: no byte that trickles in winds it back. A request that is being answered is finished.
        self._stranger_until = asyncio.get_running_loop().call_later(self._all.bounds.stranger_s, self._overdue)
        if transport.get_extra_info("socket").family not in _OF_NETWORKS and same_user(transport):
            self.shown()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._forget_deadline()
        self._all.went(self)
        super().connection_lost(exc)

    def shown(self) -> bool:
        """It has shown a session."""
        room = self._all.showed(self)
        if room:
            self._forget_deadline()
        return room

    def shown_a_cookie(self) -> None:
        self._all.showed_a_cookie(self)

    def abort(self) -> None:
        """Hang up now."""
        if isinstance(self.transport, asyncio.Transport):
            self.transport.abort()

    def _overdue(self) -> None:
        if self._current_request is None and not self._messages:
            self.force_close()
        else:
            self.close()  # behind the answer

    def _forget_deadline(self) -> None:
        if self._stranger_until is not None:
            self._stranger_until.cancel()
            self._stranger_until = None

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        answer = super().handle_error(request, status, exc, "Letterlock: this is no request that it understands.\n")
        answer.headers.update({**security_headers(()), hdrs.SERVER: SERVER})
        return answer
