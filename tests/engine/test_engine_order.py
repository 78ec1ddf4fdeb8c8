"""Order: Lamport time, sender, sequence; causes first; gaps marked and filled; buffers bounded (SR-08)."""

from __future__ import annotations

import dataclasses

import pytest

from engine.test_engine_trust import reset
from engine.world import ALICE, BOB, Phone, World
from letterlock.carriage import Inbound, NetworkResult, Outbound
from letterlock.engine.events import MessageMissing, MessageReceived
from letterlock.engine.limits import DEFAULTS
from letterlock.engine.record_forms import decode_chat, encode_chat
from letterlock.engine.record_values import Chat, Gap, Head, Status
from letterlock.errors import NotEncrypted
from letterlock.ids import AccountId, DeviceId, MessageId, Number

DAY = 86_400_000


class Post:
    """Holds every frame back until the test hands it on."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.held: dict[str, tuple[Phone, Outbound]] = {}
        world.on_transmit = self

    def __call__(self, phone: Phone, outbound: Outbound) -> NetworkResult | None:
        self.held.setdefault(outbound.message_id, (phone, outbound))
        return NetworkResult(accepted=True)

    def hand_on(self, message_id: str, to: Phone | None = None) -> None:
        sender, outbound = self.held[message_id]
        for phone in self.world.phones:
            if phone.number == outbound.to and (to is None or phone is to):
                inbound = Inbound(
                    sender.number,
                    outbound.to,
                    outbound.message_id,
                    outbound.content_type,
                    outbound.body,
                    self.world.now,
                )
                phone.do(phone.engine.received, inbound)


def settled(alices: int = 1, bobs: int = 1, **named: object) -> tuple[World, list[Phone], list[Phone]]:
    world = World(1, **named)  # type: ignore[arg-type]
    a, b = world.person(ALICE, alices), world.person(BOB, bobs)
    for phone in a:
        phone.send(BOB, f"hi {phone.device}")
        world.run()
    for phone in b:
        phone.send(ALICE, f"hello {phone.device}")
        world.run()
    for phone in (*a, *b):
        phone.events.clear()
    return world, a, b


def test_what_overtakes_is_held_until_its_turn() -> None:
    world, (alice,), (bob,) = settled()
    post = Post(world)
    ids = [alice.send(BOB, f"{n}") for n in range(5)]
    world.run()
    for n in (3, 1, 4, 0, 2):
        post.hand_on(ids[n])
    assert bob.shown() == ["0", "1", "2", "3", "4"]
    assert not bob.told(MessageMissing)


def test_an_answer_waits_for_what_it_answers() -> None:
    """Alice's second device answers what her first has written; Bob gets the answer first."""
    world, (first, second), (bob,) = settled(2)
    Post(world)
    question = first.send(BOB, "question")
    world.run()
    copies = [out for phone, out in world.sent if out.message_id == question and out.to == ALICE]
    second.do(
        second.engine.received,
        Inbound(ALICE, ALICE, question, copies[0].content_type, copies[0].body, world.now),
    )
    answer = second.send(BOB, "answer")
    world.run()
    to_bob = {
        out.message_id: out for phone, out in world.sent if out.to == BOB and out.message_id in (question, answer)
    }
    for message_id in (answer, question):
        out = to_bob[message_id]
        bob.do(bob.engine.received, Inbound(ALICE, BOB, message_id, out.content_type, out.body, world.now))
    assert bob.shown() == ["question", "answer"]


def test_a_gap_is_marked_in_time_and_filled_later() -> None:
    world, (alice,), (bob,) = settled()
    post = Post(world)
    ids = [alice.send(BOB, f"{n}") for n in range(4)]
    world.run()
    post.hand_on(ids[0])
    post.hand_on(ids[3])
    assert bob.shown() == ["0"]
    world.on_transmit = lambda phone, outbound: NetworkResult(accepted=True)
    world.run_for(world.limits.reorder_ms)
    assert bob.shown() == ["0", "3"]
    (missing,) = bob.told(MessageMissing)
    assert (missing.chat, missing.sender, missing.device, missing.last - missing.first) == (ALICE, ALICE, 1, 1)
    history = [message.text if message.status is not Status.MISSING else "?" for message in bob.history(ALICE)]
    assert history[-3:] == ["0", "?", "3"]
    post.hand_on(ids[2])
    assert bob.told(MessageReceived)[-1].fills_gap
    history = [message.text if message.status is not Status.MISSING else "?" for message in bob.history(ALICE)]
    assert history[-4:] == ["0", "2", "?", "3"] or history[-4:] == ["0", "?", "2", "3"]
    post.hand_on(ids[1])
    history = [message.text if message.status is not Status.MISSING else "?" for message in bob.history(ALICE)]
    assert history[-4:] == ["0", "1", "2", "3"]
    assert bob.shown() == ["0", "3", "2", "1"]


def test_sr08_the_reorder_buffer_is_bounded() -> None:
    limits = dataclasses.replace(DEFAULTS, reorder_count=10)
    world, (alice,), (bob,) = settled(limits=limits)
    post = Post(world)
    ids = [alice.send(BOB, f"{n}") for n in range(40)]
    world.run()
    for message_id in ids[1:]:
        post.hand_on(message_id)
        assert len([name for name in bob.state.records if name.startswith("held/")]) <= 10
    assert bob.shown() == [f"{n}" for n in range(1, 40)]
    assert len(bob.told(MessageMissing)) == 1


def test_sr08_gaps_are_bounded() -> None:
    limits = dataclasses.replace(DEFAULTS, max_gaps=4)
    world, (alice,), (bob,) = settled(limits=limits)
    post = Post(world)
    ids = [alice.send(BOB, f"{n}") for n in range(41)]
    world.run()
    world.on_transmit = lambda phone, outbound: NetworkResult(accepted=True)
    for n in range(0, 41, 2):
        post.hand_on(ids[n])
        world.run_for(world.limits.reorder_ms)
    assert bob.shown() == [f"{n}" for n in range(0, 41, 2)]
    chat = len(bob.state.records[f"chat/{ALICE}"])
    assert chat < 400
    for n in range(1, 41, 2):
        post.hand_on(ids[n])
    assert sorted(bob.shown(), key=int) == [f"{n}" for n in range(41)]


def test_a_linked_device_does_not_miss_what_was_never_sent_to_it() -> None:
    world, (alice,), (bob,) = settled()
    for n in range(5):
        alice.send(BOB, f"{n}")
        bob.send(ALICE, f"{n}")
        world.run_for(100)
    world.run_for(10_000)
    second = world.link(bob.account, 2)
    bob.send(ALICE, "I have a second phone")
    world.run_for(10_000)
    post = Post(world)
    ids = [alice.send(BOB, f"new {n}") for n in range(3)]
    world.run()
    for n in (1, 0, 2):
        post.hand_on(ids[n], second)
    assert second.shown() == ["new 0", "new 1", "new 2"]
    assert not second.told(MessageMissing)


def test_concurrent_messages_have_one_order_everywhere() -> None:
    world, (alice,), (bob,) = settled()
    post = Post(world)
    ids = [(alice.send(BOB, f"a{n}"), bob.send(ALICE, f"b{n}")) for n in range(4)]
    world.run()
    for mine, yours in reversed(ids):
        post.hand_on(mine)
        post.hand_on(yours)
    world.run_for(DAY)
    one, other = ([message.text for message in phone.history(peer)] for phone, peer in ((alice, BOB), (bob, ALICE)))
    assert one == other
    assert len(one) == 10


# --- devices that know nothing of a chat ------------------------------------------------------------------------
def texts(phone: Phone, chat: Number) -> list[str | None]:
    return [message.text for message in phone.history(chat) if message.status is not Status.MISSING]


def talked(alices: int = 1, bobs: int = 1) -> tuple[World, list[Phone], list[Phone]]:
    world, a, b = settled(alices, bobs)
    for n in range(4):
        a[0].send(BOB, f"a{n}")
        world.run()
        b[0].send(ALICE, f"b{n}")
        world.run()
    return world, a, b


def test_what_a_new_phone_sends_stands_behind_what_was_there() -> None:
    world, (alice,), _ = talked()
    before = texts(alice, BOB)
    bob = reset(world)
    for n in range(3):  # without having heard of anything; between them the other phone is killed
        bob.send(ALICE, f"new phone {n}")
        world.run()
        alice.restart()
    after = ["new phone 0", "new phone 1", "new phone 2"]
    assert texts(alice, BOB) == before + after
    assert alice.engine.summary(alice.state, BOB).last == alice.history(BOB)[-1].order
    alice.do(alice.engine.accept_keys, BOB)
    alice.send(BOB, "hello again")
    world.run()
    bob.send(ALICE, "here I am")
    world.run()
    assert texts(alice, BOB) == [*before, *after, "hello again", "here I am"]
    assert texts(bob, ALICE) == [*after, "hello again", "here I am"]


def test_what_a_newly_linked_device_sends_stands_behind_what_was_there() -> None:
    """A device of the contact, and one of our own."""
    world, (alice,), (bob,) = talked()
    before = texts(alice, BOB)
    tablet = world.link(bob.account, 2)
    tablet.send(ALICE, "from my tablet")
    world.run()
    laptop = world.link(alice.account, 2)
    laptop.send(BOB, "from my laptop")
    world.run()
    after = ["from my tablet", "from my laptop"]
    for phone, chat in ((alice, BOB), (bob, ALICE)):
        assert texts(phone, chat) == before + after


def test_what_is_encrypted_first_stands_behind_what_was_plain() -> None:
    """A contact of many plain messages has a new phone, which can encrypt."""
    world = World(1)
    (alice,) = world.person(ALICE)
    with pytest.raises(NotEncrypted) as refused:
        alice.do(alice.engine.open_chat, BOB)
        world.run()
        alice.send(BOB, "p")
    alice.send(BOB, "plain 0", allow=refused.value.options[0])
    for n in range(1, 4):
        alice.do(
            alice.engine.received, Inbound(BOB, ALICE, MessageId(f"m-{n}"), "text/plain", f"plain {n}".encode(), 0)
        )
    (bob,) = world.person(BOB)
    bob.send(ALICE, "encrypted")
    world.run()
    assert texts(alice, BOB) == ["plain 0", "plain 1", "plain 2", "plain 3", "encrypted"]


def test_floors_are_stored() -> None:
    head = Head(AccountId(bytes(16)), DeviceId(2), 7, (Gap(1, 2, 3),), 4, floor=1 << 33)
    chat = Chat(BOB, lamport=9, heads=(head, dataclasses.replace(head, floor=0)), floor=8)
    assert decode_chat(encode_chat(chat)) == chat
