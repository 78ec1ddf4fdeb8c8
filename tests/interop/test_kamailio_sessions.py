"""Our message sessions through Debian's Kamailio: its proxy for INVITE, its MSRP relay for the media."""

from __future__ import annotations

import asyncio
import contextlib
import os
import uuid
from collections.abc import AsyncIterator

import pytest

from interop.kamailio import LAB_PASSWORD, Kamailio
from letterlock.carriage import Inbound, NetworkResult, Outbound
from letterlock.ids import MessageId, Number, conversation_of, number
from letterlock.transport.rcs.config import RcsConfig, SessionConfig
from letterlock.transport.rcs.transport import RcsTransport

pytestmark = [pytest.mark.anyio, pytest.mark.kamailio]

FRAME = "application/vnd.letterlock.signal"
LARGE = bytes(range(256)) * 800  # 204,800 bytes: Kamailio drops a connection over a request of 65,536


class Phone:
    def __init__(self, server: Kamailio, sessions: SessionConfig, *, tls: bool) -> None:
        self.me = number(f"+1555{uuid.uuid4().int % 10_000_000:07}")
        self.inbox: asyncio.Queue[Inbound] = asyncio.Queue()
        config = RcsConfig(
            number=self.me,
            domain=server.domain,
            username=self.me,
            password=LAB_PASSWORD,
            server="127.0.0.1",
            port=server.tls_port if tls else server.tcp_port,
            instance=str(uuid.uuid4()),
            tls=tls,
            ca_file=str(server.certificate.authority),
            sessions=sessions,
        )
        self.transport = RcsTransport(config, self.inbox.put)

    async def send(self, to: Number, body: bytes) -> NetworkResult:
        async with asyncio.timeout(20):
            return await self.transport.send(
                Outbound(to, MessageId(str(uuid.uuid4())), conversation_of(self.me, to), FRAME, body, large=True)
            )

    async def next(self) -> Inbound:
        async with asyncio.timeout(10):
            return await self.inbox.get()


@contextlib.asynccontextmanager
async def two(server: Kamailio, sessions: SessionConfig, *, tls: bool) -> AsyncIterator[tuple[Phone, Phone]]:
    alice, bob = Phone(server, sessions, tls=tls), Phone(server, sessions, tls=tls)
    async with alice.transport, bob.transport, asyncio.timeout(30):
        await alice.transport.registered()
        await bob.transport.registered()
        yield alice, bob


def relay(server: Kamailio, *, tls: bool) -> SessionConfig:
    scheme, port = ("msrps", server.msrps_port) if tls else ("msrp", server.msrp_port)
    return SessionConfig(msrp_relay=f"{scheme}://127.0.0.1:{port};tcp", idle_s=1.0)


@pytest.mark.parametrize("tls", [False, True], ids=["tcp", "tls"])
async def test_a_large_message_over_the_relay_and_its_answer(kamailio: Kamailio, tls: bool) -> None:
    async with two(kamailio, relay(kamailio, tls=tls), tls=tls) as (alice, bob):
        # For the hop between two of its own users Kamailio connects to itself; while that TLS handshake lasts it loses
        # frames and answers 481 ("TCP/TLS connection not found"). The outbox tries again, and so does this test.
        results = [await alice.send(bob.me, LARGE)]
        while tls and not results[-1].accepted and len(results) < 4:
            assert results[-1].status == 0
            results.append(await alice.send(bob.me, LARGE))
        assert results[-1] == NetworkResult(True, 200, "OK")
        arrived = await bob.next()
        assert (arrived.sender, arrived.body) == (alice.me, LARGE)
        assert (await bob.send(alice.me, b"small, over the same session")).accepted
        assert (await alice.next()).body == b"small, over the same session"
        assert len(alice.transport.sessions) == len(bob.transport.sessions) == 1
        async with asyncio.timeout(10):
            while len(alice.transport.sessions) or len(bob.transport.sessions):
                await asyncio.sleep(0.02)
        assert (await alice.send(bob.me, os.urandom(300_000))).accepted  # idle and closed, opened again


async def test_a_session_between_listeners(kamailio: Kamailio) -> None:
    async with two(kamailio, SessionConfig(), tls=False) as (alice, bob):
        assert (await alice.send(bob.me, LARGE)).accepted
        assert (await bob.next()).body == LARGE


async def test_both_call_at_once(kamailio: Kamailio) -> None:
    async with two(kamailio, relay(kamailio, tls=False), tls=False) as (alice, bob):
        results = await asyncio.gather(alice.send(bob.me, LARGE), bob.send(alice.me, LARGE))
        assert all(result.accepted for result in results)
        assert (await alice.next()).body == (await bob.next()).body == LARGE


async def test_a_number_that_is_away(kamailio: Kamailio) -> None:
    async with two(kamailio, relay(kamailio, tls=False), tls=False) as (alice, _):
        result = await alice.send(number("+15559999999"), LARGE)
        assert (result.accepted, result.status) == (False, 480)
