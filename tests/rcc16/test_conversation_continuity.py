"""The continuity of a group: a token among members, its commitment in what is published (v4.0; rcc16.md 5.7)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from letterlock.conversation_seam import AddMembers, SetMetadata, StrangeGroup
from letterlock.mls.wire.message import decode_message
from letterlock.mls.wire.welcome import GroupInfo
from letterlock.rcc16.choices import OURS, Revision
from letterlock.rcc16.conversation.settings import DEPLOYED
from letterlock.rcc16.metadata import continuity_commitment
from letterlock.rcc16.wire.content_types import CLIENT_CONTROL
from letterlock.rcc16.wire.control import Operation, decode_client_message
from letterlock.rcc16.wire.extensions import continuity_commitment_of

from .crooked import group_of, working
from .test_conversation_healing import refusing
from .world import ANA, BEN, CLEO, CONTROL, DORA, GROUP, Phone, World

V4 = replace(DEPLOYED, choices=replace(OURS, revision=Revision.V4))


def token_of(phone: Phone) -> bytes:
    with working(phone, GROUP) as work:
        return work.chat.continuity


def published(world: World) -> bytes | None:
    """What the GroupInfo at the focus says."""
    with working(world.phones[0], GROUP) as work:
        policy = group_of(work).client.policy
    info = decode_message(world.groups[GROUP].snapshot.group_info, policy.proposal_types, policy.max_message_bytes)
    assert isinstance(info, GroupInfo)
    return continuity_commitment_of(info.extensions)


def operations(phone: Phone) -> list[Operation]:
    packets = [packet for packet in phone.sent if packet.content_type == CLIENT_CONTROL]
    return [decode_client_message(packet.body, OURS.control_numbers, CONTROL).operation for packet in packets]


def shut_out(world: World, phone: Phone, *, add: Phone | None = None) -> None:
    """The group goes on without this phone, perhaps with a new member, and nothing of it is kept for it."""
    others = [one for one in world.phones if one is not phone and one is not add]
    world.drop = lambda travelling: travelling.to is phone
    others[0].change(GROUP, SetMetadata(subject="on") if add is None else AddMembers((add.number,)))
    world.run()
    state = world.groups[GROUP].group.state
    object.__setattr__(state, "history", state.history[-1:])
    world.drop = lambda travelling: False


def look(world: World, *others: Phone) -> None:
    others[0].write(GROUP, "are you there?")
    world.run()
    world.pass_time(120_000)


def test_members_have_the_token_and_the_focus_its_commitment() -> None:
    world = World(settings=V4)
    ana, ben, _ = phones = world.group(ANA, BEN, CLEO)
    token = token_of(ana)
    assert len(token) == 32 and {token_of(phone) for phone in phones} == {token}
    ben.change(GROUP, SetMetadata(subject="on"))
    world.run()
    with working(ana, GROUP) as work:
        assert published(world) == continuity_commitment(token, work.chat.authenticator)
    dora = world.phone(DORA)
    ben.change(GROUP, AddMembers((DORA,)))
    world.run()
    assert token_of(dora) == token
    assert not [packet for phone in world.phones for packet in phone.sent if token in packet.body]


def test_v3_writes_nothing_of_it() -> None:
    world = World()
    ana, ben = world.group(ANA, BEN)
    assert token_of(ana) == token_of(ben) == b"" and published(world) is None


def test_a_new_era_is_of_the_same_conversation() -> None:
    world = World(settings=V4)
    ana, ben, cleo = world.group(ANA, BEN, CLEO)
    token = token_of(ana)
    shut_out(world, ana)
    refusing(world.groups[GROUP], Operation.EXTERNAL_COMMIT)
    look(world, ben)
    assert ana.view(GROUP).era == 2 and {token_of(phone) for phone in (ana, ben, cleo)} == {token}


@pytest.mark.parametrize("same", [True, False])
def test_a_group_of_our_name_with_strangers_and_another_token_is_not_entered(same: bool) -> None:
    world = World(settings=V4)
    ana, ben, _ = world.group(ANA, BEN, CLEO)
    dora = world.phone(DORA)
    shut_out(world, ana, add=dora)
    if not same:
        with working(ana, GROUP) as work:
            work.update(continuity=bytes(32))
    look(world, ben)
    assert (Operation.EXTERNAL_COMMIT in operations(ana)) is same
    assert ana.told(StrangeGroup) == ([] if same else [StrangeGroup(GROUP, (DORA,))])
    world.pass_time(600_000)
    # The focus refuses what lacks a member of the RCS group: the user is asked in the end, and nobody was let in.
    assert (Operation.NEW_ERA in operations(ana)) is not same


def test_another_token_alone_keeps_nobody_out() -> None:
    """8.3.1.3: a mismatch alone is no reason."""
    world = World(settings=V4)
    ana, ben, _ = world.group(ANA, BEN, CLEO)
    shut_out(world, ana)
    with working(ana, GROUP) as work:
        work.update(continuity=bytes(32))
    look(world, ben)
    assert Operation.EXTERNAL_COMMIT in operations(ana) and ana.view(GROUP).era == 1
    assert not ana.told(StrangeGroup)
