"""Whoever was never with us in a conversation can make us keep and do only so much (SR-08, SR-13)."""

from __future__ import annotations

import base64
from dataclasses import replace

from letterlock.conversation_seam import Claimed, ClaimOutcome, Conversation, Packet, PacketHeader, Stalled
from letterlock.ids import MessageId, Number
from letterlock.rcc16.conversation.records import CHATS, PARKED
from letterlock.rcc16.conversation.settings import DEPLOYED
from letterlock.rcc16.wire.content_types import GROUP_INFO
from letterlock.rcc16.wire.packet_headers import NAMESPACE
from letterlock.rcc16.wire.reasons import ServerReason, encode_negative_receipt

from .world import ANA, BEN, CLEO, GROUP, World

SMALL = replace(DEPLOYED, max_strangers=3, max_parked=20, max_parked_bytes=4_000, max_parked_unknown=4)


def unreadable(sender: Number, name: str, size: int = 0) -> Packet:
    """A letter of a group that nobody has."""
    headers = (
        PacketHeader(NAMESPACE, "Era-ID", "7"),
        PacketHeader(NAMESPACE, "Epoch-Authenticator", base64.b64encode(bytes(32)).decode()),
    )
    body = b"\x00\x01\x00\x02\x24" + b"12345678-1234-4234-8234-123456789abc" + (9).to_bytes(8, "big") + bytes(size)
    return Packet(
        Conversation(peer=sender), None, MessageId(name), "message/mls", headers, body, ("negative-delivery",)
    )


def test_made_up_numbers_cost_a_bounded_number_of_records() -> None:
    world = World(settings=SMALL)
    ana = world.phone(ANA)
    for n in range(40):
        stranger = Number(f"+1666{n:07d}")
        for turn in range(8):
            ana.receive(unreadable(stranger, f"m{turn}"), stranger)
    assert len(list(ana.state.scan(CHATS))) == 3
    assert len(list(ana.state.scan(PARKED))) == 3 * 4


def test_a_stranger_who_comes_to_nothing_is_forgotten_and_makes_room() -> None:
    world = World(settings=SMALL)
    world.drop = lambda t: True
    ana = world.phone(ANA)
    for n in range(3):
        ana.receive(unreadable(Number(f"+166600000{n}"), "m"), Number(f"+166600000{n}"))
    world.pass_time(SMALL.received_kept_ms + 86_400_000)
    assert not list(ana.state.scan(CHATS)) and not list(ana.state.scan(PARKED))
    assert not ana.told(Stalled)
    ana.receive(unreadable(BEN, "m"), BEN)
    assert len(list(ana.state.scan(CHATS))) == 1


def test_what_waits_is_bounded_in_bytes() -> None:
    world = World(settings=SMALL)
    ana, _ben, _ = world.group(ANA, BEN, CLEO)
    with_room = unreadable(BEN, "x")
    body = with_room.body[:4] + b"\x20" + bytes(range(16)).hex().encode() + (9).to_bytes(8, "big") + bytes(1_500)
    for n in range(10):
        ana.receive(replace(with_room, conversation=GROUP, message_id=MessageId(f"m{n}"), body=body), BEN)
    assert len(list(ana.state.scan(PARKED))) == 2


def test_a_stranger_who_says_that_there_is_no_group_gets_none() -> None:
    """SR-13: what nobody here has wished for is not made, and nobody's packages are claimed for it."""
    world = World()
    ana = world.phone(ANA)
    world.phone(BEN)
    world.drop = lambda t: True
    claims = world.claims
    ana.receive(unreadable(BEN, "m"), BEN)
    for n in range(8):
        world.pass_time(40_000)
        pulls = [packet for packet in ana.sent if packet.content_type == GROUP_INFO]
        for pull in pulls[-1:]:
            body = encode_negative_receipt(pull.message_id, "2026-11-23T05:00:00Z", ServerReason.MLS_GROUP_NOT_FOUND)
            no = Packet(Conversation(peer=BEN), None, MessageId(f"no{n}"), "message/imdn+xml", (), body)
            ana.receive(no, BEN)
    assert world.claims == claims
    assert {packet.content_type for packet in ana.sent} <= {GROUP_INFO}
    assert not ana.told(Stalled)


def test_a_server_that_cannot_reach_another_one_does_not_drain_who_it_reaches() -> None:
    """SR-13: each try costs a package of everybody that is reached, so there are fewer and fewer tries."""
    world = World()
    ana, _ben, _cleo = (world.phone(of) for of in (ANA, BEN, CLEO))
    world.found(GROUP, (ANA, BEN, CLEO))
    claim = world._claim
    asked = []

    def reached(of: Number) -> Claimed:
        asked.append(of)
        return Claimed(ClaimOutcome.FAILED) if of == CLEO else claim(of)

    world._claim = reached  # type: ignore[method-assign]
    ana.upgrade(GROUP, BEN, CLEO)
    for _ in range(72):
        world.pass_time(600_000, step=30_000)
    assert 8 <= asked.count(BEN) <= 20
    world._claim = claim  # type: ignore[method-assign]
    world.pass_time(2 * 3_600_000)
    assert ana.view(GROUP).encrypted
