"""The pure half of the focus: rules of the roster, what is kept until when, windows, over random runs too."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from focus.town import NOW, number
from letterlock.codec.conference_info import Disconnection
from letterlock.codec.sip import Headers, Request
from letterlock.errors import FocusError
from letterlock.ids import Number
from letterlock.services.focus.conference import (
    Change,
    admit,
    describe,
    found,
    give_up,
    join,
    leave,
    remove,
)
from letterlock.services.focus.journal import Entry, Journal
from letterlock.services.focus.limits import FocusLimits
from letterlock.services.focus.outlet import Outlet
from letterlock.services.focus.requests import leaves
from letterlock.services.focus.room import Room

LIMITS = FocusLimits(max_members=5, max_subject=10)
ANA, BOB, CARLA, DAN, EVE = (number(i) for i in range(1, 6))


def conference(*members: Number, subject: str = "") -> Change:
    return found(
        name="conf-1",
        contribution="c",
        conversation="v",
        creator=members[0],
        invited=members[1:],
        subject=subject,
        position=0,
        now=NOW,
        limits=LIMITS,
    )


def refused(code: str) -> pytest.RaisesExc[FocusError]:
    return pytest.raises(FocusError, check=lambda error: error.code == code)


def test_the_creator_has_joined_and_nobody_is_in_it_twice() -> None:
    made = conference(ANA, BOB, ANA, BOB).conference
    assert list(made.members) == [ANA, BOB]
    assert [member.joined for member in made.members.values()] == [True, False]
    assert made.first == ANA


@pytest.mark.parametrize(
    "act",
    [
        lambda made: admit(made, EVE, [DAN], 0, LIMITS),
        lambda made: remove(made, EVE, ANA),
        lambda made: remove(made, EVE, EVE),
        lambda made: leave(made, EVE),
        lambda made: join(made, EVE),
        lambda made: describe(made, EVE, LIMITS, subject="x"),
    ],
)
def test_strangers_do_nothing_and_learn_nothing(act: object) -> None:
    with refused("focus.not_found"):
        act(conference(ANA, BOB).conference)  # type: ignore[operator]


def test_members_admit_up_to_the_bound() -> None:
    made = conference(ANA, BOB).conference
    change = admit(made, BOB, [BOB, CARLA, CARLA], 7, LIMITS)
    assert change.added == (CARLA,)
    assert (change.conference.members[CARLA].since, change.conference.members[CARLA].invited_by) == (7, BOB)
    assert not admit(change.conference, ANA, [BOB], 9, LIMITS).any
    with refused("focus.too_many_members"):
        admit(made, ANA, [CARLA, DAN, EVE, number(6)], 0, LIMITS)


def test_rank_decides_who_removes_whom() -> None:
    made = conference(ANA, BOB, CARLA).conference
    assert remove(made, BOB, CARLA).departed[0].how is Disconnection.BOOTED
    with refused("focus.rank"):
        remove(made, CARLA, BOB)
    assert not remove(made, ANA, EVE).any
    after = remove(made, ANA, ANA)
    assert after.departed[0].how is Disconnection.DEPARTED
    assert after.conference.first == BOB
    assert after.altered == (BOB,)


def test_who_never_came_is_given_up_and_who_did_is_not() -> None:
    made = conference(ANA, BOB).conference
    assert give_up(made, BOB, Disconnection.BUSY).departed[0].how is Disconnection.BUSY
    assert not give_up(join(made, BOB).conference, BOB, Disconnection.BUSY).any


def test_subject_and_icon_are_bounded() -> None:
    with refused("focus.subject"):
        conference(ANA, subject="x" * 11)
    made = conference(ANA, subject="lunch").conference
    with refused("focus.subject"):
        describe(made, ANA, LIMITS, subject="x" * 11)
    with refused("focus.icon"):
        describe(made, ANA, LIMITS, icon="x" * 3000)
    assert not describe(made, ANA, LIMITS, subject="lunch").any
    assert describe(made, ANA, LIMITS, subject="").conference.subject == ""


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ('SIP;cause=200;text="Call completed"', True),
        ("SIP ; cause=200", True),
        ('Q.850;cause=16, SIP;cause=200;text="Call completed"', True),
        ('SIP;cause=480;text="Idle"', False),
        ("SIP;cause=2000", False),
        ('Q.850;cause=200;text="SIP"', False),
        ("", False),
    ],
)
def test_which_bye_leaves(reason: str, expected: bool) -> None:
    headers = [("Reason", reason)] if reason else []
    assert leaves(Request("BYE", "sip:a@b", Headers(headers))) is expected


# --- random runs -----------------------------------------------------------------------------------
class Rooms(RuleBasedStateMachine):
    """Members write, devices come, acknowledge and go, the focus is restarted: each device is handed, in order, exactly
    what it should read; nothing is let go of that somebody known still has to read."""

    def __init__(self) -> None:
        super().__init__()
        change = conference(ANA, BOB, CARLA)
        self.limits = FocusLimits(window_messages=3, window_bytes=500, tail_bytes=400, max_devices=2)
        self.room = Room(change.conference, 0, 0, NOW)
        self.room.apply(change)
        self.position = 0
        self.sent: list[Entry] = []
        self.kept: dict[int, Entry] = {}
        self.open: dict[tuple[Number, str], Outlet] = {}
        self.begins: dict[tuple[Number, str], int] = {}
        self.read: dict[tuple[Number, str], list[int]] = {}
        self.safe: dict[tuple[Number, str], set[int]] = {}

    # Few of each, so that a run of forty steps meets the same ones again.
    phones = st.sampled_from([(BOB, "a"), (BOB, "b"), (CARLA, "a")])

    @rule(
        sender=st.sampled_from([ANA, ANA, BOB]), recipient=st.sampled_from([None, None, BOB]), size=st.integers(1, 300)
    )
    def write(self, sender: Number, recipient: Number | None, size: int) -> None:
        self.position += 1
        entry = Entry(self.position, sender, recipient, "m", size, NOW, b"x" * size)
        self.room.journal.add(entry, max_tail_bytes=self.limits.tail_bytes)
        self.sent.append(entry)
        self.kept[entry.position] = entry
        for outlets in list(self.room.outlets.values()):
            for outlet in outlets:
                if outlet.take(entry):
                    self._handed((outlet.number, outlet.device), [entry])

    @rule(phone=phones)
    def come(self, phone: tuple[Number, str]) -> None:
        who, device = phone
        if (who, device) in self.open:
            return
        known = device in self.room.places[who].devices
        begins = self.room.places[who].devices.get(device, self.room.places[who].reached)
        outlet, forgotten = self.room.open(who, device, NOW, self.limits)
        assert forgotten is None
        self.open[who, device] = outlet
        if not known:
            self.begins[who, device] = begins
            self.read[who, device] = []
            self.safe[who, device] = set()
        self._handed((who, device), outlet.more(self.room.journal))
        if outlet.idle:
            self.room.read(outlet)

    @rule(phone=phones, count=st.integers(1, 4))
    def acknowledge(self, phone: tuple[Number, str], count: int) -> None:
        who, device = phone
        outlet = self.open.get((who, device))
        if outlet is None:
            return
        for position in list(outlet._in_flight)[:count]:
            assert outlet.acknowledged(position)
            self.safe[who, device].add(position)
            self.room.read(outlet)
            if outlet.lags:
                self._handed((who, device), outlet.more(self.room.journal))
                if outlet.idle:
                    self.room.read(outlet)

    @rule(phone=phones)
    def go(self, phone: tuple[Number, str]) -> None:
        who, device = phone
        outlet = self.open.pop((who, device), None)
        if outlet is not None:
            self.room.close(outlet)
            # What was not acknowledged is handed out again the next time, what was is not.
            safe = self.safe[who, device]
            self.read[who, device] = [each for each in self.read[who, device] if each in safe]

    @rule()
    def flush(self) -> None:
        dirty = self.room.dirty()
        for position in dirty.gone if dirty is not None else ():
            entry = self.kept.pop(position)
            for who in (ANA, BOB, CARLA):
                # Kept for a member of whom no device is known yet.
                assert not self._is_for(entry, who) or any(each == who for each, _ in self.begins)
            for (who, device), begins in self.begins.items():
                if self._is_for(entry, who) and position > begins:
                    assert position in self.safe[who, device]

    def _handed(self, key: tuple[Number, str], entries: list[Entry]) -> None:
        self.read[key] += [entry.position for entry in entries]

    @staticmethod
    def _is_for(entry: Entry, who: Number) -> bool:
        return entry.sender != who if entry.recipient is None else entry.recipient == who

    @invariant()
    def each_reads_in_order_and_without_gaps(self) -> None:
        for (who, device), read in self.read.items():
            due = [
                each.position
                for each in self.sent
                if self._is_for(each, who) and each.position > self.begins[who, device]
            ]
            assert read == due[: len(read)]
            outlet = self.open.get((who, device))
            if outlet is not None:
                in_flight = outlet._in_flight
                assert len(in_flight) <= self.limits.window_messages
                assert sum(in_flight.values()) <= self.limits.window_bytes or len(in_flight) == 1
                if len(read) < len(due):
                    assert in_flight, "something waits, and nobody would ask for it"

    @invariant()
    def memory_is_bounded(self) -> None:
        held = [entry for entry in self.kept.values() if entry.data is not None]
        assert sum(entry.size for entry in held) <= self.limits.tail_bytes + 600


Rooms.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestRooms = Rooms.TestCase


def test_the_oldest_for_all_go_when_there_are_too_many_and_the_too_old_always() -> None:
    journal = Journal(0)
    for position in range(1, 11):
        recipient = BOB if position % 5 == 0 else None
        journal.add(Entry(position, ANA, recipient, "m", 10, NOW + position), max_tail_bytes=0)
    assert journal.limit(6, 1000, NOW) == [1, 2]
    assert journal.limit(6, 30, NOW) == [3, 4, 6]
    assert journal.limit(6, 1000, NOW + 9) == [7, 8, 5]
    assert [entry.position for entry in journal.after(BOB, "", 0)] == [9, 10]


def test_a_member_without_known_devices_waits_and_is_told_apart() -> None:
    change = conference(ANA, BOB)
    room = Room(change.conference, 0, 0, NOW)
    room.apply(change)
    room.journal.add(Entry(1, ANA, None, "m", 1, NOW), max_tail_bytes=0)
    assert list(room.waiting()) == [BOB]
    outlet, _ = room.open(BOB, "a", NOW, FocusLimits())
    assert list(room.waiting()) == []
    assert [entry.position for entry in outlet.more(room.journal)] == [1]
    outlet.acknowledged(1)
    room.read(outlet)
    room.close(outlet)
    assert list(room.waiting()) == []


def test_a_late_device_of_a_member_that_was_just_called_gets_what_waited() -> None:
    """Two phones of a member, neither known: the faster reads everything before the other is there."""
    change = conference(ANA, BOB)
    room = Room(change.conference, 0, 0, NOW)
    room.apply(change)
    room.journal.add(Entry(1, ANA, None, "m", 1, NOW), max_tail_bytes=0)
    room.invited(BOB, NOW)
    fast, _ = room.open(BOB, "a", NOW + 10, FocusLimits())
    fast.more(room.journal)
    fast.acknowledged(1)
    room.read(fast)
    slow, _ = room.open(BOB, "b", NOW + 20, FocusLimits())
    assert [entry.position for entry in slow.more(room.journal)] == [1]
    later, _ = room.open(BOB, "c", NOW + 120_000, FocusLimits())
    assert later.more(room.journal) == []


def test_the_device_that_was_away_longest_makes_room() -> None:
    change = conference(ANA, BOB)
    room = Room(change.conference, 0, 0, NOW)
    room.apply(change)
    limits = FocusLimits(max_devices=2)
    for i, device in enumerate("abc"):
        outlet, forgotten = room.open(BOB, device, NOW + i, limits)
        room.close(outlet)
    assert forgotten == "a"
    assert room.forget_devices(NOW + 2) == [(BOB, "b")]
