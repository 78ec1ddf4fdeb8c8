"""Groups whose members are their protocol's matter: made at a focus, changed in one packet, left."""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Callable
from dataclasses import replace

import pytest

from engine.conversations import BOTH, KEEP, ConversationWorld
from engine.toy_conversation import ToyConversations
from engine.world import ALICE, BOB, CAROL, Phone
from letterlock.carriage import ConferenceView
from letterlock.conversation_seam import (
    ClaimOutcome,
    Conversation,
    ConversationView,
    KeysSeen,
    LetterReceived,
    Notice,
    Progress,
    StrangeGroup,
)
from letterlock.engine.content import Parts
from letterlock.engine.conversations import progress
from letterlock.engine.conversations.letters import Placed, headers_of, write_letter
from letterlock.engine.effects import MakeConference, SyncConference
from letterlock.engine.events import (
    ContactKeysSeen,
    GroupCreated,
    GroupJoined,
    MemberAdded,
    MemberLeft,
    MemberRemoved,
    MessageDelivered,
    MessageReceived,
    MessageResent,
    RosterMismatch,
    SubjectChanged,
)
from letterlock.engine.history_records import NOTICE_TYPE
from letterlock.engine.record_values import Status
from letterlock.engine.security import Security
from letterlock.engine.step import Step, Turn
from letterlock.errors import InputError, NotEncrypted
from letterlock.ids import DeviceId, GroupName, MessageId, Number, Rng, group_of
from letterlock.seam import State

DAVE = Number("+15550004")


def _three(**named: object) -> tuple[ConversationWorld, Phone, Phone, Phone]:
    world = ConversationWorld(**named)
    (alice,) = world.person(ALICE, capability=BOTH)
    (bob,), (carol,) = world.person(BOB, capability=KEEP), world.person(CAROL, capability=BOTH)
    return world, alice, bob, carol


def _group(world: ConversationWorld, alice: Phone, *numbers: Number, subject: str = "Tea") -> GroupName:
    for number in numbers:
        alice.do(alice.engine.open_chat, number)
    world.run()
    name: GroupName = alice.do(alice.engine.create_group, list(numbers), subject)
    world.run()
    return name


def test_a_group_with_a_member_without_sessions_is_made_at_the_focus() -> None:
    world, alice, bob, carol = _three()
    name = _group(world, alice, BOB, CAROL)
    assert [effect.conference.members for effect in world.made] == [(BOB, CAROL)]
    assert world.made[0].conference.subject == ""  # nobody's business at the carrier
    (created,) = alice.told(GroupCreated)
    assert created.members == (ALICE, BOB, CAROL)
    (joined,) = bob.told(GroupJoined)
    assert (joined.by, joined.members[0]) == (ALICE, ALICE)
    message_id = alice.send(name, "hello all")
    world.run()
    assert bob.shown(name) == carol.shown(name) == ["hello all"]
    assert bob.told(MessageReceived)[0].sender == ALICE
    assert {event.member for event in alice.told(MessageDelivered)} == {BOB, CAROL}
    assert alice.history(name)[-1].status is Status.DELIVERED
    assert alice.engine.delivery(alice.state, message_id) == (2, 0, 2)
    assert alice.engine.group(alice.state, name).subject == "Tea"
    assert [event.subject for event in bob.told(SubjectChanged)] == ["Tea"]
    assert world.plaintexts_sent == 0
    # SR-04: nobody is invited or removed beside the commits.
    assert not [effect for _, effect in world.conferences if isinstance(effect, SyncConference)]


def test_messages_written_before_the_group_is_set_up_go_when_it_is() -> None:
    world, alice, bob, _ = _three()
    alice.do(alice.engine.open_chat, BOB)
    world.run()
    name = alice.do(alice.engine.create_group, [BOB, CAROL], "")
    alice.send(name, "early")
    assert alice.engine.security(alice.state, name, world.now) is Security.CHECKING
    world.run()
    assert bob.shown(name) == ["early"]


def test_members_come_and_go_and_everybody_is_told() -> None:
    world, alice, bob, carol = _three()
    (dave,) = world.person(DAVE, capability=KEEP)
    name = _group(world, alice, BOB, CAROL)
    bob.do(bob.engine.add_members, name, [DAVE])
    world.run()
    assert alice.told(MemberAdded)[0].member == DAVE and alice.told(MemberAdded)[0].by == BOB
    assert dave.told(GroupJoined)
    dave.send(name, "thanks")
    world.run()
    assert alice.shown(name)[-1:] == ["thanks"]
    alice.do(alice.engine.remove_member, name, CAROL)
    world.run()
    assert carol.told(MemberRemoved)[0].member == CAROL
    assert bob.told(MemberRemoved)[0].by == ALICE
    alice.send(name, "without Carol")
    world.run()
    assert "without Carol" not in carol.shown(name) and dave.shown(name)[-1:] == ["without Carol"]
    with pytest.raises(InputError) as refused:
        carol.send(name, "am I still here?")
    assert refused.value.code == "input.group_left"
    dave.do(dave.engine.leave_group, name)
    world.run()
    assert [event.member for event in alice.told(MemberLeft)] == [DAVE]
    assert [member.number for member in alice.engine.group(alice.state, name).members] == [ALICE, BOB]
    assert not dave.engine.group(dave.state, name).joined


def test_a_member_that_is_behind_asks_and_is_shown_it_once() -> None:
    """Sealed again under another id (rcc16.md 4.6), known by the first."""
    world, alice, bob, carol = _three()
    name = _group(world, alice, BOB, CAROL, subject="")
    message_id = alice.send(name, "old epoch")
    packets = list(alice.todo)
    alice.todo.clear()
    alice.do(alice.engine.set_subject, name, "Coffee")
    world.run()
    alice.todo.extend(packets)
    world.run()
    assert bob.shown(name) == carol.shown(name) == ["old epoch"]
    assert bob.told(MessageReceived)[-1].message_id == message_id
    assert {event.member for event in alice.told(MessageResent)} == {BOB, CAROL}
    assert alice.history(name)[-1].status is Status.DELIVERED or alice.engine.delivery(alice.state, message_id)[0] == 2
    world.run_for(3_600_000)
    assert bob.shown(name) == ["old epoch"]


def test_somebody_without_key_packages_keeps_a_group_from_being_encrypted() -> None:
    world, alice, _, _ = _three()
    world.claim_outcome[CAROL] = ClaimOutcome.NONE
    name = _group(world, alice, BOB, CAROL)
    with pytest.raises(NotEncrypted) as refused:
        alice.send(name, "anyone?")
    assert refused.value.reason == "no-keys-found" and refused.value.options == ()
    assert world.plaintexts_sent == 0
    # Whoever looks at it again, later, asks again.
    del world.claim_outcome[CAROL]
    world.now += 3_600_000
    alice.do(alice.engine.open_group, name)
    world.run()
    alice.send(name, "now then")
    world.run()
    assert world.plaintexts_sent == 0
    assert alice.engine.security(alice.state, name, world.now) is Security.ENCRYPTED


def test_a_ghost_at_the_focus_is_told_and_believed_by_nobody() -> None:
    """SR-04."""
    world, alice, _, _ = _three()
    name = _group(world, alice, BOB, CAROL)
    group = group_of(name)
    assert group is not None
    view = ConferenceView(group, "sip:focus", "", (ALICE, BOB, CAROL, DAVE))
    alice.do(alice.engine.on_conference, view)
    alice.do(alice.engine.on_conference, view)
    (told,) = alice.told(RosterMismatch)
    assert (told.reason, told.numbers) == ("ghost", (DAVE,))
    assert len(alice.engine.group(alice.state, name).members) == 3


def test_what_the_conference_says_of_the_name_goes_to_the_protocol() -> None:
    """The protocol has the keys, and says what of it is true."""
    world, alice, _, _ = _three()
    name = _group(world, alice, BOB, CAROL)
    group = group_of(name)
    assert group is not None
    view = ConferenceView(group, "sip:focus", "", (ALICE, BOB, CAROL), encrypted_subject="hikers")
    alice.do(alice.engine.on_conference, view)
    assert alice.engine.group(alice.state, name).subject == "hikers"
    alice.do(alice.engine.on_conference, replace(view, encrypted_subject=None))
    assert alice.engine.group(alice.state, name).subject == "hikers"


def test_a_group_that_was_not_entered_is_told() -> None:
    """SR-04."""
    world, alice, _, _ = _three()
    name = _group(world, alice, BOB, CAROL)
    alice.do(_told_by(alice, world, StrangeGroup(Conversation(group=group_of(name)), (DAVE,))))
    (told,) = alice.told(RosterMismatch)
    assert (told.reason, told.numbers) == ("other-group", (DAVE,))
    assert len(alice.engine.group(alice.state, name).members) == 3


def test_a_restart_while_it_is_set_up_asks_for_everything_again() -> None:
    world, alice, bob, _ = _three()
    alice.do(alice.engine.open_chat, BOB)
    world.run()
    name = alice.do(alice.engine.create_group, [BOB, CAROL], "")
    alice.send(name, "before the crash")
    alice.restart()
    assert any(isinstance(effect, MakeConference) for effect in alice.todo)
    world.run()
    assert bob.shown(name) == ["before the crash"]


def test_the_protocol_can_be_chosen_and_only_one_that_is_spoken() -> None:
    world, alice, _, carol = _three()
    for phone, number in ((alice, CAROL), (carol, ALICE)):
        phone.do(phone.engine.open_chat, number)
    world.run()
    kept = alice.do(alice.engine.create_group, [CAROL], "", protocol="keep")
    signed = alice.do(alice.engine.create_group, [CAROL], "", protocol="toy")
    assert alice.engine.conversation(alice.state, kept)[0] == "keep"
    assert alice.engine.conversation(alice.state, signed) == ("", None)
    with pytest.raises(InputError) as refused:
        alice.do(alice.engine.create_group, [CAROL], "", protocol="smoke")
    assert refused.value.code == "input.protocol"


def test_bad_changes_are_the_callers_own_mistakes() -> None:
    world, alice, _, _ = _three()
    name = _group(world, alice, BOB, CAROL)
    for wrong, code in (
        (lambda: alice.do(alice.engine.remove_member, name, DAVE), "input.group_member"),
        (lambda: alice.do(alice.engine.remove_member, name, ALICE), "input.own_number"),
        (lambda: alice.do(alice.engine.create_group, [ALICE], "", protocol="keep"), "input.group_empty"),
        (lambda: alice.do(alice.engine.set_subject, name, "x" * 300), "input.group_subject"),
        (lambda: alice.do(alice.engine.set_icon, name, bytes(32), "https://x"), "input.group_icon"),
    ):
        with pytest.raises(InputError) as refused:
            wrong()
        assert refused.value.code == code


def test_a_large_group_is_looked_at_a_few_times_and_not_once_for_each_of_its_keys() -> None:
    """SR-08."""
    world = ConversationWorld()
    (alice,) = world.person(ALICE, capability=BOTH)
    numbers = [Number(f"+1555{n:07d}") for n in range(200)]
    for number in numbers:
        spki = hashlib.sha256(number.encode()).digest()
        world.packages[number] = [ToyConversations(number, spki).package()]
    protocol, looked = world.keeping(alice), 0
    view = protocol.view

    def counted(state: State, conversation: Conversation) -> ConversationView | None:
        nonlocal looked
        looked += 1
        return view(state, conversation)

    protocol.view = counted  # type: ignore[method-assign]
    name = alice.do(alice.engine.create_group, numbers, "", protocol="keep")
    world.run()
    assert alice.engine.security(alice.state, name, world.now) is Security.ENCRYPTED
    assert len(alice.told(ContactKeysSeen)) == 200
    assert looked < 10


# --- order ------------------------------------------------------------------------------------------------------
def _talked(world: ConversationWorld, name: GroupName, *phones: Phone) -> None:
    for n in range(2):
        for phone in phones:
            phone.send(name, f"{phone.number} {n}")
            world.run()


def _texts(phone: Phone, name: GroupName) -> list[str | None]:
    return [message.text for message in phone.history(name) if message.content_type != NOTICE_TYPE]


def test_what_a_newcomer_sends_stands_behind_what_was_there() -> None:
    world, alice, bob, carol = _three()
    (dave,) = world.person(DAVE, capability=KEEP)
    name = _group(world, alice, BOB, CAROL)
    _talked(world, name, alice, bob, carol)
    before = _texts(alice, name)
    bob.do(bob.engine.add_members, name, [DAVE])
    world.run()
    for n in range(3):  # without having heard of anything, and between them a phone is killed
        dave.send(name, f"new {n}")
        world.run()
        alice.restart()
    alice.send(name, "welcome")
    world.run()
    dave.send(name, "thanks")
    world.run()
    after = ["new 0", "new 1", "new 2", "welcome", "thanks"]
    for phone in (alice, bob, carol):
        assert _texts(phone, name) == [*before, *after]
        assert [json.loads(m.text or "")["kind"] for m in phone.history(name) if m.content_type == NOTICE_TYPE][
            -1
        ] == "member-added"
        orders = {m.text: m.order for m in phone.history(name)}
        assert max(order for text, order in orders.items() if text and "member-added" in text) < orders["new 0"]
    assert _texts(dave, name) == after


@pytest.mark.parametrize("other_keys", [True, False])
def test_who_comes_back_stands_behind_what_was_said_meanwhile(other_keys: bool) -> None:
    """With the phone that he had, which has heard of nothing since, or with a new one and its new keys."""
    world, alice, bob, carol = _three()
    name = _group(world, alice, BOB, CAROL)
    _talked(world, name, alice, bob, carol)
    alice.do(alice.engine.remove_member, name, BOB)
    world.run()
    _talked(world, name, alice, carol)
    before = _texts(alice, name)
    if other_keys:
        world.phones.remove(bob)
        (bob,) = world.person(BOB, capability=KEEP)
    carol.do(carol.engine.add_members, name, [BOB])
    world.run()
    bob.send(name, "here I am again")
    world.run()
    for phone in (alice, carol):
        assert _texts(phone, name) == [*before, "here I am again"]


def test_the_new_phone_of_a_member_stands_behind_what_was_there() -> None:
    """Its keys are seen while its number never left the group."""
    world, alice, bob, carol = _three()
    name = _group(world, alice, BOB, CAROL)
    _talked(world, name, alice, bob, carol)
    before = _texts(alice, name)
    conversation, protocol = Conversation(group=group_of(name)), world.keeping(alice)
    view, spki = protocol.view, b"another participant key".ljust(91, b"\0")

    def with_new_keys(state: State, asked: Conversation) -> ConversationView | None:
        found = view(state, asked)
        assert found is not None
        members = (replace(m, participant_spki=spki) if m.number == BOB else m for m in found.members)
        return replace(found, members=tuple(members))

    protocol.view = with_new_keys  # type: ignore[method-assign]
    headers = headers_of(Parts("text/plain", b"my new phone"), Placed(1, 1, DeviceId(1)))
    entity = write_letter(Parts("text/plain", b"my new phone"))
    letter = LetterReceived(conversation, BOB, b"leaf".ljust(16), MessageId("m1"), MessageId("m1"), headers, entity)
    for notice in (KeysSeen(BOB, spki, b"the one before"), letter):
        alice.do(_told_by(alice, world, notice))
    assert _texts(alice, name) == [*before, "my new phone"]


def _told_by(phone: Phone, world: ConversationWorld, *notices: Notice) -> Callable[[State, int, Rng], Step[None]]:
    def tell(state: State, now: int, rng: Rng) -> Step[None]:
        turn = Turn(state, now, rng)
        progress.take(phone.engine._core, turn, world.keeping(phone), Progress(notices=notices))
        return turn.finish(None)

    return tell


def test_a_member_that_was_silent_is_not_moved_behind_somebody_who_came() -> None:
    """What it says on its way has one place everywhere, whoever came in meanwhile."""
    world, alice, bob, carol = _three()
    world.person(DAVE, capability=KEEP)
    name = _group(world, alice, BOB, CAROL)
    for n in range(3):
        alice.send(name, f"a{n}")
        world.run()
    carol.send(name, "from Carol")
    late, carol.todo = list(carol.todo), type(carol.todo)()
    bob.do(bob.engine.add_members, name, [DAVE])
    world.run()
    carol.todo.extend(late)
    world.run()
    places = {m.order for phone in (alice, bob, carol) for m in phone.history(name) if m.text == "from Carol"}
    assert len(places) == 1


# --- to keep waiting ------------------------------------------------------------------------------------------------
def test_sr01_what_is_kept_in_a_group_waits_and_is_encrypted_when_everybody_has_keys() -> None:
    """The same act as in a chat with one number."""
    world, alice, bob, carol = _three()
    world.claim_outcome[CAROL] = ClaimOutcome.NONE
    name = _group(world, alice, BOB, CAROL)
    with pytest.raises(NotEncrypted):
        alice.send(name, "refused")
    alice.send(name, "kept", keep=True)
    alice.send(name, "and so is this")  # asked once in a transition
    alice.restart()
    assert alice.engine.keeps_waiting(alice.state, name)
    world.run_for(world.limits.absent_refresh_ms * 3)
    assert alice.engine.security(alice.state, name, world.now) is Security.NO_KEYS_FOUND
    assert [m.status for m in alice.history(name) if m.text in ("kept", "and so is this")] == [Status.WAITING] * 2
    del world.claim_outcome[CAROL]
    world.run_for(world.limits.absent_refresh_ms * 2)
    assert bob.shown(name) == carol.shown(name) == ["kept", "and so is this"]
    assert world.plaintexts_sent == 0
    assert not alice.engine.keeps_waiting(alice.state, name)


def test_sr02_what_is_kept_in_a_group_leaves_when_somebody_looks_and_there_are_keys() -> None:
    world, alice, bob, carol = _three()
    world.claim_outcome[CAROL] = ClaimOutcome.NONE
    name = _group(world, alice, BOB, CAROL)
    alice.send(name, "kept", keep=True)
    world.run_for(world.limits.look_again_ms)
    alice.do(alice.engine.open_group, name)
    world.run()
    assert alice.engine.keeps_waiting(alice.state, name)  # looking takes no decision back
    del world.claim_outcome[CAROL]
    world.run_for(world.limits.look_again_ms)
    alice.do(alice.engine.open_group, name)
    world.run()
    assert bob.shown(name) == carol.shown(name) == ["kept"]


def test_what_is_kept_in_a_group_leaves_also_when_its_conference_was_not_made_before_a_crash() -> None:
    """The key server answered, and the carrier did not."""
    world, alice, bob, carol = _three()
    world.claim_outcome[CAROL] = ClaimOutcome.NONE
    for number in (BOB, CAROL):
        alice.do(alice.engine.open_chat, number)
    world.run()
    name: GroupName = alice.do(alice.engine.create_group, [BOB, CAROL], "Tea")
    alice.todo = deque(effect for effect in alice.todo if not isinstance(effect, MakeConference))
    world.run()
    alice.send(name, "kept", keep=True)
    alice.restart()
    del world.claim_outcome[CAROL]
    world.run_for(world.limits.absent_refresh_ms * 2)
    assert bob.shown(name) == carol.shown(name) == ["kept"]
