"""A bot's platform at a carrier: an application server that speaks SIP over TCP, and asserts which bot sends.

Made of the machines of `letterlock.sip` alone: what it reads of a phone is what stands on the wire.
"""

from __future__ import annotations

import asyncio
import os
import uuid
from dataclasses import dataclass, field
from typing import Any

from letterlock.carrier import Carrier
from letterlock.carrier.settings import ApplicationServer
from letterlock.codec.cpim import Cpim, CpimLimits, decode_cpim, encode_cpim
from letterlock.codec.sip import Headers, Request
from letterlock.ids import BotAddress, MessageId, Number
from letterlock.imdn import chat_message
from letterlock.services.mailbox.connection import Connection
from letterlock.services.sip_link import SipSettings
from letterlock.sip.message import call_id, new_tag

__all__ = ["Heard", "MaapPlatform"]


@dataclass(frozen=True)
class Heard:
    """What a phone sent to the bot."""

    request: Request
    message: Cpim

    @property
    def sender(self) -> str:
        return self.request.headers.all("P-Asserted-Identity")[-1]

    @property
    def content_type(self) -> str:
        return (self.message.content.header("content-type") or "").partition(";")[0]

    @property
    def body(self) -> bytes:
        return self.message.content.content()


@dataclass
class MaapPlatform:
    """Use it as an async context manager. The carrier needs `server_port=0`."""

    carrier: Carrier
    bot: BotAddress
    heard: asyncio.Queue[Heard] = field(default_factory=asyncio.Queue)
    _server: asyncio.Server | None = None
    _links: list[Connection] = field(default_factory=list)
    _own: Connection | None = None

    async def __aenter__(self) -> MaapPlatform:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._link, "127.0.0.1", 0)
        user = self.bot.removeprefix("sip:").partition("@")[0]
        self.carrier.serve(
            ApplicationServer("127.0.0.1", self._server.sockets[0].getsockname()[1], users=frozenset({user}))
        )
        assert self.carrier.server_port is not None
        _, self._own = await loop.create_connection(self._link, "127.0.0.1", self.carrier.server_port)
        return self

    async def __aexit__(self, *exception: object) -> None:
        assert self._server is not None
        self._server.close()
        for link in self._links:
            link.close()
            await link.closed
        await self._server.wait_closed()

    def _link(self) -> Connection:
        link = Connection(SipSettings(), self._arrived, os.urandom, lambda _: True)
        self._links.append(link)
        return link

    def _arrived(self, link: Connection, key: Any, request: Request) -> None:
        link.respond(key, 200)
        message = decode_cpim(request.body, CpimLimits(1 << 18, 64, 8_192))
        self.heard.put_nowait(Heard(request, message))

    async def send(
        self,
        to: Number,
        content_type: str,
        body: bytes,
        *,
        message_id: str = "",
        display: str = "",
        asserted: str = "",
        inner: tuple[str, str] | None = None,
        receipts: bool = False,
        contribution: str = "",
    ) -> tuple[MessageId, int]:
        """Send as the bot; the id and how the phone's carrier answered. The rest is what a hostile bot would say of itself."""
        name = MessageId(message_id or str(uuid.uuid4()))
        message = chat_message(content_type, body, message_id=name, addresses=inner, receipts=receipts)
        uri = f"sip:{to}@{self.carrier.domain}"
        items = [
            ("From", f"{display}<{self.bot}>;tag={new_tag(os.urandom)}"),
            ("To", f"<{uri}>"),
            ("Call-ID", call_id(os.urandom)),
            ("CSeq", "1 MESSAGE"),
            ("Max-Forwards", "70"),
            ("P-Asserted-Identity", asserted or f"{display}<{self.bot}>"),
            ("Content-Type", "message/cpim"),
            ("Contribution-ID", contribution or str(uuid.uuid4())),
        ]
        assert self._own is not None
        answer = await self._own.request(Request("MESSAGE", uri, Headers(items), encode_cpim(message)))
        assert answer is not None
        return name, answer.status

    async def hears(self) -> Heard:
        """The next message of a phone."""
        async with asyncio.timeout(10):
            return await self.heard.get()
