"""Groups: who gets what, and who learns what, when all is well."""

from __future__ import annotations

import pytest

from engine.groups import add, create, leave, people, remove, roster, rosters, shown, told
from engine.world import World
from letterlock.engine.content import Delete, Edit, Reaction, Reference, Text
from letterlock.engine.events import (
    GroupCreated,
    GroupJoined,
    MemberAdded,
    MemberLeft,
    MemberRemoved,
    MessageDelivered,
    MessageDisplayed,
    MessageMissing,
    MessageReceived,
    MessageUnreadable,
    RosterMismatch,
    SubjectChanged,
)
from letterlock.engine.record_values import Status
from letterlock.engine.security import Security
from letterlock.errors import InputError, NotEncrypted


def test_four_people_talk() -> None:
    world = World()
    phones = people(world, 4)
    a, b, c, d = phones
    name = create(world, a, [b, c, d])
    world.run()
    assert rosters(phones, name) == {tuple(phone.number for phone in phones)}
    for place, phone in enumerate(phones):
        phone.send(name, f"from {place}")
        world.run()
    for phone in phones:
        assert shown(phone, name) == [f"from {place}" for place in range(4)]
        assert not phone.told(MessageMissing) and not phone.told(MessageUnreadable) and not phone.told(RosterMismatch)
    assert a.told(GroupCreated)[0].members == tuple(phone.number for phone in phones)
    assert [event.by for event in b.told(GroupJoined)] == [a.number]
    received = b.told(MessageReceived)
    assert [event.sender for event in received] == [a.number, c.number, d.number]
    assert all(event.encrypted for event in received)
    assert world.plaintexts_sent == 0
    assert not [key for key in a.state.records if key.startswith(("outbox/", "waiting/"))], "all was confirmed"


def test_one_frame_for_each_member_and_no_more() -> None:
    """SR-04: recipients come from the log alone."""
    world = World()
    a, b, c, d = people(world, 4)
    name = create(world, a, [b, c])
    world.run()
    world.sent.clear()
    a.send(name, "x")
    world.run()
    sent = [outbound for phone, outbound in world.sent if phone is a]
    assert sorted(outbound.to for outbound in sent) == [b.number, c.number]
    assert {outbound.group for outbound in sent} == {bytes.fromhex(name)}
    assert len({outbound.message_id for outbound in sent}) == 1
    assert not shown(d, name)


def test_a_member_is_added_and_hears_from_then_on() -> None:
    world = World()
    a, b, c, d = people(world, 4)
    name = create(world, a, [b, c])
    a.send(name, "before")
    world.run()
    add(world, b, name, d)
    world.run()
    assert rosters([a, b, c, d], name) == {(a.number, b.number, c.number, d.number)}
    for phone in (a, c):
        (event,) = phone.told(MemberAdded)
        assert (event.member, event.by) == (d.number, b.number)
    assert d.told(GroupJoined)[0].by == b.number
    for phone in (d, a, c, b):
        phone.send(name, f"{phone.number}")
        world.run()
    assert shown(d, name) == [d.number, a.number, c.number, b.number]
    assert not any(phone.told(MessageMissing) for phone in (a, b, c, d)), "a newcomer misses nothing of before"


def test_a_removed_member_hears_so_and_nothing_more() -> None:
    world = World()
    a, b, c, d = people(world, 4)
    name = create(world, a, [b, c, d])
    world.run()
    remove(b, name, d)
    world.run()
    assert rosters([a, b, c], name) == {(a.number, b.number, c.number)}
    (event,) = d.told(MemberRemoved)
    assert (event.member, event.by) == (d.number, b.number)
    world.sent.clear()
    a.send(name, "without you")
    world.run()
    assert d.number not in {outbound.to for _, outbound in world.sent}
    with pytest.raises(InputError) as caught:
        d.send(name, "let me in")
    assert caught.value.code == "input.group_left"
    add(world, c, name, d)
    world.run()
    d.send(name, "back")
    c.send(name, "welcome")
    world.run()
    assert shown(d, name) == ["back", "welcome"]
    for phone in (a, b, c):
        assert shown(phone, name)[-2:] in (["back", "welcome"], ["welcome", "back"])
        assert not phone.told(MessageMissing)
    assert not d.told(MessageMissing), "what was said while it was out is nothing that it misses"
    assert roster(d, name) == [a.number, b.number, c.number, d.number]


def test_who_leaves() -> None:
    world = World()
    a, b, c = people(world, 3)
    name = create(world, a, [b, c])
    world.run()
    leave(a, name)
    world.run()
    assert rosters([b, c], name) == {(b.number, c.number)}
    assert b.told(MemberLeft)[0].member == a.number and a.told(MemberLeft)
    with pytest.raises(InputError):
        a.send(name, "x")
    b.send(name, "still here")
    world.run()
    assert shown(c, name) == ["still here"] and shown(a, name) == []


def test_only_those_behind_can_be_removed() -> None:
    world = World()
    a, b, c = people(world, 3)
    name = create(world, a, [b, c])
    world.run()
    for by, who in ((c, b), (b, a), (c, a)):
        with pytest.raises(InputError) as caught:
            remove(by, name, who)
        assert caught.value.code == "input.group_remove"
    states = b.engine.members(b.state, name, world.now)
    assert [(state.number, state.me, state.removable) for state in states] == [
        (a.number, False, False),
        (b.number, True, False),
        (c.number, False, True),
    ]


def test_subject_and_icon() -> None:
    world = World()
    a, b = people(world, 2)
    name = create(world, a, [b])
    world.run()
    b.do(b.engine.set_subject, name, "Climbers")
    a.do(a.engine.set_icon, name, bytes(range(32)), "https://content.example.test/icon")
    world.run()
    for phone in (a, b):
        group = phone.engine.group(phone.state, name)
        assert (group.subject, group.icon, group.icon_digest) == (
            "Climbers",
            "https://content.example.test/icon",
            bytes(range(32)),
        )
        assert [(event.subject, event.by) for event in phone.told(SubjectChanged)] == [("Climbers", b.number)]
    order = [message.order for message in a.history(name)]
    assert order == sorted(order) and len(told(a, name, GroupCreated, SubjectChanged)) == 2


def test_receipts_count_members() -> None:
    """Delivered when every member has it, displayed when every member has seen it; the numbers in between are there."""
    world = World()
    a, b, c, d = people(world, 4)
    name = create(world, a, [b, c, d])
    world.run()
    d.online = False
    message = a.send(name, "x")
    world.run()
    (stored,) = [each for each in a.history(name) if each.message_id == message]
    assert a.engine.delivery(a.state, message) == (2, 0, 3)
    assert stored.status is Status.ACCEPTED
    b.do(b.engine.mark_displayed, name, message)
    b.do(b.engine.mark_displayed, name, message)
    d.online = True
    world.run()
    assert a.engine.delivery(a.state, message) == (3, 1, 3)
    (stored,) = [each for each in a.history(name) if each.message_id == message]
    assert stored.status is Status.DELIVERED
    assert sorted(event.member for event in a.told(MessageDelivered)) == [b.number, c.number, d.number]
    for phone in (c, d):
        phone.do(phone.engine.mark_displayed, name, message)
    world.run()
    (stored,) = [each for each in a.history(name) if each.message_id == message]
    assert stored.status is Status.DISPLAYED and len(a.told(MessageDisplayed)) == 3


def test_changes_of_messages_work_as_between_two() -> None:
    world = World()
    a, b, c = people(world, 3)
    name = create(world, a, [b, c])
    first = a.send(name, "helo")
    world.run()
    a.do(a.engine.send, name, Edit(first, "hello"))
    b.do(b.engine.send, name, Reaction(Reference(first, a.number), "\N{THUMBS UP SIGN}"))
    answer = c.do(c.engine.send, name, Text("hi", Reference(first, a.number)))
    world.run()
    for phone in (a, b, c):
        views = {
            message.message_id: phone.engine.view(phone.state, name, message)
            for message in phone.history(name)
            if message.message_id in (first, answer)
        }
        assert views[first].text == "hello" and [r.sender for r in views[first].reactions] == [b.number]
        quote = views[answer].reply
        assert quote is not None and quote.text == "hello"
    c.do(c.engine.send, name, Delete(answer))
    world.run()
    for phone in (a, b, c):
        (message,) = [each for each in phone.history(name) if each.message_id == answer]
        assert phone.engine.view(phone.state, name, message).deleted
    with pytest.raises(InputError):
        b.do(b.engine.send, name, Edit(first, "not mine"))


def test_whom_nothing_can_be_encrypted_for_is_not_taken_in() -> None:
    """SR-01: a group is never unencrypted, and never silently without somebody."""
    world = World()
    a, b = people(world, 2)
    (plain,) = world.person(a.number[:-1] + "9", capability="")  # type: ignore[arg-type]
    for phone in (b, plain):
        a.do(a.engine.open_chat, phone.number)
    with pytest.raises(NotEncrypted) as caught:
        a.do(a.engine.create_group, [b.number], "too early")
    assert caught.value.reason == "checking" and caught.value.options == ()
    world.run()
    with pytest.raises(NotEncrypted) as caught:
        a.do(a.engine.create_group, [b.number, plain.number], "x")
    assert caught.value.reason == "no-keys-found" and plain.number in str(caught.value)
    name = create(world, a, [b])
    with pytest.raises(NotEncrypted):
        a.do(a.engine.add_members, name, [plain.number])
    with pytest.raises(InputError):
        a.do(a.engine.create_group, [a.number], "alone")
    assert a.engine.security(a.state, name, world.now) is Security.ENCRYPTED


def test_own_other_devices_have_the_group_too() -> None:
    world = World()
    a, a2, b, c = people(world, 3, devices=2)
    name = create(world, a, [b, c])
    world.run()
    assert rosters([a, a2, b, c], name) == {(a.number, b.number, c.number)}
    a.send(name, "from one")
    world.run()
    a2.send(name, "from two")
    b.send(name, "from b")
    world.run()
    for phone in (a, a2, b, c):
        assert sorted(shown(phone, name)) == ["from b", "from one", "from two"], phone.name
    a2.do(a2.engine.set_subject, name, "Two")
    world.run()
    assert a.engine.group(a.state, name).subject == "Two"
    assert a2.told(GroupCreated) or a2.told(GroupJoined)


def test_a_receipt_that_is_faster_than_the_copy_of_our_own_other_device_is_counted() -> None:
    world = World()
    a, a2, b, c = people(world, 3, devices=2)
    name = create(world, a, [b, c])
    world.run()
    for phone in (a, a2, b, c):
        phone.send(name, f"hello from {phone.name}")
        world.run()
    a2.online = False
    message = a.send(name, "x")
    world.run()
    own = [item for item in world.flying if item[2] is a2]
    # The receipts reach the second device before the copy of the message does.
    copies = [item for item in own if item[3].message_id == message]
    assert len(copies) == 1 and len(own) > 1
    world.flying = [(world.now + 5_000, *item[1:]) if item in copies else item for item in world.flying]
    a2.online = True
    world.run_for(60_000)
    assert a2.engine.delivery(a2.state, message) == (2, 0, 2)
    (stored,) = [each for each in a2.history(name) if each.message_id == message]
    assert stored.status is Status.DELIVERED


def test_the_conference_follows_the_log() -> None:
    world = World()
    a, b, c = people(world, 3)
    name = create(world, a, [b])
    world.run()
    add(world, b, name, c)
    world.run()
    remove(a, name, c)
    world.run()
    seen = [(phone, effect.conference.members, effect.leave) for phone, effect in world.conferences]
    assert seen == [
        (a, (b.number,), False),
        (b, (a.number, c.number), False),
        (a, (b.number,), False),
        (c, (a.number, b.number), True),
    ]
    world.conferences.clear()
    a.restart()
    world.run()
    assert [(phone, effect.conference.members) for phone, effect in world.conferences] == [(a, (b.number,))]


def test_letters_to_former_members_do_not_go_through_the_conference() -> None:
    """The focus drops what it keeps for somebody whom it takes off its roster; that one still has to hear that it is out."""
    world = World()
    ana, bob, carla = people(world, 3)
    name = create(world, ana, [bob, carla])
    world.run()
    world.sent.clear()
    remove(ana, name, carla)
    world.run()
    ways = {(outbound.to, outbound.group is not None) for phone, outbound in world.sent if phone is ana}
    assert (carla.number, False) in ways and (bob.number, True) in ways
    assert (carla.number, True) not in ways and (bob.number, False) not in ways
