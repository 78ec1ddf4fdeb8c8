"""What stands in for Kamailio in front of the mailbox: a script of what it hands over and what its devices answer."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from interop.kamailio import free_ports
from interop.sip_lines import SipLine, SipServer
from letterlock.codec.sip import Request, Response, Uri

DOMAIN = "rcs.example.test"
ALICE, BOB, CAROL = "+15550100", "+15550101", "+15550102"
PHONE, TABLET = (f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, name)}" for name in ("phone", "tablet"))


class Proxy:
    """`answer` says what is answered to each request that the mailbox sends; 200 unless the test sets another."""

    host = "127.0.0.1"
    domain = DOMAIN

    def __init__(self) -> None:
        self.tcp_port = 0  # the mailbox's, once it is known
        self.application_port = free_ports(1)[0]
        self.arrived: list[Request] = []
        self.answer: Callable[[Request], tuple[int, tuple[tuple[str, str], ...]] | None] = lambda _: (200, ())
        self.handovers = 0

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Proxy]:
        """Take what the mailbox sends."""
        async with SipServer(self, "proxy", self.application_port) as server:
            task = asyncio.create_task(self._answering(server))
            yield self
            task.cancel()

    @asynccontextmanager
    async def handing_over(self, port: int) -> AsyncIterator[SipLine]:
        """A connection to the mailbox."""
        self.tcp_port = port
        async with SipLine(self, ALICE) as line:
            yield line

    async def hand(
        self, line: SipLine, body: bytes, *headers: tuple[str, str], to: str = BOB, present: tuple[str, ...] = ()
    ) -> Response:
        """A MESSAGE as Kamailio hands it over."""
        self.handovers += 1
        asserted = (f"<sip:{line.me}@{DOMAIN}>", f"<tel:{line.me}>")
        given = {name for name, _ in headers}
        whole = (
            *(("P-Asserted-Identity", value) for value in asserted if "P-Asserted-Identity" not in given),
            *((("Content-Type", "message/cpim"),) if "Content-Type" not in given else ()),
            ("P-Letterlock-Handover", str(self.handovers)),
            *(("P-Letterlock-Device", f"<{device}>") for device in present),
            *headers,
        )
        return await line.send(line.build("MESSAGE", f"sip:{to}@{DOMAIN}", *whole, body=body))

    async def register(self, line: SipLine, device: str, number: str = BOB) -> Response:
        """A third-party REGISTER."""
        self.handovers += 1
        headers = (
            ("To", f"<sip:{number}@{DOMAIN}>"),
            ("From", f"<sip:{DOMAIN}>;tag=1"),
            ("Contact", f'<sip:{number}@127.0.0.1:9>;+sip.instance="<{device}>"'),
            ("P-Letterlock-Handover", str(self.handovers)),
        )
        return await line.send(line.build("REGISTER", f"sip:127.0.0.1:{self.tcp_port}", *headers))

    def messages(self, device: str = PHONE) -> list[bytes]:
        """The bodies that came for a device."""
        return [r.body for r in self.arrived if r.method == "MESSAGE" and Uri.parse(r.uri).params.get("gr") == device]

    def grants(self) -> list[Request]:
        return [request for request in self.arrived if request.method == "PUBLISH"]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something to have arrived."""
        async with asyncio.timeout(5):
            while not condition():
                await asyncio.sleep(0.005)

    async def _answering(self, server: SipServer) -> None:
        while True:
            request = await server.arrived.get()
            self.arrived.append(request)
            answer = self.answer(request)
            if answer is not None:
                server.answer(request, answer[0], *answer[1])
