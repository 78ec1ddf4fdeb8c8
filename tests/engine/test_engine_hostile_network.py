"""Thousands of messages over a network that refuses, swallows, duplicates, delays, forges and replays."""

from __future__ import annotations

import pytest

from engine.world import ALICE, BOB, CAROL, Hostility, World, counted
from letterlock.engine.events import MessageDelivered, MessageMissing, MessageReceived, MessageUnreadable
from letterlock.engine.records import order_parts

HOSTILE = Hostility(
    refuse=0.15, swallow=0.15, duplicate=0.2, forge=0.03, replay=0.05, longest_delay=3_000, directory_down=0.3
)
DAY = 86_400_000


def converse(world: World, rounds: int) -> dict[str, list[str]]:
    """Everybody writes to everybody for a while, then silence until all is confirmed. Gives what each wrote."""
    wrote: dict[str, list[str]] = {phone.name: [] for phone in world.phones}
    numbers = [ALICE, BOB, CAROL]
    for n in range(rounds):
        phone = world.random.choice(world.phones)
        other = world.random.choice([number for number in numbers if number != phone.number])
        text = f"{phone.name}>{other} {n}"
        phone.send(other, text)
        wrote[phone.name].append(text)
        world.run_for(world.random.choice((0, 10, 500, 4_000)))
        if n % 97 == 0:
            sleeper = world.random.choice(world.phones)
            sleeper.online = not sleeper.online
    for phone in world.phones:
        phone.online = True
    world.run_for(3 * DAY)
    return wrote


def check(world: World, wrote: dict[str, list[str]]) -> None:
    everything = [text for texts in wrote.values() for text in texts]
    for phone in world.phones:
        shown = phone.all_shown()
        assert max(counted(shown).values()) == 1, "shown twice"
        expected = {
            text for text in everything if text.startswith(phone.number) or text.split()[0].endswith(phone.number)
        }
        assert set(shown) == expected, "lost"
        # From each device what was written first to this phone is shown first, but for what was missing for too long.
        for name, texts in wrote.items():
            for peer in (ALICE, BOB, CAROL):
                mine = [text for text in texts if text.split()[0] == f"{name}>{peer}"]
                events = [e for e in phone.told(MessageReceived) if e.text in mine and not e.fills_gap]
                sequences = [order_parts(e.order)[3] for e in events]
                assert sequences == sorted(sequences)
        assert not [name for name in phone.state.records if name.split("/")[0] in ("outbox", "waiting", "held")]
        delivered = {event.message_id for event in phone.told(MessageDelivered)}
        assert len(delivered) >= len(wrote[phone.name])
    assert world.plaintexts_sent == 0


def test_nothing_is_lost_or_shown_twice() -> None:
    world = World(1, hostility=HOSTILE)
    for number in (ALICE, BOB, CAROL):
        world.person(number)
    check(world, converse(world, 200))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_nothing_of_thousands_is_lost_or_shown_twice(seed: int) -> None:
    world = World(seed, hostility=HOSTILE)
    for number in (ALICE, BOB, CAROL):
        world.person(number)
    check(world, converse(world, 700))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [4, 5])
def test_nothing_is_lost_with_two_devices_each(seed: int) -> None:
    world = World(seed, hostility=HOSTILE)
    for number in (ALICE, BOB, CAROL):
        world.person(number, 2)
    check(world, converse(world, 400))


def test_without_hostility_nothing_is_missing_or_unreadable() -> None:
    world = World(6)
    for number in (ALICE, BOB, CAROL):
        world.person(number, 2)
    check(world, converse(world, 150))
    for phone in world.phones:
        assert not phone.told(MessageMissing)
        assert not phone.told(MessageUnreadable)


def test_a_chat_is_shown_in_the_same_order_everywhere() -> None:
    """History, sorted by its keys, is the same at both ends."""
    world = World(7, hostility=HOSTILE)
    (alice,), (bob,) = world.person(ALICE), world.person(BOB)
    for n in range(200):
        if world.random.random() < 0.5:
            alice.send(BOB, f"{n}")
        else:
            bob.send(ALICE, f"{n}")
        world.run_for(world.random.choice((0, 300, 2_000)))
    world.run_for(3 * DAY)
    histories = []
    for phone, peer in ((alice, BOB), (bob, ALICE)):
        prefix = f"message/{peer}/"
        histories.append([name[len(prefix) :] for name in sorted(phone.state.records) if name.startswith(prefix)])
    assert histories[0] == histories[1]
    assert len(histories[0]) == 200
