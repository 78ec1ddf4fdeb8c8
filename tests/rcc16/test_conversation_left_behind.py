"""Leaves of somebody who has left the RCS group, and whom no proposal takes out: members do, or no commit is accepted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from letterlock.conversation_seam import Conversation, Leave, Packet, PacketHeader, RemoveMembers, SetMetadata
from letterlock.rcc16.choices import OURS
from letterlock.rcc16.conversation.settings import DEPLOYED
from letterlock.rcc16.wire.content_types import GROUP_INFO
from letterlock.rcc16.wire.control import (
    ControlMessage,
    MlsMessage,
    Operation,
    decode_client_message,
    decode_enhanced_group_info,
    encode_client_message,
    encode_enhanced_group_info,
)

from .test_conversation_groups import agree, members
from .world import ANA, BEN, CLEO, CONTROL, DORA, GROUP, Phone, World


def _settle(world: World) -> None:
    world.run()
    for _ in range(10):
        world.pass_time(60_000)


def _spoil_self_removes(world: World) -> None:
    """With a membership tag that does not hold: members refuse it, and the focus cannot know."""
    order: Callable[..., None] = world._order

    def spoilt(focus, phone, packet) -> None:  # type: ignore[no-untyped-def]
        request = decode_client_message(packet.body, OURS.control_numbers, CONTROL)
        if request.operation is Operation.PROPOSAL:
            proposal = request.proposal[:-1] + bytes([request.proposal[-1] ^ 1])
            packet = replace(
                packet, body=encode_client_message(replace(request, proposal=proposal), OURS.control_numbers)
            )
        order(focus, phone, packet)

    world._order = spoilt  # type: ignore[method-assign]


def _other_signatures(world: World) -> list[bytes]:
    """Of the proposals that are given with a GroupInfo: with a byte of what was signed changed. What was given."""
    down, given = world.down, []

    def lying(
        conversation: Conversation, message_id: str, kind: str, body: bytes, headers: tuple[PacketHeader, ...]
    ) -> Packet:
        if kind == GROUP_INFO:
            info = decode_enhanced_group_info(body, OURS.control_numbers, CONTROL)
            changed = []
            for each in info.messages:
                assert isinstance(each.message, MlsMessage)
                given.append(each.message.message)
                at = each.message.message.index(each.message_id.encode())
                other = each.message.message[:at] + b"x" + each.message.message[at + 1 :]
                changed.append(ControlMessage(each.message_id, MlsMessage(other)))
            body = encode_enhanced_group_info(replace(info, messages=tuple(changed)), OURS.control_numbers)
        return down(conversation, message_id, kind, body, headers)

    world.down = lying  # type: ignore[method-assign]
    return given


def _roster_is_told(phones: list[Phone], world: World) -> None:
    for phone in phones:
        phone.upgrade(GROUP, *sorted(world.groups[GROUP].roster))
    world.run()


def test_a_leaver_cannot_stop_the_group_with_a_proposal_that_nobody_can_take() -> None:
    world = World()
    ana, ben, cleo, dora = world.group(ANA, BEN, CLEO, DORA)
    _spoil_self_removes(world)
    dora.change(GROUP, Leave())
    world.run()
    _roster_is_told([ana, ben, cleo], world)
    ana.change(GROUP, RemoveMembers((CLEO,)))
    _settle(world)
    agree(ana, ben)
    assert members(ana) == [ANA, BEN]
    ben.write(GROUP, "we are two")
    world.run()
    assert ana.read() == ["we are two"] and not dora.read()


def test_who_left_the_rcs_group_alone_is_taken_out_with_the_next_commit() -> None:
    """As a client does that says BYE and nothing else (rcc16.md 6)."""
    world = World()
    ana, ben, cleo, _ = world.group(ANA, BEN, CLEO, DORA)
    world.groups[GROUP].roster.discard(DORA)
    _roster_is_told([ana, ben, cleo], world)
    ben.change(GROUP, SetMetadata("without her"))
    _settle(world)
    agree(ana, ben, cleo)
    assert members(cleo) == [ANA, BEN, CLEO]
    assert cleo.view(GROUP).subject == "without her"


def test_who_left_the_rcs_group_alone_is_taken_out_also_when_that_is_told_late() -> None:
    """Five refusals end a wish, and not the group: nothing else would ever begin to count them anew."""
    world = World()
    ana, ben, cleo, _ = world.group(ANA, BEN, CLEO, DORA)
    world.groups[GROUP].roster.discard(DORA)
    ben.change(GROUP, SetMetadata("too early"))
    _settle(world)
    assert len(world.refusals) == DEPLOYED.budgets.slot_attempts and not ben.view(GROUP).subject
    _roster_is_told([ana, ben, cleo], world)
    ben.change(GROUP, SetMetadata("without her"))
    _settle(world)
    agree(ana, ben, cleo)
    assert members(cleo) == [ANA, BEN, CLEO]
    assert cleo.view(GROUP).subject == "without her"


def test_who_left_the_rcs_group_alone_can_be_removed_by_hand() -> None:
    """Nobody was told of the conference's roster: the first commit asks for a change of it that was done already."""
    world = World()
    ana, ben, cleo, _ = world.group(ANA, BEN, CLEO, DORA)
    world.groups[GROUP].roster.discard(DORA)
    ben.change(GROUP, RemoveMembers((DORA,)))
    _settle(world)
    agree(ana, ben, cleo)
    assert members(cleo) == [ANA, BEN, CLEO]
    assert len(world.refusals) == 1


def test_who_left_unheard_is_taken_out_with_the_next_commit() -> None:
    """The focus accepted it, and all that it sent of it was lost. Until then the roster alone says so (SR-04)."""
    world = World()
    ana, ben, cleo, dora = world.group(ANA, BEN, CLEO, DORA)
    dora.change(GROUP, Leave())
    world.queue.clear()
    _roster_is_told([ana, ben, cleo], world)
    world.pass_time(120_000)
    assert members(ana) == [ANA, BEN, CLEO, DORA]
    ben.change(GROUP, SetMetadata("without her"))
    _settle(world)
    agree(ana, ben, cleo)
    assert members(cleo) == [ANA, BEN, CLEO]


def test_who_left_unheard_is_heard_of_where_the_group_stands() -> None:
    """The first commit is refused because it skips a proposal; who then asks is given the proposal, and commits it."""
    world = World()
    ana, ben, cleo, dora = world.group(ANA, BEN, CLEO, DORA)
    dora.change(GROUP, Leave())
    world.queue.clear()
    ben.change(GROUP, SetMetadata("without her"))
    _settle(world)
    agree(ana, ben, cleo)
    assert members(cleo) == [ANA, BEN, CLEO]
    assert cleo.view(GROUP).subject == "without her"


def test_who_left_before_anybody_had_come_in_is_taken_out() -> None:
    """All Welcomes were lost, and the creator is gone: the first who comes in by an external commit, with which its
    proposal goes, is the only one who has seen its word (draft-ietf-mls-extensions 6.3)."""
    world = World()
    ana, ben, cleo, dora = (world.phone(of) for of in (ANA, BEN, CLEO, DORA))
    world.found(GROUP, (ANA, BEN, CLEO, DORA))
    world.drop = lambda travelling: travelling.to is not ana
    ana.upgrade(GROUP, ANA, BEN, CLEO, DORA)
    world.run()
    ana.change(GROUP, Leave())
    world.run()
    world.drop = lambda travelling: False
    for phone in (ben, cleo, dora):
        phone.upgrade(GROUP, ANA, BEN, CLEO, DORA)
    _settle(world)
    agree(ben, cleo, dora)
    assert members(ben) == [BEN, CLEO, DORA]
    cleo.change(GROUP, SetMetadata("without her"))
    _settle(world)
    assert dora.view(GROUP).subject == "without her"


def test_sr04_who_has_not_signed_it_does_not_leave() -> None:
    """The focus gives a leaver's proposal to who comes in from outside; one that is no leaver's word takes nobody out."""
    world = World()
    ana, ben, cleo = (world.phone(of) for of in (ANA, BEN, CLEO))
    world.found(GROUP, (ANA, BEN, CLEO))
    world.drop = lambda travelling: travelling.to is not ana
    ana.upgrade(GROUP, ANA, BEN, CLEO)
    world.run()
    ana.change(GROUP, Leave())
    world.run()
    world.drop = lambda travelling: False
    given = _other_signatures(world)
    for phone in (ben, cleo):
        phone.upgrade(GROUP, ANA, BEN, CLEO)
    _settle(world)
    assert given
    agree(ben, cleo)
    assert members(ben) == [ANA, BEN, CLEO]


def test_a_roster_alone_removes_nobody() -> None:
    """SR-04: what a focus says of the roster is not believed before it also refuses commits; then nothing else would do."""
    world = World()
    ana, ben, cleo = world.group(ANA, BEN, CLEO)
    for phone in (ana, ben):
        phone.upgrade(GROUP, ANA, BEN)
    ana.change(GROUP, SetMetadata("hello"))
    _settle(world)
    agree(ana, ben, cleo)
    assert members(ana) == [ANA, BEN, CLEO]


def test_who_was_removed_by_somebody_faster_keeps_no_letter_back() -> None:
    world = World()
    ana, ben, cleo, _ = world.group(ANA, BEN, CLEO, DORA)
    ana.change(GROUP, RemoveMembers((DORA,)))
    ben.change(GROUP, RemoveMembers((DORA,)))
    _settle(world)
    ben.write(GROUP, "we are three")
    world.run()
    assert cleo.read() == ["we are three"]
