"""Groups against a carrier, a focus, former members and members that lie (SR-03, SR-04, SR-05, SR-06, SR-22)."""

from __future__ import annotations

import dataclasses
from dataclasses import replace

import pytest

from engine.groups import acquainted, add, create, history, leave, people, remove, roster, rosters, shown
from engine.signal_keys import SignalKeys
from engine.test_engine_crash import CrashAt
from engine.test_engine_hostile_network import HOSTILE
from engine.world import CRYPTO, Crash, Phone, World, counted
from letterlock.carriage import ConferenceView, NetworkResult, Outbound
from letterlock.engine import chats, receipts
from letterlock.engine.content import GROUP_TYPE, Parts, encode, encode_receipt, with_heads
from letterlock.engine.events import (
    GroupJoined,
    MemberAdded,
    MemberRemoved,
    MessageDelivered,
    MessageFailed,
    MessageMissing,
    MessageReceived,
    MessageUnreadable,
    RosterMismatch,
)
from letterlock.engine.groups.history import NOTICE_TYPE
from letterlock.engine.groups.values import GROUP, GROUP_LETTER, entry_key
from letterlock.engine.limits import DEFAULTS
from letterlock.engine.record_values import Status
from letterlock.engine.step import Turn
from letterlock.errors import InputError
from letterlock.ids import GroupId, GroupName, MessageId, Number
from letterlock.trust.group_log_bundle import Bundle, encode_bundle
from letterlock.trust.group_log_entry import LIMITS, Add, Author, Member, sign_entry

DAY = 86_400_000
OPEN = ("outbox", "waiting", "held", "group-letter")


def settled(phone: Phone) -> bool:
    return not [name for name in phone.state.records if name.split("/")[0] in OPEN]


def view(name: GroupName, numbers: list[Number], subject: str = "") -> ConferenceView:
    return ConferenceView(GroupId(bytes.fromhex(name)), "sip:conf-1@ims.example.test", subject, tuple(numbers))


# --- the focus ---------------------------------------------------------------------------------------------
def test_sr04_a_ghost_in_the_conference_is_shown_and_never_written_to() -> None:
    """SR-04."""
    world = World()
    a, b, c, ghost = people(world, 4)
    name = create(world, a, [b, c])
    world.run()
    for _ in range(2):
        a.do(a.engine.on_conference, view(name, [b.number, c.number, ghost.number]))
    (event,) = a.told(RosterMismatch)
    assert (event.reason, event.numbers, event.source) == ("ghost", (ghost.number,), "sip:conf-1@ims.example.test")
    world.sent.clear()
    a.send(name, "not for ghosts")
    world.run()
    assert {outbound.to for phone, outbound in world.sent if phone is a} == {b.number, c.number}
    a.do(a.engine.on_conference, view(name, [b.number], "Ours now"))
    assert [(each.reason, each.numbers) for each in a.told(RosterMismatch)[1:]] == [
        ("missing", (c.number,)),
        ("subject", ()),
    ]
    assert a.engine.group(a.state, name).subject == "Hikers" and roster(a, name) == [a.number, b.number, c.number]
    # All well again, and wrong again: told again.
    a.do(a.engine.on_conference, view(name, [b.number, c.number]))
    a.do(a.engine.on_conference, view(name, [b.number, c.number, ghost.number]))
    assert len(a.told(RosterMismatch)) == 4
    assert any(message.content_type == NOTICE_TYPE and "ghost" in (message.text or "") for message in history(a, name))


def test_two_members_told_different_rosters_agree_all_the_same() -> None:
    world = World()
    a, b, c = people(world, 3)
    name = create(world, a, [b, c])
    world.run()
    a.do(a.engine.on_conference, view(name, [b.number]))
    b.do(b.engine.on_conference, view(name, [a.number, c.number, Number("+15559999999")]))
    world.run()
    assert len(rosters([a, b, c], name)) == 1 and a.told(RosterMismatch) and b.told(RosterMismatch)


def test_a_withheld_message_shows_as_a_gap() -> None:
    world = World()
    a, b, c = people(world, 3)
    name = create(world, a, [b, c])
    world.run()
    world.on_transmit = lambda phone, outbound: NetworkResult(True, 200) if outbound.to == c.number else None
    a.send(name, "withheld from c")
    world.run()
    world.on_transmit = None
    b.send(name, "has seen it")
    world.run_for(DEFAULTS.reorder_ms + 1_000)
    (missing,) = c.told(MessageMissing)
    assert (missing.chat, missing.sender) == (name, a.number)
    # The sender tries again: the gap is filled.
    world.run_for(DAY)
    assert sorted(shown(c, name)) == ["has seen it", "withheld from c"]
    assert any(event.fills_gap for event in c.told(MessageReceived))
    assert [m.text for m in history(c, name) if m.content_type.startswith("text/")] == [
        "withheld from c",
        "has seen it",
    ]


def test_sr05_anothers_message_sent_again_is_nobodys() -> None:
    """SR-05: a frame of b under c's name, and b's own frame once more."""
    world = World()
    a, b, c = people(world, 3)
    name = create(world, a, [b, c])
    world.run()
    b.send(name, "mine")
    world.run()
    frame = next(outbound for phone, outbound in reversed(world.sent) if phone is b and outbound.to == a.number)
    world.inject(a, c.number, replace(frame, message_id=MessageId("again")))
    world.inject(a, b.number, frame)
    world.inject(a, b.number, replace(frame, message_id=MessageId("again-2")))
    world.run()
    assert shown(a, name) == ["mine"]


def test_sr03_a_frame_for_another_conversation_is_refused() -> None:
    """SR-03: the focus of one group hands out a frame of another, or of the chat between two."""
    world = World()
    a, b, c = people(world, 3)
    one, other = create(world, a, [b, c], "One"), create(world, a, [b, c], "Other")
    world.run()
    caught: list[Outbound] = []

    def intercept(phone: Phone, outbound: Outbound) -> NetworkResult | None:
        if phone is a and outbound.to == b.number:
            caught.append(outbound)
            return NetworkResult(True, 200)
        return None

    world.on_transmit = intercept
    a.send(one, "for one")
    a.send(b.number, "between us")
    world.run()
    world.on_transmit = None
    for frame in caught:
        inbound_group = GroupId(bytes.fromhex(other))
        world.inject(b, a.number, replace(frame, group=None))
        at, serial, phone, inbound = world.flying.pop()
        world.flying.append((at, serial, phone, replace(inbound, group=inbound_group)))
    world.run()
    assert not shown(b, one) and not shown(b, other) and not shown(b, a.number)
    assert {event.reason for event in b.told(MessageUnreadable)} == {"envelope_mismatch"}
    world.run_for(DAY)
    assert shown(b, one) == ["for one"], "the sender's own retries are not harmed"


def test_a_withheld_change_is_asked_for_as_soon_as_a_message_names_it() -> None:
    """The carrier keeps the removal from c. The next message of anybody tells c that it lacks something."""
    world = World()
    a, b, c, d = people(world, 4)
    name = create(world, a, [b, c, d])
    world.run()
    for phone in (b, c, d):
        phone.send(name, "hello")
    world.run()
    world.on_transmit = lambda phone, outbound: (
        NetworkResult(True, 200) if phone is a and outbound.to == c.number else None
    )
    remove(a, name, d)
    world.run()
    assert roster(c, name) == [p.number for p in (a, b, c, d)]
    b.send(name, "news")
    world.run_for(30_000)
    assert roster(c, name) == [p.number for p in (a, b, c)]
    assert c.told(MemberRemoved)[0].by == a.number
    world.on_transmit = None
    world.run_for(DAY)
    assert not c.told(RosterMismatch) and settled(a)


def test_changes_that_nobody_sends_are_told() -> None:
    world = World()
    a, b, c = people(world, 3)
    name = create(world, a, [b, c])
    world.run()
    b.send(name, "hello")
    c.send(name, "hello")
    world.run()
    world.on_transmit = lambda phone, outbound: NetworkResult(True, 200) if outbound.to == c.number else None
    a.do(a.engine.set_subject, name, "Secret")
    world.run()
    # One message of b gets through, and then nothing more of the log.
    world.on_transmit = None
    b.send(name, "names it")
    world.run(world.now)
    world.on_transmit = lambda phone, outbound: NetworkResult(True, 200) if outbound.to == c.number else None
    world.run_for(3_600_000)
    reasons = [event.reason for event in c.told(RosterMismatch)]
    assert reasons in ([], ["withheld"])
    if reasons:
        assert c.told(RosterMismatch)[0].source == b.number
    world.on_transmit = None
    world.run_for(DAY)
    assert c.engine.group(c.state, name).subject == "Secret"


# --- who is out ------------------------------------------------------------------------------------------------
def test_sr04_a_removed_member_that_goes_on_is_refused_and_told() -> None:
    """SR-04: d does not take note of its removal and goes on encrypting for everybody."""
    world = World()
    a, b, c, d = people(world, 4)
    name = create(world, a, [b, c, d])
    world.run()
    d.send(name, "while in")
    world.run()
    world.on_transmit = lambda phone, outbound: NetworkResult(True, 200) if outbound.to == d.number else None
    remove(a, name, d)
    world.run()
    d.send(name, "once out")
    world.run()
    for phone in (a, b, c):
        assert shown(phone, name) == ["while in"]
        (event,) = phone.told(MessageUnreadable)
        assert (event.reason, event.sender, event.chat) == ("group:not-a-member", d.number, name)
    world.on_transmit = None
    world.run_for(DAY)
    assert d.told(MemberRemoved)
    assert {event.reason for event in d.told(MessageFailed)} == {"removed"}
    assert settled(d)


def test_sr04_a_ghost_of_a_removed_member_never_speaks() -> None:
    """SR-04: d, removed, adds a friend with parents from before, and both write."""
    world = World()
    a, b, d, friend = people(world, 4)
    name = create(world, a, [b, d])
    world.run()
    d.send(name, "hello")
    world.run()
    d.online = False
    remove(a, name, d)
    world.run()
    add(world, d, name, friend)
    d.send(name, "meet my friend")
    world.run()
    friend.send(name, "hello from me")
    world.run_for(60_000)
    d.online = True
    world.run_for(DAY)
    for phone in (a, b):
        assert roster(phone, name) == [a.number, b.number]
        assert shown(phone, name) == ["hello"] and not phone.told(MemberAdded)
    assert not d.engine.group(d.state, name).joined


def test_a_removed_member_that_never_heard_of_it_is_told_when_it_writes() -> None:
    """The removal was withheld for longer than anybody tries: its first message calls it forth again."""
    world = World()
    a, b, d = people(world, 3)
    name = create(world, a, [b, d])
    world.run()
    d.send(name, "hello")
    world.run()
    d.online = False
    remove(a, name, d)
    world.run_for(9 * DAY)
    world.flying.clear()
    d.online = True
    a.do(a.engine.set_subject, name, "Without d")
    world.run()
    d.send(name, "anybody here?")
    world.run_for(60_000)
    assert d.told(MemberRemoved) and {event.reason for event in d.told(MessageFailed)} == {"removed"}
    assert d.engine.group(d.state, name).subject == "Hikers", "nothing of what came after is for it"


def test_a_stranger_makes_no_one_a_member() -> None:
    """SR-04: entries signed by somebody outside, sent end to end to a member."""
    world = World()
    a, b, stranger, friend = people(world, 4)
    name = create(world, a, [b])
    world.run()
    group = a.engine.group(a.state, name)
    account = stranger.account
    author = Author(account.party(1), b"\x05" + account.identities[1][1])
    entry = sign_entry(
        GroupId(bytes.fromhex(name)),
        group.heads,
        author,
        world.now,
        Add((Member(friend.number, friend.account.account), Member(stranger.number, account.account))),
        lambda text: CRYPTO.xeddsa_sign(account.identities[1][0], text, world.rng),
        LIMITS,
    )
    say(world, stranger, a, name, Bundle((account.list.encoded,), (entry.encoded,)), [*group.heads, entry.id])
    world.run()
    assert roster(a, name) == [a.number, b.number] and not a.told(MemberAdded)
    a.send(name, "x")
    world.run()
    assert not shown(stranger, name) and not shown(friend, name)


def say(world: World, sender: Phone, to: Phone, name: GroupName, bundle: Bundle, heads: list[bytes]) -> None:
    """Entries of a group, encrypted by somebody's own keys as an attacker's program would."""
    tell(world, sender, to, name, with_heads(encode(Parts(GROUP_TYPE, encode_bundle(bundle)), world.now), heads))


def tell(world: World, sender: Phone, to: Phone, name: GroupName, body: bytes) -> None:
    sender.do(sender.engine.open_chat, to.number)
    sender.send(to.number, "hello, I am nobody")
    world.run()
    turn = Turn(sender.state, world.now, world.rng)
    contact = chats.contact_of(turn, to.number)
    assert contact is not None
    assert receipts.send_control(sender.engine._core, turn, name, contact, body)
    sender.do(lambda state, now, rng: turn.finish(None))


def test_sr08_groups_of_strangers_are_bounded() -> None:
    """SR-08: a stranger names a hundred groups that do not exist."""
    world = World(limits=dataclasses.replace(DEFAULTS, max_groups_outside=5, group_letters=3))
    a, stranger, friend = people(world, 3)
    for place in range(12):
        say(world, stranger, a, GroupName(f"{place:032x}"), Bundle((), ()), [bytes([place + 1]) * 32])
    for place in range(12):
        # And of groups that do exist, without us.
        name = create(world, stranger, [friend], f"{place}")
        root = stranger.state.get(entry_key(name, 0))
        assert root is not None
        say(world, stranger, a, name, Bundle((stranger.account.list.encoded,), (root,)), [])
    world.run_for(60_000)
    known = [key for key in a.state.scan(GROUP) if (group := a.state.get(key)) and not group.joined]
    assert len(known) <= 5
    assert len(list(a.state.scan(GROUP_LETTER))) <= 3
    world.run_for(8 * DAY)
    assert not list(a.state.scan(GROUP)) and not list(a.state.scan(GROUP_LETTER))


# --- at the same time -------------------------------------------------------------------------------------------
def test_concurrent_changes_converge() -> None:
    world = World()
    a, b, c, d, e = people(world, 5)
    name = create(world, a, [b, c, d])
    world.run()
    for phone in (b, c):
        phone.do(phone.engine.open_group, name)
    world.run()
    for phone in (a, b, c):
        phone.online = False
    a.do(a.engine.remove_member, name, d.number)
    a.do(a.engine.set_subject, name, "A's")
    b.do(b.engine.set_subject, name, "B's")
    c.do(c.engine.open_chat, e.number)
    world.run()
    c.do(c.engine.add_members, name, [e.number])
    b.do(b.engine.remove_member, name, c.number)
    for phone in (a, b, c):
        phone.online = True
    world.run_for(DAY)
    members = [phone for phone in (a, b, c, d, e) if phone.number in roster(a, name)]
    assert rosters(members, name) == {(a.number, b.number)}, "c was removed beside adding e, so e is none either"
    assert len({phone.engine.group(phone.state, name).subject for phone in members}) == 1
    assert not any(phone.engine.group(phone.state, name).joined for phone in (c, d))
    assert all(settled(phone) for phone in members)


def test_leaving_and_being_removed_at_once() -> None:
    world = World()
    a, b, c = people(world, 3)
    name = create(world, a, [b, c])
    world.run()
    a.online = c.online = False
    remove(a, name, c)
    leave(c, name)
    a.online = c.online = True
    world.run_for(DAY)
    assert rosters([a, b], name) == {(a.number, b.number)}
    add(world, b, name, c)
    world.run_for(60_000)
    c.send(name, "back")
    world.run()
    assert shown(a, name) == ["back"]


def test_a_message_that_is_faster_than_the_log_waits_for_it() -> None:
    """d is added by b; a's message reaches d first. It is shown once d knows that a is a member."""
    world = World()
    a, b, c, d = people(world, 4)
    name = create(world, a, [b, c])
    world.run()
    a.do(a.engine.open_chat, d.number)
    world.run()
    world.on_transmit = lambda phone, outbound: (
        NetworkResult(False, 503) if outbound.to == d.number and phone is b else None
    )
    add(world, b, name, d)
    world.run(world.now)
    assert roster(a, name) == [p.number for p in (a, b, c, d)]
    a.send(name, "early")
    world.run(world.now)
    world.on_transmit = None
    world.run_for(DAY)
    assert shown(d, name) == ["early"] and d.told(GroupJoined) and settled(a) and settled(b)


# --- keys --------------------------------------------------------------------------------------------------------
def test_a_number_with_new_keys_gets_nothing_until_it_is_added_again() -> None:
    world = World()
    a, b, c = people(world, 3)
    name = create(world, a, [b, c])
    world.run()
    c.online = False
    (new,) = world.person(c.number)
    world.run_for(2 * DAY)
    a.send(c.number, "who is there?")
    world.run()
    mismatches = [event for event in a.told(RosterMismatch) if event.reason == "other-keys"]
    assert [event.numbers for event in mismatches] == [(c.number,)]
    world.sent.clear()
    a.send(name, "for b")
    world.run()
    assert {outbound.to for phone, outbound in world.sent if phone is a} == {b.number}
    assert not [key for key in a.state.records if key.startswith("waiting/")], "nothing waits for keys that are gone"
    assert [state.current for state in a.engine.members(a.state, name, world.now)] == [True, True, False]
    a.do(a.engine.add_members, name, [c.number])
    world.run()
    a.send(name, "welcome back")
    world.run()
    assert shown(new, name) == ["welcome back"]
    assert roster(a, name) == [a.number, b.number, c.number, c.number]
    a.do(a.engine.remove_member, name, c.number)
    world.run()
    assert roster(b, name) == [a.number, b.number], "a number is removed with all that it stands for"


def test_a_member_without_keys_holds_up_nobody() -> None:
    world = World()
    a, b, c = people(world, 3)
    name = create(world, a, [b, c])
    world.run()
    world.hidden.add(c.number)
    b.send(name, "now")
    world.run()
    assert shown(a, name) == ["now"]
    world.run_for(20 * 60_000)
    world.hidden.clear()
    world.run_for(60 * 60_000)
    assert shown(c, name) == ["now"] and settled(b)


def test_sr22_a_device_that_was_taken_off_the_list_changes_no_group() -> None:
    """SR-22: the primary revokes it in its groups; what it wrote beside that is void for everybody."""
    world = World()
    a, b, c = people(world, 3)
    name = create(world, a, [b, c])
    world.run()
    b2 = world.link(b.account, 2)
    b.send(name, "I have two")
    world.run()
    a.do(a.engine.open_group, name)
    world.run()
    assert roster(b2, name) == [a.number, b.number, c.number]
    b2.online = False
    b.account.remove(2, world.now)
    b.do(b.engine.adopt_list, b.account.list.encoded)
    world.run()
    # The stolen device knows nothing of it, and renames the group.
    b2.do(b2.engine.set_subject, name, "Stolen")
    b2.online = True
    world.run_for(DAY)
    for phone in (a, b, c):
        assert phone.engine.group(phone.state, name).subject == "Hikers"


def test_a_copy_that_waits_is_not_made_for_other_keys() -> None:
    """c's keys are unknown when a member writes; when they come they are not those that the log names."""
    world = World()
    a, b, c = people(world, 3)
    name = create(world, a, [b, c])
    world.run()
    world.hidden.add(c.number)
    b.send(name, "for the c that was added")
    world.run()
    c.online = False
    (new,) = world.person(c.number)
    world.hidden.clear()
    world.run_for(2 * 60 * 60_000)
    assert shown(a, name) and not shown(new, name) and not shown(c, name)
    assert not [o for phone, o in world.sent if phone is b and o.to == c.number and o.group is not None]


def test_the_first_message_to_a_member_leaves_a_gap_when_it_is_withheld() -> None:
    """c has heard nothing of b before; the second message says that there was a first."""
    world = World()
    a, b, c = people(world, 3)
    name = create(world, a, [b, c])
    world.run()
    b.do(b.engine.open_group, name)
    world.run()
    world.on_transmit = lambda phone, outbound: NetworkResult(True, 200) if outbound.to == c.number else None
    b.send(name, "first")
    world.run()
    world.on_transmit = None
    b.send(name, "second")
    world.run_for(DEFAULTS.reorder_ms + 1_000)
    assert [(event.first, event.last, event.sender) for event in c.told(MessageMissing)] == [(1, 1, b.number)]
    world.run_for(DAY)
    assert sorted(shown(c, name)) == ["first", "second"]


def test_an_entry_beside_an_addition_reaches_the_newcomer_though_nobody_writes() -> None:
    """b renames the group while c adds d: c did not know the name, and b did not know d."""
    world = World()
    a, b, c, d = people(world, 4)
    name = create(world, a, [b, c])
    world.run()
    acquainted(world, c, [d.number])
    b.do(b.engine.set_subject, name, "Beside")
    c.do(c.engine.add_members, name, [d.number])
    world.run_for(DAY)
    assert {phone.engine.group(phone.state, name).subject for phone in (a, b, c, d)} == {"Beside"}


def test_a_log_that_does_not_fit_into_one_frame_is_fetched_in_parts() -> None:
    world = World(limits=dataclasses.replace(DEFAULTS, max_group_bundle=1_500))
    a, b, c = people(world, 3)
    name = create(world, a, [b])
    for place in range(20):
        a.do(a.engine.set_subject, name, f"subject {place}")
    world.run()
    add(world, a, name, c)
    world.run_for(10 * 60_000)
    assert roster(c, name) == [a.number, b.number, c.number]
    assert c.engine.group(c.state, name).subject == "subject 19" and c.told(GroupJoined)
    assert not c.told(RosterMismatch) and settled(a)


def test_sr05_nobody_outside_confirms_a_message() -> None:
    """SR-05: a stranger that learned an id, and a former member, say that they have it."""
    world = World()
    a, b, stranger = people(world, 3)
    name = create(world, a, [b])
    world.run()
    b.online = False
    message = a.send(name, "x")
    world.run()
    content = encode_receipt(message, world.now, displayed=True)
    tell(world, stranger, a, name, content)
    world.run()
    assert a.engine.delivery(a.state, message) == (0, 0, 1) and not a.told(MessageDelivered)


# --- everything at once -------------------------------------------------------------------------------------------
def stormy(seed: int, rounds: int, keys: SignalKeys | None = None) -> None:
    """Three who stay and two who come and go, all writing, over a network that does what it wants."""
    world = World(seed, keys, hostility=HOSTILE)
    phones = people(world, 5)
    a, b, c, d, e = phones
    for phone in (a, b):
        for other in phones:
            if other is not phone:
                phone.do(phone.engine.open_chat, other.number)
    world.run_for(DAY)
    name = a.do(a.engine.create_group, [b.number, c.number, d.number], "Storm")
    wrote: dict[str, list[str]] = {phone.name: [] for phone in (a, b, c)}
    for n in range(rounds):
        phone = world.random.choice((a, b, c))
        guest = world.random.choice((d, e))
        dice = world.random.random()
        try:
            if dice < 0.1:
                by = world.random.choice((a, b))
                inside = guest.number in roster(by, name)
                if inside:
                    by.do(by.engine.remove_member, name, guest.number)
                else:
                    by.do(by.engine.add_members, name, [guest.number])
            elif dice < 0.15:
                phone.do(phone.engine.set_subject, name, f"subject {n}")
            elif dice < 0.25:
                guest.send(name, f"{guest.name} {n}")
            else:
                phone.send(name, f"{phone.name} {n}")
                wrote[phone.name].append(f"{phone.name} {n}")
        except InputError:
            pass
        world.run_for(world.random.choice((0, 10, 500, 4_000)))
        if n % 37 == 0:
            sleeper = world.random.choice(phones)
            sleeper.online = not sleeper.online
    for phone in phones:
        phone.online = True
    world.run_for(3 * DAY)
    check_storm(world, name, phones, wrote)


def check_storm(world: World, name: GroupName, phones: list[Phone], wrote: dict[str, list[str]]) -> None:
    stay = phones[:3]
    assert len(rosters(stay, name)) == 1
    inside = [phone for phone in phones if phone.number in roster(stay[0], name)]
    assert len(rosters(inside, name)) == 1
    assert len({phone.engine.group(phone.state, name).subject for phone in inside}) == 1
    expected = {text for texts in wrote.values() for text in texts}
    for phone in stay:
        texts = shown(phone, name)
        assert max(counted(texts).values(), default=1) == 1, "shown twice"
        assert expected <= set(texts), "lost"
    for phone in phones:
        # Whoever is out keeps for some days what came since, in case it is added again.
        kinds = OPEN if phone in inside else OPEN[:3]
        assert not [n for n in phone.state.records if n.split("/")[0] in kinds], phone.name
    assert world.plaintexts_sent == 0


@pytest.mark.parametrize("seed", [1, 2])
def test_a_storm(seed: int) -> None:
    stormy(seed, 80)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [3, 4, 5, 6])
def test_longer_storms(seed: int) -> None:
    stormy(seed, 250)


def test_a_storm_over_signal() -> None:
    stormy(7, 40, SignalKeys())


def scripted(world: World) -> tuple[GroupName | None, list[str]]:
    """Creation, a message of each, an addition, a removal; what died before its commit is not counted."""
    plan, world.crash_plan = world.crash_plan, None
    a, b, c, d = people(world, 4)
    for other in (b, c, d):
        a.do(a.engine.open_chat, other.number)
    world.run()
    world.crash_plan = plan
    name: GroupName | None = None
    wrote: list[str] = []
    for n, phone in enumerate((a, a, b, a, c, a, b)):
        try:
            if n == 0:
                name = a.do(a.engine.create_group, [b.number, c.number], "Crash")
            elif name is None:
                break
            elif n == 3:
                a.do(a.engine.add_members, name, [d.number])
            elif n == 5:
                a.do(a.engine.remove_member, name, d.number)
            else:
                phone.send(name, f"{phone.name} {n}")
                wrote.append(f"{phone.name} {n}")
        except Crash:
            world._restart(phone)
        except InputError:
            pass
        world.run_for(1_000)
    world.crash_plan = None
    world.run_for(2 * DAY)
    return name, wrote


def _places() -> int:
    world = World(5)
    counter = CrashAt(1 << 30)
    world.crash_plan = counter
    scripted(world)
    return (1 << 30) - counter.left


@pytest.mark.parametrize("part", range(6))
def test_sr06_a_crash_at_every_commit_and_effect(part: int) -> None:
    """SR-06: whoever dies wherever, the members agree, nothing is lost and nothing is shown twice."""
    places = _places()
    for place in range(part, places, 6 * 3):
        world = World(5)
        world.crash_plan = CrashAt(place)
        name, wrote = scripted(world)
        if name is None:
            continue
        stay = [phone for phone in world.phones[:3] if phone.state.scan(GROUP)]
        assert len(rosters(stay, name)) == 1, place
        for phone in stay:
            texts = shown(phone, name)
            assert sorted(texts) == sorted(wrote), (place, phone.name)
            assert settled(phone), place


# --- size -----------------------------------------------------------------------------------------------------------
def test_a_hundred_members() -> None:
    world = World()
    phones = people(world, 100)
    name = create(world, phones[0], phones[1:])
    world.run()
    assert len(rosters(phones, name)) == 1 and len(roster(phones[99], name)) == 100
    message = phones[0].send(name, "to all")
    world.run()
    answer = phones[99].send(name, "from the last")
    world.run_for(60_000)
    for phone in phones:
        assert shown(phone, name) == ["to all", "from the last"], phone.name
    assert phones[0].engine.delivery(phones[0].state, message) == (99, 0, 99)
    (stored,) = [each for each in history(phones[99], name) if each.message_id == answer]
    assert stored.status is Status.DELIVERED and all(settled(phone) for phone in phones)


def test_subjects_that_readers_would_refuse() -> None:
    world = World()
    a, b = people(world, 2)
    name = create(world, a, [b])
    for subject in ("a\nb", "x" * 300, "\u202eevil"):
        with pytest.raises(InputError):
            a.do(a.engine.set_subject, name, subject)
    with pytest.raises(InputError):
        a.do(a.engine.set_icon, name, b"short", "https://x")
