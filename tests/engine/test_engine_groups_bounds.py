"""Bounds of groups that somebody else has filled: what must still be possible then (SR-04, SR-08, SR-18, SR-22)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TypeVar

from engine.groups import create, number_of, people, remove, roster, shown
from engine.test_engine_groups_hostile import tell, view
from engine.world import MemoryState, Phone, World
from letterlock.carriage import NetworkResult, Outbound
from letterlock.codec.frame import decode_frame
from letterlock.engine.content import REQUEST_TYPE, Parts, encode, with_heads
from letterlock.engine.events import RosterMismatch
from letterlock.engine.limits import DEFAULTS, Privacy
from letterlock.engine.records import contact_key
from letterlock.ids import GroupName, MessageId
from letterlock.seam import Envelope, Frame, Key, Opened, Staged
from letterlock.trust.group_log_entry import LIMITS

T = TypeVar("T")


def lose_second_device(world: World, phone: Phone) -> None:
    phone.account.remove(2, world.now)
    phone.do(phone.engine.adopt_list, phone.account.list.encoded)


def test_sr22_a_device_is_removed_though_the_log_of_a_group_is_full() -> None:
    """SR-22: a member that floods the log of one group must not keep a stolen device on our list, nor in other groups."""
    limits = dataclasses.replace(DEFAULTS, group=dataclasses.replace(LIMITS, max_entries=8))
    world = World(limits=limits)
    a, _, b = people_with_two(world)
    full, other = create(world, b, [a], "Full"), create(world, b, [a], "Other")
    world.run()
    for place in range(7):
        b.do(b.engine.set_subject, full, f"subject {place}")
    world.run()
    lose_second_device(world, a)
    world.run_for(60_000)
    assert [entry.device for entry in a.account.list.devices] == [1]
    assert [(event.chat, event.reason) for event in a.told(RosterMismatch)] == [(full, "revocation")]
    assert (a.engine.group(a.state, full).entries, a.engine.group(b.state, other).entries) == (8, 2)


def people_with_two(world: World) -> tuple[Phone, Phone, Phone]:
    a, a2, b = people(world, 2, devices=2)
    return a, a2, b


def test_sr18_to_revoke_a_device_is_no_answer_to_strangers() -> None:
    """SR-18: whoever put us into a group without our doing gets no receipts there because a device of ours is gone."""
    world = World(privacy=Privacy(receipts_to_strangers=False))
    a, _, stranger = people_with_two(world)
    name = create(world, stranger, [a])
    world.run()
    assert roster(a, name) == [stranger.number, a.number] and not a.chat(name).accepted
    lose_second_device(world, a)
    world.run()
    message = stranger.send(name, "are you there?")
    world.run_for(60_000)
    assert shown(a, name) == ["are you there?"] and not a.chat(name).accepted
    assert stranger.engine.delivery(stranger.state, message) == (0, 0, 1)


def test_sr08_groups_that_we_were_in_do_not_keep_us_out_of_others() -> None:
    """SR-08: one contact puts us into groups and out of them again, as many as are remembered of those that we never were in."""
    world = World(limits=dataclasses.replace(DEFAULTS, max_groups_outside=3))
    a, hostile, friend = people(world, 3)
    for place in range(4):
        name = create(world, hostile, [a], f"{place}")
        world.run()
        remove(hostile, name, a)
        world.run()
    name = create(world, friend, [a])
    world.run()
    assert roster(a, name) == [friend.number, a.number]


def test_sr08_groups_that_strangers_name_do_not_keep_us_out_of_others() -> None:
    """SR-08: a stranger names groups that do not exist, as many as are remembered."""
    world = World(limits=dataclasses.replace(DEFAULTS, max_groups_outside=3))
    a, stranger, friend = people(world, 3)
    for place in range(5):
        tell(world, stranger, a, GroupName(f"{place:032x}"), naming(world, place + 1))
        world.run()
    name = create(world, friend, [a])
    world.run_for(60_000)
    assert roster(a, name) == [friend.number, a.number]


def test_sr04_a_former_member_learns_no_heads_of_the_log() -> None:
    """SR-04: who is out names entries that do not exist, so that we ask; the question must not say what we have."""
    world = World()
    a, b, out = people(world, 3)
    name = create(world, a, [b, out])
    world.run()
    remove(a, name, out)
    world.run()
    a.do(a.engine.set_subject, name, "Without you")
    world.run()
    heads = a.engine.group(a.state, name).heads
    tell(world, out, a, name, encode(Parts("text/plain", b"x"), world.now))
    world.run()
    bodies = opened(world, a, out, lambda: tell(world, out, a, name, naming(world, 7)))
    assert any(REQUEST_TYPE.encode() in body for body in bodies)
    assert not [body for body in bodies if heads[0] in body or heads[0].hex().encode() in body]


def test_sr05_whoever_is_out_does_not_draw_our_questions_to_itself() -> None:
    """SR-05: b's entry is withheld and asked of b; a former member names entries that do not exist, one after the other."""
    world = World()
    a, b, out = people(world, 3)
    name = create(world, a, [b, out])
    world.run()
    remove(a, name, out)
    world.run()
    tell(world, out, a, name, naming(world, 1))
    come_through: set[MessageId] = set()

    def withhold(phone: Phone, outbound: Outbound) -> NetworkResult | None:
        return NetworkResult(True, 200) if phone is b and outbound.message_id not in come_through else None

    world.on_transmit = withhold
    b.do(b.engine.set_subject, name, "Withheld")
    world.run()
    come_through.add(b.send(name, "look"))
    world.run()
    for place in range(2, 30):
        tell(world, out, a, name, naming(world, place))
    asked = a.engine.group(a.state, name)
    assert asked.informant is not None and asked.informant.number == b.number
    assert set(b.engine.group(b.state, name).heads) <= set(asked.lacks)


def test_sr08_a_focus_that_changes_its_roster_all_the_time_fills_no_history() -> None:
    """SR-08: nothing of it is authenticated. What was not told is told later."""
    world = World()
    a, b = people(world, 2)
    name = create(world, a, [b])
    world.run()
    for place in range(1_000):
        a.do(a.engine.on_conference, view(name, [b.number, number_of(100 + place)]))
    assert len(a.told(RosterMismatch)) == DEFAULTS.unreadable_per_hour
    world.now += 60 * 60_000
    a.do(a.engine.on_conference, view(name, [b.number, number_of(1_099)]))
    assert a.told(RosterMismatch)[-1].numbers == (number_of(1_099),)


def test_sr08_a_change_that_goes_to_many_reads_the_log_once_or_twice() -> None:
    """SR-08: to each member that has heard nothing of this device the whole log goes: it is not read for each of them."""
    world = World()
    phones = people(world, 12)
    name = create(world, phones[0], phones[1:])
    for place in range(30):
        phones[0].do(phones[0].engine.set_subject, name, f"subject {place}")
    world.run()
    silent = phones[5]
    silent.do(silent.engine.open_group, name)
    world.run_for(60_000)
    for other in phones:
        if other is not silent:
            silent.send(other.number, "hello")  # so that there is a session
    world.run_for(60_000)
    silent.state = counting = CountingState(silent.state)
    world.sent.clear()
    silent.do(silent.engine.set_subject, name, "mine")
    assert counting.entries_read <= 4 * 31
    world.run()
    assert len([outbound for phone, outbound in world.sent if phone is silent and outbound.group is not None]) >= 11
    assert {phone.engine.group(phone.state, name).subject for phone in phones} == {"mine"}


class CountingState(MemoryState):
    """Counts the entries of logs that are read."""

    def __init__(self, of: MemoryState) -> None:
        super().__init__()
        self.records = dict(of.records)
        self.entries_read = 0

    def get(self, key: Key[T]) -> T | None:
        self.entries_read += key.name.startswith("group-entry/")
        return super().get(key)


def naming(world: World, place: int) -> bytes:
    """A text that follows an entry that does not exist."""
    return with_heads(encode(Parts("text/plain", b"x"), world.now), [bytes([place]) * 32])


def opened(world: World, sender: Phone, receiver: Phone, action: Callable[[], object]) -> list[bytes]:
    """What the receiver could read of all that the sender sends it meanwhile."""
    bodies: list[bytes] = []

    def look(phone: Phone, outbound: Outbound) -> None:
        if phone is not sender or outbound.to != receiver.number:
            return
        frame = decode_frame(outbound.body, max_frame=1 << 20, max_list=1 << 16, max_copies=64)
        (copy,) = [copy for copy in frame.copies if copy.device == receiver.device]
        party = sender.account.party(sender.device)
        contact = receiver.state.get(contact_key(sender.number))
        assert contact is not None
        (device,) = [each for each in contact.recipient.devices if each.id == sender.device]
        envelope = Envelope(sender.number, receiver.number, outbound.message_id)
        (protocol,) = receiver.engine._core.protocols.values()
        seam = Frame(envelope, party, device, receiver.engine.me, copy.type, copy.ciphertext)
        result = protocol.open(Staged(receiver.state), seam, world.now)
        assert isinstance(result, Opened)
        bodies.append(result.content.body)

    world.on_transmit = look
    action()
    world.run()
    world.on_transmit = None
    return bodies
