"""The engine over RCC.16 itself, one to one; the focus orders groups, so those are tests/e2e's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.rcc16 import BOTH, RCC16, Rcc16World
from engine.world import ALICE, BOB, Hostility, Phone
from letterlock.carriage import Outbound
from letterlock.conversation_seam import ClaimOutcome
from letterlock.engine.content import Edit, Reaction, Reference, Text
from letterlock.engine.events import (
    ContactKeysSeen,
    EncryptionEnded,
    EncryptionStarted,
    MessageDelivered,
    MessageDisplayed,
    MessageEdited,
    MessageReceived,
    ReactionChanged,
)
from letterlock.engine.limits import Privacy
from letterlock.engine.record_values import Status
from letterlock.engine.security import Security
from letterlock.errors import NotEncrypted
from letterlock.ids import Number, account_id


def test_from_first_contact_to_a_display_receipt() -> None:
    world = Rcc16World()
    (alice,), (bob,) = world.person(ALICE, capability=BOTH), world.person(BOB, capability=RCC16)
    message_id = alice.send(BOB, "hello")
    world.run()
    assert bob.shown() == ["hello"] and bob.told(MessageReceived)[0].encrypted
    assert alice.told(EncryptionStarted) == [EncryptionStarted(BOB, "rcc16", 1, ALICE)]
    assert bob.told(EncryptionStarted) == [EncryptionStarted(ALICE, "rcc16", 1, ALICE)]
    assert alice.told(MessageDelivered) == [MessageDelivered(BOB, message_id, 0)]
    bob.do(bob.engine.mark_displayed, ALICE, message_id)
    world.run()
    assert alice.told(MessageDisplayed) == [MessageDisplayed(BOB, message_id, 0)]
    assert alice.history(BOB)[0].status is Status.DISPLAYED
    bob.send(ALICE, "hello yourself")
    world.run()
    assert alice.shown() == ["hello yourself"]
    assert world.plaintexts_sent == 0
    assert not [name for name in (*alice.state.records, *bob.state.records) if name.startswith("packet/")]


def test_changes_of_messages_and_a_security_code_of_both() -> None:
    world = Rcc16World()
    (alice,), (bob,) = world.person(ALICE, capability=BOTH), world.person(BOB, capability=RCC16)
    first = alice.send(BOB, "frist")
    world.run()
    alice.do(alice.engine.send, BOB, Edit(first, "first"))
    bob.do(bob.engine.send, ALICE, Reaction(Reference(first), "\U0001f602"))
    bob.do(bob.engine.send, ALICE, Text("what?", Reference(first)))
    world.run()
    assert bob.told(MessageEdited)[0].text == "first"
    assert alice.told(ReactionChanged)[0].emoji == "\U0001f602"
    bob.do(bob.engine.open_chat, ALICE)
    world.run()
    codes = {phone.engine.security_code(phone.state, peer).digits for phone, peer in ((alice, BOB), (bob, ALICE))}
    assert len(codes) == 1
    alice.do(alice.engine.mark_verified, BOB, account_id(alice.engine.participant(alice.state, BOB)))
    assert alice.engine.security(alice.state, BOB, world.now) is Security.VERIFIED


def test_a_foreign_number_is_found_at_the_key_server_alone() -> None:
    """SR-02: no list, no tag; its packages and its certificate decide."""
    world = Rcc16World()
    (alice,), (bob,) = world.person(ALICE, capability=BOTH), world.person(BOB, capability=RCC16)
    world.hidden |= {ALICE, BOB}
    alice.send(BOB, "hello stranger")
    world.run()
    assert bob.shown() == ["hello stranger"]
    assert [event.chat for event in alice.told(ContactKeysSeen)] == [BOB]
    assert alice.engine.security_code(alice.state, BOB).digits
    alice.do(alice.engine.mark_verified, BOB, account_id(alice.engine.participant(alice.state, BOB)))
    assert alice.engine.security(alice.state, BOB, world.now) is Security.VERIFIED
    alice.restart()
    alice.send(BOB, "still verified")
    world.run()
    assert bob.shown()[-1] == "still verified"


def test_end_mls_closes_the_composer_and_revive_opens_it() -> None:
    """SR-01; rcc16.md 5.7."""
    world = Rcc16World()
    (alice,), (bob,) = world.person(ALICE, capability=BOTH), world.person(BOB, capability=RCC16)
    alice.send(BOB, "one")
    world.run()
    bob.do(bob.engine.end_encryption, ALICE)
    world.run_for(5_000)
    assert alice.told(EncryptionEnded)
    with pytest.raises(NotEncrypted) as refused:
        alice.send(BOB, "still there?")
    assert refused.value.reason == "encryption-ended" and len(refused.value.options) == 1
    assert world.plaintexts_sent == 0
    bob.do(bob.engine.revive_encryption, ALICE)
    world.run_for(3_600_000)
    alice.send(BOB, "again")
    world.run_for(60_000)
    assert bob.shown() == ["one", "again"]
    assert world.plaintexts_sent == 0


def test_a_user_who_gives_no_receipts_gives_none() -> None:
    """SR-18."""
    world = Rcc16World(privacy=Privacy(delivery_receipts=False, display_receipts=False))
    (alice,), (bob,) = world.person(ALICE, capability=BOTH), world.person(BOB, capability=RCC16)
    message_id = alice.send(BOB, "one")
    world.run()
    bob.do(bob.engine.mark_displayed, ALICE, message_id)
    world.run()
    assert bob.shown() == ["one"]
    assert not [out for phone, out in world.sent if phone is bob and out.content_type.startswith("message/imdn")]


@pytest.mark.parametrize("seed", range(4))
def test_a_network_that_refuses_swallows_and_doubles_loses_and_doubles_nothing(seed: int) -> None:
    """SR-05, SR-06."""
    world = Rcc16World(seed=seed)
    (alice,), (bob,) = world.person(ALICE, capability=BOTH), world.person(BOB, capability=RCC16)
    alice.send(BOB, "begin")
    world.run()
    world.hostility = Hostility(refuse=0.2, swallow=0.2, duplicate=0.3, longest_delay=2_000)
    for n in range(8):
        alice.send(BOB, f"a{n}")
        bob.send(ALICE, f"b{n}")
        world.run_for(1_000)
    world.hostility = Hostility()
    world.run_for(6 * 3_600_000)
    assert [m.text for m in bob.history(ALICE) if m.sender == ALICE] == ["begin", *(f"a{n}" for n in range(8))]
    assert [m.text for m in alice.history(BOB) if m.sender == BOB] == [f"b{n}" for n in range(8)]
    assert sorted(bob.shown()) == sorted(set(bob.shown()))


@pytest.mark.parametrize("seed", range(4))
def test_a_sender_that_dies_anywhere_loses_and_doubles_nothing(seed: int) -> None:
    """SR-06: no key is used twice, whatever died (`_check_keys` of the world looks)."""
    world = Rcc16World(seed=seed)
    (alice,), (bob,) = world.person(ALICE, capability=BOTH), world.person(BOB, capability=RCC16)
    for n in range(4):
        world.crash_plan = None
        alice.send(BOB, f"a{n}")
        world.crash_plan = lambda phone, what: what not in ("received", "commit") and world.random.random() < 0.15
        world.run_for(5_000)
    world.crash_plan = None
    world.run_for(3_600_000)
    assert [message.text for message in bob.history(ALICE)] == [f"a{n}" for n in range(4)]
    assert len(bob.shown()) == 4


def test_a_network_that_calls_a_letter_a_repeat_does_not_suppress_it() -> None:
    """SR-05: Original-Message-ID stands outside of the encryption, where anybody writes what it likes."""
    world = Rcc16World()
    (alice,), (bob,) = world.person(ALICE, capability=BOTH), world.person(BOB, capability=RCC16)
    first = alice.send(BOB, "first")
    world.run()
    carry = world.carry

    def called_a_repeat(sender: Number, outbound: Outbound) -> None:
        if outbound.content_type == "message/mls":
            outbound = replace(outbound, headers=(*outbound.headers, ("mls.Original-Message-ID", first)))
        carry(sender, outbound)

    world.carry = called_a_repeat  # type: ignore[method-assign]
    alice.send(BOB, "second")
    alice.send(BOB, "third")
    world.run()
    assert bob.shown() == ["first", "second", "third"]


# --- nobody has key packages, and the user looks --------------------------------------------------------------------
def _nobody_there() -> tuple[Rcc16World, Phone, Phone]:
    """Alice has written to a number of another vendor that has no key packages yet."""
    world = Rcc16World()
    (alice,), (bob,) = world.person(ALICE, capability=BOTH), world.person(BOB, capability=RCC16)
    world.hidden.add(BOB)
    world.claim_outcome[BOB] = ClaimOutcome.NONE
    alice.send(BOB, "is anybody there")
    world.run()
    assert alice.engine.security(alice.state, BOB, world.now) is Security.NO_KEYS_FOUND
    return world, alice, bob


def test_sr02_looking_at_a_chat_does_not_put_off_the_next_claim_for_ever() -> None:
    """The directory goes on being asked because something waits, and says each time that it knows nothing."""
    world, alice, bob = _nobody_there()
    alice.send(BOB, "kept", keep=True)
    world.run_for(world.limits.look_again_ms)
    alice.do(alice.engine.open_chat, BOB)
    world.run_for(world.limits.absent_refresh_ms)
    del world.claim_outcome[BOB]
    world.run_for(world.limits.absent_refresh_ms)
    assert bob.shown() == ["is anybody there", "kept"]
    assert world.plaintexts_sent == 0


def test_sr01_looking_ends_no_decision_to_send_unencrypted() -> None:
    """It is asked for once, and not whenever the chat was opened."""
    world, alice, _ = _nobody_there()
    with pytest.raises(NotEncrypted) as refused:
        alice.send(BOB, "refused")
    alice.send(BOB, "by decision", allow=refused.value.options[0])
    transition = alice.chat(BOB).transition
    for _ in range(8):
        world.run_for(world.limits.look_again_ms)
        alice.do(alice.engine.open_chat, BOB)
        assert alice.engine.security(alice.state, BOB, world.now) is Security.PLAIN_RCS
    world.run()
    assert alice.chat(BOB).transition == transition
    assert world.plaintexts_sent == 1


def test_sr13_looking_again_and_again_claims_little_and_leaves_the_choice() -> None:
    """SR-08: where the budget of claims is spent, the chat says what it said, and does not look for keys for minutes."""
    world, alice, _ = _nobody_there()
    for _ in range(30):
        world.run_for(world.limits.look_again_ms)
        alice.do(alice.engine.open_chat, BOB)
        world.run()
        assert alice.engine.security(alice.state, BOB, world.now) is Security.NO_KEYS_FOUND
    assert 2 <= world.claims.count(BOB) <= 4
