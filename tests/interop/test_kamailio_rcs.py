"""Our transport through Debian's Kamailio: registration, messages byte for byte, tags, forking, no stale contacts."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from carrier.phone import Phone
from interop.kamailio import LAB_PASSWORD, OWN_NUMBER, OWN_PASSWORD, Kamailio
from lab_certificate import write_lab_certificate
from letterlock.codec.sip import Headers, Limits, Request
from letterlock.ids import Number, number
from letterlock.sip.authenticator import Authenticator
from letterlock.sip.transaction import Timers
from letterlock.sip.user_agent import UserAgentSettings
from letterlock.transport.rcs.presence import RcsState
from letterlock.transport.rcs.sip_connection import SipConnection

pytestmark = [pytest.mark.anyio, pytest.mark.kamailio]


def fresh_number() -> Number:
    """A number that no other test registers."""
    return number(f"+1555{uuid.uuid4().int % 10_000_000:07}")


def phone(server: Kamailio, me: Number, device: int = 1, *, tls: bool = False, **options: object) -> Phone:
    return Phone(
        me,
        str(options.pop("password", LAB_PASSWORD)),
        port=server.tls_port if tls else server.tcp_port,
        domain=server.domain,
        device=device,
        ca=server.certificate.authority if tls else None,
        **options,  # type: ignore[arg-type]
    )


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("tls", [False, True], ids=["tcp", "tls"])
async def test_messages_go_through_byte_for_byte_both_ways(kamailio: Kamailio, tls: bool) -> None:
    """Byte-exact CPIM bodies, small and large; over TLS the server's certificate is verified (SR-19)."""
    async with phone(kamailio, fresh_number(), tls=tls) as alice, phone(kamailio, fresh_number(), tls=tls) as bob:
        for body in (b"\x00\r\n\r\n--x\xff", bytes(range(256)) * 4, os.urandom(50_000)):
            for sender, receiver in ((alice, bob), (bob, alice)):
                assert await sender.send(receiver.me, body) == 200
                arrived = await receiver.next()
                assert arrived.body == body
                assert (arrived.sender, arrived.recipient) == (sender.me, receiver.me)


async def test_tcp_and_tls_phones_reach_each_other(kamailio: Kamailio) -> None:
    async with phone(kamailio, fresh_number(), tls=True) as alice, phone(kamailio, fresh_number()) as bob:
        assert await alice.send(bob.me, b"to tcp") == 200
        assert (await bob.next()).body == b"to tcp"
        assert await bob.send(alice.me, b"to tls") == 200
        assert (await alice.next()).body == b"to tls"


async def test_sr_19_an_unknown_certificate_is_refused(kamailio: Kamailio, tmp_path: Path) -> None:
    stranger = Phone(
        fresh_number(),
        LAB_PASSWORD,
        port=kamailio.tls_port,
        domain=kamailio.domain,
        ca=write_lab_certificate(tmp_path).authority,
    )
    await stranger.transport.start()
    await until(lambda: "certificate" in stranger.transport.status.reason)
    assert stranger.transport.status.state is not RcsState.REGISTERED
    await stranger.transport.close()


async def test_a_wrong_password_is_refused(kamailio: Kamailio) -> None:
    for me, password in ((fresh_number(), "wrong"), (number(OWN_NUMBER), LAB_PASSWORD)):
        refused = phone(kamailio, me, password=password)
        await refused.transport.start()
        await until(lambda refused=refused: refused.transport.status.state is RcsState.REFUSED)  # type: ignore[misc]
        await refused.transport.close()
    async with phone(kamailio, number(OWN_NUMBER), password=OWN_PASSWORD) as own:
        assert own.transport.status.state is RcsState.REGISTERED


async def test_tel_addresses_work(kamailio: Kamailio) -> None:
    async with phone(kamailio, fresh_number(), tel_addresses=True) as alice, phone(kamailio, fresh_number()) as bob:
        assert await alice.send(bob.me, b"by number") == 200
        assert (await bob.next()).sender == alice.me


async def test_options_bring_back_the_tags(kamailio: Kamailio) -> None:
    async with phone(kamailio, fresh_number()) as alice, phone(kamailio, fresh_number()) as bob:
        tags = await alice.transport.capabilities(bob.me)
        assert tags is not None
        assert tags.params()
        assert await alice.transport.capabilities(fresh_number()) is None  # nobody there now: unknown


async def test_an_offline_number_is_480_and_its_phone_comes_back(kamailio: Kamailio) -> None:
    """No store and forward here: the outbox of the sender tries again."""
    later = fresh_number()
    async with phone(kamailio, fresh_number()) as alice:
        assert await alice.send(later, b"x") == 480
        async with phone(kamailio, later) as bob:
            assert await alice.send(later, b"y") == 200
            assert (await bob.next()).body == b"y"
        assert await alice.send(later, b"z") == 480


async def test_two_devices_both_get_it(kamailio: Kamailio) -> None:
    them = fresh_number()
    async with (
        phone(kamailio, fresh_number()) as alice,
        phone(kamailio, them, 1) as first,
        phone(kamailio, them, 2, tls=True) as second,
    ):
        assert await alice.send(them, b"both") == 200
        assert (await first.next()).body == (await second.next()).body == b"both"


async def test_a_broken_connection_leaves_no_contact_behind(kamailio: Kamailio) -> None:
    """A phone that lost its connection and came back is reached at once, and gets one copy."""
    async with phone(kamailio, fresh_number()) as alice:
        bob = phone(kamailio, fresh_number())
        await bob.transport.start()
        await bob.transport.registered()
        for _ in range(3):
            connection = bob.transport.presence._connection
            assert connection is not None
            connection._abort("broken by the test")
            await until(lambda: bob.transport.status.state is not RcsState.REGISTERED)
            await until(lambda: bob.transport.status.state is RcsState.REGISTERED)
        assert await alice.send(bob.me, b"once") == 200
        assert (await bob.next()).body == b"once"
        assert bob.inbox.empty()
        await bob.transport.close()


async def test_an_asserted_identity_is_the_servers_word_only(kamailio: Kamailio) -> None:
    """SR-03 at the network's level: a sender cannot write its own P-Asserted-Identity, nor use another's From."""
    mallory, victim = fresh_number(), fresh_number()
    settings = UserAgentSettings(Limits(32_768, 200, 8192, 262_144), Timers(5_000, 0), 16, 60_000, 60_000, 10_000)
    connection = await SipConnection.open(
        "127.0.0.1",
        kamailio.tcp_port,
        None,
        None,
        settings,
        Authenticator(mallory, LAB_PASSWORD, os.urandom),
        lambda *_: None,
        os.urandom,
    )

    def forged(from_: Number) -> Request:
        uri = f"sip:{bob.me}@{kamailio.domain}"
        head = (
            ("From", f"<sip:{from_}@{kamailio.domain}>;tag=1"),
            ("To", f"<{uri}>"),
            ("Call-ID", uuid.uuid4().hex),
            ("CSeq", "1 MESSAGE"),
            ("P-Asserted-Identity", f"<sip:{victim}@{kamailio.domain}>"),
            ("P-Asserted-Identity", f"<tel:{victim}>"),
            ("Content-Type", "text/plain"),
        )
        return Request("MESSAGE", uri, Headers(head), b"believe me")

    async with phone(kamailio, fresh_number()) as bob:
        assert (await connection.request(forged(mallory))).status == 200
        assert (await bob.next()).sender == mallory
        assert (await connection.request(forged(victim))).status in (403, 407)
        assert bob.inbox.empty()
    await connection.finish()


async def test_what_is_over_its_read_buffer_goes_over_a_session(kamailio: Kamailio) -> None:
    """A request of 64 KiB would make it drop the connection: such a body never goes as one."""
    async with phone(kamailio, fresh_number()) as alice, phone(kamailio, fresh_number()) as bob:
        body = os.urandom(70_000)
        assert await alice.send(bob.me, body) == 200
        assert (await bob.next()).body == body
        assert await alice.send(bob.me, b"still there") == 200
        assert (await bob.next()).body == b"still there"
