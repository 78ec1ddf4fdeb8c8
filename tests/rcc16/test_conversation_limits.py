"""Limits of repair that nobody can wear out: what garbage sets off, and what a focus without memory does (rcc16.md 5.5)."""

from __future__ import annotations

from dataclasses import replace

from letterlock.conversation_seam import AddMembers, Packet, SetMetadata, Unreadable
from letterlock.ids import MessageId
from letterlock.rcc16.conversation.settings import DEPLOYED
from letterlock.rcc16.health.budgets import Charge
from letterlock.rcc16.wire.content_types import GROUP_INFO
from letterlock.rcc16.wire.control import Operation
from letterlock.rcc16.wire.packet_headers import application_headers

from .crooked import letter
from .test_conversation_groups import agree, chat_of
from .test_conversation_healing import requests
from .world import ANA, BEN, CLEO, DORA, GROUP, Phone, World

MINUTE = 60_000


def spoilt(world: World, by: Phone, name: str) -> Packet:
    """A letter that nobody can read, of an epoch of these numbers that is not ours."""
    packet = letter(by, GROUP, message_id=name)
    broken = packet.body[:-1] + bytes([packet.body[-1] ^ 1])
    return replace(packet, body=broken, headers=application_headers(1, bytes(32)), message_id=MessageId(name))


def test_three_repairs_that_find_nothing_wrong_are_enough_for_one_moment() -> None:
    """SR-07: whoever sends garbage has us look three times in an epoch, not with each of it."""
    world = World()
    ana, ben, cleo = world.group(ANA, BEN, CLEO)
    for number in range(6):
        ana.receive(spoilt(world, ben, f"spoilt-{number}"), BEN)
        world.run()
        world.pass_time(MINUTE)
    assert sum(packet.content_type == GROUP_INFO for packet in ana.sent) == 3
    told = [(one.message_id, one.repairing) for one in ana.told(Unreadable)]
    assert told[-3:] == [(f"spoilt-{number}", False) for number in (3, 4, 5)]
    assert ana.view(GROUP).health == "healthy"
    # In the next epoch it is looked again.
    world.phone(DORA)
    cleo.change(GROUP, AddMembers((DORA,)))
    world.run()
    assert chat_of(ana).ledger.left(Charge.PARK, DEPLOYED.budgets, world.now)
    ana.receive(spoilt(world, ben, "later"), BEN)
    world.pass_time(MINUTE)
    assert sum(packet.content_type == GROUP_INFO for packet in ana.sent) == 4


def test_a_group_that_the_focus_loses_over_and_over_is_made_again_once_in_ten_minutes() -> None:
    world = World()
    ana, ben, cleo = world.group(ANA, BEN, CLEO)
    for number in range(3):
        world.found(GROUP, (ANA, BEN, CLEO))
        ana.change(GROUP, SetMetadata(subject=f"lost {number}"))
        world.run()
        world.pass_time(2 * MINUTE, step=10_000)
    made = sum(operation in (Operation.NEW_GROUP, Operation.NEW_ERA) for operation in requests(ana))
    assert made == 2  # the first of all, and one again
    world.pass_time(30 * MINUTE, step=10_000)
    agree(ana, ben, cleo)
    assert ana.view(GROUP).encrypted and ana.view(GROUP).subject == "lost 2"
