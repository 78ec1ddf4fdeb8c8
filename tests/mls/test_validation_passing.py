"""Proposals that pass: signed by a member, kept for no commit, and judged in the epoch that they were signed in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from letterlock.errors import GroupInactive
from letterlock.mls.group.results import FutureEpoch, PassingProposal, PastEpoch
from letterlock.mls.registries import SELF_REMOVE
from letterlock.mls.wire.framing import NEW_MEMBER_PROPOSAL
from letterlock.mls.wire.message import encode_message
from letterlock.mls.wire.proposals import CustomProposal, CustomProposalType, ProposalTypes, Remove

from .lab import LAB, NOW, Person, deliver
from .malformed import key_package, message
from .refusing import Attack, refuses
from .snapshot import snapshot
from .world import World

NUMBER = 0xF00D
NOTE = CustomProposal(NUMBER, b"")
TYPES = ProposalTypes(
    custom={
        NUMBER: CustomProposalType(NUMBER, "note", lambda reader: b"", False, False, False),
        NUMBER + 1: CustomProposalType(NUMBER + 1, "other", None, False, False, False),
    }
)
POLICY = replace(LAB, proposal_types=TYPES, passing_proposals=frozenset({NUMBER}))


def world(*more: str) -> World:
    return World(*more, policy=POLICY)


def signed(person: Person, data: bytes = b"data") -> bytes:
    return person.propose(NOTE, public=True, authenticated_data=data)


def judge(w: World, data: bytes, after: Callable[[], None] = lambda: None) -> Attack:
    """Ben is asked about a message; nothing about him may change, and he goes on."""
    ben = w.ben
    ben.g.take_changes()

    def go_on() -> None:
        assert ben.g.take_changes() == {}
        assert isinstance(ben.g.verify_passing(signed(w.cleo), now=NOW), PassingProposal)
        after()

    return Attack(lambda: ben.g.verify_passing(data, now=NOW), lambda: snapshot(ben.g), go_on)


def test_of_this_epoch_though_nobody_lists_the_type() -> None:
    w = world()
    data = signed(w.mal)
    found = w.ben.g.verify_passing(data, now=NOW)
    assert found == PassingProposal(w.ben.g.epoch, 1, w.ben.g.state.tree.leaf(1), NOTE, b"data")  # type: ignore[arg-type]
    assert not list(w.ben.g.proposals()) and not list(w.mal.g.proposals())
    assert w.ben.say(b"nothing waits")


def test_of_a_past_epoch_with_the_leaf_of_that_epoch() -> None:
    w = world("dan")
    data, epoch, leaf = signed(w.cleo), w.ben.g.epoch, w.ben.g.state.tree.leaf(2)
    w.commit(w.cleo)
    w.people.remove(w.cleo)
    pending = w.ben.commit([Remove(2)], public=True)
    deliver(pending.message, w.people)
    found = w.ben.g.verify_passing(data, now=NOW)
    assert isinstance(found, PassingProposal) and (found.epoch, found.leaf) == (epoch, leaf)
    assert w.ben.g.state.tree.leaf(2) is None


def test_an_epoch_whose_secrets_are_gone_and_one_to_come() -> None:
    w = world()
    data = signed(w.mal)
    early = World("dan", policy=POLICY)
    for _ in range(POLICY.past_epochs + 1):
        w.commit(w.ben)
    assert w.ben.g.verify_passing(data, now=NOW) == PastEpoch(1)
    assert early.ben.g.verify_passing(signed(w.mal), now=NOW) == FutureEpoch(w.ben.g.epoch, False)


def test_who_was_removed_judges_what_came_before() -> None:
    w = world()
    before = signed(w.mal)
    pending = w.mal.commit([Remove(0)], public=True)
    deliver(pending.message, w.people)
    assert isinstance(w.ben.g.verify_passing(before, now=NOW), PassingProposal)
    with pytest.raises(GroupInactive):
        w.ben.propose(NOTE)


@refuses("MLS-P-06")
def test_a_private_message() -> Attack:
    w = world()
    return judge(w, w.mal.say(b"text"))


@refuses("MLS-P-06")
def test_a_proposal_of_another_type() -> Attack:
    w = world()
    return judge(w, message(w.mal, CustomProposal(NUMBER + 1, b"x")))


@refuses("MLS-P-06")
def test_a_proposal_of_no_member() -> Attack:
    w = world()
    return judge(w, message(w.mal, NOTE, sender=NEW_MEMBER_PROPOSAL))


@refuses("MLS-P-06")
def test_something_else_than_a_handshake() -> Attack:
    w = world()
    return judge(w, encode_message(key_package(w.eve.client, w.eve.rng)))


@refuses("MLS-6-22")
def test_of_another_group() -> Attack:
    w = world()
    return judge(w, message(w.mal, NOTE, group_id=b"another group"))


@refuses("MLS-6.2-01")
def test_with_a_wrong_membership_tag() -> Attack:
    w = world()
    return judge(w, message(w.mal, NOTE, membership_tag=bytes(32)))


@refuses("MLS-6.1-24")
def test_signed_by_another_member_in_this_epoch() -> Attack:
    w = world()
    return judge(w, message(w.mal, NOTE, sign=w.cleo.client.sign))


@refuses("MLS-P-07")
def test_signed_by_another_member_in_a_past_epoch() -> Attack:
    w = world()
    data = message(w.mal, NOTE, sign=w.cleo.client.sign)
    w.commit(w.ben)
    return judge(w, data)


@refuses("MLS-P-07")
def test_in_the_name_of_nobody_in_a_past_epoch() -> Attack:
    w = world()
    data = message(w.mal, NOTE, sender_leaf=3)
    w.commit(w.ben)
    return judge(w, data)


def test_self_removes_are_still_asked_about() -> None:
    """Only what passes is sent where some do not list the type."""
    w = World(policy=POLICY, proposals=[SELF_REMOVE])
    assert signed(w.ben)
