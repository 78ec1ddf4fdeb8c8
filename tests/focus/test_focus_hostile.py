"""Members and strangers who lie, flood and push at the real edge (SR-04, SR-08, SR-09, SR-14, SR-17)."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest

from focus.town import DOMAIN, FACTORY, Town, number
from letterlock.codec.cpim import CORE, CpimLimits, decode_cpim
from letterlock.errors import InputError
from letterlock.services.focus import Focus, FocusLimits, Rate
from letterlock.sip.msrp_media import Setup

pytestmark = pytest.mark.anyio


async def test_a_conference_does_not_exist_for_strangers(tmp_path: Path) -> None:
    """Neither joining nor asking nor changing tells whether there is one."""
    async with Town(tmp_path) as town:
        ana, eve = town.device(1), town.device(9)
        await ana.create(number(2))
        eve.focus = ana.focus
        invented = f"sip:conf-{'0' * 32}@{DOMAIN}"
        for uri in (ana.focus, invented):
            assert await eve.call(uri) == 404
            eve.focus = uri
            assert await eve.refer(f"sip:{eve.number}@{DOMAIN}") == 404
            assert (await eve.request("SUBSCRIBE", uri, (("Event", "conference"),))).status == 404


async def test_who_nobody_vouches_for_is_nobody(tmp_path: Path) -> None:
    """SR-17: From is not proof; the proxy's assertion is, and two of them are none."""
    async with Town(tmp_path) as town:
        ana = town.device(1)
        assert await ana.call(FACTORY, contribution="c", asserted="") == 403
        await ana.create(number(2))
        assert await ana.call(ana.focus, asserted="") == 403
        two = (("P-Asserted-Identity", f"<sip:{number(1)}@{DOMAIN}>, <sip:{number(2)}@{DOMAIN}>"),)
        assert (await ana.request("SUBSCRIBE", ana.focus, (*two, ("Event", "conference")), asserted="")).status == 403


async def test_from_is_what_the_carrier_asserted(tmp_path: Path) -> None:
    async with Town(tmp_path) as town:
        ana, bob, carla = (town.device(i) for i in (1, 2, 3))
        await ana.create(bob.number, carla.number)
        await bob.attending()
        for forged in (f"<sip:{ana.number}@{DOMAIN}>", f"Ana <tel:{ana.number}>", "<sip:ana@elsewhere.test>"):
            assert await bob.say("I am Ana", sender=forged) == 403
        honest = (f'"Ana" <sip:{bob.number}@{DOMAIN}>', f"<tel:{bob.number}>", "<sip:anonymous@anonymous.invalid>")
        for count, sender in enumerate(honest, 1):
            assert await bob.say("I am Bob", sender=sender) == 200
            await ana.got(count)
            assert ana.inbox[-1].sender == f"sip:{bob.number}@{DOMAIN}"


async def test_a_second_from_under_another_prefix_is_left_out(tmp_path: Path) -> None:
    """A reader that does not resolve prefixes finds no other name than one that does."""
    async with Town(tmp_path) as town:
        ana, bob = town.device(1), town.device(2)
        raw: list[bytes] = []
        await ana.create(bob.number)
        await bob.attending()
        assert bob.peer is not None
        bob.peer.on_message = lambda content_type, data: raw.append(data)
        data = (
            f"NS: <http://elsewhere.test/>\r\nFrom: <sip:{number(7)}@{DOMAIN}>\r\nNS: x <{CORE}>\r\n"
            f"x.from: <sip:anonymous@anonymous.invalid>\r\nX-From: kept\r\nNS: <{CORE}>\r\n\r\n"
            "Content-Type: text/plain\r\n\r\nhi"
        ).encode()
        assert await ana.raw(data) == 200
        async with asyncio.timeout(5):
            while not raw:
                await asyncio.sleep(0.01)
        message = decode_cpim(raw[0], CpimLimits(65536, 32, 4096))
        names = [header.raw for header in message.headers if header.local.lower() == "from"]
        assert names == [f" <sip:{ana.number}@{DOMAIN}>"]
        assert message.value("X-From", "http://elsewhere.test/") == "kept"
        assert message.content.content() == b"hi"


async def test_a_body_is_not_altered(tmp_path: Path) -> None:
    async with Town(tmp_path) as town:
        ana, bob = town.device(1), town.device(2)
        await ana.create(bob.number)
        body = bytes(range(256)) * 40 + b"\r\n-------abcd$\r\nMSRP x SEND\r\n"
        assert await ana.say(body, content_type="application/vnd.letterlock.signal") == 200
        await bob.until(lambda device: device.inbox)
        assert bob.inbox[0].body == body


async def test_to_must_be_one_member_or_all(tmp_path: Path) -> None:
    async with Town(tmp_path) as town:
        ana, bob = town.device(1), town.device(2)
        await ana.create(bob.number)
        assert await ana.say("x", to=number(9)) == 403
        assert await ana.say("x", recipient="<sip:conf-other@rcs.example.test>") == 403
        both = ana.cpim("x").replace(b"\r\nDateTime", f"\r\nTo: <sip:{bob.number}@{DOMAIN}>\r\nDateTime".encode())
        assert await ana.raw(both) == 400
        assert bob.inbox == []


async def test_who_was_removed_sends_and_hears_nothing(tmp_path: Path) -> None:
    """Also when it keeps its connection open and does not take part in the BYE."""
    async with Town(tmp_path) as town:
        ana, bob, carla = (town.device(i) for i in (1, 2, 3))
        await ana.create(bob.number, carla.number)
        await bob.attending()
        peer = bob.peer
        assert peer is not None
        bob.peer = None  # so that hanging up leaves the connection alone
        assert await ana.refer(f"sip:{bob.number}@{DOMAIN};method=BYE") == 202
        await bob.until(lambda device: device.session is None)
        try:
            status = await peer.send("message/cpim", ana.cpim("still here"))
        except InputError:  # its connection was closed already
            status = 0
        assert status != 200
        assert await ana.say("alone at last") == 200
        assert await carla.got(1) == ["alone at last"]
        assert bob.inbox == []
        assert await bob.call(ana.focus) == 404
        # Not by being restarted either: with the same id it is a conference of its own, where nobody has to be.
        first = ana.focus
        assert await bob.create(ana.number, contribution="c-1") == 200
        assert bob.focus != first


async def test_what_is_too_large_or_no_cpim_is_refused(tmp_path: Path) -> None:
    """SR-08, SR-09: the session goes on."""
    async with Town(tmp_path, limits=FocusLimits(max_message=20_000)) as town:
        ana, bob = town.device(1), town.device(2)
        await ana.create(bob.number)
        assert await ana.say("x" * 30_000) == 413
        assert await ana.raw(b"hello", "text/plain") == 415
        for data in (
            b"",
            b"\r\n\r\n",
            b"From: <sip:a@b>\r\n\r\n",
            b"\xff" * 50,
            b"NS: x\r\n\r\nContent-Type: a/b\r\n\r\n",
        ):
            assert await ana.raw(data) == 400
        assert await ana.say("x", message_id="not an id!") == 400
        assert await ana.say("fine") == 200
        assert await bob.got(1) == ["fine"]


async def test_floods_are_slowed_down(tmp_path: Path) -> None:
    """SR-17: by account, whatever the conference; others are not concerned."""
    limits = FocusLimits(messages=Rate(5, 60_000), created=Rate(2, 60_000), invited=Rate(10, 60_000))
    async with Town(tmp_path, limits=limits) as town:
        ana, bob = town.device(1), town.device(2)
        await ana.create(bob.number)
        await ana.attending()
        statuses = [await ana.say(f"m{i}") for i in range(8)]
        assert statuses == [200] * 5 + [413] * 3
        await bob.attending()
        assert await bob.say("and me?") == 200
        assert await ana.create(contribution="c-2") == 200
        assert await ana.create(contribution="c-3") == 413
        targets = [f"sip:{number(i)}@{DOMAIN}" for i in range(20, 40)]
        assert await bob.refer(*targets, several=True) == 413


async def test_a_conference_has_so_many_members_and_no_more(tmp_path: Path) -> None:
    """`max_adhoc_group_size`, at the beginning and later."""
    async with Town(tmp_path, limits=FocusLimits(max_members=4)) as town:
        ana = town.device(1)
        assert await ana.create(*(number(i) for i in range(2, 6))) == 403
        assert await ana.create(*(number(i) for i in range(2, 5))) == 200
        assert await ana.refer(f"sip:{number(9)}@{DOMAIN}") == 403
        assert await ana.create(*(number(i) for i in range(2, 90)), contribution="x") == 413


@pytest.mark.parametrize(
    "listed",
    [
        b"<!DOCTYPE a [<!ENTITY b 'c'>]><resource-lists/>",
        b"<resource-lists><list><entry/></list></resource-lists>",
        b"<list/>",
        b"\xff\xfe<",
        b"<a>" * 5000,
        b"",
    ],
)
async def test_hostile_lists_are_refused(tmp_path: Path, listed: bytes) -> None:
    """SR-14: no entity expands, nothing is fetched, depth and count are bounded."""
    async with Town(tmp_path) as town:
        ana = town.device(1)
        assert await ana.call(FACTORY, contribution="c", listed=listed) in (400, 413)
        assert await ana.create(number(2)) == 200
        headers = (("Refer-To", "<cid:x>"), ("Content-Type", "application/resource-lists+xml"))
        assert (await ana.request("REFER", ana.focus, headers, listed or b" ")).status in (400, 413)


async def test_what_is_no_number_is_no_member(tmp_path: Path) -> None:
    async with Town(tmp_path) as town:
        ana = town.device(1)
        listed = b'<resource-lists><list><entry uri="sip:bob@elsewhere.test"/></list></resource-lists>'
        assert await ana.call(FACTORY, contribution="c", listed=listed) == 404
        await ana.create(number(2))
        assert await ana.refer("sip:bob@elsewhere.test") == 404
        assert await ana.refer(f"sip:{number(2)}@{DOMAIN};method=MESSAGE") == 403


async def test_a_call_without_what_it_needs_is_refused(tmp_path: Path) -> None:
    async with Town(tmp_path) as town:
        ana = town.device(1)
        assert await ana.call(FACTORY) == 400  # no Contribution-ID
        assert (await ana.request("INVITE", FACTORY, (("Contribution-ID", "c"),))).status == 400
        audio = b"v=0\r\no=- 1 1 IN IP4 h\r\ns=-\r\nc=IN IP4 h\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n"
        headers = (("Contribution-ID", "c"), ("Content-Type", "application/sdp"))
        assert (await ana.request("INVITE", FACTORY, headers, audio)).status == 488
        assert (await ana.request("REFER", FACTORY, (("Refer-To", "<sip:a@b>"),))).status == 404


async def test_sr14_the_focus_connects_only_where_the_operator_lets_it(tmp_path: Path) -> None:
    """A device that would rather be connected to names the address: any host behind the focus, if it were free to."""
    async with Town(tmp_path) as town:
        ana = town.device(1)
        connected = asyncio.Event()

        async def trap(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connected.set()
            writer.close()

        server = await asyncio.start_server(trap, "127.0.0.1", 0)
        town.focus._calls._reach.networks = ()
        ana.listens = server.sockets[0].getsockname()[1]
        assert await ana.create(setup=Setup.PASSIVE) == 200
        await ana.until(lambda device: device.session is None)
        assert not connected.is_set()
        server.close()


async def test_sr17_only_the_proxy_may_connect(tmp_path: Path) -> None:
    focus = Focus(str(tmp_path / "focus.db"), domain=DOMAIN, proxy=("127.0.0.1", 1), peers=("192.0.2.0/24",))
    async with focus:
        reader, writer = await asyncio.open_connection("127.0.0.1", focus.port)
        writer.write(b"OPTIONS sip:conference-factory@rcs.example.test SIP/2.0\r\n\r\n")
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
        writer.close()
