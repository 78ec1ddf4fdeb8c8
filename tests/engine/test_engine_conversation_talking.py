"""Chats that go by a protocol which keeps the members itself: from first contact to a display receipt."""

from __future__ import annotations

import pytest

from engine.conversations import BOTH, KEEP, TOY, ConversationWorld
from engine.world import ALICE, BOB, CAROL, Hostility
from letterlock.conversation_seam import ClaimOutcome
from letterlock.engine.content import Delete, Edit, Reaction, Reference, Text
from letterlock.engine.events import (
    ContactKeysSeen,
    EncryptionStarted,
    MessageAccepted,
    MessageDelivered,
    MessageDisplayed,
    MessageEdited,
    MessageReceived,
    ProtocolSwitched,
    ReactionChanged,
    SecurityChanged,
)
from letterlock.engine.record_values import Status
from letterlock.engine.security import Security
from letterlock.errors import NotEncrypted


def test_a_number_that_only_keeps_is_written_to_by_that_protocol() -> None:
    world = ConversationWorld()
    (alice,), (bob,) = world.person(ALICE, capability=BOTH), world.person(BOB, capability=KEEP)
    message_id = alice.send(BOB, "hello")
    world.run()
    assert bob.shown() == ["hello"]
    (received,) = bob.told(MessageReceived)
    assert received.encrypted and received.chat == ALICE and received.message_id == message_id
    assert alice.told(EncryptionStarted)[0] == EncryptionStarted(BOB, "keep", 1, ALICE)
    assert alice.told(MessageDelivered) == [MessageDelivered(BOB, message_id, 0)]
    assert alice.told(MessageAccepted)
    assert alice.engine.security(alice.state, BOB, world.now) is Security.ENCRYPTED
    bob.do(bob.engine.mark_displayed, ALICE, message_id)
    bob.do(bob.engine.mark_displayed, ALICE, message_id)
    world.run()
    assert alice.told(MessageDisplayed) == [MessageDisplayed(BOB, message_id, 0)]
    assert alice.history(BOB)[0].status is Status.DISPLAYED
    bob.send(ALICE, "hello yourself")
    world.run()
    assert alice.shown() == ["hello yourself"]
    assert world.plaintexts_sent == 0
    assert not [name for name in alice.state.records if name.startswith("packet/")]


def test_sessions_come_first_where_every_device_has_them() -> None:
    """architecture.md: `signal` when every device of every member lists it, else `rcc16`."""
    world = ConversationWorld()
    (alice,), (bob,) = world.person(ALICE, capability=BOTH), world.person(BOB, capability=BOTH)
    alice.send(BOB, "by sessions")
    world.run()
    assert bob.shown() == ["by sessions"]
    assert not world.claims
    assert not alice.told(EncryptionStarted)


def test_a_number_without_a_list_is_asked_for_at_the_key_server() -> None:
    """SR-02: no tag decides; a foreign number's packages do."""
    world = ConversationWorld()
    (alice,), (bob,) = world.person(ALICE, capability=BOTH), world.person(BOB, capability=KEEP)
    world.hidden.add(BOB)
    alice.send(BOB, "hello stranger")
    assert alice.engine.security(alice.state, BOB, world.now) is Security.CHECKING
    world.run()
    assert bob.shown() == ["hello stranger"]
    (seen,) = alice.told(ContactKeysSeen)
    assert seen.chat == BOB
    code = alice.engine.security_code(alice.state, BOB)
    world.hidden.clear()
    bob.do(bob.engine.open_chat, ALICE)
    world.run()
    assert bob.engine.security_code(bob.state, ALICE).digits == code.digits


def test_nobody_at_the_key_server_means_no_keys_found_and_a_choice() -> None:
    """SR-01, SR-02."""
    world = ConversationWorld()
    (alice,) = world.person(ALICE, capability=BOTH)
    alice.send(BOB, "is anybody there")
    world.run()
    assert alice.engine.security(alice.state, BOB, world.now) is Security.NO_KEYS_FOUND
    with pytest.raises(NotEncrypted) as refused:
        alice.send(BOB, "and now?")
    (option,) = refused.value.options
    assert world.plaintexts_sent == 0
    assert alice.do(alice.engine.release, BOB, option) == 1
    world.run()
    assert world.plaintexts_sent == 1
    assert alice.engine.security(alice.state, BOB, world.now) is Security.PLAIN_RCS


def test_a_key_server_that_cannot_be_asked_delays_and_decides_nothing() -> None:
    world = ConversationWorld()
    (alice,), (bob,) = world.person(ALICE, capability=BOTH), world.person(BOB, capability=KEEP)
    world.claim_outcome[BOB] = ClaimOutcome.FAILED
    alice.send(BOB, "patience")
    world.run()
    assert alice.engine.security(alice.state, BOB, world.now) is Security.CHECKING
    assert world.plaintexts_sent == 0 and not bob.shown()


def test_changes_of_messages_go_by_the_same_protocol() -> None:
    world = ConversationWorld()
    (alice,), (bob,) = world.person(ALICE, capability=BOTH), world.person(BOB, capability=KEEP)
    first = alice.send(BOB, "frist")
    world.run()
    alice.do(alice.engine.send, BOB, Edit(first, "first"))
    bob.do(bob.engine.send, ALICE, Reaction(Reference(first), "\U0001f44d"))
    bob.do(bob.engine.send, ALICE, Text("what?", Reference(first)))
    world.run()
    assert bob.told(MessageEdited)[0].text == "first"
    assert alice.told(ReactionChanged)[0].emoji == "\U0001f44d"
    view = [alice.engine.view(alice.state, BOB, message) for message in alice.history(BOB) if not message.change]
    assert [each.text for each in view] == ["first", "what?"]
    assert view[1].reply is not None and view[1].reply.text == "first"
    alice.do(alice.engine.send, BOB, Delete(first))
    world.run()
    assert bob.engine.view(bob.state, ALICE, bob.history(ALICE)[0]).deleted


def test_a_chat_moves_when_a_device_that_lacks_sessions_is_linked_and_says_so() -> None:
    world = ConversationWorld()
    (alice,), (bob,) = world.person(ALICE, capability=BOTH), world.person(BOB, capability=BOTH)
    alice.send(BOB, "one")
    world.run()
    account = world.accounts[BOB]
    account.capability = KEEP
    tablet = world.link(account, 2)
    world.run()
    world.now += 2 * 86_400_000  # the list is looked up again
    alice.do(alice.engine.open_chat, BOB)
    world.run()
    alice.send(BOB, "two")
    world.run()
    assert alice.told(ProtocolSwitched) == [ProtocolSwitched(BOB, "toy", "keep")]
    assert "two" in bob.shown() and "two" in tablet.shown()
    assert [message.text for message in alice.history(BOB)] == ["one", "two"]
    assert world.plaintexts_sent == 0


def test_what_was_encrypted_stays_so_across_a_restart() -> None:
    """SR-01."""
    world = ConversationWorld()
    (alice,), (bob,) = world.person(ALICE, capability=BOTH), world.person(BOB, capability=KEEP)
    alice.send(BOB, "one")
    world.run()
    world.hidden.add(BOB)
    world.claim_outcome[BOB] = ClaimOutcome.NONE
    alice.restart()
    alice.send(BOB, "two")
    world.run()
    assert bob.shown() == ["one", "two"]
    assert alice.chat(BOB).sticky
    assert world.plaintexts_sent == 0


@pytest.mark.parametrize("seed", range(12))
def test_a_network_that_refuses_swallows_and_doubles_loses_and_doubles_nothing(seed: int) -> None:
    """SR-05, SR-06: same bytes until the receipts are there; a repeat is shown once."""
    hostility = Hostility(refuse=0.2, swallow=0.25, duplicate=0.3, longest_delay=3_000)
    world = ConversationWorld(seed=seed, hostility=Hostility())
    (alice,), (bob,) = world.person(ALICE, capability=BOTH), world.person(BOB, capability=KEEP)
    alice.send(BOB, "begin")
    world.run()
    world.hostility = hostility
    for n in range(10):
        alice.send(BOB, f"a{n}")
        bob.send(ALICE, f"b{n}")
        world.run_for(500)
    world.hostility = Hostility()
    world.run_for(6 * 3_600_000)
    assert sorted(bob.shown()) == sorted(["begin", *(f"a{n}" for n in range(10))])
    theirs = [message.text for message in alice.history(BOB) if message.sender == BOB]
    assert theirs == [f"b{n}" for n in range(10)]
    ours = [message.text for message in bob.history(ALICE) if message.sender == ALICE]
    assert ours == ["begin", *(f"a{n}" for n in range(10))]
    assert not [name for name in (*alice.state.records, *bob.state.records) if name.startswith("packet/")]


@pytest.mark.parametrize("seed", range(12))
def test_a_crash_before_any_commit_or_effect_loses_nothing(seed: int) -> None:
    """SR-06. What was not acknowledged the network brings again, so a receiver does not die here."""
    world = ConversationWorld(seed=seed)
    (alice,), (bob,) = world.person(ALICE, capability=BOTH), world.person(BOB, capability=KEEP)
    world.crash_plan = lambda phone, what: what not in ("received", "commit") and world.random.random() < 0.15
    for n in range(5):
        plan, world.crash_plan = world.crash_plan, None
        alice.send(BOB, f"a{n}")
        world.crash_plan = plan
        world.run_for(5_000)
    world.crash_plan = None
    world.run_for(3_600_000)
    assert [message.text for message in bob.history(ALICE)] == [f"a{n}" for n in range(5)]
    assert len(bob.shown()) == 5
    assert alice.crashes + bob.crashes > 0


def test_a_profile_without_sessions_needs_no_directory() -> None:
    world = ConversationWorld()
    (alice,), (bob,) = world.person(ALICE, capability=KEEP), world.person(BOB, capability=KEEP)
    world.hostility.directory_down = 1.0
    alice.send(BOB, "no directory needed")
    world.run()
    assert bob.shown() == ["no directory needed"]
    states = [event.state for event in alice.told(SecurityChanged)]
    assert states[-1] == "encrypted"
    assert CAROL not in world.claims and TOY not in world.claims


def test_sr01_what_is_kept_waits_and_the_key_server_is_asked_again() -> None:
    """Without a refusal a second time, and without another transition by each look-up."""
    world = ConversationWorld()
    (alice,) = world.person(ALICE, capability=BOTH)
    alice.send(BOB, "is anybody there")
    world.run()
    with pytest.raises(NotEncrypted):
        alice.send(BOB, "refused")
    alice.send(BOB, "kept", keep=True)
    transition = alice.chat(BOB).transition
    alice.restart()
    world.run_for(world.limits.absent_refresh_ms * 2)
    alice.send(BOB, "and this")
    assert alice.engine.security(alice.state, BOB, world.now) is Security.NO_KEYS_FOUND
    assert (alice.chat(BOB).transition, world.plaintexts_sent, world.sent) == (transition, 0, [])
    (bob,) = world.person(BOB, capability=BOTH)
    world.run_for(world.limits.absent_refresh_ms * 2)
    assert bob.shown() == ["is anybody there", "kept", "and this"]
    assert all(message.encrypted for message in bob.history(ALICE))
