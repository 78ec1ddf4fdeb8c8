"""Our MSRP connections through Kamailio's relay (RFC 4976): a path for a password, messages in chunks both ways, reports,
and what happens when the far end goes away."""

from __future__ import annotations

import asyncio
import os
import ssl
from dataclasses import dataclass, field, replace

import pytest

from interop.kamailio import LAB_PASSWORD, Kamailio
from interop.test_kamailio_rcs import fresh_number
from letterlock.codec.msrp import MsrpUri, Path
from letterlock.msrp import MessageStarted, Session, SessionTable, new_session_id
from letterlock.sip.digest import DigestClient
from letterlock.transport.msrp.bodies import CollectingSink, Sink
from letterlock.transport.msrp.connection import MsrpConnection
from letterlock.transport.msrp.settings import MsrpFailure, MsrpSettings
from letterlock.transport.msrp.tls import by_name

# Kamailio takes a chunk for somebody who has gone and says nothing more of it: only the missing report tells.
SETTINGS = replace(MsrpSettings(), endpoint=replace(MsrpSettings().endpoint, report_ms=1500))

pytestmark = [pytest.mark.anyio, pytest.mark.kamailio]


@dataclass
class Phone:
    """A connection to the relay, with the path that it has granted."""

    received: dict[str, bytes] = field(default_factory=dict)
    table: SessionTable = field(default_factory=SessionTable)

    def session_bound(self, connection: MsrpConnection, session: str) -> None: ...

    def session_failed(self, connection: MsrpConnection, session: str, status: int, reason: str) -> None: ...

    def message_started(self, connection: MsrpConnection, started: MessageStarted) -> Sink:
        return CollectingSink(started, self._keep)

    async def _keep(self, started: MessageStarted, body: bytes) -> None:
        self.received[started.message_id] = body

    async def connect(self, server: Kamailio, *, tls: bool) -> None:
        port = server.msrps_port if tls else server.msrp_port
        client = None
        if tls:
            client = by_name(ssl.create_default_context(cafile=str(server.certificate.authority)), "127.0.0.1")
        self.connection = await MsrpConnection.connect(
            "127.0.0.1", port, client, SETTINGS, self.table, self, os.urandom
        )
        scheme = "msrps" if tls else "msrp"
        self.local = MsrpUri(scheme, "127.0.0.1", self.connection.local[1], new_session_id(os.urandom))
        digest = DigestClient(fresh_number(), LAB_PASSWORD, os.urandom)
        granted = await self.connection.authorize(f"{scheme}://127.0.0.1:{port};tcp", self.local.encode(), digest, 600)
        assert granted.expires_ms == 600_000
        self.use_path: Path = granted.use_path

    def talk_to(self, peer: Phone) -> str:
        """A session whose way is our relay's path and then the peer's, as section 5.1 forms it."""
        self.table.add(
            Session(self.local, (*self.use_path, *reversed(peer.use_path), peer.local), ("*",), 1 << 30, 2048)
        )
        return self.local.session or ""


@pytest.mark.parametrize("tls", [(False, False), (True, True), (False, True)], ids=["tcp", "tls", "tcp-tls"])
async def test_a_session_through_the_relay(kamailio: Kamailio, tls: tuple[bool, bool]) -> None:
    alice, bob = Phone(), Phone()
    await alice.connect(kamailio, tls=tls[0])
    await bob.connect(kamailio, tls=tls[1])
    at_alice, at_bob = alice.talk_to(bob), bob.talk_to(alice)
    bob.connection.attach_session(at_bob)
    await alice.connection.open_session(at_alice)
    large = os.urandom(100_000)
    async with asyncio.timeout(20):
        assert await alice.connection.send(at_alice, "text/plain", b"hello", message_id="m-00000001") is True
        assert await bob.connection.send(at_bob, "text/plain", b"", message_id="m-00000002") is True
        assert await alice.connection.send(at_alice, "application/octet-stream", large, message_id="m-00000003") is True
    assert bob.received == {"m-00000001": b"hello", "m-00000003": large}
    assert alice.received == {"m-00000002": b""}
    await bob.connection.finish()
    async with asyncio.timeout(20):
        with pytest.raises(MsrpFailure) as failure:
            await alice.connection.send(at_alice, "text/plain", b"anybody?", message_id="m-00000004")
    assert failure.value.status in (408, 481)
    await alice.connection.finish()


async def test_a_wrong_password_gets_no_path(kamailio: Kamailio) -> None:
    alice = Phone()
    connection = await MsrpConnection.connect(
        "127.0.0.1", kamailio.msrp_port, None, SETTINGS, alice.table, alice, os.urandom
    )
    digest = DigestClient(fresh_number(), "wrong", os.urandom)
    with pytest.raises(MsrpFailure) as failure:
        await connection.authorize(f"msrp://127.0.0.1:{kamailio.msrp_port};tcp", "msrp://127.0.0.1:9/x1;tcp", digest)
    assert failure.value.status == 401
    await connection.finish()
