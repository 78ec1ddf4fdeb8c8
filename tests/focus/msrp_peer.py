"""A device's end of an MSRP connection for tests: connects, sends, collects; can be told not to read or not to confirm."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from letterlock.msrp import (
    BytesSource,
    Connection,
    MessagePiece,
    MessageReceived,
    MessageStarted,
    SendCompleted,
    SendFailed,
    Session,
    SessionBound,
    SessionTable,
)
from letterlock.services.focus.msrp_wire import MsrpSettings
from letterlock.services.sip_link import loop_now


class MsrpPeer(asyncio.Protocol):
    """`on_message(content_type, data)` gets whole messages; with `confirms` False no success report goes out."""

    def __init__(self, session: Session, on_message: Callable[[str, bytes], None], confirms: bool = True) -> None:
        self.session = session
        self.on_message = on_message
        self.confirms = confirms
        self.table = SessionTable()
        self.table.add(session)
        self.core = Connection(MsrpSettings(1 << 22, 4096).endpoint(), self.table, os.urandom, loop_now())
        self.transport: asyncio.Transport | None = None
        self.bound = asyncio.get_running_loop().create_future()
        self.closed = asyncio.get_running_loop().create_future()
        self.unconfirmed: list[int] = []
        self._arriving: dict[int, tuple[str, bytearray]] = {}
        self._sends: dict[int, asyncio.Future[int]] = {}

    @classmethod
    async def connect(
        cls, host: str, port: int, session: Session, on_message: Callable[[str, bytes], None], confirms: bool = True
    ) -> MsrpPeer:
        _, peer = await asyncio.get_running_loop().create_connection(
            lambda: cls(session, on_message, confirms), host, port
        )
        peer.core.open_session(session.id, loop_now())
        peer.work()
        async with asyncio.timeout(5):
            await peer.bound
        return peer

    async def send(self, content_type: str, data: bytes, *, message_id: str | None = None) -> int:
        """The status: 200 when the focus reported success, else how it refused."""
        number = self.core.send(
            self.session.id,
            content_type,
            BytesSource(data),
            len(data),
            message_id=message_id or os.urandom(10).hex(),
            success_report=True,
        )
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._sends[number] = future
        self.work()
        async with asyncio.timeout(20):
            return await future

    def close(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    # --- asyncio.Protocol ------------------------------------------------------------------------------
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.core.receive_data(data, loop_now())
        self.work()

    def connection_lost(self, exc: Exception | None) -> None:
        self.core.connection_lost("gone")
        self.work()
        if not self.closed.done():
            self.closed.set_result(None)

    def work(self) -> None:
        for event in self.core.events():
            match event:
                case SessionBound():
                    if not self.bound.done():
                        self.bound.set_result(None)
                case MessageStarted(message):
                    self._arriving[message] = (event.content_type, bytearray())
                case MessagePiece(message, data):
                    self._arriving[message][1].extend(data)
                case MessageReceived(message):
                    content_type, whole = self._arriving.pop(message)
                    self.on_message(content_type, bytes(whole))
                    if self.confirms:
                        self.core.confirm(message)
                    else:
                        self.unconfirmed.append(message)
                case SendCompleted(message):
                    self._sends.pop(message).set_result(200)
                case SendFailed(message, status):
                    self._sends.pop(message).set_result(status)
        assert self.transport is not None
        while not self.transport.is_closing() and (data := self.core.data_to_send(1 << 16, loop_now())):
            self.transport.write(data)
