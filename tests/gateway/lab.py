"""A carrier, a gateway and transports of its clients, on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from letterlock.carriage import Inbound, Outbound
from letterlock.carrier import Accounts, Carrier
from letterlock.carrier.settings import DEFAULT_DOMAIN
from letterlock.ids import MessageId, Number, conversation_of
from letterlock.services.gateway import CarrierProfile, Gateway, GatewayLimits
from letterlock.transport.gateway.config import GatewayConfig, GatewaySettings
from letterlock.transport.gateway.transport import GatewayTransport
from letterlock.transport.rcs.config import RcsConfig
from letterlock.transport.rcs.transport import RcsTransport

__all__ = ["ANA", "BEN", "CAM", "QUICK", "SECRET", "Inbox", "Lab", "eventually", "text"]

ANA, BEN, CAM = Number("+15550100"), Number("+15550199"), Number("+15550155")
SECRET = b"s" * 32
QUICK = GatewaySettings(connect_s=5.0, link_wait_s=5.0, answer_s=15.0, backoff_s=(0.02, 0.2), replaced_wait_s=0.5)


class Inbox:
    """What a client has committed. `fail` may raise in its place, `hold` keeps it waiting."""

    def __init__(self) -> None:
        self.got: list[Inbound] = []
        self.fail: Callable[[Inbound], None] = lambda inbound: None
        self.hold: asyncio.Event | None = None

    async def take(self, inbound: Inbound) -> None:
        if self.hold is not None:
            await self.hold.wait()
        self.fail(inbound)
        self.got.append(inbound)

    @property
    def texts(self) -> list[str]:
        return [inbound.body.decode() for inbound in self.got]


def text(sender: Number, to: Number, body: str, message_id: str = "") -> Outbound:
    return Outbound(
        to,
        MessageId(message_id or str(uuid.uuid4())),
        conversation_of(sender, to),
        "text/plain;charset=UTF-8",
        body.encode(),
        large=False,
    )


async def eventually(condition: Callable[[], Any], seconds: float = 10.0) -> None:
    """Wait until it is so."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


class Lab:
    """The gateway is at `self.gateway`, and can be ended and begun again on the same database and port."""

    def __init__(self, folder: Path, **changes: Any) -> None:
        self.folder = folder
        self.carrier = Carrier("127.0.0.1", 0, Accounts.lab("lab"), msrp_port=0)
        self.changes = changes
        self.gateway: Gateway = None  # type: ignore[assignment]
        self.port = 0
        self.closing = contextlib.AsyncExitStack()

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls, folder: Path, **changes: Any) -> AsyncIterator[Lab]:
        lab = cls(folder, **changes)
        await lab.carrier.start()
        try:
            await lab.begin()
            yield lab
        finally:
            await lab.closing.aclose()
            await lab.end()
            await lab.carrier.close()

    @property
    def profile(self) -> CarrierProfile:
        relay = self.carrier.msrp_uri
        return CarrierProfile(
            "127.0.0.1",
            self.carrier.port,
            DEFAULT_DOMAIN,
            tls=False,
            msrp_relay=None if relay is None else relay.encode(),
        )

    async def begin(self, **changes: Any) -> None:
        given = {
            "limits": GatewayLimits(tidy_ms=5),
            "operator": "operator-token",
            **self.changes,
            **changes,
        }
        self.gateway = Gateway(
            str(self.folder / "gateway.db"), self.profile, self.password, SECRET, port=self.port, **given
        )
        await self.gateway.start()
        self.port = self.gateway.port

    async def end(self) -> None:
        if self.gateway is not None:
            await self.gateway.close()

    @staticmethod
    def password(number: str) -> str | None:
        return f"pw {number}" if number.startswith("+") else None

    def config(self, number: Number, device: int = 1, **changes: Any) -> GatewayConfig:
        config = GatewayConfig(
            f"http://127.0.0.1:{self.port}",
            number,
            str(uuid.uuid5(uuid.NAMESPACE_OID, f"{number} {device}")),
            password=f"pw {number}",
            token="t" * 43,
            sip_username=number,
            sip_password="lab",
        )
        return dataclasses.replace(config, **changes)

    def transport(self, number: Number, inbox: Inbox, **changes: Any) -> GatewayTransport:
        return GatewayTransport(self.config(number, **changes), inbox.take, settings=QUICK)

    async def linked(self, number: Number, inbox: Inbox | None = None, **changes: Any) -> GatewayTransport:
        """A client that is there, registered through the gateway."""
        transport = self.transport(number, inbox or Inbox(), **changes)
        await transport.start()
        self.closing.push_async_callback(transport.close)
        async with asyncio.timeout(10):
            await transport.registered()
        return transport

    async def native(self, number: Number, inbox: Inbox | None = None) -> RcsTransport:
        """A client that speaks with the carrier itself."""
        instance = str(uuid.uuid5(uuid.NAMESPACE_OID, f"native {number}"))
        config: RcsConfig = self.profile.config(number, instance, number, "lab", ())
        transport = RcsTransport(config, (inbox or Inbox()).take)
        await transport.start()
        self.closing.push_async_callback(transport.close)
        async with asyncio.timeout(10):
            await transport.registered()
        return transport
