"""The same world over the `signal` protocol: Triple Ratchet sessions under a hostile network."""

from __future__ import annotations

import pytest

from engine.signal_keys import SignalKeys
from engine.test_engine_hostile_network import HOSTILE, check, converse
from engine.world import ALICE, BOB, CAROL, World
from letterlock.engine.events import MessageDelivered, MessageUnreadable, ProtocolNoted


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


def test_sr04_a_bundle_with_another_key_than_the_listed_one_is_told() -> None:
    """The directory hands out a bundle of Carol's under Bob's name: nothing is encrypted for it, and the user hears why."""
    world = World(15, SignalKeys())
    (alice,), (bob,), (carol,) = world.person(ALICE), world.person(BOB), world.person(CAROL)
    keys = world.keys
    assert isinstance(keys, SignalKeys)
    genuine = keys._identities[bob.engine.me]
    keys._identities[bob.engine.me] = keys._identities[carol.engine.me]
    alice.send(BOB, "for bob alone")
    world.run_for(600_000)
    assert world.sent == []
    told = alice.told(ProtocolNoted)
    assert {event.note for event in told} == {"seal-refused:protocol.identity_changed"}
    assert {event.chat for event in told} == {BOB}
    world.run_for(3_600_000)
    # Asked for ever more rarely, so that a lying directory cannot fill the log.
    assert len(alice.told(ProtocolNoted)) <= 24
    keys._identities[bob.engine.me] = genuine
    world.run_for(600_000)
    assert bob.shown() == ["for bob alone"]


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
