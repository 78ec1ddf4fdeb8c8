"""Store and forward behind the real proxy: what Kamailio cannot bring goes to our mailbox, and comes back byte for byte."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from interop.kamailio import LAB_PASSWORD, Kamailio, free_ports, missing
from interop.sip_lines import SipLine
from interop.test_kamailio_rcs import fresh_number, phone
from letterlock.services.mailbox import Mailbox, MailboxLimits

pytestmark = [pytest.mark.anyio, pytest.mark.kamailio]

QUICK = MailboxLimits(retry_first_ms=100, retry_away_ms=300, reconnect_ms=100)
BODIES = (b"\x00\r\n\r\n--x\xff", bytes(range(256)) * 4, os.urandom(20_000))


class Network:
    """A Kamailio and a mailbox that know each other."""

    def __init__(self, folder: Path) -> None:
        self.mailbox_port = free_ports(1)[0]
        self.kamailio = Kamailio(lab_password=LAB_PASSWORD, mailbox=self.mailbox_port)
        self.database = str(folder / "mailbox.db")
        self.mailbox = self.new_mailbox()

    def new_mailbox(self) -> Mailbox:
        proxy = (self.kamailio.host, self.kamailio.application_port)
        return Mailbox(self.database, domain=self.kamailio.domain, proxy=proxy, port=self.mailbox_port, limits=QUICK)


@pytest.fixture
async def network(tmp_path: Path) -> AsyncIterator[Network]:
    if reason := missing():
        pytest.skip(f"kamailio: {reason}")
    made = Network(tmp_path)
    with made.kamailio:
        await made.mailbox.start()
        yield made
        await made.mailbox.close()


async def test_what_a_phone_missed_comes_when_it_is_back_in_order_and_byte_for_byte(network: Network) -> None:
    server = network.kamailio
    later = fresh_number()
    async with phone(server, fresh_number()) as alice:
        assert await alice.send(later, b"nobody knows this number's phone") == 480
        async with phone(server, later):
            pass
        sent = [*BODIES, *(b"%d" % n for n in range(20))]
        for body in sent:
            assert await alice.send(later, body) == 202
        async with phone(server, later) as bob:
            for body in sent:
                arrived = await bob.next()
                assert arrived.body == body
                assert (arrived.sender, arrived.recipient) == (alice.me, later)
            assert bob.inbox.empty()
        assert await network.mailbox.waiting() == 0


async def settled(line: SipLine, to: str) -> None:
    """Wait until messages for this number pass the mailbox: 200 of the device, not 202."""
    async with asyncio.timeout(5):
        while (await line.message(to, b"straight?")).status != 200:
            await asyncio.sleep(0.02)


def receiving(line: SipLine) -> asyncio.Task[None]:
    """Answer whatever comes with 200 and keep it in `line.taken`."""

    async def take() -> None:
        while True:
            request = await line.arrived.get()
            line.answer(request, 200)

    return asyncio.get_running_loop().create_task(take())


async def test_one_phone_that_is_there_is_reached_past_the_mailbox(network: Network) -> None:
    """Once nothing waits: 200 is the phone's own word. When it fails, the mailbox has the message."""
    server = network.kamailio
    async with SipLine(server, fresh_number()) as alice, SipLine(server, fresh_number()) as bob:
        assert (await bob.register()).status == 200
        task = receiving(bob)
        await settled(alice, bob.me)
        task.cancel()
        sending = asyncio.create_task(alice.message(bob.me, b"not now"))
        await bob.take(500)
        assert (await sending).status == 202
        assert (await bob.take()).body == b"not now"
        sending = asyncio.create_task(alice.message(bob.me, b"never of this type"))
        await bob.take(415)
        assert (await sending).status in (202, 415)


@pytest.mark.parametrize(
    "content_type", ["message/cpim", "message/mls", "application/vnd.letterlock.signal; v=1", "x/y"]
)
async def test_any_content_type_and_the_headers_of_the_sender_survive(network: Network, content_type: str) -> None:
    server, later = network.kamailio, fresh_number()
    ends = (
        ("Content-Type", content_type),
        ("Content-Disposition", "notification"),
        ("Content-Encoding", "deflate"),
        ("Conversation-ID", "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"),
        ("Contribution-ID", "b5ff33aa-7dec-41d0-8765-00a0c91e6bf6"),
        ("Accept-Contact", '*;+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.msg";require;explicit'),
    )
    forged = (("P-Letterlock-Device", "urn:uuid:forged"), ("P-Letterlock-Handover", "99999"))
    async with SipLine(server, fresh_number()) as alice:
        async with SipLine(server, later) as bob:
            await bob.register()
            instance = bob.instance
        for body in BODIES:
            assert (await alice.message(later, body, *ends, *forged)).status == 202
        async with SipLine(server, later) as bob:
            bob.instance = instance
            await bob.register()
            for body in BODIES:
                arrived = await bob.take()
                assert arrived.body == body
                for name, value in ends:
                    assert arrived.headers.all(name) == (value,)
                asserted = arrived.headers.listed("P-Asserted-Identity")
                assert asserted == (f"<sip:{alice.me}@{server.domain}>", f"<tel:{alice.me}>")
                names = {name.lower() for name, _ in arrived.headers}
                assert not {"p-letterlock-device", "p-letterlock-handover", "proxy-authorization", "route"} & names


async def test_each_device_gets_its_copy_whenever_it_comes(network: Network) -> None:
    server, them = network.kamailio, fresh_number()
    async with phone(server, fresh_number()) as alice, phone(server, them, 1) as first:
        async with phone(server, them, 2):
            pass
        sent = [b"%d" % n for n in range(5)]
        for body in sent:
            assert await alice.send(them, body) == 202
        assert [(await first.next()).body for _ in sent] == sent
        async with phone(server, them, 2) as second:
            assert [(await second.next()).body for _ in sent] == sent
            assert await alice.send(them, b"both") == 202
            assert (await first.next()).body == (await second.next()).body == b"both"
            assert first.inbox.empty() and second.inbox.empty()


async def test_a_copy_for_our_own_number_is_for_the_other_devices(network: Network) -> None:
    server, me = network.kamailio, fresh_number()
    async with SipLine(server, me) as first, SipLine(server, me) as second:
        await first.register()
        await second.register()
        assert (await first.message(me, b"to my tablet")).status == 202
        assert (await second.take()).body == b"to my tablet"
        assert first.arrived.empty()


@asynccontextmanager
async def returning(network: Network, *missed: bytes) -> AsyncIterator[SipLine]:
    """A phone that is back, and what was sent to it while it was away."""
    async with SipLine(network.kamailio, fresh_number()) as alice, SipLine(network.kamailio, fresh_number()) as bob:
        await bob.register()
        await bob.disconnect()
        for body in missed:
            assert (await alice.message(bob.me, body)).status == 202
        await bob.connect()
        await bob.register()
        yield bob


async def test_a_device_in_trouble_is_left_alone_as_long_as_it_asks(network: Network) -> None:
    """500 and Retry-After keep the message, and those behind it, in order (RFC 3261 section 20.33)."""
    async with returning(network, b"first", b"second") as bob:
        assert (await bob.take(500, ("Retry-After", "1"))).body == b"first"
        asked = asyncio.get_running_loop().time()
        assert (await bob.take()).body == b"first"
        assert asyncio.get_running_loop().time() - asked > 0.9
        assert (await bob.take()).body == b"second"


async def test_what_a_device_refuses_for_good_does_not_stop_what_is_behind_it(network: Network) -> None:
    async with returning(network, b"refused", b"good") as bob:
        assert (await bob.take(415)).body == b"refused"
        assert (await bob.take()).body == b"good"
        assert bob.arrived.empty()


async def test_a_senders_retry_is_kept_once(network: Network) -> None:
    """An outbox that waits for a receipt tries again for days, with a new Call-ID and a newer date."""
    server, later = network.kamailio, fresh_number()
    ids = (("Contribution-ID", "b5ff33aa-7dec-41d0-8765-00a0c91e6bf6"),)
    async with SipLine(server, fresh_number()) as alice:
        async with SipLine(server, later) as bob:
            await bob.register()
        for body in (b"at 10:00", b"at 11:00", b"at 12:00"):
            assert (await alice.message(later, body, *ids)).status == 202
        assert (await alice.message(later, b"another")).status == 202
        async with SipLine(server, later) as back:
            back.instance = bob.instance
            await back.register()
            assert [(await back.take()).body for _ in range(2)] == [b"at 10:00", b"another"]


async def test_without_the_mailbox_nothing_is_promised(network: Network) -> None:
    """The proxy alone does not say 202 or 200 for a number whose devices it cannot know; it says when to come again."""
    server = network.kamailio
    async with SipLine(server, fresh_number()) as alice, SipLine(server, fresh_number()) as bob:
        await bob.register()
        task = receiving(bob)
        await settled(alice, bob.me)
        await network.mailbox.close()
        assert (await alice.message(bob.me, b"straight")).status == 200
        answer = await alice.message(fresh_number(), b"who knows")
        assert (answer.status, answer.headers.get("Retry-After")) == (480, "5")
        task.cancel()
        network.mailbox = network.new_mailbox()
        await network.mailbox.start()


async def test_a_proxy_that_was_restarted_loses_no_kept_message_and_no_order(network: Network) -> None:
    server, later = network.kamailio, fresh_number()
    async with SipLine(server, fresh_number()) as alice:
        async with SipLine(server, later) as bob:
            await bob.register()
        assert (await alice.message(later, b"before")).status == 202
    server.halt()
    server.start()
    async with SipLine(server, fresh_number()) as alice:
        assert (await alice.message(later, b"after")).status == 202
        async with SipLine(server, later) as back:
            back.instance = bob.instance
            await back.register()
            assert [(await back.take()).body for _ in range(2)] == [b"before", b"after"]
            task = receiving(back)
            await settled(alice, later)
            task.cancel()
