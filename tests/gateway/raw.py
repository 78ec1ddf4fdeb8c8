"""A client that says what it likes: for what an honest one would not."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import TypeVar

import aiohttp

from gateway.decoders import LIMITS
from letterlock.codec import gateway
from letterlock.transport.gateway.config import SUBPROTOCOL, GatewayConfig, GatewaySettings
from letterlock.transport.gateway.connection import GatewayHttp

__all__ = ["Raw", "enrolled", "raw_link"]

F = TypeVar("F", bound=gateway.GatewayFrame)


class Raw:
    """A link, frame by frame."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def say(self, *frames: gateway.ClientFrame) -> None:
        for frame in frames:
            await self.socket.send_bytes(gateway.encode(frame))

    async def hello(self, inbox: bytes | None = None, cursor: int = 0) -> gateway.Welcome:
        await self.say(gateway.Hello(inbox, cursor))
        return await self.next(gateway.Welcome)

    async def next(self, kind: type[F]) -> F:
        """The next frame of a kind; others are passed over."""
        async with asyncio.timeout(10):
            while True:
                message = await self.socket.receive()
                assert message.type is aiohttp.WSMsgType.BINARY, f"ended with {self.socket.close_code}"
                frame = gateway.decode_gateway_frame(message.data, LIMITS)
                if isinstance(frame, kind):
                    return frame

    async def end(self) -> int | None:
        """The code with which the gateway ends it."""
        async with asyncio.timeout(10):
            while True:
                message = await self.socket.receive()
                if message.type is aiohttp.WSMsgType.CLOSE:
                    return int(message.data)
                if message.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR):
                    return None


async def enrolled(config: GatewayConfig) -> GatewayConfig:
    """The same, known to the gateway."""
    http = GatewayHttp(config, GatewaySettings(), None)
    try:
        await http.enrol()
    finally:
        await http.close()
    return config


@contextlib.asynccontextmanager
async def raw_link(config: GatewayConfig, *, name: str = "", token: str = "") -> AsyncIterator[Raw]:
    """Raises WSServerHandshakeError for one that is not let in."""
    authorization = aiohttp.encode_basic_auth(
        name or f"{config.number}/{config.instance}", token or config.device_token
    )
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(
            f"{config.url}/v1/link", protocols=(SUBPROTOCOL,), headers={"Authorization": authorization}
        ) as socket,
    ):
        yield Raw(socket)
