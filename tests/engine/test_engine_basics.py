"""Two phones talk: first contact, replies, receipts, typing, and how events look."""

from __future__ import annotations

from engine.world import ALICE, BOB, World
from letterlock.engine.events import (
    ContactKeysSeen,
    MessageAccepted,
    MessageDelivered,
    MessageDisplayed,
    MessageReceived,
    SecurityChanged,
    TypingChanged,
)
from letterlock.engine.security import Security


def test_two_phones_talk() -> None:
    world = World()
    (alice,), (bob,) = world.person(ALICE), world.person(BOB)
    assert alice.do(alice.engine.open_chat, BOB) is Security.CHECKING
    world.run()
    assert alice.engine.security(alice.state, BOB, world.now) is Security.ENCRYPTED
    first = alice.send(BOB, "hi")
    world.run()
    bob.send(ALICE, "hello")
    world.run()
    bob.do(bob.engine.mark_displayed, ALICE, first)
    world.run()
    assert bob.shown() == ["hi"]
    assert alice.shown() == ["hello"]
    assert bob.told(ContactKeysSeen)[0].chat == ALICE
    assert [event.message_id for event in alice.told(MessageDelivered)] == [first]
    assert [event.message_id for event in alice.told(MessageDisplayed)] == [first]
    assert len(alice.told(MessageAccepted)) == 1
    assert not [name for name in alice.state.records if name.startswith("outbox/")]
    assert world.plaintexts_sent == 0
    assert all(event.encrypted for event in bob.told(MessageReceived))
    assert alice.told(SecurityChanged)[0].state == "checking"


def test_typing_travels_and_is_limited() -> None:
    world = World()
    (alice,), (bob,) = world.person(ALICE), world.person(BOB)
    alice.send(BOB, "hi")
    world.run()
    before = len(world.sent)
    for _ in range(5):
        alice.do(alice.engine.typing, BOB, True)
    world.run()
    assert len(world.sent) == before + 1
    assert bob.told(TypingChanged) == [TypingChanged(ALICE, True, True)]
    alice.do(alice.engine.typing, BOB, False)
    world.run()
    assert bob.told(TypingChanged)[-1].active is False


def test_two_devices_per_number() -> None:
    world = World()
    alices, bobs = world.person(ALICE, 2), world.person(BOB, 2)
    alices[0].send(BOB, "one")
    world.run()
    bobs[1].send(ALICE, "two")
    world.run()
    alices[1].send(BOB, "three")
    world.run()
    for phone in (*alices, *bobs):
        assert phone.all_shown() == ["one", "two", "three"], phone.name
    assert {event.device for event in alices[0].told(MessageDelivered)} == {1, 2}
    assert not [name for phone in world.phones for name in phone.state.records if name.startswith("outbox/")]
