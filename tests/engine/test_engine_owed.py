"""Receipts that share a frame: as many as one commit took in, none lost when the process ends before they are sent."""

from __future__ import annotations

import pytest

from engine.world import ALICE, BOB, Phone, World
from letterlock.engine.content import MOST_RECEIPTS, Receipts, encode_receipts, read
from letterlock.engine.effects import SendReceipts
from letterlock.engine.events import MessageDelivered
from letterlock.engine.limits import DEFAULTS
from letterlock.engine.owed import OWED
from letterlock.errors import DecodeError, LimitExceeded
from letterlock.ids import MessageId


def talking() -> tuple[World, Phone, Phone]:
    world = World()
    (alice,), (bob,) = world.person(ALICE), world.person(BOB)
    alice.send(BOB, "hello")
    world.run()
    bob.send(ALICE, "hello")
    world.run()
    return world, alice, bob


def burst(world: World, sender: Phone, receiver: Phone, count: int) -> list[MessageId]:
    """Messages that the receiver has stored, and that it has not receipted yet."""
    ids = [sender.send(receiver.number, f"number {at}") for at in range(count)]
    while sender.todo:
        world.perform(sender, sender.todo.popleft())
    arrived = [item for item in world.flying if item[2] is receiver]
    world.flying = [item for item in world.flying if item[2] is not receiver]
    for _, _, _, inbound in arrived:
        receiver.do(receiver.engine.received, inbound)
    return ids


def delivered(phone: Phone) -> list[MessageId]:
    return [event.message_id for event in phone.told(MessageDelivered)]


def test_a_burst_is_receipted_by_one_frame() -> None:
    world, alice, bob = talking()
    before = len(world.sent)
    ids = burst(world, alice, bob, 20)
    assert sum(isinstance(effect, SendReceipts) for effect in bob.todo) == 1
    world.run()
    frames = [outbound for phone, outbound in world.sent[before:] if phone is bob]
    assert len(frames) == 1
    assert delivered(alice)[-20:] == ids
    assert not list(bob.state.scan(OWED)) and not [key for key in alice.state.records if key.startswith("outbox/")]


def test_more_than_one_frame_holds_go_in_several() -> None:
    world, alice, bob = talking()
    before = len(world.sent)
    ids = burst(world, alice, bob, MOST_RECEIPTS + 1)
    world.run()
    assert len([outbound for phone, outbound in world.sent[before:] if phone is bob]) == 2
    assert delivered(alice)[-len(ids) :] == ids


@pytest.mark.parametrize("performed", [False, True])
def test_sr_06_a_crash_before_they_are_sent_loses_none(performed: bool) -> None:
    """The process ends between the commit of the messages and that of their receipts, or right after that one."""
    world, alice, bob = talking()
    ids = burst(world, alice, bob, 3)
    if performed:
        while bob.todo and isinstance(bob.todo[0], SendReceipts):
            world.perform(bob, bob.todo.popleft())
    bob.restart()
    world.run()
    assert delivered(alice)[-3:] == ids and len(set(delivered(alice))) == len(delivered(alice))


def test_a_timer_sends_what_an_effect_did_not() -> None:
    """A full disk may refuse the step that sends them."""
    world, alice, bob = talking()
    ids = burst(world, alice, bob, 2)
    bob.todo.clear()
    bob.do(bob.engine.on_timer)
    world.run()
    assert delivered(alice)[-2:] == ids


def test_what_is_read() -> None:
    names = tuple(MessageId(f"m-{at}") for at in range(MOST_RECEIPTS))
    entity = read(encode_receipts([(name, 0) for name in names]), DEFAULTS)
    assert entity.content == Receipts(names)
    with pytest.raises(LimitExceeded) as caught:
        read(encode_receipts([(name, 0) for name in (*names, MessageId("one-more"))]), DEFAULTS)
    assert caught.value.code == "content.receipts"
    for body in (b"", b"a\r\n", b"a\r\n\r\nb", b"a b", b"a\nb", b"\xff", b"x" * 65):
        with pytest.raises(DecodeError):
            read(b"Content-Type: application/vnd.letterlock.receipts\r\n\r\n" + body, DEFAULTS)
