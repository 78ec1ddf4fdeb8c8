"""SR-18: receipts, typing and times tell as little as the user chose."""

from __future__ import annotations

from engine.world import ALICE, BOB, World
from letterlock.engine.events import MessageDelivered, MessageDisplayed, TypingChanged
from letterlock.engine.limits import Privacy

DAY = 86_400_000


def test_sr18_no_receipt_for_a_receipt() -> None:
    world = World()
    (alice,), (bob,) = world.person(ALICE), world.person(BOB)
    alice.send(BOB, "hi")
    world.run_for(DAY)
    assert [phone for phone, _ in world.sent].count(bob) == 1
    assert [phone for phone, _ in world.sent].count(alice) == 1


def test_sr18_no_receipts_to_strangers_when_so_chosen() -> None:
    world = World(privacy=Privacy(receipts_to_strangers=False))
    (alice,), (bob,) = world.person(ALICE), world.person(BOB)
    message_id = alice.send(BOB, "do you exist?")
    world.run_for(60_000)
    bob.do(bob.engine.mark_displayed, ALICE, message_id)
    world.run_for(60_000)
    assert [phone for phone, _ in world.sent].count(bob) == 0
    assert alice.told(MessageDelivered) == []
    # Whom the user answers is no stranger: the repeat of the message calls its receipt forth.
    bob.send(ALICE, "yes")
    world.run_for(DAY)
    assert message_id in [event.message_id for event in alice.told(MessageDelivered)]
    assert alice.shown() == ["yes"]


def test_sr18_receipts_and_typing_can_be_turned_off() -> None:
    world = World(privacy=Privacy(delivery_receipts=False, display_receipts=False, typing=False))
    (alice,), (bob,) = world.person(ALICE), world.person(BOB)
    message_id = alice.send(BOB, "hi")
    world.run()
    bob.do(bob.engine.mark_displayed, ALICE, message_id)
    bob.send(ALICE, "hello")
    alice.do(alice.engine.typing, BOB, True)
    world.run()
    assert alice.told(MessageDelivered) == []
    assert alice.told(MessageDisplayed) == []
    assert bob.told(TypingChanged) == []
    assert alice.shown() == ["hello"]


def test_sr18_delivery_receipts_wait_a_random_time() -> None:
    world = World(privacy=Privacy(receipt_jitter_ms=60_000))
    (alice,), (bob,) = world.person(ALICE), world.person(BOB)
    times = []
    for n in range(6):
        started = world.now
        message_id = alice.send(BOB, f"{n}")
        while message_id not in [event.message_id for event in alice.told(MessageDelivered)]:
            world.run_for(500)
        times.append(world.now - started)
    assert max(times) > 5_000
    assert len(set(times)) > 3
    assert bob.shown() == [f"{n}" for n in range(6)]


def test_a_display_receipt_goes_out_once() -> None:
    world = World()
    (alice,), (bob,) = world.person(ALICE), world.person(BOB)
    message_id = alice.send(BOB, "hi")
    world.run()
    for _ in range(3):
        bob.do(bob.engine.mark_displayed, ALICE, message_id)
    world.run()
    assert alice.told(MessageDisplayed) == [MessageDisplayed(BOB, message_id, 1)]
    assert [phone for phone, _ in world.sent].count(bob) == 2
