"""Custom proposals that remove a member (RCC.16's ServerRemove): a commit applies them, under the rules of Remove."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from letterlock.mls.authentication import BasicAuthentication
from letterlock.mls.group.group import Group
from letterlock.mls.registries import SELF_REMOVE
from letterlock.mls.wire.credential import Credential
from letterlock.mls.wire.proposals import CustomProposal, CustomProposalType, ProposalTypes, Remove

from .lab import LAB, NOW, Person, assert_agree, deliver, group_of
from .malformed import external_commit, member_commit, message
from .refusing import Attack, refuses
from .world import World, at_member, at_server

NUMBER = 0xF00D
TYPES = ProposalTypes(
    custom={
        NUMBER: CustomProposalType(
            NUMBER, "expel", lambda reader: reader.take(4), True, False, True, lambda body: int.from_bytes(body, "big")
        )
    }
)
POLICY = replace(LAB, proposal_types=TYPES)
Place = Callable[[World, bytes], Attack]
BOTH = (at_member, at_server)


def expel(leaf: int) -> CustomProposal:
    return CustomProposal(NUMBER, leaf.to_bytes(4, "big"))


def world() -> World:
    return World("dan", policy=POLICY, proposals=[SELF_REMOVE, NUMBER])


def test_a_commit_that_covers_it_removes_the_leaf() -> None:
    w = world()
    dan = w.people.pop()
    pending = w.ben.commit([expel(3)], public=True)
    assert [leaf for leaf, _ in pending.staged.effects.removed] == [3]
    deliver(pending.message, [*w.people, dan])
    assert not dan.g.active
    assert_agree(w.people)
    assert w.ben.g.state.tree.leaf(3) is None


def test_by_reference_too() -> None:
    w = world()
    w.proposed(w.mal, expel(3))
    dan = w.people.pop()
    pending = w.ben.commit(public=True)
    deliver(pending.message, [*w.people, dan])
    assert not dan.g.active
    assert_agree(w.people)


def test_a_participant_comes_back_and_takes_all_its_old_leaves_away() -> None:
    """One Remove is all that RFC 9420 allows an external commit; further leaves go this way (rcc16.md 2.5)."""

    def make(name: str) -> Person:
        person = Person(name, policy=replace(POLICY, public_handshakes=True), proposals=[SELF_REMOVE, NUMBER])
        identity = name.partition("-")[0].encode()
        trust = BasicAuthentication(lambda identity, key: True)
        person.client = replace(person.client, credential=Credential.basic(identity), authentication=trust)
        return person

    ann, *others = group_of(["ann", "bob-1", "bob-2", "bob-3"], make=make)
    bob = make("bob-4")
    info = ann.g.group_info()
    bob.group, join = Group.join_externally(
        bob.client, info, resync=1, proposals=[expel(2), expel(3)], rng=bob.rng, now=NOW
    )
    deliver(join.message, [ann, *others])
    assert not any(other.g.active for other in others)
    assert_agree([ann, bob])
    assert [leaf for leaf, _ in ann.g.members()] == [0, 1]


@refuses("MLS-12.1.3-01", *BOTH)
def test_of_a_blank_leaf(place: Place) -> Attack:
    w = world()
    return place(w, message(w.mal, expel(7)))


@refuses("MLS-12.1.3-01", *BOTH)
def test_commit_of_one_of_a_blank_leaf(place: Place) -> Attack:
    w = world()
    return place(w, member_commit(w.mal, shown=[expel(7)]).message)


@refuses("MLS-12.2-02", *BOTH)
def test_of_the_committer(place: Place) -> Attack:
    w = world()
    return place(w, member_commit(w.mal, shown=[expel(1)]).message)


@refuses("MLS-12.2-03", *BOTH)
def test_of_a_leaf_that_is_removed_already(place: Place) -> Attack:
    w = world()
    return place(w, member_commit(w.mal, shown=[Remove(2), expel(2)]).message)


@refuses("MLS-12.2-13", *BOTH)
def test_of_somebody_else_in_an_external_commit(place: Place) -> Attack:
    w = world()
    return place(w, external_commit(w.eve, w.ben.g.group_info(), shown=[expel(2)]).message)
