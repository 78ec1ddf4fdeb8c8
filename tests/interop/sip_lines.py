"""A SIP endpoint whose every line the test decides: for what a well-behaved phone would never send, or answer."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import uuid
from typing import Protocol

from interop.kamailio import LAB_PASSWORD
from letterlock.codec.sip import (
    Headers,
    KeepAlive,
    Limits,
    Malformed,
    NameAddr,
    Request,
    Response,
    StreamParser,
    encode,
)
from letterlock.sip.authenticator import Authenticator
from letterlock.sip.message import call_id, new_branch, new_tag, response_to

_LIMITS = Limits(max_header_bytes=65_536, max_headers=256, max_line=32_768, max_body=1 << 20)


class Host(Protocol):
    """Where a line goes, unless it is told another port."""

    host: str
    domain: str
    tcp_port: int


class SipLine:
    """One TCP connection to `port` of the server. Requests that come are in `arrived`, unanswered."""

    def __init__(self, server: Host, me: str, port: int | None = None) -> None:
        self.server = server
        self.me = me
        self.instance = f"urn:uuid:{uuid.uuid4()}"
        self.arrived: asyncio.Queue[Request] = asyncio.Queue()
        self.provisional: asyncio.Queue[Response] = asyncio.Queue()
        self.tag = new_tag(os.urandom)
        self._port = port or server.tcp_port
        self._authenticator = Authenticator(me, LAB_PASSWORD, os.urandom)
        self._cseq = itertools.count(1)
        self._answers: dict[str, asyncio.Future[Response]] = {}

    async def __aenter__(self) -> SipLine:
        await self.connect()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.disconnect()

    async def connect(self) -> None:
        reader, self._writer = await asyncio.open_connection(self.server.host, self._port)
        self.port: int = self._writer.get_extra_info("sockname")[1]
        self._reading = asyncio.get_running_loop().create_task(self._read(reader))

    async def disconnect(self) -> None:
        self._writer.close()
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)

    @property
    def contact(self) -> str:
        return f"<sip:{self.me}@127.0.0.1:{self.port};transport=tcp>"

    def uri(self, number: str) -> str:
        return f"sip:{number}@{self.server.domain}"

    async def register(self, expires: int = 600) -> Response:
        """With Digest; returns the final answer."""
        where = f'{self.contact};+sip.instance="<{self.instance}>";expires={expires}'
        me = f"<{self.uri(self.me)}>"
        headers = (("To", me), ("Contact", where), ("Supported", "path, gruu"))
        return await self.send(self.build("REGISTER", f"sip:{self.server.domain}", *headers))

    def build(self, method: str, uri: str, *headers: tuple[str, str], body: bytes = b"") -> Request:
        """A request from this number; what is given stands in the place of what is usual."""
        given = {name.lower() for name, _ in headers}
        usual = (
            ("Max-Forwards", "70"),
            ("From", f"<{self.uri(self.me)}>;tag={self.tag}"),
            ("To", f"<{uri}>"),
            ("Call-ID", call_id(os.urandom)),
            ("CSeq", f"{next(self._cseq)} {method}"),
        )
        return Request(
            method, uri, Headers([*(each for each in usual if each[0].lower() not in given), *headers]), body
        )

    async def send(self, request: Request, *, authenticate: bool = True) -> Response:
        """The final answer, within ten seconds, after one challenge at most."""
        attempt = self._authenticator.first(request)
        response = await self._transact(attempt.request)
        again = self._authenticator.answer(attempt, response) if authenticate else None
        return response if again is None else await self._transact(again.request)

    async def message(self, to: str, body: bytes, *headers: tuple[str, str]) -> Response:
        kind = () if any(name == "Content-Type" for name, _ in headers) else (("Content-Type", "message/cpim"),)
        return await self.send(self.build("MESSAGE", self.uri(to), *kind, *headers, body=body))

    async def next(self, method: str = "") -> Request:
        """The next request that came; fails after five seconds, or when it is another."""
        async with asyncio.timeout(5):
            request = await self.arrived.get()
        assert not method or request.method == method, request
        return request

    def answer(
        self, request: Request, status: int, *headers: tuple[str, str], body: bytes = b"", tag: str | None = None
    ) -> None:
        self.write(response_to(request, status, tag=tag or self.tag, headers=headers, body=body))

    async def take(self, status: int = 200, *headers: tuple[str, str]) -> Request:
        """The next request, answered."""
        request = await self.next()
        self.answer(request, status, *headers)
        return request

    def write(self, message: Request | Response) -> None:
        """Send as it is; a request gets a Via when it has none."""
        if isinstance(message, Request) and "Via" not in message.headers:
            message = self._with_via(message)
        self._writer.write(encode(message))

    def _with_via(self, request: Request) -> Request:
        via = f"SIP/2.0/TCP 127.0.0.1:{self.port};branch={new_branch(os.urandom)};rport;alias"
        return Request(request.method, request.uri, request.headers.prepended("Via", via), request.body)

    async def _transact(self, request: Request) -> Response:
        request = self._with_via(request)
        answer: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        key = f"{request.headers.get('Call-ID')} {request.headers.get('CSeq')}"
        self._answers[key] = answer
        self.write(request)
        async with asyncio.timeout(10):
            response = await answer
        if request.method == "INVITE" and response.status >= 300:
            self._acknowledge(request, response)
        return response

    def _acknowledge(self, request: Request, response: Response) -> None:
        """The ACK of a refusal, which is part of the transaction (RFC 3261 section 17.1.1.3)."""
        headers = request.headers.with_("CSeq", (request.headers.get("CSeq") or "").replace("INVITE", "ACK"))
        headers = headers.with_("To", response.headers.get("To") or "").without("Proxy-Authorization")
        self.write(Request("ACK", request.uri, headers))

    async def _read(self, reader: asyncio.StreamReader) -> None:
        parser = StreamParser(_LIMITS)
        while data := await reader.read(65_536):
            for item in parser.feed(data):
                if isinstance(item, Request):
                    self.arrived.put_nowait(item)
                elif isinstance(item, Response):
                    self._on_response(item)
                else:
                    assert isinstance(item, KeepAlive) or not isinstance(item, Malformed), item

    def _on_response(self, response: Response) -> None:
        if response.status < 200:
            self.provisional.put_nowait(response)
            return
        key = f"{response.headers.get('Call-ID')} {response.headers.get('CSeq')}"
        answer = self._answers.pop(key, None)
        if answer is not None and not answer.done():
            answer.set_result(response)


class SipServer(SipLine):
    """The other direction: listens on `listen`, and reads what comes over any connection; answers go to the last one."""

    def __init__(self, server: Host, me: str, listen: int) -> None:
        super().__init__(server, me)
        self.port = listen
        self._accepted: list[asyncio.Task[None]] = []

    async def connect(self) -> None:
        self._listener = await asyncio.start_server(self._accept, "127.0.0.1", self.port)

    async def disconnect(self) -> None:
        self._listener.close()
        for task in self._accepted:
            task.cancel()
        await asyncio.gather(*self._accepted, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        task = asyncio.current_task()
        assert task is not None
        self._accepted.append(task)
        # A peer that was killed, or the end of the test: neither is an error of this server.
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            await self._read(reader)
        writer.close()


def tag_of(value: str | None) -> str:
    """The tag of a From or To."""
    return NameAddr.parse(value or "").tag or ""
