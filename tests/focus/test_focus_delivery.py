"""Messages through the real edge: kept for who is away, handed out in order and once, receipts, typing, a hundred members."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from focus.town import DOMAIN, FAST, Town, number
from letterlock.codec import imdn
from letterlock.codec.imdn import Disposition, Imdn, Status
from letterlock.services.focus import FocusLimits

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("both_databases")]

COMPOSING = "application/im-iscomposing+xml"
TYPING = b'<isComposing xmlns="urn:ietf:params:xml:ns:im-iscomposing"><state>active</state></isComposing>'


async def test_who_is_away_gets_everything_in_order_and_once(tmp_path: Path) -> None:
    async with Town(tmp_path, limits=FocusLimits(window_messages=4)) as town:
        ana, bob, carla = (town.device(i) for i in (1, 2, 3))
        await ana.create(bob.number, carla.number)
        await bob.attending()
        await carla.attending()
        bob.hang_up()
        bob.answers = None
        expected = []
        for i in range(60):
            to = bob.number if i % 3 == 0 else None
            assert await ana.say(f"m{i}", to=to) == 200
            expected.append(f"m{i}")
        assert await carla.got(40) == [f"m{i}" for i in range(60) if i % 3]
        bob.answers = True  # the focus tries again by itself
        assert await bob.got(60) == expected
        assert await ana.say("last") == 200
        assert await bob.got(61) == [*expected, "last"]


async def test_a_sign_of_life_brings_what_waits_at_once(tmp_path: Path) -> None:
    """A phone that is back and asks for the roster is called, although its next turn would be long after."""
    slow = replace(FAST, retry_ms=(600_000, 600_000))
    async with Town(tmp_path, settings=slow) as town:
        ana, bob = town.device(1), town.device(2)
        await ana.create(bob.number)
        await bob.attending()
        bob.hang_up()
        bob.answers = None
        assert await ana.say("waits") == 200
        await asyncio.sleep(0.2)
        bob.answers = True
        bob.subscribe()
        assert await bob.got(1) == ["waits"]


async def test_messages_survive_a_restart_of_the_focus(tmp_path: Path) -> None:
    async with Town(tmp_path) as town:
        ana, bob, carla = (town.device(i) for i in (1, 2, 3))
        await ana.create(bob.number, carla.number, subject="lunch")
        await bob.attending()
        await carla.attending()
        assert await ana.say("read") == 200
        await bob.got(1)
        await carla.got(1)
        bob.hang_up()
        bob.answers = None
        assert await ana.say("unread") == 200
        assert await ana.say("for bob", to=bob.number) == 200
        await carla.got(2)
        room = town.focus._rooms.all()[0]
        async with asyncio.timeout(5):  # what carla has acknowledged is noted a moment later
            while room.journal.waits(carla.number, room.places[carla.number]):
                await asyncio.sleep(0.01)
        await town.stop_focus()
        bob.answers = True
        await town.start_focus()
        assert await bob.got(3) == ["read", "unread", "for bob"]
        assert carla.texts == ["read", "unread"]
        # The roster is as it was; whoever wants to speak comes back by itself.
        assert await ana.call(ana.focus) == 200
        ana.subscribe()
        await ana.until(lambda device: device.view is not None)
        assert ana.view is not None
        assert ana.view.subject == "lunch"
        assert set(ana.members) == {ana.number, bob.number, carla.number}
        assert await ana.say("on we go") == 200
        assert (await carla.got(3))[-1] == "on we go"


async def test_an_idle_session_ends_and_a_message_makes_another(tmp_path: Path) -> None:
    """Phones need no standing session; that it ends is not leaving."""
    async with Town(tmp_path, settings=replace(FAST, idle_ms=150)) as town:
        ana, bob = town.device(1), town.device(2)
        await ana.create(bob.number)
        await bob.until(lambda device: device.calls == 1 and device.session is None and device.ended)
        assert await ana.call(ana.focus) == 200
        assert await ana.say("wake up") == 200
        assert await bob.got(1) == ["wake up"]
        assert bob.calls >= 2


async def test_a_repeat_is_acknowledged_and_not_handed_out_again(tmp_path: Path) -> None:
    async with Town(tmp_path) as town:
        ana, bob, carla = (town.device(i) for i in (1, 2, 3))
        await ana.create(bob.number, carla.number)
        results = [ana.say("once", message_id="same") for _ in range(5)]
        await ana.attending()
        assert set(await asyncio.gather(*results)) == {200}
        # Another member may use the same id: it is another message.
        await bob.attending()
        assert await bob.say("mine", message_id="same") == 200
        assert await ana.say("end") == 200
        assert await carla.got(3) == ["once", "mine", "end"]


async def test_a_receipt_goes_to_its_addressee_only(tmp_path: Path) -> None:
    async with Town(tmp_path) as town:
        ana, bob, carla = (town.device(i) for i in (1, 2, 3))
        await ana.create(bob.number, carla.number)
        assert await ana.say("read me", message_id="m-7") == 200
        await bob.got(1)
        await carla.got(1)
        receipt = imdn.encode_imdn(Imdn("m-7", "d", Disposition.DISPLAY, Status.DISPLAYED))
        assert await bob.say(receipt, to=ana.number, content_type=imdn.MEDIA_TYPE) == 200
        await ana.got(1)
        assert ana.inbox[0].sender == f"sip:{bob.number}@{DOMAIN}"
        assert ana.inbox[0].body == receipt
        # One that is addressed to the conference would tell everybody who has read what.
        assert await carla.say(receipt, content_type=imdn.MEDIA_TYPE) == 200
        await ana.got(2)
        assert await ana.say("end") == 200
        assert [message.content_type for message in (await bob.got(2), bob.inbox)[1]] == ["text/plain", "text/plain"]
        unknown = imdn.encode_imdn(Imdn("m-8", "d", Disposition.DISPLAY, Status.DISPLAYED))
        assert await bob.say(unknown, content_type=imdn.MEDIA_TYPE) == 403


async def test_typing_is_seen_now_or_never(tmp_path: Path) -> None:
    async with Town(tmp_path) as town:
        ana, bob, carla = (town.device(i) for i in (1, 2, 3))
        await ana.create(bob.number, carla.number)
        await bob.attending()
        await carla.attending()
        carla.hang_up()
        carla.answers = None
        await ana.say("first")
        await bob.got(1)
        assert await ana.raw(TYPING, COMPOSING) == 200
        assert await ana.say(TYPING, content_type=COMPOSING) == 200
        await bob.until(lambda device: len(device.inbox) >= 2)
        assert bob.inbox[1].content_type == COMPOSING
        assert bob.inbox[1].sender == f"sip:{ana.number}@{DOMAIN}"
        assert await ana.say("second") == 200
        carla.answers = True
        assert await carla.got(2) == ["first", "second"]


async def test_a_device_that_acknowledges_nothing_holds_a_bounded_number(tmp_path: Path) -> None:
    """SR-08: the window closes, all else waits on the disk, others are not held up; nothing is lost for it."""
    async with Town(tmp_path, limits=FocusLimits(window_messages=8)) as town:
        ana, bob, carla = (town.device(i) for i in (1, 2, 3))
        bob.confirms = False
        await ana.create(bob.number, carla.number)
        await bob.attending()
        for i in range(50):
            assert await ana.say(f"m{i}") == 200
        assert await carla.got(50) == [f"m{i}" for i in range(50)]
        await bob.got(8)
        await asyncio.sleep(0.1)
        assert len(bob.inbox) == 8
        assert bob.peer is not None
        for message in bob.peer.unconfirmed:
            bob.peer.core.confirm(message)
        bob.peer.confirms = True
        bob.peer.work()
        assert await bob.got(50) == [f"m{i}" for i in range(50)]


async def test_a_device_that_does_not_read_holds_up_nobody(tmp_path: Path) -> None:
    async with Town(tmp_path, limits=FocusLimits(window_messages=16, window_bytes=256 * 1024)) as town:
        ana, bob, carla = (town.device(i) for i in (1, 2, 3))
        await ana.create(bob.number, carla.number)
        await bob.attending()
        assert bob.peer is not None
        assert bob.peer.transport is not None
        bob.peer.transport.pause_reading()
        big = "x" * 100_000
        for i in range(40):
            assert await ana.say(f"{i} {big}") == 200
        assert len(await carla.got(40)) == 40
        bob.peer.transport.resume_reading()
        assert [text.split()[0] for text in await bob.got(40)] == [str(i) for i in range(40)]


async def test_what_a_device_said_it_does_not_take_is_not_offered(tmp_path: Path) -> None:
    """RFC 4975 section 8.6, max-size."""
    async with Town(tmp_path) as town:
        ana, bob = town.device(1), town.device(2)
        bob.max_size = 2000
        await ana.create(bob.number)
        await bob.attending()
        assert await ana.say("x" * 5000) == 200
        assert await ana.say("small") == 200
        assert await bob.got(1) == ["small"]


async def test_a_hundred_members(tmp_path: Path) -> None:
    """Everybody joins, everybody gets everything in one order, and one message to each member alone."""
    async with Town(tmp_path) as town:
        devices = [town.device(i) for i in range(1, 101)]
        ana = devices[0]
        assert await ana.create(*(device.number for device in devices[1:])) == 200
        await asyncio.gather(*(device.attending() for device in devices))
        ana.subscribe()
        await ana.until(lambda device: set(device.members.values()) == {"connected"} and len(device.members) == 100)
        texts = [f"m{i}" for i in range(5)]
        for text in texts:
            assert await ana.say(text) == 200
        private = (ana.say(f"to {each.number}", to=each.number, message_id="pairwise") for each in devices[1:])
        assert set(await asyncio.gather(*private)) == {200}
        for device in devices[1:]:
            assert await device.got(6) == [*texts, f"to {device.number}"]
        writers = devices[10:20]
        assert set(await asyncio.gather(*(each.say(f"by {each.number}") for each in writers))) == {200}
        orders = set()
        for device in devices[20:]:
            orders.add(tuple((await device.got(16))[6:]))
        assert len(orders) == 1
        assert ana.view is not None
        # A hundred that join one after the other do not cost ten thousand notifications.
        assert len(ana.views) < 100


async def test_the_journal_is_empty_when_everybody_has_read(tmp_path: Path) -> None:
    """SR-17: a message stays no longer than until all have it; bounds hold for those who do not come."""
    async with Town(tmp_path, limits=FocusLimits(max_stored_messages=10, max_private_messages=3)) as town:
        ana, bob, carla = (town.device(i) for i in (1, 2, 3))
        await ana.create(bob.number, carla.number)
        for i in range(5):
            await ana.say(f"m{i}")
        await ana.say("for bob", to=bob.number)
        await bob.got(6)
        await carla.got(5)
        room = town.focus._rooms.all()[0]
        async with asyncio.timeout(5):
            while room.journal.kept[0] or room.journal.private(bob.number)[0]:
                await asyncio.sleep(0.02)
            # What nobody waits for any more goes from the disk with the next flush.
            while await town.focus._writer.run(
                lambda tables: tables.connection.execute("SELECT COUNT(*) FROM journal").fetchone()[0]
            ):
                await asyncio.sleep(0.02)
        # Who is away costs the oldest of what is for all, and refusals of what is for him alone.
        bob.hang_up()
        bob.answers = None
        for i in range(3):
            assert await ana.say(f"p{i}", to=bob.number) == 200
        assert await ana.say("p3", to=bob.number) == 413
        for i in range(20):
            assert await ana.say(f"n{i}") == 200
        bob.answers = True
        assert (await bob.got(6 + 3 + 10))[6:] == ["p0", "p1", "p2", *(f"n{i}" for i in range(10, 20))]


async def test_old_messages_and_ids_are_dropped(tmp_path: Path) -> None:
    limits = FocusLimits(max_age_ms=1000, known_ids_age_ms=1000)
    async with Town(tmp_path, limits=limits) as town:
        ana, bob = town.device(1), town.device(2)
        bob.answers = None
        await ana.create(bob.number)
        assert await ana.say("old", message_id="m") == 200
        town.now += 2000
        await town.focus._rooms.purge()
        assert await ana.say("new", message_id="m") == 200
        bob.answers = True
        assert await bob.got(1) == ["new"]


async def test_a_new_member_reads_from_now_on(tmp_path: Path) -> None:
    async with Town(tmp_path) as town:
        ana, bob, carla = (town.device(i) for i in (1, 2, 3))
        await ana.create(bob.number)
        assert await ana.say("before") == 200
        await bob.got(1)
        assert await ana.refer(f"sip:{carla.number}@{DOMAIN}") == 202
        assert await ana.say("after") == 200
        assert await carla.got(1) == ["after"]
        assert number(3) == carla.number


async def test_a_letter_to_a_member_who_never_came_is_refused(tmp_path: Path) -> None:
    """A phone that takes no conferences would never get it: its sender hears so, and has another way to this one member."""
    async with Town(tmp_path) as town:
        ana, bob = town.device(1), town.device(2)
        bob.answers = None
        await ana.create(bob.number)
        assert await ana.say("for bob", to=bob.number) == 403
        assert await ana.say("for all") == 200
        bob.answers = True
        assert await bob.got(1) == ["for all"]
        bob.hang_up()
        bob.answers = None
        assert await ana.say("for bob, who is away", to=bob.number) == 200
