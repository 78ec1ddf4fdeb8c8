"""SR-01 and SR-02: nothing leaves in the clear without the user's decision for this chat and this transition."""

from __future__ import annotations

import dataclasses

import pytest

from engine.world import ALICE, BOB, CAROL, Crash, Phone, World
from letterlock.carriage import Inbound, NetworkResult, Outbound
from letterlock.engine.content import Delete
from letterlock.engine.effects import FetchLists
from letterlock.engine.events import (
    MessageDelivered,
    MessageExpired,
    MessageReceived,
    MessageSent,
    SecurityChanged,
)
from letterlock.engine.policy import PlainOption
from letterlock.engine.record_forms import decode_chat, encode_chat
from letterlock.engine.record_values import Status
from letterlock.engine.security import WORDS, Security
from letterlock.errors import InputError, NotEncrypted
from letterlock.ids import MessageId, Number

DAY = 86_400_000


def looked_up(world: World, phone: Phone, number: str = BOB) -> Security:
    phone.do(phone.engine.open_chat, number)
    world.run()
    return phone.engine.security(phone.state, number, world.now)  # type: ignore[arg-type]


def refused(phone: Phone, number: str = BOB, **named: object) -> NotEncrypted:
    with pytest.raises(NotEncrypted) as caught:
        phone.send(number, "in the clear?", **named)  # type: ignore[arg-type]
    return caught.value


def keyless() -> tuple[World, Phone]:
    world = World()
    (alice,) = world.person(ALICE)
    return world, alice


def test_sr01_without_keys_a_send_raises_and_sends_nothing() -> None:
    world, alice = keyless()
    assert looked_up(world, alice) is Security.NO_KEYS_FOUND
    error = refused(alice)
    assert error.reason == "no-keys-found"
    assert len(error.options) == 1
    world.run_for(DAY)
    assert world.sent == []


def test_sr01_the_option_of_the_error_sends_and_marks_the_message() -> None:
    world, alice = keyless()
    looked_up(world, alice)
    (option,) = refused(alice).options
    alice.send(BOB, "in the clear", allow=option)
    world.run()
    ((_, outbound),) = world.sent
    assert (outbound.content_type, outbound.body, outbound.receipts) == ("text/plain", b"in the clear", True)
    assert alice.told(MessageSent)[0].encrypted is False
    assert alice.history(BOB)[0].encrypted is False
    assert alice.engine.security(alice.state, BOB, world.now) is Security.PLAIN_RCS
    # Asked once per transition, not per message ...
    alice.send(BOB, "again")
    world.run()
    assert world.plaintexts_sent == 2
    # ... and the option is used up.
    with pytest.raises(NotEncrypted):
        alice.send(BOB, "third", allow=option)


def test_sr01_no_made_up_option_is_taken() -> None:
    world, alice = keyless()
    looked_up(world, alice, BOB)
    looked_up(world, alice, CAROL)
    (option,) = refused(alice, BOB).options
    (other,) = refused(alice, CAROL).options
    for wrong in (
        other,
        dataclasses.replace(other, chat=BOB),
        dataclasses.replace(option, nonce=bytes(16)),
        dataclasses.replace(option, nonce=b""),
        dataclasses.replace(option, transition=option.transition + 1),
        "plain-rcs",
        True,
    ):
        assert refused(alice, BOB, allow=wrong).options == (option,)
    world.run()
    assert world.sent == []


def test_sr01_the_option_of_an_earlier_transition_is_refused() -> None:
    """Keys appear and the chat is encrypted; the old decision must not bring plaintext back."""
    world, alice = keyless()
    looked_up(world, alice)
    (option,) = refused(alice).options
    world.person(BOB)
    world.run_for(world.limits.absent_refresh_ms)
    assert looked_up(world, alice) is Security.ENCRYPTED
    with pytest.raises(NotEncrypted):
        alice.send(BOB, "in the clear?", allow=option)
    alice.send(BOB, "sealed")
    world.run()
    assert world.plaintexts_sent == 0


def test_sr01_a_decision_ends_with_its_transition() -> None:
    world, alice = keyless()
    looked_up(world, alice)
    alice.send(BOB, "in the clear", allow=refused(alice).options[0])
    world.person(BOB)
    world.run_for(world.limits.absent_refresh_ms)
    assert looked_up(world, alice) is Security.ENCRYPTED
    alice.send(BOB, "sealed")
    world.run()
    assert world.plaintexts_sent == 1


def test_sr01_an_old_decision_does_not_come_back_when_a_list_drops_the_protocol() -> None:
    """In the clear by choice, then encrypted; then the peer's own list takes the protocol away: asked again."""
    world, alice = keyless()
    looked_up(world, alice)
    alice.send(BOB, "in the clear", allow=refused(alice).options[0])
    (bob,) = world.person(BOB)
    world.run_for(world.limits.absent_refresh_ms)
    assert looked_up(world, alice) is Security.ENCRYPTED
    bob.account.capability = ""
    bob.account.replace(1, world.now)
    world.run_for(world.limits.list_refresh_ms)
    assert looked_up(world, alice) is Security.NO_KEYS_FOUND
    assert refused(alice).reason == "no-keys-found"
    assert world.plaintexts_sent == 1


def test_sr01_an_encrypted_chat_never_becomes_plain_by_itself() -> None:
    """The directory forgets the number, restarts happen, the pinned list runs out: messages wait, nothing is plain."""
    world = World()
    (alice,), (bob,) = world.person(ALICE), world.person(BOB)
    alice.send(BOB, "hi")
    world.run()
    world.hidden.add(BOB)
    alice.restart()
    world.run_for(31 * DAY)
    world.accounts[ALICE].renew(world.now)
    alice.do(alice.engine.adopt_list, world.accounts[ALICE].list.encoded)
    assert looked_up(world, alice) is Security.CHECKING
    alice.send(BOB, "waits")
    world.run_for(1_000)
    assert bob.shown() == ["hi"]
    assert alice.told(MessageSent)[-1].waiting
    assert world.plaintexts_sent == 0
    world.hidden.clear()
    world.accounts[BOB].renew(world.now)
    bob.do(bob.engine.adopt_list, world.accounts[BOB].list.encoded)
    world.run_for(DAY)
    assert bob.shown() == ["hi", "waits"]
    assert world.plaintexts_sent == 0


def test_sr01_a_sticky_chat_asks_for_every_plain_message() -> None:
    world = World()
    (alice,), _ = world.person(ALICE), world.person(BOB)
    alice.send(BOB, "hi")
    world.run()
    world.hidden.add(BOB)
    world.run_for(31 * DAY)
    world.accounts[ALICE].renew(world.now)
    alice.do(alice.engine.adopt_list, world.accounts[ALICE].list.encoded)
    looked_up(world, alice)
    first = refused(alice, wait=False)
    assert first.reason == "checking"
    alice.send(BOB, "in the clear", allow=first.options[0])
    second = refused(alice, wait=False)
    assert second.options != first.options
    with pytest.raises(NotEncrypted):
        alice.send(BOB, "once more", allow=first.options[0])
    alice.send(BOB, "waits")
    world.run()
    assert world.plaintexts_sent == 1


def test_sr01_a_new_device_of_ours_is_sticky_from_the_first_copy_on() -> None:
    """Linked later, and told by the directory that Bob has no keys, it knows from the copy that this chat is encrypted."""
    world = World()
    (first,), (bob,) = world.person(ALICE), world.person(BOB)
    first.send(BOB, "hi")
    world.run()
    world.hidden.add(BOB)
    second = world.link(world.accounts[ALICE], 2)
    first.send(BOB, "there")
    world.run()
    assert second.all_shown() == ["there"]
    assert second.engine.security(second.state, BOB, world.now) is Security.CHECKING
    second.send(BOB, "from the other")
    world.run_for(DAY)
    assert world.plaintexts_sent == 0
    assert bob.shown() == ["hi", "there"]
    world.hidden.clear()
    world.run_for(DAY)
    assert bob.shown() == ["hi", "there", "from the other"]


def test_sr01_a_standing_decision_ends_when_another_device_of_ours_encrypts() -> None:
    """This device was told "no keys" and the user chose plain text here; then it learns that the chat is encrypted."""
    world = World()
    first, second = world.person(ALICE, 2)
    world.person(BOB)
    world.hidden.add(BOB)
    assert looked_up(world, second) is Security.NO_KEYS_FOUND
    (option,) = refused(second).options
    second.send(BOB, "in the clear", allow=option)
    world.run()
    assert world.plaintexts_sent == 1
    # The directory tells the truth to the first device alone.
    world.hidden.clear()
    first.do(first.engine.open_chat, BOB)
    world.run()
    world.hidden.add(BOB)
    first.send(BOB, "sealed")
    world.run()
    assert "sealed" in second.all_shown()
    assert second.engine.security(second.state, BOB, world.now) is Security.CHECKING
    second.send(BOB, "never in the clear")
    world.run_for(DAY)
    assert world.plaintexts_sent == 1


def test_sr01_while_the_directory_is_away_messages_wait_in_order() -> None:
    world = World()
    (alice,), (bob,) = world.person(ALICE), world.person(BOB)
    world.hostility.directory_down = 1.0
    for n in range(3):
        alice.send(BOB, f"{n}")
        world.run_for(500)
    assert alice.engine.security(alice.state, BOB, world.now) is Security.CHECKING
    assert world.sent == []
    alice.restart()
    world.hostility.directory_down = 0.0
    world.run_for(DAY)
    assert bob.shown() == ["0", "1", "2"]
    assert alice.engine.security(alice.state, BOB, world.now) is Security.ENCRYPTED


def test_sr01_wait_false_raises_instead_of_waiting() -> None:
    world = World(seed=3)
    (alice,) = world.person(ALICE)
    world.hostility.directory_down = 1.0
    alice.do(alice.engine.open_chat, BOB)
    error = refused(alice, wait=False)
    assert error.reason == "checking"
    assert error.options == alice.engine.options(alice.state, BOB)


def test_sr01_what_waits_is_released_in_the_clear_by_decision_alone() -> None:
    world = World(seed=4)
    (alice,), (bob,) = world.person(ALICE), world.person(BOB)
    world.hidden.add(BOB)
    world.hostility.directory_down = 1.0
    alice.send(BOB, "one")
    alice.send(BOB, "two")
    world.hostility.directory_down = 0.0
    world.run_for(DAY)
    assert world.sent == []
    assert alice.engine.security(alice.state, BOB, world.now) is Security.NO_KEYS_FOUND
    (option,) = alice.engine.options(alice.state, BOB)
    with pytest.raises(NotEncrypted):
        alice.do(alice.engine.release, BOB, PlainOption(BOB, option.transition, bytes(16)))
    assert alice.do(alice.engine.release, BOB, option) == 2
    world.run()
    assert bob.shown() == ["one", "two"]
    assert not any(event.encrypted for event in bob.told(MessageReceived))
    assert [message.encrypted for message in alice.history(BOB)] == [False, False]
    # The encrypted order has no hole where they would have stood.
    world.hidden.clear()
    world.run_for(world.limits.absent_refresh_ms)
    looked_up(world, alice)
    alice.send(BOB, "three")
    world.run_for(DAY)
    assert bob.shown() == ["one", "two", "three"]


def test_what_waits_too_long_expires_visibly() -> None:
    world = World(seed=5)
    (alice,) = world.person(ALICE)
    world.hostility.directory_down = 1.0
    message_id = alice.send(BOB, "one")
    world.run_for(world.limits.expiry_ms + DAY)
    assert alice.told(MessageExpired) == [MessageExpired(BOB, message_id)]
    assert not [name for name in alice.state.records if name.startswith("waiting/")]


def test_sr02_capabilities_come_from_the_signed_list_alone() -> None:
    """No input of the engine carries a SIP tag; a list without the protocol means that nothing can be encrypted."""
    world = World()
    (alice,), _ = world.person(ALICE), world.person(BOB, capability="something-else")
    assert looked_up(world, alice) is Security.NO_KEYS_FOUND
    assert refused(alice).reason == "no-keys-found"


def test_sr02_at_first_contact_absence_is_only_no_keys_found() -> None:
    world = World()
    (alice,), _ = world.person(ALICE), world.person(BOB)
    world.hidden.add(BOB)
    assert looked_up(world, alice) is Security.NO_KEYS_FOUND
    assert "support" not in WORDS[Security.NO_KEYS_FOUND].sentence


def test_sr02_a_directory_that_hides_known_keys_changes_nothing() -> None:
    world = World()
    (alice,), (bob,) = world.person(ALICE), world.person(BOB)
    alice.send(BOB, "hi")
    world.run()
    world.hidden.add(BOB)
    world.run_for(2 * DAY)
    alice.send(BOB, "still sealed")
    world.run()
    assert bob.shown() == ["hi", "still sealed"]
    assert world.plaintexts_sent == 0
    assert alice.engine.security(alice.state, BOB, world.now) is Security.ENCRYPTED


def test_a_plain_message_into_an_encrypted_chat_is_shown_as_what_it_is() -> None:
    world = World()
    (alice,), (bob,) = world.person(ALICE), world.person(BOB)
    alice.send(BOB, "hi")
    world.run()
    plain = Outbound(BOB, MessageId("p-1"), b"x" * 16, "text/plain;charset=UTF-8", b"psst", False)  # type: ignore[arg-type]
    for _ in range(2):
        world.inject(bob, ALICE, plain)
    world.run()
    assert [(event.text, event.encrypted) for event in bob.told(MessageReceived)] == [("hi", True), ("psst", False)]
    assert bob.engine.security(bob.state, ALICE, world.now) is Security.ENCRYPTED
    bob.send(ALICE, "sealed")
    world.run()
    assert world.plaintexts_sent == 0


def test_a_plain_receipt_counts_for_plain_messages_alone_and_is_marked() -> None:
    world, alice = keyless()
    looked_up(world, alice)
    message_id = alice.send(BOB, "in the clear", allow=refused(alice).options[0])
    world.run()
    body = (
        f'<imdn xmlns="urn:ietf:params:xml:ns:imdn"><message-id>{message_id}</message-id><datetime/>'
        "<delivery-notification><status><delivered/></status></delivery-notification></imdn>"
    ).encode()
    receipt = Outbound(ALICE, MessageId("r-1"), b"x" * 16, "message/imdn+xml", body, False)  # type: ignore[arg-type]
    world.inject(alice, CAROL, receipt)
    world.run()
    assert alice.told(MessageDelivered) == []
    world.inject(alice, BOB, receipt)
    world.run()
    assert alice.told(MessageDelivered) == [MessageDelivered(BOB, message_id, 0, authenticated=False)]


def test_plain_messages_are_retried_until_the_network_takes_them() -> None:
    world, alice = keyless()
    looked_up(world, alice)
    world.on_transmit = lambda phone, outbound: NetworkResult(False, 503)
    alice.send(BOB, "in the clear", allow=refused(alice).options[0])
    world.run_for(60_000)
    assert world.plaintexts_sent > 2
    world.on_transmit = None
    world.run_for(DAY)
    assert not [name for name in alice.state.records if name.startswith("outbox/")]


def test_what_cannot_be_sent_is_refused_before_anything_happens() -> None:
    world = World()
    (alice,) = world.person(ALICE)
    for number, text in ((ALICE, "to myself"), (BOB, ""), (BOB, "x" * 20_000), (BOB, "\ud800")):
        with pytest.raises(InputError):
            alice.send(number, text)


def test_every_state_has_words_of_the_rules() -> None:
    for state in Security:
        words = WORDS[state]
        assert len(words.label.split()) <= 4
        for avoided in ("secure", "fingerprint", "identity", "MITM"):
            assert avoided not in (words.label + words.sentence)


def test_states_are_told_as_they_change() -> None:
    world = World()
    (alice,), _ = world.person(ALICE), world.person(BOB)
    looked_up(world, alice)
    assert [event.state for event in alice.told(SecurityChanged)] == ["checking", "encrypted"]


# --- waiting by the user's decision -------------------------------------------------------------------------------
def nobody_there() -> tuple[World, Phone]:
    """Alice has been told that the directory knows no keys of Bob's."""
    world = World(1)
    (alice,) = world.person(ALICE)
    alice.do(alice.engine.open_chat, BOB)
    world.run()
    assert alice.engine.security(alice.state, BOB, world.now) is Security.NO_KEYS_FOUND
    return world, alice


def statuses(phone: Phone) -> list[Status]:
    return [message.status for message in phone.history(BOB)]


def test_sr01_what_is_kept_waits_through_kills_and_is_encrypted_when_there_are_keys() -> None:
    world, alice = nobody_there()
    with pytest.raises(NotEncrypted):
        alice.send(BOB, "refused")
    alice.send(BOB, "kept", keep=True)
    alice.send(BOB, "and so is this")  # asked once in a transition
    alice.restart()
    alice.send(BOB, "and this")
    world.run_for(DAY)
    alice.restart()
    assert statuses(alice) == [Status.WAITING] * 3
    assert alice.engine.security(alice.state, BOB, world.now) is Security.NO_KEYS_FOUND
    assert not world.sent
    (bob,) = world.person(BOB)
    world.run_for(world.limits.fetch_longest_ms * 2)
    assert bob.shown() == ["kept", "and so is this", "and this"]
    assert all(message.encrypted for message in (*bob.history(ALICE), *alice.history(BOB)))


def test_sr01_a_crash_at_any_commit_neither_loses_nor_lets_out_what_is_kept() -> None:
    world, alice = nobody_there()
    commits = iter(range(1 << 30))
    world.crash_plan = lambda phone, _: phone is alice and next(commits) % 3 == 1
    for n in range(6):
        while True:
            try:
                alice.send(BOB, f"{n}", keep=True, message_id=MessageId(f"m-{n}"))
                break
            except Crash:
                alice.state.forget_cache()
    world.crash_plan = None
    alice.restart()
    world.run()
    assert not world.sent
    (bob,) = world.person(BOB)
    bob.send(ALICE, "here I am")  # her first message brings the keys
    world.run()
    assert bob.shown() == [f"{n}" for n in range(6)]


def test_sr01_what_is_kept_is_let_out_by_release_alone_or_taken_back() -> None:
    world, alice = nobody_there()
    first = alice.send(BOB, "kept", keep=True)
    alice.send(BOB, "let out")
    alice.do(alice.engine.send, BOB, Delete(first))
    with pytest.raises(NotEncrypted):  # `wait=False` is to know at once
        alice.send(BOB, "now", wait=False)
    (option, *_) = alice.engine.options(alice.state, BOB)
    alice.do(alice.engine.release, BOB, option)
    world.run()
    assert [bytes(sent.body) for _, sent in world.sent] == [b"let out"]
    # A standing decision to send unencrypted is not what whoever wants to wait asked for.
    with pytest.raises(NotEncrypted):
        alice.send(BOB, "no", keep=True)
    with pytest.raises(NotEncrypted):
        alice.do(alice.engine.keep_waiting, BOB)


def test_the_first_message_can_be_taken_back_without_a_decision() -> None:
    world = World(1)
    (alice,) = world.person(ALICE)
    first = alice.send(BOB, "before anything was known")
    world.run()
    assert statuses(alice) == [Status.WAITING]
    alice.do(alice.engine.send, BOB, Delete(first))
    assert alice.history(BOB)[0].text is None


def test_the_decision_to_wait_ends_with_its_transition() -> None:
    world, alice = nobody_there()
    alice.do(alice.engine.keep_waiting, BOB)
    assert alice.chat(BOB).kept == alice.chat(BOB).transition
    assert decode_chat(encode_chat(alice.chat(BOB))) == alice.chat(BOB)
    world.person(BOB)
    world.run_for(world.limits.absent_refresh_ms)
    alice.do(alice.engine.open_chat, BOB)
    world.run()
    assert alice.engine.security(alice.state, BOB, world.now) is Security.ENCRYPTED
    assert alice.chat(BOB).kept != alice.chat(BOB).transition


# --- "no keys found" is asked again ----------------------------------------------------------------------
class CountingWorld(World):
    """Whose directory remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def _lists(self, effect: FetchLists) -> tuple[bytes, ...] | None:
        self.asked.append(effect.number)
        return super()._lists(effect)


def said_plainly(number: Number, name: str = "m-1") -> Inbound:
    return Inbound(number, ALICE, MessageId(name), "text/plain", b"hello", 0)


def test_sr02_whoever_sets_up_a_moment_after_the_look_is_found_when_the_chat_is_opened_again() -> None:
    world, alice = nobody_there()
    world.run_for(world.limits.look_again_ms)
    world.person(BOB)
    assert looked_up(world, alice) is Security.ENCRYPTED


def test_sr02_opened_again_right_after_the_look_it_is_asked_a_little_later() -> None:
    world, alice = nobody_there()
    world.person(BOB)
    assert looked_up(world, alice) is Security.NO_KEYS_FOUND
    world.run_for(world.limits.look_again_ms)
    assert alice.engine.security(alice.state, BOB, world.now) is Security.ENCRYPTED


def test_sr02_what_is_kept_leaves_soon_after_the_contact_sets_up() -> None:
    """Kept within the floor behind the last look: it is asked at its end, and not ten minutes later."""
    world, alice = nobody_there()
    alice.send(BOB, "kept", keep=True)
    (bob,) = world.person(BOB)
    world.run_for(world.limits.look_again_ms)
    assert bob.shown() == ["kept"]
    assert world.plaintexts_sent == 0


def test_sr02_what_was_put_off_for_long_is_asked_for_soon_when_the_user_looks() -> None:
    world, alice = nobody_there()
    alice.send(BOB, "kept", keep=True)
    world.run_for(DAY)
    (bob,) = world.person(BOB)
    alice.do(alice.engine.open_chat, BOB)
    world.run_for(world.limits.look_again_ms)
    assert bob.shown() == ["kept"]


def test_sr02_a_message_of_the_contact_looks_again() -> None:
    world, alice = nobody_there()
    world.run_for(world.limits.look_again_ms)
    world.person(BOB)
    alice.do(alice.engine.received, said_plainly(BOB))
    world.run()
    assert alice.engine.security(alice.state, BOB, world.now) is Security.ENCRYPTED


def test_sr08_looking_again_and_again_asks_the_directory_now_and_then() -> None:
    """However often the user looks and the contact writes, and whether or not there is an answer."""
    world = CountingWorld()
    (alice,) = world.person(ALICE)
    looks = 60
    for look in range(looks):
        alice.do(alice.engine.open_chat, BOB)
        alice.do(alice.engine.received, said_plainly(BOB, f"m-{look}"))
        world.run_for(world.limits.look_again_ms // 10)
    assert looks // 10 <= world.asked.count(BOB) <= looks // 10 + 1
    world.hostility.directory_down = 1.0
    world.run_for(DAY)
    world.asked.clear()
    for _ in range(looks):
        alice.do(alice.engine.open_chat, BOB)
        world.run_for(world.limits.look_again_ms // 10)
    # The first tries after a failure follow each other faster, by themselves.
    assert looks // 10 - 1 <= world.asked.count(BOB) <= looks // 10 + 3


def test_sr08_a_stranger_makes_us_ask_nothing() -> None:
    world = CountingWorld()
    (alice,) = world.person(ALICE)
    alice.do(alice.engine.received, said_plainly(BOB))
    world.run_for(DAY)
    assert BOB not in world.asked
