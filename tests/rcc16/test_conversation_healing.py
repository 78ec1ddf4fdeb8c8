"""Repair against a focus that lies or is broken: the ladder's lower rungs, and what the user is asked (rcc16.md 5.5, 5.7)."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

from letterlock.conversation_seam import (
    Ended,
    EndEncryption,
    HealthMoved,
    LetterReceived,
    Refusal,
    RemoveMembers,
    Retry,
    Revive,
    RosterChanged,
    Secured,
    SetMetadata,
    Stalled,
    Unreadable,
    Waits,
)
from letterlock.ids import MessageId
from letterlock.mls.group.group import Group
from letterlock.rcc16.choices import OURS
from letterlock.rcc16.conversation.records import chat_key
from letterlock.rcc16.wire.content_types import CLIENT_CONTROL, GROUP_INFO
from letterlock.rcc16.wire.control import (
    EndReason,
    GroupInfoMessage,
    Operation,
    decode_client_message,
    encode_server_message,
)
from letterlock.rcc16.wire.extensions import end_mls_extension, era_extension
from letterlock.rcc16.wire.reasons import ServerReason
from letterlock.services.focus.mls.outcome import Refused

from .crooked import letter
from .test_conversation_groups import agree, chat_of
from .world import ANA, BEN, CLEO, CONTROL, DORA, GROUP, Focus, Phone, World


def refusing(focus: Focus, *operations: Operation, reason: ServerReason = ServerReason.INVALID_COMMIT) -> None:
    """The focus refuses these, whatever is in them."""
    real = focus.group.judge

    def judge(request: Any, *rest: Any) -> Any:
        return Refused(reason, "test", "test") if request.operation in operations else real(request, *rest)

    object.__setattr__(focus, "group", _Wrapped(focus.group, judge))


class _Wrapped:
    def __init__(self, group: Any, judge: Any) -> None:
        self._group, self.judge = group, judge

    def __getattr__(self, name: str) -> Any:
        return getattr(self._group, name)


def requests(phone: Phone) -> list[Operation]:
    return [
        decode_client_message(packet.body, OURS.control_numbers, CONTROL).operation
        for packet in phone.sent
        if packet.content_type == CLIENT_CONTROL
    ]


def shut_out(world: World, phone: Phone) -> None:
    """The group goes on without this phone, and nothing of it is kept for it."""
    others = [one for one in world.phones if one is not phone]
    world.drop = lambda travelling: travelling.to is phone
    others[0].change(GROUP, SetMetadata(subject="on"))
    world.run()
    state = world.groups[GROUP].group.state
    object.__setattr__(state, "history", state.history[-1:])
    world.drop = lambda travelling: False


def test_where_nobody_may_come_back_a_new_era_is_made_by_the_lowest_number() -> None:
    world = World()
    ana, ben, cleo = world.group(ANA, BEN, CLEO)
    shut_out(world, ana)
    refusing(world.groups[GROUP], Operation.EXTERNAL_COMMIT)
    ben.write(GROUP, "are you there?")
    world.run()
    world.pass_time(120_000)
    agree(ana, ben, cleo)
    assert ana.view(GROUP).era == 2 and requests(ana)[-2:] == [Operation.EXTERNAL_COMMIT, Operation.NEW_ERA]
    assert [(one.era, one.by) for one in cleo.told(Secured)] == [(1, ANA), (2, ANA)]
    assert not [one for one in cleo.told(RosterChanged) if one.era == 2]  # the same people on the same devices
    edges = [one.edge for one in ana.told(HealthMoved)]
    assert edges[:2] == ["GroupCreated", "RequestedSelfHeal"] and edges[-1] == "EraAdvancementSuccessful"


def test_who_is_not_the_lowest_waits_its_turn_and_then_takes_over() -> None:
    world = World()
    ana, ben, cleo = world.group(ANA, BEN, CLEO)
    shut_out(world, cleo)
    refusing(world.groups[GROUP], Operation.EXTERNAL_COMMIT)
    world.drop = lambda travelling: travelling.to is ana and travelling.packet.content_type == "message/mls"
    ben.write(GROUP, "cleo?")
    world.run()
    world.pass_time(60_000)
    assert Operation.NEW_ERA not in requests(cleo)
    world.pass_time(3_600_000, step=20_000)
    agree(ana, ben, cleo)
    assert requests(cleo)[-1] is Operation.NEW_ERA and ana.view(GROUP).era == 2


def test_a_focus_that_lost_the_group_gets_it_again() -> None:
    world = World()
    ana, ben, cleo = world.group(ANA, BEN, CLEO)
    world.found(GROUP, (ANA, BEN, CLEO))
    ana.change(GROUP, SetMetadata(subject="lost"))
    world.run()
    world.pass_time(300_000)
    agree(ana, ben, cleo)
    assert ana.view(GROUP).era == 2


def test_a_focus_that_is_silent_is_asked_later_each_time() -> None:
    world = World()
    ana, ben, _ = world.group(ANA, BEN, CLEO)
    shut_out(world, ana)
    world.drop = lambda travelling: travelling.to is ana and travelling.sender is None
    ben.write(GROUP, "hello")
    world.run()
    world.pass_time(6 * 3_600_000, step=30_000)
    pulls = [packet for packet in ana.sent if packet.content_type == GROUP_INFO]
    assert 5 < len(pulls) < 25
    assert ana.write(GROUP, "wait").waits is Waits.HEALING
    world.drop = lambda travelling: False
    world.pass_time(2 * 3_600_000, step=30_000)
    agree(ana, ben)


def test_repair_that_is_spent_asks_the_user_and_never_sends_in_the_clear() -> None:
    world = World()
    ana, ben, cleo = world.group(ANA, BEN, CLEO)
    shut_out(world, ana)
    refusing(
        world.groups[GROUP],
        Operation.EXTERNAL_COMMIT,
        Operation.NEW_ERA,
        reason=ServerReason.ERA_ADVANCEMENT_QUOTA_REACHED,
    )
    ben.write(GROUP, "ana?")
    world.run()
    world.pass_time(600_000)
    (stalled,) = ana.told(Stalled)
    assert stalled.conversation == GROUP and ana.write(GROUP, "x").refused is Refusal.STALLED
    world.pass_time(24 * 3_600_000, step=600_000)
    assert len(ana.told(Stalled)) == 1 and not ana.told(Ended)
    assert all(packet.content_type != "text/plain" for packet in ana.sent)
    world.groups[GROUP].group = world.groups[GROUP].group._group
    ana.change(GROUP, Retry())
    world.run()
    world.pass_time(60_000)
    agree(ana, ben, cleo)
    assert ana.write(GROUP, "back").packets


def test_a_stalled_member_ends_encryption_for_all_by_a_new_era() -> None:
    world = World()
    ana, ben, cleo = world.group(ANA, BEN, CLEO)
    shut_out(world, ana)
    refusing(world.groups[GROUP], Operation.EXTERNAL_COMMIT, reason=ServerReason.EPOCH_ADVANCEMENT_QUOTA_REACHED)
    world.kds_down = True
    ben.write(GROUP, "ana?")
    world.run()
    world.pass_time(60_000)
    stall(ana)
    ana.change(GROUP, EndEncryption())
    world.run()
    assert [one.by for one in ben.told(Ended)] == [ANA] == [one.by for one in cleo.told(Ended)]
    assert ana.view(GROUP).ended and ana.view(GROUP).health == "done-end-mls"
    assert ben.write(GROUP, "x").refused is Refusal.ENDED
    world.kds_down = False
    world.groups[GROUP].group = world.groups[GROUP].group._group
    ben.change(GROUP, Revive())
    world.run()
    world.pass_time(120_000)
    agree(ana, ben, cleo)
    assert cleo.view(GROUP).encrypted and cleo.view(GROUP).era == 3


def stall(phone: Phone) -> None:
    """Repair was spent."""
    phone.state.apply({chat_key(GROUP): replace(chat_of(phone), stalled="test", heal=None, operation=None)})


def test_nobody_outside_ends_encryption_by_showing_a_group() -> None:
    """SR-01: a focus and a stranger together make a GroupInfo with end_mls; it is not believed."""
    world = World()
    ana, ben, cleo = world.group(ANA, BEN, CLEO)
    dora = world.phone(DORA)
    info = ended_group(dora)
    for phone in (ana, ben, cleo):
        phone.receive(world.down(GROUP, "ghost-end", "message/mls-rcs-server", info, ()), None)
        assert not phone.told(Ended) and not phone.view(GROUP).ended
    world.run()
    world.pass_time(120_000)
    agree(ana, ben, cleo)
    assert ana.write(GROUP, "still encrypted").packets


def ended_group(phone: Phone) -> bytes:
    client = phone.protocol.enrolment.client(phone.state, phone.world.now)
    assert client is not None and GROUP.group is not None
    extensions = (era_extension(9), end_mls_extension(EndReason.UNSET, OURS.revision))
    group = Group.create(client, GROUP.group.hex().encode(), extensions=extensions, rng=phone.rng, now=phone.world.now)
    message = GroupInfoMessage(group.group_info(with_tree=False), group.state.tree.encode(), group.epoch_authenticator)
    return encode_server_message(message, OURS.control_numbers)


def test_a_letter_of_an_era_that_is_over_is_asked_for_again() -> None:
    world = World()
    ana, ben, cleo = world.group(ANA, BEN, CLEO)
    late = letter(ben, GROUP, "late", message_id="late")
    shut_out(world, ana)
    refusing(world.groups[GROUP], Operation.EXTERNAL_COMMIT)
    cleo.write(GROUP, "ana?")
    world.run()
    world.pass_time(120_000)
    assert ana.view(GROUP).era == 2
    progress = ana.receive(late, BEN)
    (told,) = progress.notices
    assert isinstance(told, Unreadable) and told.reason == "superseded-era" and not told.repairing
    (report,) = progress.packets
    assert b"failed-to-decrypt" in report.body and report.to == BEN
    assert MessageId("late") not in [one.message_id for one in ana.told(LetterReceived)]


def test_a_focus_that_goes_back_brings_nobody_back_who_was_removed() -> None:
    """SR-04: an old state of the group, in which a removed member still stands, is not joined again."""
    world = World()
    ana, ben, cleo = world.group(ANA, BEN, CLEO)
    focus = world.groups[GROUP]
    old = copy.copy(focus.group), focus.snapshot, set(focus.roster), dict(focus.data)
    ana.change(GROUP, RemoveMembers((CLEO,)))
    world.run()
    agree(ana, ben)
    focus.group, focus.snapshot, focus.roster, focus.data = old
    ben.change(GROUP, SetMetadata(subject="without cleo"))
    world.run()
    world.pass_time(3_600_000, step=20_000)
    for phone in (ana, ben):
        assert CLEO not in [member.number for member in phone.view(GROUP).members]
        assert Operation.EXTERNAL_COMMIT not in requests(phone)
        assert not [one for one in phone.told(RosterChanged) if CLEO in one.added and one.epoch > 1]
    assert not cleo.read()
