"""The same world over the `signal` protocol: Triple Ratchet sessions under a hostile network."""

from __future__ import annotations

import pytest

from engine.signal_keys import SignalKeys
from engine.test_engine_hostile_network import HOSTILE, check, converse
from engine.world import ALICE, BOB, CAROL, World
from letterlock.engine.events import MessageDelivered, MessageUnreadable


def test_two_phones_talk_over_signal() -> None:
    world = World(11, SignalKeys())
    (alice,), (bob,) = world.person(ALICE), world.person(BOB)
    alice.send(BOB, "hi")
    world.run()
    for n in range(40):
        (bob if n % 2 else alice).send(ALICE if n % 2 else BOB, f"{n}")
        world.run()
    assert bob.all_shown() == ["hi", *(str(n) for n in range(40))] == alice.all_shown()
    assert len(alice.told(MessageDelivered)) == 21
    assert not alice.told(MessageUnreadable)
    assert not bob.told(MessageUnreadable)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [12, 13])
def test_nothing_is_lost_over_signal(seed: int) -> None:
    world = World(seed, SignalKeys(), hostility=HOSTILE)
    for number in (ALICE, BOB, CAROL):
        world.person(number)
    check(world, converse(world, 300))


@pytest.mark.slow
def test_nothing_is_lost_over_signal_with_two_devices_each() -> None:
    world = World(14, SignalKeys(), hostility=HOSTILE)
    for number in (ALICE, BOB, CAROL):
        world.person(number, 2)
    check(world, converse(world, 150))
