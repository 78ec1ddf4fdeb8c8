"""A member who wants to stop a group for the others, with requests that no signature and no tree speaks against."""

from __future__ import annotations

from dataclasses import replace

import pytest

from focus.ordering import LIMITS, World
from letterlock.errors import InvalidGroupMessage
from letterlock.mls.wire.extensions import Extension
from letterlock.mls.wire.message import decode_message, encode_message
from letterlock.mls.wire.proposals import Remove
from letterlock.mls.wire.welcome import GroupInfo
from letterlock.rcc16.wire.control import ClientMessage, Operation
from letterlock.rcc16.wire.reasons import ServerReason
from letterlock.services.focus.mls.logic import OrderedGroup
from letterlock.services.focus.mls.outcome import Accepted, Refused
from rcc16.certificates import NOW, SUITE, lab_policy


def test_a_self_remove_that_no_member_can_take_stops_nobody() -> None:
    """The focus cannot check membership tags. Whoever leaves with a wrong one leaves a proposal that no member has; what
    is asked is that the leaf goes, and a Remove takes it out as well."""
    world = World(3)
    a, b, c = world.phones
    request = c.leave()
    spoilt = replace(request, proposal=request.proposal[:-1] + bytes([request.proposal[-1] ^ 1]))
    outcome = world.judge(c, spoilt)
    assert isinstance(outcome, Accepted)
    world.group.install(outcome)
    world.roster -= {c.number}
    with pytest.raises(InvalidGroupMessage, match=r"MLS-6\.2-01"):
        a.receive(outcome.deliveries[0].data)

    waiting = world.judge(a, a.commit())
    assert isinstance(waiting, Refused) and waiting.reason is ServerReason.PENDING_PROPOSAL
    a.refused()
    world.do(a, a.commit([Remove(a.leaves_of(c.number)[0])]))
    assert a.g.epoch == b.g.epoch == 2
    assert world.group.state is not None and not world.group.state.pending()


def _twice(world: World, request: ClientMessage) -> ClientMessage:
    """With a GroupInfo that has an extension twice, signed as it should be."""
    a = world.phones[0]
    policy = lab_policy()
    info = decode_message(request.group_info, policy.proposal_types, policy.max_message_bytes)
    assert isinstance(info, GroupInfo)
    doubled = replace(info, extensions=(*info.extensions, *[Extension(0xF015, b"")] * 2))
    signed = replace(doubled, signature=SUITE.sign_with_label(a.client.sign, "GroupInfoTBS", doubled.tbs()))
    return replace(request, group_info=encode_message(signed))


def test_a_group_info_that_cannot_be_loaded_again_is_refused() -> None:
    """Nobody could come back by it, and the focus itself would have lost the group at its next start."""
    world = World(2)
    a = world.phones[0]
    outcome = world.judge(a, _twice(world, a.commit()))
    assert isinstance(outcome, Refused)
    assert (outcome.rule, outcome.reason) == ("MLS-13.4-01", ServerReason.INVALID_COMMIT)


def test_a_group_without_its_tree_can_be_renewed() -> None:
    """Whatever has become of a stored tree: a new era needs none."""
    world = World(2)
    a, b = world.phones
    world.group = OrderedGroup.without_tree(world.terms, world.group.state)
    refused = world.judge(a, a.commit())
    assert isinstance(refused, Refused) and refused.reason is ServerReason.MLS_GROUP_NOT_FOUND
    a.refused()
    world.do(a, a.found([b], era=2, operation=Operation.NEW_ERA))
    world.do(a, a.commit())
    assert b.g.epoch == a.g.epoch


def test_a_quota_is_not_used_up_by_one_member() -> None:
    limits = replace(LIMITS, max_epochs_an_hour_by_one=2, max_eras_a_day_by_one=1, max_external_commits_a_day_by_one=1)
    world = World(3, limits=limits)
    a, b, c = world.phones
    for _ in range(2):
        world.do(a, a.commit())
    assert isinstance(world.judge(a, a.commit()), Refused)
    a.refused()
    world.do(b, b.commit())
    world.do(a, a.found([b, c], era=2, operation=Operation.NEW_ERA))
    later = NOW + 3_700_000
    assert isinstance(world.judge(a, a.found([b, c], era=3, operation=Operation.NEW_ERA, now=later), later), Refused)
    world.do(b, b.found([a, c], era=3, operation=Operation.NEW_ERA, now=later), later)


def test_what_was_counted_is_counted_after_a_start() -> None:
    world = World(2, limits=replace(LIMITS, max_epochs_an_hour_by_one=1))
    a = world.phones[0]
    world.do(a, a.commit())
    world.group = world.reloaded()
    outcome = world.judge(a, a.commit())
    assert isinstance(outcome, Refused)
    assert outcome.reason is ServerReason.EPOCH_ADVANCEMENT_QUOTA_REACHED
