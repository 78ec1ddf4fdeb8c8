"""Client transactions of the proxy: copies of requests at devices and servers that were not answered (RFC 3261 section 17.1).

TCP and TLS lose nothing, so nothing is retransmitted. A copy is over when it is answered, when its time is up, or
when its connection breaks; what that means is the business of the branch that it belongs to.
"""

from __future__ import annotations

import abc
from dataclasses import dataclass

from ..codec.sip import CSeq, Headers, Params, Request, Response, Via
from ..errors import DecodeError
from ..ids import Instant, Number, Rng
from ..sip.message import new_branch
from .effects import Effect, Send
from .location import DeviceKey
from .timers import Timers

__all__ = ["Branch", "Branches", "Target"]


@dataclass(frozen=True, slots=True)
class Target:
    """Where a copy goes: a connection, and the Request-URI there. An application server has no device."""

    connection: int
    uri: str
    device: DeviceKey | None

    @property
    def number(self) -> Number | None:
        return None if self.device is None else self.device[0]


class Branch(abc.ABC):
    """One copy that is out. `name` is its Via branch."""

    __slots__ = ("connection", "method", "name")

    def __init__(self) -> None:
        self.name = ""
        self.method = ""
        self.connection = 0

    @abc.abstractmethod
    def answered(self, response: Response, now: Instant) -> list[Effect]:
        """A response to it came over its connection."""

    @abc.abstractmethod
    def expired(self, now: Instant) -> list[Effect]:
        """Its time is up. It has no deadline any more."""

    @abc.abstractmethod
    def cut(self, now: Instant) -> list[Effect]:
        """Its connection is gone, and the branch is closed."""


class Branches:
    """The table of them."""

    def __init__(self, via: Via, rng: Rng) -> None:
        self._via = via
        self._rng = rng
        self._open: dict[str, Branch] = {}
        self._on: dict[int, set[str]] = {}
        self._timers: Timers[str] = Timers()

    def __len__(self) -> int:
        return len(self._open)

    def send(self, branch: Branch, target: Target, request: Request, deadline: Instant) -> Send:
        """Open a branch: a copy of `request` goes to the target, with our Via on top."""
        branch.name, branch.method, branch.connection = new_branch(self._rng), request.method, target.connection
        self._open[branch.name] = branch
        self._on.setdefault(target.connection, set()).add(branch.name)
        self._timers.set(branch.name, deadline)
        return Send(target.connection, self.copy(request, target.uri, branch.name))

    def copy(self, request: Request, uri: str, name: str = "") -> Request:
        """A request as it goes out. An ACK for a 2xx has no transaction, and so a name that is its own."""
        return Request(request.method, uri, request.headers.prepended("Via", self.via(name)), request.body)

    def via(self, name: str = "") -> str:
        branch = name or new_branch(self._rng)
        return Via(self._via.transport, self._via.host, self._via.port, Params((("branch", branch),))).encode()

    def wait(self, branch: Branch, deadline: Instant) -> None:
        """Move the deadline of an open branch."""
        if branch.name in self._open:
            self._timers.set(branch.name, deadline)

    def close(self, branch: Branch) -> None:
        """It is over."""
        self._timers.cancel(branch.name)
        if self._open.pop(branch.name, None) is None:
            return
        names = self._on[branch.connection]
        names.discard(branch.name)
        if not names:
            del self._on[branch.connection]

    def on_response(self, connection: int, response: Response, now: Instant) -> list[Effect]:
        """An answer counts only from the connection that was asked, and for the method that was sent (section 17.1.3).

        The answer to a CANCEL of ours has the branch of its INVITE; nothing hangs on it.
        """
        vias = response.headers.listed("Via")
        if not vias:
            return []
        branch = self._open.get(Via.parse(vias[0]).branch)
        if branch is None or branch.connection != connection or _method(response.headers) != branch.method:
            return []
        return branch.answered(response, now)

    def on_disconnect(self, connection: int, now: Instant) -> list[Effect]:
        effects: list[Effect] = []
        for name in sorted(self._on.pop(connection, ())):
            self._timers.cancel(name)
            effects += self._open.pop(name).cut(now)
        return effects

    def on_deadline(self, now: Instant) -> list[Effect]:
        return [effect for name in self._timers.due(now) for effect in self._open[name].expired(now)]

    def next_deadline(self) -> Instant | None:
        return self._timers.next()


def _method(headers: Headers) -> str:
    try:
        return CSeq.parse(headers.get("CSeq") or "").method
    except DecodeError:
        return ""
