"""A phone for tests: our own RCS transport whose messages go into a queue."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path

from letterlock.carriage import Inbound, NetworkResult, Outbound
from letterlock.ids import MessageId, Number, conversation_of
from letterlock.transport.rcs.config import RcsConfig
from letterlock.transport.rcs.presence import RcsState
from letterlock.transport.rcs.transport import RcsTransport

FRAME = "application/vnd.letterlock.signal"


class Phone:
    """A context manager that is registered inside. `ca` None means TCP without TLS; both are on loopback."""

    def __init__(
        self,
        me: Number,
        password: str,
        *,
        port: int,
        domain: str,
        device: int = 1,
        ca: Path | None = None,
        tel_addresses: bool = False,
        trust_from: bool = False,
    ) -> None:
        self.inbox: asyncio.Queue[Inbound] = asyncio.Queue()
        self.states: list[RcsState] = []
        self.me = me
        self.transport = RcsTransport(
            RcsConfig(
                number=me,
                domain=domain,
                username=me,
                password=password,
                server="127.0.0.1",
                port=port,
                instance=str(uuid.uuid5(uuid.NAMESPACE_OID, f"{me}/{device}")),
                tls=ca is not None,
                ca_file=None if ca is None else str(ca),
                register_wait_s=3,
                answer_timeout_s=5,
                tel_addresses=tel_addresses,
                trust_from=trust_from,
            ),
            self.inbox.put,
            lambda status: self.states.append(status.state),
        )

    async def __aenter__(self) -> Phone:
        await self.transport.start()
        async with asyncio.timeout(5):
            await self.transport.registered()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.transport.close()

    async def send(self, to: Number, body: bytes, content_type: str = FRAME) -> int:
        """The status that the network answered."""
        return (await self.result(to, body, content_type)).status

    async def result(self, to: Number, body: bytes, content_type: str = FRAME) -> NetworkResult:
        identifier = MessageId(str(uuid.uuid4()))
        conversation = conversation_of(self.me, to)
        return await self.transport.send(
            Outbound(to, identifier, conversation, content_type, body, large=len(body) > 1300)
        )

    async def next(self) -> Inbound:
        """The next message; fails after five seconds."""
        async with asyncio.timeout(5):
            return await self.inbox.get()
