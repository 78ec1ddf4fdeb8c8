"""Our clients, the embedded carrier and the real focus: groups that find, follow and leave their conference."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from focus.client_lab import DOMAIN, FRAME, GROUP, Lab, Phone, until
from focus.town import number
from lab_certificate import write_lab_certificate
from letterlock.carriage import Conference
from letterlock.errors import InputError
from letterlock.ids import Number
from letterlock.services.focus import Focus

pytestmark = pytest.mark.anyio


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    lab = Lab(tmp_path)
    await lab.start()
    yield lab
    await lab.close()


def _sees(phone: Phone, members: set[Number]) -> bool:
    return phone.members == members


async def test_a_group_gets_its_conference_and_frames_go_through_it(lab: Lab) -> None:
    ana, bob, carla = [await lab.phone(i) for i in (1, 2, 3)]
    await ana.transport.sync_conference(Conference(GROUP, "our secret plan", (bob.number, carla.number)), False)
    everybody = {ana.number, bob.number, carla.number}
    for phone in (ana, bob, carla):
        await until(partial(_sees, phone, everybody))
        assert phone.views[-1].group == GROUP
        # What an encrypted group is called is not told to the carrier.
        assert phone.views[-1].subject == ""
    assert await bob.send(ana.number, b"frame for ana")
    assert await bob.send(carla.number, b"frame for carla")
    await until(lambda: ana.inbox and carla.inbox)
    assert [(each.sender, each.group, each.content_type, each.body) for each in ana.inbox] == [
        (bob.number, GROUP, FRAME, b"frame for ana")
    ]
    assert [each.body for each in carla.inbox] == [b"frame for carla"]
    assert lab.focus is not None
    assert len(lab.focus._deliveries.seen) == 2


async def test_the_conference_follows_the_group(lab: Lab) -> None:
    ana, bob, carla, dan = [await lab.phone(i) for i in (1, 2, 3, 4)]
    await ana.transport.sync_conference(Conference(GROUP, "", (bob.number, carla.number)), False)
    await until(lambda: bob.members == {ana.number, bob.number, carla.number})
    # Somebody else makes the next change: adds one, removes another who came later.
    await bob.transport.sync_conference(Conference(GROUP, "", (ana.number, dan.number)), False)
    await until(lambda: ana.members == {ana.number, bob.number, dan.number})
    await until(lambda: dan.members == {ana.number, bob.number, dan.number})
    # What is so already costs nothing and changes nothing.
    await bob.transport.sync_conference(Conference(GROUP, "", (ana.number, dan.number)), False)
    # What the focus does not let one do is no error: the roster differs, and is shown to do so.
    await dan.transport.sync_conference(Conference(GROUP, "", (bob.number,)), False)
    await dan.transport.sync_conference(Conference(GROUP, "", (bob.number,)), True)
    await until(lambda: ana.members == {ana.number, bob.number})


async def test_without_a_conference_frames_go_directly(lab: Lab) -> None:
    ana, bob = [await lab.phone(i) for i in (1, 2)]
    assert await ana.send(bob.number, b"directly")
    await until(lambda: bob.inbox)
    assert (bob.inbox[0].body, bob.inbox[0].group) == (b"directly", None)
    # Nor when the focus knows nobody of that name, or is not there at all.
    await ana.transport.sync_conference(Conference(GROUP, "", (bob.number,)), False)
    carla = await lab.phone(3)
    assert await ana.send(carla.number, b"not in it")
    await until(lambda: carla.inbox)
    assert carla.inbox[0].group is None
    assert lab.focus is not None
    await lab.focus.close()
    assert await ana.send(bob.number, b"focus is down")
    await until(lambda: len(bob.inbox) == 2)
    lab.focus = None


async def test_what_the_focus_took_once_goes_directly_the_next_time(lab: Lab) -> None:
    """A focus that acknowledges and withholds cannot keep a message back: its retry takes another way."""
    ana, bob = [await lab.phone(i) for i in (1, 2)]
    assert lab.focus is not None
    lab.focus.lies.withheld = lambda reader, sender, message_id: reader == bob.number
    await ana.transport.sync_conference(Conference(GROUP, "", (bob.number,)), False)
    await until(lambda: bob.members)
    assert await ana.send(bob.number, b"frame", "m-1")
    await asyncio.sleep(0.2)
    assert bob.inbox == []
    assert await ana.send(bob.number, b"frame", "m-1")
    await until(lambda: bob.inbox)
    assert bob.inbox[0].group is None


async def test_what_could_not_be_committed_comes_again(lab: Lab) -> None:
    """SR-06: the focus hears of success when it is safe, and keeps it until then."""
    ana, bob = [await lab.phone(i) for i in (1, 2)]
    await ana.transport.sync_conference(Conference(GROUP, "", (bob.number,)), False)
    await until(lambda: bob.members)
    bob.refuses = True
    assert await ana.send(bob.number, b"one")
    assert await ana.send(bob.number, b"two")
    await asyncio.sleep(0.3)
    bob.refuses = False
    await until(lambda: len(bob.inbox) >= 2)
    assert [each.body for each in bob.inbox][:2] == [b"one", b"two"]


async def test_both_devices_of_a_member_come(lab: Lab) -> None:
    """The network lets one of them have the call; the other comes by itself."""
    ana = await lab.phone(1)
    phone, tablet = await lab.phone(2, 1), await lab.phone(2, 2)
    await ana.transport.sync_conference(Conference(GROUP, "", (phone.number,)), False)
    await until(lambda: phone.members and tablet.members)
    assert await ana.send(phone.number, b"to both")
    await until(lambda: phone.inbox and tablet.inbox)
    assert [each.body for each in (*phone.inbox, *tablet.inbox)] == [b"to both", b"to both"]


async def test_after_a_restart_a_conference_is_found_again(lab: Lab) -> None:
    ana, bob = [await lab.phone(i) for i in (1, 2)]
    await ana.transport.sync_conference(Conference(GROUP, "", (bob.number,)), False)
    await until(lambda: bob.members and ana.views)
    focus = ana.views[-1].focus
    await ana.transport.close()
    # Whoever made it finds it at the factory, without having kept anything.
    again = await lab.phone(1)
    await again.transport.sync_conference(Conference(GROUP, "", (bob.number,)), False)
    await until(lambda: again.views)
    assert again.views[-1].focus == focus
    # Whoever kept its address watches it as soon as it is back, and gets what waited.
    await bob.transport.close()
    assert await again.send(bob.number, b"waits")
    kept = await lab.phone(2, kept=bob.kept)
    await until(lambda: kept.inbox and kept.views)
    assert kept.inbox[0].body == b"waits"
    assert kept.views[-1].focus == focus


async def test_after_a_restart_a_change_may_be_first(lab: Lab) -> None:
    """What was left to be done when a program ended is begun before it is registered again."""
    ana, bob, carla = [await lab.phone(i) for i in (1, 2, 3)]
    await ana.transport.sync_conference(Conference(GROUP, "", (bob.number,)), False)
    await until(lambda: bob.members == {ana.number, bob.number})
    await bob.transport.__aexit__(None, None, None)
    again = await lab.phone(2, kept=bob.kept, registered=False)
    async with asyncio.timeout(10):
        await again.transport.sync_conference(Conference(GROUP, "", (ana.number, carla.number)), False)
    await until(lambda: carla.members == {ana.number, bob.number, carla.number})


async def test_a_restart_of_the_focus_is_survived(lab: Lab) -> None:
    ana, bob = [await lab.phone(i) for i in (1, 2)]
    await ana.transport.sync_conference(Conference(GROUP, "", (bob.number,)), False)
    await until(lambda: bob.members)
    assert lab.focus is not None
    port = lab.focus.port
    await lab.focus.close()
    await lab.start_focus(port)
    await asyncio.sleep(0.1)
    assert await ana.send(bob.number, b"again")
    await until(lambda: bob.inbox)


async def test_a_ghost_is_reported_as_the_focus_claims_it(lab: Lab) -> None:
    """SR-04: told to the engine, which compares it with the signed log; nothing is sent there."""
    ana, bob = [await lab.phone(i) for i in (1, 2)]
    assert lab.focus is not None
    lab.focus.lies.ghosts[bob.number] = (number(66),)
    await ana.transport.sync_conference(Conference(GROUP, "", (bob.number,)), False)
    await until(lambda: bob.members == {ana.number, bob.number, number(66)})
    await until(lambda: ana.members == {ana.number, bob.number})


async def test_whoever_only_says_that_it_is_a_focus_is_none(lab: Lab) -> None:
    """A call that the network asserts to be a person's, with `isfocus` in its Contact."""
    ana, bob = [await lab.phone(i) for i in (1, 2)]
    conferences = ana.transport.conferences
    group = conferences._add(GROUP)
    group.end.focus = f"sip:{bob.number}@{DOMAIN}"
    assert await ana.send(bob.number, b"call")  # the INVITE to a person comes to nothing; directly it goes
    await until(lambda: bob.inbox)
    assert bob.inbox[0].group is None
    assert isinstance(lab.focus, Focus)


async def test_sr19_with_tls_the_focus_is_known_by_its_fingerprint(tmp_path: Path) -> None:
    lab = Lab(tmp_path, write_lab_certificate(tmp_path))
    await lab.start()
    try:
        ana, bob = [await lab.phone(i) for i in (1, 2)]
        await ana.transport.sync_conference(Conference(GROUP, "", (bob.number,)), False)
        await until(lambda: bob.members == {ana.number, bob.number})
        assert await ana.send(bob.number, b"over TLS")
        await until(lambda: bob.inbox)
        assert bob.inbox[0].group == GROUP
        assert lab.focus is not None
        wires = lab.focus._port._wires
        secure = [w for w in wires if w._transport is not None and w._transport.get_extra_info("ssl_object")]
        assert secure
    finally:
        await lab.close()


def test_sr19_beyond_this_machine_the_focus_needs_a_certificate(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        Focus(str(tmp_path / "focus.db"), domain=DOMAIN, proxy=("127.0.0.1", 1), msrp_host="192.0.2.1")
    assert caught.value.code == "focus.tls"
