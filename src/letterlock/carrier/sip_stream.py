"""SIP over a connection: what a phone or an application server opened, and the link that we open to one."""

from __future__ import annotations

import ssl
from typing import Protocol

from ..codec.sip import KeepAlive, Limits, Request, Response, StreamParser
from ..codec.sip.stream import Malformed
from .stream import Stream, StreamLimits, Wires

__all__ = ["SipOwner", "SipStream"]

_PONG = b"\r\n"

Item = Request | Response | KeepAlive | Malformed


class SipOwner(Protocol):
    """Whom a connection reports to."""

    def sip_opened(self, stream: SipStream, host: str, port: int) -> None: ...

    def sip_received(self, stream: SipStream, item: Request | Response | Malformed) -> None: ...

    def sip_closed(self, stream: SipStream) -> None: ...

    def sip_admitted(self, stream: SipStream) -> bool: ...


class SipStream(Stream):
    """`trusted` when an application server is at the other end; `link` is the core's name for a link, else 0."""

    __slots__ = ("_owner", "_parser", "link", "trusted")

    def __init__(
        self,
        owner: SipOwner,
        wires: Wires,
        limits: StreamLimits,
        tls: ssl.SSLContext | None,
        sip: Limits,
        *,
        trusted: bool = False,
        link: int = 0,
    ) -> None:
        super().__init__(wires, limits, tls)
        self._owner = owner
        self._parser = StreamParser(sip)
        self.trusted = trusted
        self.link = link

    @property
    def name(self) -> int:
        """What the core calls this connection."""
        return self.link or self.number

    def label(self, peer: str) -> str:
        return peer

    def begin(self, host: str, port: int) -> None:
        self._owner.sip_opened(self, host, port)

    def take(self, data: bytes) -> None:
        for item in self._parser.feed(data):
            if isinstance(item, KeepAlive):
                if item is KeepAlive.PING:
                    self.write(_PONG)
            else:
                self._owner.sip_received(self, item)
            if self._closing:
                return

    def between_messages(self) -> bool:
        return self._parser.idle

    def is_admitted(self) -> bool:
        return self.trusted or self._owner.sip_admitted(self)

    def end(self) -> None:
        self._owner.sip_closed(self)
