"""An MSRP client on a real socket: `letterlock.msrp.Connection` and little around it."""

from __future__ import annotations

import asyncio
import os
import ssl
import time
from collections.abc import Callable

from letterlock.codec.msrp import Limits, MsrpUri, Path
from letterlock.msrp import (
    BytesSource,
    Connection,
    Disconnected,
    EndpointSettings,
    Event,
    MessagePiece,
    MessageReceived,
    MessageStarted,
    RelayGranted,
    RelayRefused,
    SendCompleted,
    SendFailed,
    Session,
    SessionTable,
    new_session_id,
)
from letterlock.sip.digest import DigestClient

SETTINGS = EndpointSettings(
    limits=Limits(4096, 32, 10),
    transaction_ms=30_000,
    report_ms=30_000,
    bind_ms=30_000,
    stalled_ms=30_000,
    keepalive_ms=None,
    turn=16_384,
    max_outgoing=100,
    max_transactions=64,
    max_incoming=16,
    max_unconfirmed=16,
    max_gaps=8,
    max_gap_bytes=65_536,
    max_strikes=4,
    remembered=16,
    max_control=16_384,
)


class MsrpPeer(asyncio.Protocol):
    """One connection and everything that it told. Messages are confirmed as soon as they are there."""

    def __init__(self, *, confirms: bool = True) -> None:
        self.table = SessionTable()
        self.connection = Connection(SETTINGS, self.table, os.urandom, _now())
        self.events: list[Event] = []
        self.closed = asyncio.Event()
        self.local = MsrpUri("msrp", "client.invalid", 2855, new_session_id(os.urandom))
        self._confirms = confirms
        self._changed = asyncio.Event()
        self._transport: asyncio.Transport | None = None

    @classmethod
    async def connect(cls, port: int, tls: ssl.SSLContext | None = None, *, confirms: bool = True) -> MsrpPeer:
        loop = asyncio.get_running_loop()
        name = "localhost" if tls is not None else None
        _, peer = await loop.create_connection(
            lambda: cls(confirms=confirms), "127.0.0.1", port, ssl=tls, server_hostname=name
        )
        return peer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        # A connection that somebody opened to us may have been given a session before.
        self.push()

    def data_received(self, data: bytes) -> None:
        self.connection.receive_data(data, _now())
        self.push()

    def connection_lost(self, exception: Exception | None) -> None:
        self.connection.connection_lost("closed")
        self._gather()
        self.closed.set()

    def push(self) -> None:
        """Write what there is to write."""
        self._gather()
        while self._transport is not None and (data := self.connection.data_to_send(65_536, _now())):
            self._transport.write(data)
            self._gather()

    def _gather(self) -> None:
        for event in self.connection.events():
            self.events.append(event)
            if isinstance(event, MessageReceived) and self._confirms:
                self.connection.confirm(event.message)
            if isinstance(event, Disconnected) and self._transport is not None:
                self._transport.close()
        self._changed.set()

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def authorize(self, relay: MsrpUri, user: str, password: str) -> Path | int:
        """The Use-Path, or the status that refused."""
        before = len(self.of(RelayGranted, RelayRefused))
        digest = DigestClient(user, password, os.urandom)
        self.connection.authorize(relay.encode(), self.local.encode(), digest, None, _now())
        self.push()
        await self.until(lambda: len(self.of(RelayGranted, RelayRefused, Disconnected)) > before)
        event = self.of(RelayGranted, RelayRefused, Disconnected)[before]
        if isinstance(event, RelayGranted):
            return event.use_path
        return event.status if isinstance(event, RelayRefused) else 0

    def session(self, to_path: Path, *, chunk: int = 2048, active: bool) -> None:
        self.table.add(Session(self.local, to_path, ("*",), 1 << 30, chunk))
        if active:
            self.connection.open_session(self.local.session or "", _now())
        else:
            self.connection.attach_session(self.local.session or "")
        self.push()

    def send(self, body: bytes, message_id: str, *, success_report: bool = True) -> int:
        number = self.connection.send(
            self.local.session or "",
            "text/plain",
            BytesSource(body),
            len(body),
            message_id=message_id,
            success_report=success_report,
        )
        self.push()
        return number

    async def sent(self, number: int) -> SendCompleted | SendFailed:
        """How a message of ours ended."""

        def ended() -> list[Event]:
            return [e for e in self.of(SendCompleted, SendFailed) if e.message == number]  # type: ignore[attr-defined]

        await self.until(ended)
        event = ended()[0]
        assert isinstance(event, SendCompleted | SendFailed)
        return event

    async def received(self, message_id: str) -> bytes:
        """The body of a message, once it is whole."""

        def whole() -> set[int]:
            named = {e.message for e in self.of(MessageStarted) if e.message_id == message_id}  # type: ignore[attr-defined]
            return named & {e.message for e in self.of(MessageReceived)}  # type: ignore[attr-defined]

        await self.until(whole)
        (number,) = whole()
        pieces = (e for e in self.events if isinstance(e, MessagePiece) and e.message == number)
        return b"".join(bytes(piece.data) for piece in pieces)

    def of(self, *kinds: type[Event]) -> list[Event]:
        return [event for event in self.events if isinstance(event, kinds)]

    async def close(self) -> None:
        if self._transport is not None:
            self._transport.close()
            await self.closed.wait()


def _now() -> int:
    return time.monotonic_ns() // 1_000_000
