"""Encryption that ends, sticks, begins again; keys that change; what the network cannot make of it (SR-01, SR-04, SR-07)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.conversations import BOTH, KEEP, ConversationWorld
from engine.toy_conversation import LETTER, mask
from engine.world import ALICE, BOB, Account, Phone
from letterlock.conversation_seam import (
    AddMembers,
    Change,
    ChangeFailed,
    Conversation,
    EndEncryption,
    Progress,
    RemoveMembers,
    Revive,
    SetMetadata,
)
from letterlock.engine.content import Text
from letterlock.engine.conversations import progress
from letterlock.engine.events import (
    ConversationChangeFailed,
    EncryptionEnded,
    EncryptionStalled,
    EncryptionStarted,
    KeysChanged,
    MessageReceived,
    MessageUnreadable,
)
from letterlock.engine.limits import Privacy
from letterlock.engine.security import Security
from letterlock.engine.step import Step, Turn
from letterlock.errors import InputError, NotEncrypted, TrustRequired
from letterlock.ids import MessageId, Number, account_id


def _talking(**named: object) -> tuple[ConversationWorld, Phone, Phone]:
    world = ConversationWorld(**named)
    (alice,), (bob,) = world.person(ALICE, capability=BOTH), world.person(BOB, capability=KEEP)
    alice.send(BOB, "one")
    world.run()
    bob.send(ALICE, "two")
    world.run()
    return world, alice, bob


def test_an_ended_chat_is_closed_until_the_user_decides() -> None:
    """SR-01: `end_mls` closes the composer even where RCC.16 would permit plaintext."""
    world, alice, bob = _talking()
    bob.do(bob.engine.end_encryption, ALICE)
    world.run()
    assert alice.told(EncryptionEnded) == [EncryptionEnded(BOB, BOB, "asked")]
    assert alice.engine.security(alice.state, BOB, world.now) is Security.ENDED
    with pytest.raises(NotEncrypted) as refused:
        alice.send(BOB, "still there?")
    assert refused.value.reason == "encryption-ended"
    (option,) = refused.value.options
    alice.restart()
    world.run()
    with pytest.raises(NotEncrypted):
        alice.send(BOB, "after a restart")
    assert world.plaintexts_sent == 0
    alice.do(alice.engine.send, BOB, Text("this one in the clear"), allow=option)
    world.run()
    assert world.plaintexts_sent == 1
    with pytest.raises(NotEncrypted):
        alice.send(BOB, "the next one asks again")
    with pytest.raises(NotEncrypted):
        alice.do(alice.engine.send, BOB, Text("an option is used once"), allow=option)


def test_it_can_be_begun_again() -> None:
    world, alice, bob = _talking()
    bob.do(bob.engine.end_encryption, ALICE)
    world.run()
    bob.do(bob.engine.revive_encryption, ALICE)
    world.run()
    assert alice.told(EncryptionStarted)[-1].era == 2
    alice.send(BOB, "encrypted again")
    world.run()
    assert bob.shown()[-1] == "encrypted again"
    assert world.plaintexts_sent == 0


def test_a_chat_by_sessions_has_nothing_to_end() -> None:
    world = ConversationWorld()
    (alice,), (_,) = world.person(ALICE, capability=BOTH), world.person(BOB, capability=BOTH)
    alice.send(BOB, "by sessions")
    world.run()
    for decide in (alice.engine.end_encryption, alice.engine.revive_encryption, alice.engine.retry_encryption):
        with pytest.raises(InputError) as refused:
            alice.do(decide, BOB)
        assert refused.value.code == "input.protocol"


def test_a_stalled_chat_offers_another_try() -> None:
    world, alice, bob = _talking()
    protocol = world.keeping(alice)

    def stall(state: object, now: int, rng: object) -> Step[None]:
        turn = Turn(state, now, rng)  # type: ignore[arg-type]
        step = protocol.stall(turn.staged, Conversation(peer=BOB))
        progress.take(alice.engine._core, turn, protocol, step)
        return turn.finish(None)

    alice.do(stall)
    assert alice.told(EncryptionStalled)
    assert alice.engine.security(alice.state, BOB, world.now) is Security.STALLED
    with pytest.raises(NotEncrypted) as refused:
        alice.send(BOB, "stuck")
    assert refused.value.reason == "stalled"
    alice.do(alice.engine.retry_encryption, BOB)
    alice.send(BOB, "unstuck")
    world.run()
    assert bob.shown()[-1] == "unstuck"


@pytest.mark.parametrize(
    ("change", "what", "numbers"),
    [
        (AddMembers((Number("+15550109"),)), "add", ("+15550109",)),
        (RemoveMembers((BOB,)), "remove", (BOB,)),
        (SetMetadata(subject="x"), "subject", ()),
        (SetMetadata(icon=b"x"), "icon", ()),
        (EndEncryption(), "end", ()),
        (Revive(), "revive", ()),
    ],
)
def test_a_decision_that_comes_to_nothing_is_told(change: Change, what: str, numbers: tuple[str, ...]) -> None:
    world, alice, _ = _talking()
    protocol = world.keeping(alice)
    failed = Progress(notices=(ChangeFailed(Conversation(peer=BOB), change, "invalid-commit"),))

    def fail(state: object, now: int, rng: object) -> Step[None]:
        turn = Turn(state, now, rng)  # type: ignore[arg-type]
        progress.take(alice.engine._core, turn, protocol, failed)
        return turn.finish(None)

    alice.do(fail)
    assert alice.told(ConversationChangeFailed) == [ConversationChangeFailed(BOB, what, numbers, "invalid-commit")]


def _replaced(world: ConversationWorld, account: Account) -> Phone:
    """The same number with another participant key: a new phone, or somebody else."""
    world.phones = [phone for phone in world.phones if phone.account is not account]
    (phone,) = world.person(account.number, capability=KEEP)
    return phone


def test_new_keys_are_shown_and_a_verified_contact_is_paused() -> None:
    """SR-21, and the security code of both protocols is one."""
    world, alice, _ = _talking()
    world.hidden.add(BOB)  # the directory says nothing of it
    alice.do(alice.engine.mark_verified, BOB, account_id(alice.engine.participant(alice.state, BOB)))
    assert alice.engine.security(alice.state, BOB, world.now) is Security.VERIFIED
    new = _replaced(world, world.accounts[BOB])
    new.send(ALICE, "I have a new phone")
    world.run()
    changed = alice.told(KeysChanged)
    assert changed[0].was_verified
    assert alice.engine.security(alice.state, BOB, world.now) is Security.NO_LONGER_VERIFIED
    with pytest.raises(TrustRequired):
        alice.send(BOB, "who are you?")
    alice.do(alice.engine.accept_keys, BOB)
    alice.send(BOB, "all right")
    world.run()
    assert new.shown()[-1] == "all right"


def test_forged_packets_are_counted_told_once_and_change_nothing() -> None:
    """SR-07."""
    world, alice, bob = _talking()
    before = dict(bob.state.records)
    (_, outbound), *_ = [item for item in world.sent if item[1].content_type == LETTER and item[0] is alice]
    for n in range(60):
        forged = replace(outbound, body=bytes([n % 3]) * 40, message_id=MessageId(f"forged-{n % 3}"))
        world.inject(bob, ALICE, forged)
    world.run()
    told = bob.told(MessageUnreadable)
    assert len(told) == 3
    assert {name for name in bob.state.records if name.startswith(("toyconv", "chat/"))} == {
        name for name in before if name.startswith(("toyconv", "chat/"))
    }
    alice.send(BOB, "three")
    world.run()
    assert bob.shown()[-1] == "three"


def test_a_repeat_under_the_same_or_another_claim_is_shown_once() -> None:
    """SR-05: told by certified sender, leaf and id, after decryption."""
    world, alice, bob = _talking()
    (_, outbound), *_ = [item for item in world.sent if item[1].content_type == LETTER and item[0] is alice]
    for _ in range(3):
        world.inject(bob, ALICE, outbound)
    world.run()
    assert bob.shown() == ["one"]


def test_an_unasserted_or_reflected_packet_goes_nowhere() -> None:
    """SR-03."""
    world, alice, bob = _talking()
    (_, outbound), *_ = [item for item in world.sent if item[1].content_type == LETTER and item[0] is alice]
    world.inject(bob, None, replace(outbound, message_id=MessageId("unasserted")))
    world.inject(alice, ALICE, replace(outbound, message_id=MessageId("reflected")))
    world.run()
    assert bob.shown() == ["one"] and alice.shown() == ["two"]


def test_a_user_who_gives_no_display_receipts_gives_none() -> None:
    """SR-18."""
    world = ConversationWorld(privacy=Privacy(display_receipts=False))
    (alice,), (bob,) = world.person(ALICE, capability=BOTH), world.person(BOB, capability=KEEP)
    alice.send(BOB, "one")
    world.run()
    message_id = bob.told(MessageReceived)[0].message_id
    bob.do(bob.engine.mark_displayed, ALICE, message_id)
    world.run()
    sent = [mask(outbound.body) for phone, outbound in world.sent if phone is bob]
    assert not [body for body in sent if b'"displayed"' in body]


def test_a_foreign_letter_has_no_place_and_leaves_no_gap() -> None:
    """No ordering headers: by arrival, and nothing is missing before it."""
    world, alice, bob = _talking()
    import json

    for n in (5, 3):
        body = {
            "root": f"foreign-{n}",
            "epoch": 1,
            "headers": [],
            "entity": f"Content-Type: text/plain;charset=UTF-8\r\n\r\nf{n}".encode().hex(),
            "leaf": "ab" * 16,
        }
        (_, outbound), *_ = [item for item in world.sent if item[1].content_type == LETTER and item[0] is alice]
        world.inject(
            bob, ALICE, replace(outbound, body=mask(json.dumps(body).encode()), message_id=MessageId(f"foreign-{n}"))
        )
        world.run()
    assert bob.shown() == ["one", "f5", "f3"]
    assert [message.text for message in bob.history(ALICE)] == ["one", "two", "f5", "f3"]
