"""Each hostile button of the demo over the real carrier: what the other end shows, and what the sender is told."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from demo.hostile_world import HostileWorld
from e2e.world import ANA, BEN, CAROL, LIMITS
from letterlock.apps.demo.lying_directory import Lie
from letterlock.carrier.hostile import Attack, Order
from letterlock.engine.events import (
    DeviceListChanged,
    DeviceListRefused,
    GroupJoined,
    KeysChanged,
    MessageAccepted,
    MessageDelivered,
    MessageDisplayed,
    MessageMissing,
    MessageUnreadable,
)
from letterlock.engine.record_values import Status
from letterlock.engine.security import Security

pytestmark = pytest.mark.anyio


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[HostileWorld]:
    async with HostileWorld.hostile(tmp_path) as world:
        yield world


async def test_sr_05_dropped_it_is_missed_and_comes_with_the_repeat(world: HostileWorld) -> None:
    """SR-05: the sender is told 200; what comes after it shows the gap, and the repeat fills it."""
    # As in the product, a repeat comes later than the gap is shown.
    ana, ben = await world.talking(
        limits=dataclasses.replace(LIMITS, retry_accepted_ms=1_500, retry_accepted_longest_ms=1_500)
    )
    world.order(Attack.DROP)
    await ana.say(BEN, "one")
    await ana.say(BEN, "two")
    assert (await ben.seen(MessageMissing)).sender == ANA
    assert (await ben.hears("one")).fills_gap
    assert [struck.attack for struck in world.struck] == [Attack.DROP]
    assert world.hand.orders == ()


async def test_sr_05_delayed_it_is_shown_in_its_place(world: HostileWorld) -> None:
    """SR-05: the second overtakes the first, and is shown behind it."""
    ana, ben = await world.talking()
    world.order(Attack.DELAY)
    await ana.say(BEN, "one")
    await ana.say(BEN, "two")
    await ben.hears("two")
    assert await ben.heard() == ["hello", "one", "two"]


async def test_sr_05_duplicated_it_is_shown_once(world: HostileWorld) -> None:
    """SR-05: three copies, until it is switched off."""
    ana, ben = await world.talking()
    world.order(Attack.DUPLICATE, None)
    for n in range(4):
        await world.arrives(ana, ben, f"line {n}")
    assert await ben.heard() == ["hello", *(f"line {n}" for n in range(4))]
    assert len(world.struck) >= 4
    world.hand.be_honest()
    before = len(world.struck)
    await world.arrives(ana, ben, "honestly")
    assert len(world.struck) == before


async def test_sr_07_tampered_it_is_refused_and_asked_for_again(world: HostileWorld) -> None:
    """SR-07: one bit of each ciphertext."""
    ana, ben = await world.talking()
    world.order(Attack.TAMPER)
    await world.arrives(ana, ben, "whole")
    assert (await ben.seen(MessageUnreadable)).message_id == world.struck[0].message_id
    assert (await ben.heard()).count("whole") == 1


async def test_sr_03_relabelled_it_is_refused(world: HostileWorld) -> None:
    """SR-03: the id on the envelope is not the one inside."""
    ana, ben = await world.talking()
    world.order(Attack.RENAME)
    await world.arrives(ana, ben, "mine")
    refused = await ben.seen(MessageUnreadable)
    assert refused.reason == "envelope_mismatch"
    assert refused.message_id != world.struck[0].message_id
    assert (await ben.heard()).count("mine") == 1


async def test_sr_02_stripped_it_is_never_plain(world: HostileWorld) -> None:
    """SR-01, SR-02: tags and types gone, also of registrations. What Ana wrote arrives encrypted or not at all."""
    world.hand.order(Order(Attack.STRIP))
    ana, ben = await world.phone(ANA), await world.phone(BEN)
    await ana.say(BEN, "a secret")
    await world.until(lambda: len(world.struck) >= 2)
    assert (await ben.seen(MessageUnreadable)).reason == "not_text"
    assert await ben.heard() == []
    assert world.plain_on_wire() == []
    assert (await ana.chat(BEN)).security is Security.ENCRYPTED
    world.hand.be_honest()
    assert (await ben.hears("a secret")).encrypted


async def test_sr_05_forged_receipts_are_not_believed(world: HostileWorld) -> None:
    """SR-05: thrown away, acknowledged, confirmed in Ben's name: accepted and nothing more, until Ben has it."""
    ana, ben = await world.talking()
    already = len(await ana.told(MessageDelivered))
    world.order(Attack.FORGE)
    sent = await ana.say(BEN, "did you get this?")
    await ana.seen(MessageAccepted, lambda event: event.message_id == sent)
    await world.until(lambda: len([i for i in ana.taken if i.content_type.startswith("message/imdn")]) == 2)
    assert len(await ana.told(MessageDelivered)) == already
    (message,) = [m for m in await (await ana.chat(BEN)).messages() if m.message_id == sent]
    assert message.status is Status.ACCEPTED
    await ben.hears("did you get this?")
    assert (await ana.seen(MessageDelivered, lambda event: event.message_id == sent)).authenticated
    assert await ana.told(MessageDisplayed) == []


async def test_orders_compose(world: HostileWorld) -> None:
    """Tampered, three times, late: one message, as it was written."""
    ana, ben = await world.talking()
    for attack in (Attack.DUPLICATE, Attack.DELAY, Attack.TAMPER):
        world.order(attack)
    await world.arrives(ana, ben, "after all that")
    assert [struck.attack for struck in world.struck] == [Attack.TAMPER, Attack.DUPLICATE, Attack.DELAY]
    assert (await ben.heard()).count("after all that") == 1


@pytest.mark.parametrize("attack", list(Attack), ids=lambda attack: attack.value)
async def test_sr_05_whatever_is_done_to_what_a_group_says_it_arrives_once(world: HostileWorld, attack: Attack) -> None:
    """SR-05, SR-13: to a `signal` group goes a message for each member; one of them is hit."""
    ana, ben = await world.talking()
    carol = await world.phone(CAROL)
    group = await ana.client.create_group([BEN, CAROL], "Regatta")
    for phone in (ben, carol):
        await phone.seen(GroupJoined)
    world.order(attack)
    sent = await group.send("start at five")
    for phone in (ben, carol):
        assert (await phone.hears("start at five")).encrypted
        whose = sent, phone.number
        await ana.seen(MessageDelivered, lambda event, whose=whose: (event.message_id, event.member) == whose)  # type: ignore[misc]
        await phone.client.settled()
        assert (await phone.heard()).count("start at five") == 1
    assert attack in [struck.attack for struck in world.struck]
    assert world.plain_on_wire() == []


# --- the directory ---------------------------------------------------------------------------------------------
async def test_sr_04_a_ghost_device_is_refused(world: HostileWorld) -> None:
    """SR-04: Ben's own list with a device more, which Ben has not signed; nothing is encrypted for it."""
    ana, ben = await world.talking()
    world.liar.about, world.liar.lie = BEN, Lie.GHOST
    await ana.ask_directory(BEN)
    refused = await ana.seen(DeviceListRefused)
    assert (refused.chat, refused.reason) == (BEN, "device_list.signature")
    await world.arrives(ana, ben, "for ben alone")
    assert world.passed(ANA, BEN)[-1].devices() == [1]
    assert await ana.told(DeviceListChanged) == []


async def test_sr_21_replaced_keys_are_noticed(world: HostileWorld) -> None:
    """SR-21: another list with keys of its own, signed in order: Ana is told. With the truth back she is told again."""
    ana, _ben = await world.talking()
    world.liar.about, world.liar.lie = BEN, Lie.IMPOSTOR
    await ana.ask_directory(BEN)
    assert (await ana.seen(KeysChanged)).chat == BEN
    assert (await ana.chat(BEN)).security is Security.KEYS_NEW
    sent = len(world.wire)
    await ana.say(BEN, "who is that?")
    await ana.client.settled()
    # Keys that nobody holds: it waits, and goes in no other form.
    assert [passing for passing in world.wire[sent:] if not passing.encrypted] == []


async def test_sr_01_hidden_keys_change_nothing(world: HostileWorld) -> None:
    """SR-01: a directory that has forgotten Ben."""
    ana, ben = await world.talking()
    world.liar.about, world.liar.lie = BEN, Lie.HIDE
    assert (await ana.ask_directory(BEN)).security is Security.ENCRYPTED
    await world.arrives(ana, ben, "as ever")
