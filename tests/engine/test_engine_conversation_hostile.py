"""Conversations whose members lie about ids, and what must not follow from it (SR-04, SR-05, SR-18)."""

from __future__ import annotations

from dataclasses import replace

from engine.conversations import KEEP, ConversationWorld
from engine.test_engine_conversation_groups import _group, _three
from engine.toy_conversation import LETTER, ToyConversations
from engine.world import ALICE, BOB, CAROL, CRYPTO, Phone
from letterlock.carriage import Inbound
from letterlock.codec.imdn import Disposition, Imdn, encode_imdn
from letterlock.codec.imdn import Status as ImdnStatus
from letterlock.conversation_seam import (
    Conversation,
    KeysSeen,
    LetterReceipt,
    LetterReceived,
    Notice,
    Packet,
    PacketHeader,
    Progress,
    SendAgain,
    UntilWhen,
)
from letterlock.engine.content import Reaction, Reference, Text
from letterlock.engine.content.parts import RCS
from letterlock.engine.conversations import progress, receiving
from letterlock.engine.conversations.records import AGAIN, PACKET
from letterlock.engine.effects import Transmit
from letterlock.engine.events import MessageDelivered, MessageReceived, OwnListMismatch, ReactionChanged
from letterlock.engine.limits import Privacy
from letterlock.engine.step import Step, Turn
from letterlock.ids import GroupName, Instant, MessageId, Number, Rng, group_of
from letterlock.seam import State

ENTITY = b"Content-Type: text/plain;charset=UTF-8\r\n\r\n"


def told(phone: Phone, *notices: Notice, packets: tuple[Packet, ...] = ()) -> None:
    """Its protocol reports this."""
    protocol = next(iter(phone.engine._core.keeping.values()))

    def step(state: State, now: Instant, rng: Rng) -> Step[None]:
        turn = Turn(state, now, rng)
        progress.take(phone.engine._core, turn, protocol, Progress(notices=notices, packets=packets))
        return turn.finish(None)

    phone.do(step)


def letter(name: GroupName, sender: Number, message_id: str, root: str = "", text: str = "x") -> LetterReceived:
    group = group_of(name)
    assert group is not None
    device = CRYPTO.hmac_sha256(b"device", sender.encode())[:16]
    entity = ENTITY + text.encode()
    where = Conversation(group=group)
    return LetterReceived(where, sender, device, MessageId(message_id), MessageId(root or message_id), (), entity)


def group_of_three() -> tuple[ConversationWorld, Phone, Phone, Phone, GroupName]:
    world, alice, bob, carol = _three()
    return world, alice, bob, carol, _group(world, alice, BOB, CAROL)


def test_a_member_that_names_our_letters_as_its_own_moves_no_receipt() -> None:
    """SR-05: a letter of Bob under the id of one of ours, "repeating" another one of ours: Carol's word about the first
    would count for the second, which then is sent to her no more."""
    world, alice, _bob, _carol, name = group_of_three()
    world.hostility = replace(world.hostility, swallow=1.0)
    first, second = (alice.do(alice.engine.send, name, Text(text)) for text in ("first", "second"))
    told(alice, letter(name, BOB, first, root=second))
    group = group_of(name)
    assert group is not None
    told(alice, LetterReceipt(Conversation(group=group), first, CAROL, False))
    assert [event.message_id for event in alice.told(MessageDelivered)] == [first]
    rows = {row.root: row.pending for row in map(alice.state.get, alice.state.scan(PACKET)) if row is not None}
    assert rows[second] == (BOB, CAROL)


def test_a_member_gets_no_older_message_by_asking_for_another_one() -> None:
    """Whoever came in yesterday would ask for what was said the day before."""
    world, alice, _bob, _carol, name = group_of_three()
    old = alice.do(alice.engine.send, name, Text("before"))
    world.run()
    world.hostility = replace(world.hostility, swallow=1.0)
    fresh = alice.do(alice.engine.send, name, Text("after"))
    told(alice, letter(name, BOB, fresh, root=old))
    group = group_of(name)
    assert group is not None
    told(alice, SendAgain(Conversation(group=group), fresh, BOB))
    asked = [again.root for again in map(alice.state.get, alice.state.scan(AGAIN)) if again is not None]
    assert asked == [fresh]


def test_a_member_does_not_turn_what_is_said_about_another_ones_message() -> None:
    """A reaction to Carol's message stays with it, whatever Bob says that his letter of that id repeats."""
    world, alice, _bob, carol, name = group_of_three()
    target, other = (carol.do(carol.engine.send, name, Text(text)) for text in ("target", "other"))
    world.run()
    told(alice, letter(name, BOB, target, root=other))
    carol.do(carol.engine.send, name, Reaction(Reference(target), "\U0001f44d"))
    world.run()
    assert [event.message_id for event in alice.told(ReactionChanged)] == [target]


def test_what_is_said_about_a_letter_that_came_again_is_about_the_first() -> None:
    """rcc16.md 4.6: whoever got the second copy knows the message by its id."""
    _world, alice, _bob, _carol, name = group_of_three()
    told(alice, letter(name, BOB, "copy", root="first-of-bob", text="twice"))
    assert [event.message_id for event in alice.told(MessageReceived)] == ["first-of-bob"]
    about = (PacketHeader(RCS, "Reference-ID", "copy"), PacketHeader(RCS, "Reference-Type", "+Reaction"))
    told(alice, replace(letter(name, CAROL, "about", text="\U0001f44d"), headers=about))
    assert [event.message_id for event in alice.told(ReactionChanged)] == ["first-of-bob"]


def test_a_packet_that_is_said_again_is_still_the_letter_that_it_was() -> None:
    """Its row knows the message and who has not answered; a repeat of the bytes does not make it one of nobody."""
    world, alice, _bob, _carol, name = group_of_three()
    world.hostility = replace(world.hostility, swallow=1.0)
    message_id = alice.do(alice.engine.send, name, Text("once more"))
    (row,) = [row for row in map(alice.state.get, alice.state.scan(PACKET)) if row is not None]
    told(alice, packets=(row.packet,))
    (after,) = [row for row in map(alice.state.get, alice.state.scan(PACKET)) if row is not None]
    assert row.packet.until is UntilWhen.RECEIPTS
    assert (after.root, after.order, after.pending) == (message_id, row.order, (BOB, CAROL))


class Receipting(ToyConversations):
    """Says of whatever comes that it was delivered, as deployed protocols do."""

    def receive(self, state: State, packet: Packet, sender: Number | None, now: Instant, rng: Rng) -> Progress:
        body = encode_imdn(Imdn(packet.message_id, "2026-11-23T05:00:00Z", Disposition.DELIVERY, ImdnStatus.DELIVERED))
        return Progress(packets=(Packet(packet.conversation, sender, MessageId("r"), "message/imdn+xml", (), body),))


def test_a_group_of_strangers_gets_no_receipts_from_who_gives_none() -> None:
    """SR-18: somebody who puts us into a group is a stranger like any other."""
    world, alice, bob, _carol = _three(privacy=Privacy(receipts_to_strangers=False))
    name = _group(world, alice, BOB, CAROL)
    core = replace(bob.engine._core, keeping={"keep": Receipting(BOB, bob.account.spki)})
    inbound = Inbound(ALICE, BOB, MessageId("m"), LETTER, b"x", world.now, group_of(name))

    def receipts() -> int:
        turn = Turn(bob.state, world.now, world.rng)
        receiving.received(core, turn, inbound, LETTER)
        return sum(isinstance(effect, Transmit) for effect in turn.finish(None).effects)

    assert receipts() == 0
    bob.do(bob.engine.send, name, Text("hello"))
    assert receipts() == 1


def test_another_key_under_our_own_number_is_told() -> None:
    """SR-04: somebody stands in a group as ourselves."""
    world = ConversationWorld()
    (alice,) = world.person(ALICE, capability=KEEP)
    told(alice, KeysSeen(ALICE, b"another key", alice.account.spki))
    assert [event.reason for event in alice.told(OwnListMismatch)] == ["participant-key"]
