"""A scripted SIP peer on a real socket: a phone that registers, or an application server that listens."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from letterlock.codec.sip import Headers, Limits, Request, Response, StreamParser, encode
from letterlock.sip.digest import DigestClient
from letterlock.sip.message import new_branch, response_to

LIMITS = Limits(65_536, 256, 16_384, 1_000_000)


class SipPeer(asyncio.Protocol):
    """One connection; `requests` and `responses` are what came over it, one at a time."""

    def __init__(self, on_request: Callable[[Request], Response | None] | None = None) -> None:
        self.requests: asyncio.Queue[Request] = asyncio.Queue()
        self.responses: asyncio.Queue[Response] = asyncio.Queue()
        self.closed = asyncio.Event()
        self._on_request = on_request
        self._parser = StreamParser(LIMITS)
        self.transport: asyncio.Transport | None = None
        self._serial = 0

    @classmethod
    async def connect(cls, port: int, on_request: Callable[[Request], Response | None] | None = None) -> SipPeer:
        _, peer = await asyncio.get_running_loop().create_connection(lambda: cls(on_request), "127.0.0.1", port)
        return peer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, exception: Exception | None) -> None:
        self.closed.set()

    def data_received(self, data: bytes) -> None:
        for item in self._parser.feed(data):
            if isinstance(item, Request):
                answer = None if self._on_request is None else self._on_request(item)
                if answer is not None:
                    self.send(answer)
                self.requests.put_nowait(item)
            elif isinstance(item, Response):
                self.responses.put_nowait(item)

    def send(self, message: Request | Response) -> None:
        assert self.transport is not None
        self.transport.write(encode(message))

    def request(self, method: str, uri: str, sender: str, *more: tuple[str, str], body: bytes = b"") -> Request:
        """Send a request outside any dialog."""
        self._serial += 1
        basics = (
            ("Via", f"SIP/2.0/TCP 127.0.0.1:9;branch={new_branch(os.urandom)};rport"),
            ("Max-Forwards", "70"),
            ("From", f"<{sender}>;tag=t{self._serial}"),
            ("To", f"<{uri}>"),
            ("Call-ID", f"{id(self)}-{self._serial}"),
            ("CSeq", f"{self._serial} {method}"),
        )
        given = {name for name, _ in more}
        request = Request(method, uri, Headers([*(item for item in basics if item[0] not in given), *more]), body)
        self.send(request)
        return request

    async def status(self) -> int:
        """Of the next response."""
        async with asyncio.timeout(5):
            return (await self.responses.get()).status

    async def arrived(self) -> Request:
        async with asyncio.timeout(5):
            return await self.requests.get()

    async def register(self, number: str, password: str, domain: str) -> int:
        """Both steps of it; the last status."""
        client = DigestClient(number, password, os.urandom)
        address = f"sip:{number}@{domain}"
        contact = ("Contact", f'<sip:{number}@127.0.0.1:9>;+sip.instance="<urn:uuid:{id(self)}>"')
        self.request("REGISTER", f"sip:{domain}", address, contact, ("To", f"<{address}>"))
        async with asyncio.timeout(5):
            first = await self.responses.get()
        if first.status != 401:
            return first.status
        client.accept(first.headers.all("WWW-Authenticate"))
        signed = ("Authorization", client.credentials("REGISTER", f"sip:{domain}"))
        self.request("REGISTER", f"sip:{domain}", address, contact, ("To", f"<{address}>"), signed)
        return await self.status()

    async def close(self) -> None:
        if self.transport is not None:
            self.transport.close()
            await self.closed.wait()


class SipService:
    """An application server that listens. `peers` are the connections that were opened to it."""

    def __init__(self, on_request: Callable[[Request], Response | None] | None = None) -> None:
        self.peers: list[SipPeer] = []
        self.port = 0
        self._on_request = on_request or (lambda request: response_to(request, 200, tag="s"))
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> SipService:
        self._server = await asyncio.get_running_loop().create_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exception: object) -> None:
        assert self._server is not None
        self._server.close()
        for peer in self.peers:
            await peer.close()
        await self._server.wait_closed()

    def _accept(self) -> SipPeer:
        peer = SipPeer(self._on_request)
        self.peers.append(peer)
        return peer
